"""The bodies that sources answer with: JSON to columns, every failure a SourceError that says what was seen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

import msgspec
import numpy as np
import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import NEWS, QUARANTINE, UTC, Schema, empty
from aitrader.domain.sessions import xnys
from aitrader.domain.symbols import ROOT, canonical
from aitrader.providers.dataset_bars import clean_bars
from aitrader.providers.quarantine import Quarantine
from aitrader.providers.row_rules import news_rules
from aitrader.providers.values import RAW

T = TypeVar("T")
Row = Mapping[str, Any]
Kind = Literal["text", "symbol", "number", "date", "instant", "millis"]
Fields = Mapping[str, tuple[str, Kind]]  # our column: the source's field, and what it holds

_NOT_JSON: Final = re.compile(rb"\b(NaN|Infinity)\b|[eE]\+?\d{3}")  # what some servers print for a number
_LAST_MILLISECOND: Final = 2**42  # in the year 2109
_ISO: Final = r"^\d{4}-\d{2}-\d{2}"
_FIRST_DAY: Final = date(1, 1, 1)  # Polars knows days before it, which no one else can hold
_OUR_YEARS: Final = (2, 9998)  # in every zone
_CANONICAL: Final = f"^{ROOT}(-P-[A-Z]|\\.WS|\\.U|\\.[AB])?$"  # the most frequent spellings that are canonical
_LONGEST_SYMBOL: Final = 32


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer as a frame: the rows that can be believed, the others with their reason, and where to read on."""

    frame: pl.DataFrame
    quarantine: pl.DataFrame = field(default_factory=lambda: empty(QUARANTINE))
    next_token: str | None = None  # for ``with_token``; null: this was the last page


def decode(body: bytes, kind: type[T], *, endpoint: str) -> T:
    """The JSON of a body as ``kind``; a SourceError naming the endpoint and what was seen instead."""
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise unreadable(endpoint, "its JSON is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError, OverflowError) as fault:
        if _NOT_JSON.search(body):  # one NaN must not cost the other rows
            return _lenient(body, kind, endpoint)
        raise unreadable(endpoint, seen(body), detail=str(fault)) from None


def _lenient(body: bytes, kind: type[T], endpoint: str) -> T:
    try:
        return msgspec.convert(json.loads(body), type=kind)
    except RecursionError:
        raise unreadable(endpoint, "its JSON is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError, OverflowError) as fault:
        raise unreadable(endpoint, seen(body), detail=str(fault)) from None


def seen(body: bytes) -> str:
    """What a body is, in a few words: empty, HTML, JSON of another kind with its message, or no JSON."""
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        return "the body is empty"
    if text[:1] == b"<":
        return "the body is HTML, not JSON"
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return f"the body is no whole JSON ({len(body)} bytes)"
    if isinstance(found, dict):
        words = [found[key] for key in ("message", "error", "code", "status") if isinstance(found.get(key), str | int)]
        if words:
            return f"it says {printable(words[0])}"
        keys = ", ".join(printable(key) for key in list(found)[:5])
        return f"a JSON object with {keys}" if keys else "an empty JSON object"
    names = {list: "a JSON list", str: "a JSON text", bool: "true or false", int: "a number", float: "a number"}
    return "JSON null" if found is None else names.get(type(found), "JSON of another kind")


def unreadable(endpoint: str, why: str, *, detail: str = "") -> SourceError:
    """The error for an answer that is not what the endpoint promises."""
    more = f" ({printable(detail)})" if detail else ""
    return SourceError(
        f"{endpoint}: the answer cannot be read",
        why=why + more,
        do="try again; if it stays, check the source's status page and the address in config/sources.yml",
    )


def printable(value: object) -> str:
    """A value for a message: one line, of at most 120 characters."""
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a huge number"  # its digits could not be printed
    text = "".join(char if char.isprintable() else "?" for char in str(value)[:120])
    return text.encode("utf-8", "replace").decode("utf-8")


def objects(rows: Sequence[Any], *, endpoint: str) -> list[Row]:
    """The rows with an empty object for each that is none, so that it is set aside by what it lacks."""
    kept: list[Row] = [row if type(row) is dict else {} for row in rows]
    if rows and not any(type(row) is dict for row in rows):
        raise unreadable(endpoint, f"none of its {len(rows)} rows is an object")
    return kept


def columns(rows: Sequence[Row], fields: Fields, *, file: str) -> pl.DataFrame:
    """The fields of the rows as typed columns, with ``row`` and ``file`` for the quarantine.

    A value that is no value of its kind is null and stands, as text, in the column ``raw:NAME``.
    """
    data: dict[str, pl.Series] = {
        "row": pl.Series(range(1, len(rows) + 1), dtype=pl.Int64),
        "file": pl.Series([file] * len(rows), dtype=pl.String),
    }
    for name, (key, kind) in fields.items():
        values = [row.get(key) for row in rows]
        typed = column(values, kind)
        data[name] = typed
        if typed.null_count() > values.count(None):
            raw = [
                _shown(value) if gone and value is not None else None
                for value, gone in zip(values, typed.is_null(), strict=True)
            ]
            data[RAW + name] = pl.Series(raw, dtype=pl.String)
    return pl.DataFrame(data)


def _shown(value: object) -> str:
    if isinstance(value, str | int | float):
        return printable(value)[:60]
    return f"a {type(value).__name__}"


def column(values: Sequence[Any], kind: Kind) -> pl.Series:
    """The values as a column of their kind, null for each that is no value of it."""
    if kind == "number":
        return pl.Series([_number(value) for value in values], dtype=pl.Float64)
    if kind == "millis":
        whole = [int(value) if (number := _number(value)) is not None and _in_era(number) else None for value in values]
        return pl.Series(whole, dtype=pl.Int64).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").cast(UTC)
    if kind == "symbol":
        return canonical_texts(texts(values))
    text = pl.lit(texts(values))
    if kind == "date":
        return pl.select(day_expr(text)).to_series()
    if kind == "instant":
        return pl.select(instant_expr(text)).to_series()
    stripped = text.str.strip_chars()
    return pl.select(pl.when(stripped != "").then(stripped)).to_series()


def _number(value: object) -> float | None:
    """A JSON number; an integer past 64 bits, true and "1" are none."""
    if type(value) is float:
        return value
    return float(value) if type(value) is int and -(2**63) <= value < 2**63 else None


def _in_era(milliseconds: float) -> bool:
    return 0 <= milliseconds < _LAST_MILLISECOND


def texts(values: Sequence[object]) -> pl.Series:
    """The values that are texts, null for the others; half of a surrogate pair becomes a question mark."""
    kept = [value if type(value) is str else None for value in values]
    try:
        return pl.Series(kept, dtype=pl.String)
    except UnicodeEncodeError:
        whole = [None if text is None else text.encode("utf-8", "replace").decode("utf-8") for text in kept]
        return pl.Series(whole, dtype=pl.String)


def canonical_texts(spelled: pl.Series) -> pl.Series:
    """The canonical spelling of each symbol, null for what is none; most are spelled so already and stay."""
    odd = np.flatnonzero(~spelled.str.contains(_CANONICAL).fill_null(False).to_numpy())
    if not len(odd):
        return spelled
    read = pl.Series(spelled.name, [_canonical(text) for text in spelled.gather(odd).to_list()], dtype=pl.String)
    place = np.arange(len(spelled))
    place[odd] = len(spelled) + np.arange(len(odd))
    return pl.concat([spelled, read]).gather(place)


def _canonical(text: str | None) -> str | None:
    if text is None or len(text) > _LONGEST_SYMBOL:  # not worth remembering
        return canonical(text)
    return _remembered(text)


@lru_cache(30_000)
def _remembered(text: str) -> str | None:
    return canonical(text)


def day_expr(text: pl.Expr) -> pl.Expr:
    """The date of ``2024-01-02`` or of an instant that begins so, as written; null for another text."""
    stripped = text.str.strip_chars()
    start = pl.when(stripped.str.contains(_ISO + r"([T ].*)?$")).then(stripped.str.slice(0, 10))
    day = start.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(day >= _FIRST_DAY).then(day)


def instant_expr(text: pl.Expr) -> pl.Expr:
    """The instant of an RFC 3339 text in UTC; null for another text."""
    stripped = text.str.strip_chars()
    zoned = pl.when(stripped.str.contains(_ISO + "[T ]")).then(stripped)
    at = zoned.str.to_datetime("%+", strict=False, time_zone="UTC", time_unit="us").cast(UTC)
    return pl.when(at.dt.year().is_between(*_OUR_YEARS)).then(at)


def new_york_day(instant: pl.Expr) -> pl.Expr:
    """The date in New York at an instant: a bar stamped 04:00Z or 05:00Z belongs to that day, not to the UTC one."""
    return instant.dt.convert_time_zone("America/New_York").dt.date()


def shaped(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with exactly the columns of a schema; one that is absent is null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def bars_page(frame: pl.DataFrame, schema: Schema, *, next_token: str | None = None) -> Page:
    """The believable bars of a frame with the columns of BARS, in order of symbol and date."""
    if not frame.height:
        return Page(frame=empty(schema), next_token=next_token)
    quarantine = Quarantine()
    bars, _ = clean_bars([frame], xnys(), quarantine)
    return Page(frame=shaped(bars, schema), quarantine=quarantine.frame(), next_token=next_token)


def news_page(frame: pl.DataFrame, *, file: str, next_token: str | None = None) -> Page:
    """The believable headlines of a frame with the columns of NEWS; of equal ones the first stays."""
    quarantine = Quarantine()
    kept = quarantine.sift(frame, news_rules(frame, xnys()), file=file, date="published_at")
    kept = kept.unique(["symbol", "published_at", "headline"], keep="first", maintain_order=True)
    return Page(frame=shaped(kept, NEWS), quarantine=quarantine.frame(), next_token=next_token)
