"""Answers of the SEC about many companies, read one by one and made columns together: a frame a company is slow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from msgspec import UNSET, Struct, UnsetType

from aitrader.domain.frames import empty
from aitrader.providers.bodies import (
    Fields,
    Kind,
    Page,
    column,
    decode,
    objects,
    printable,
    shaped,
    texts,
    unreadable,
)
from aitrader.providers.plain_bars import quickly
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.providers.sec_facts import FACTS, TAGS


def cik_of(value: object) -> str | None:
    """A company's number with its ten digits."""
    if type(value) is int and 0 < value < 10**10:
        return f"{value:010d}"
    text = value if type(value) is str and re.fullmatch("[0-9]{1,10}", value) else "0"
    return f"{int(text):010d}" if int(text) else None


class _Facts(Struct):
    cik: int | str
    facts: dict[str, Any]


class _Figure(Struct, gc=False):
    start: str | None = None
    end: str | None = None
    val: float | None = None
    fy: float | None = None
    fp: str | None = None
    form: str | None = None
    filed: str | None = None
    accn: str | None = None
    frame: str | None = None


class _Tag(Struct):
    units: dict[str, list[_Figure]] = {}


def _reader() -> msgspec.json.Decoder[Any]:
    """Reads the tags that reports are made of and passes over the hundreds of others."""
    parts: list[tuple[str, Any, Any]] = []
    for taxonomy in ("us-gaap", "dei"):
        names = {f"t{at}": tag.partition(":")[2] for at, tag in enumerate(TAGS) if tag.startswith(taxonomy + ":")}
        told = msgspec.defstruct("_Tags", [(name, _Tag | UnsetType, UNSET) for name in names], rename=names)
        parts.append((taxonomy.replace("-", "_"), told | UnsetType, UNSET))
    both = msgspec.defstruct("_Taxonomies", parts, rename={"us_gaap": "us-gaap"})
    return msgspec.json.Decoder(msgspec.defstruct("_PlainFacts", [("cik", int | str), ("facts", both)]))


_PLAIN_FACTS: Final = _reader()
_FIGURES: Final[Fields] = {
    "start": ("start", "date"),
    "end": ("end", "date"),
    "value": ("val", "number"),
    "year": ("fy", "number"),
    "fiscal_period": ("fp", "text"),
    "form": ("form", "text"),
    "filed": ("filed", "date"),
    "accession": ("accn", "text"),
    "frame": ("frame", "text"),
}
_PAST_INTEGERS: Final = 2.0**63  # an integer from here on is no number to us, and cannot be told from a float


@dataclass(frozen=True, kw_only=True)
class CompanyFacts:
    """The figures of one answer as they stand there, each with its concept and unit; not yet judged."""

    cik: str
    concepts: list[str]
    units: list[str]
    figures: list[_Figure]
    body: bytes | None = None  # where each field is of its own type or None: to be read again with more care


@lru_cache(200)
def _word(unit: str) -> str:
    return printable(unit)


def read_company_facts(body: bytes) -> CompanyFacts:
    """The figures of a company that reports are made of; many answers together: :func:`facts_page`."""
    return _plain_facts(body) or _tag_by_tag(body)


def _plain_facts(body: bytes) -> CompanyFacts | None:
    """The figures where each field is of its own type."""
    found = quickly(body, _PLAIN_FACTS)
    if found is None or (cik := cik_of(found.cik)) is None:
        return None
    figures: list[_Figure] = []
    concepts: list[str] = []
    units: list[str] = []
    parts = {"us-gaap": found.facts.us_gaap, "dei": found.facts.dei}
    for at, concept in enumerate(TAGS):
        part = parts[concept.partition(":")[0]]
        tag = UNSET if part is UNSET else getattr(part, f"t{at}")
        for unit, told in () if tag is UNSET else tag.units.items():
            figures += told
            concepts += [concept] * len(told)
            units += [_word(unit)] * len(told)
    return CompanyFacts(cik=cik, concepts=concepts, units=units, figures=figures, body=body)


def _tag_by_tag(body: bytes) -> CompanyFacts:
    """The figures of whatever types they are, or the error that the body is."""
    file = "sec/companyfacts"
    found = decode(body, _Facts, endpoint=file)
    cik = cik_of(found.cik)
    if cik is None:
        raise unreadable(file, "it names no company")
    rows: list[Any] = []
    concepts: list[str] = []
    units: list[str] = []
    for concept in TAGS:
        taxonomy, _, tag = concept.partition(":")
        told = _inside(_inside(_inside(found.facts, taxonomy, file), tag, file), "units", file)
        for unit, values in told.items():
            if not isinstance(values, list):
                raise unreadable(file, f"{concept} holds no list of values")
            rows += values
            concepts += [concept] * len(values)
            units += [printable(unit)] * len(values)
    keys = [key for key, _ in _FIGURES.values()]
    figures = [_Figure(**{key: row.get(key) for key in keys}) for row in objects(rows, endpoint=file)]
    return CompanyFacts(cik=cik, concepts=concepts, units=units, figures=figures)


def facts_page(found: Sequence[CompanyFacts]) -> Page:
    """The figures of many companies (schema FACTS), in the order of the answers; few calls for many answers."""
    file = "sec/companyfacts"
    sizes = [len(one.concepts) for one in found]
    if not sum(sizes):
        return Page(frame=empty(FACTS))
    figures = [figure for one in found for figure in one.figures]
    plain = all(one.body is not None for one in found)
    data = {
        name: _column([read(figure) for figure in figures], kind, plain=plain)
        for name, read, kind in ((name, attrgetter(key), kind) for name, (key, kind) in _FIGURES.items())
    }
    if plain and (data["value"].abs() >= _PAST_INTEGERS).any():
        return facts_page([_tag_by_tag(one.body) if one.body is not None else one for one in found])
    places = [np.arange(1, size + 1) for size in sizes]
    frame = pl.DataFrame(data).with_columns(
        pl.Series("row", np.concatenate(places), dtype=pl.Int64),
        pl.Series("concept", [concept for one in found for concept in one.concepts], dtype=pl.String),
        pl.Series("unit", [unit for one in found for unit in one.units], dtype=pl.String),
        pl.Series("cik", [one.cik for one in found], dtype=pl.String).gather(np.repeat(np.arange(len(found)), sizes)),
        symbol=pl.lit(None, dtype=pl.String),
        fiscal_year=pl.when(pl.col("year").is_between(1900, 2200)).then(pl.col("year")).cast(pl.Int64),
    )
    said = sentence("{} {}", "concept", "accession")
    rules = [*value_rules(said), Rule(reason="bad_date", when=pl.col("filed").is_null(), detail=said)]
    rules.append(Rule(reason="no_accession", when=pl.col("accession").is_null(), detail=said))
    cover = pl.col("concept").str.starts_with("dei:")
    rules.append(Rule(reason="filed_before_end", when=(pl.col("filed") < pl.col("end")) & ~cover, detail=said))
    quarantine = Quarantine()
    kept = quarantine.sift(frame, rules, file=file, date="end")
    return Page(frame=shaped(kept, FACTS), quarantine=quarantine.frame())


def _column(values: list[Any], kind: Kind, *, plain: bool) -> pl.Series:
    """The values as one column of their kind; ``plain``: each is of its own type or None.

    Texts repeat: each different one is read once.
    """
    if kind == "number":
        return pl.Series(values, dtype=pl.Float64) if plain else column(values, kind)
    try:
        said = pl.Series(values, dtype=pl.String) if plain else texts(values)
    except UnicodeEncodeError:
        said = texts(values)
    different = said.unique()
    return said.replace_strict(different, column(different.to_list(), kind), default=None)


def _inside(node: Mapping[str, Any], key: str, file: str) -> Mapping[str, Any]:
    """The object under a key, an empty one where there is none."""
    found = node.get(key, {})
    if not isinstance(found, dict):
        raise unreadable(file, f"{printable(key)} is no object")
    return found


def value_rules(said: pl.Expr) -> list[Rule]:
    """What no figure of a period may be."""
    era = pl.col("end").dt.year().is_between(1980, 2200)
    return [
        Rule(reason="bad_date", when=~era.fill_null(False), detail=said),
        Rule(reason="bad_date", when=(pl.col("start") > pl.col("end")), detail=said),
        Rule(reason="not_a_number", when=~pl.col("value").is_finite().fill_null(False), detail=said),
    ]
