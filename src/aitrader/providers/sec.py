"""SEC EDGAR: which company a symbol belongs to, what it filed and when, and every figure that it reported.

Ten requests a second for one user, whatever the number of machines, and a User-Agent with a contact, which the
sender adds. Symbols are written with a hyphen there: BRK-B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import polars as pl
from msgspec import Struct

from aitrader.domain.frames import UTC, Schema
from aitrader.providers.bodies import (
    Fields,
    Page,
    Row,
    column,
    columns,
    decode,
    objects,
    printable,
    shaped,
    unreadable,
)
from aitrader.providers.plain_bars import quickly
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.providers.sec_bulk import cik_of, facts_page, read_company_facts, value_rules
from aitrader.providers.sec_facts import ACCEPTED
from aitrader.transport.wire import Request

SOURCE: Final = "sec"
EXCHANGES: Final = {"NASDAQ": "NASDAQ", "NYSE": "NYSE", "CBOE": "BATS"}  # NYSE stands for its sister exchanges too

TICKERS: Final[Schema] = {"cik": pl.String, "name": pl.String, "symbol": pl.String, "exchange": pl.String}
INDUSTRIES: Final[Schema] = {"cik": pl.String, "sic": pl.String, "industry": pl.String}
FILINGS: Final[Schema] = {
    "accession": pl.String,
    "form": pl.String,
    "filed": pl.Date,
    "accepted": UTC,
    "period_end": pl.Date,
}
FRAMES: Final[Schema] = {
    "cik": pl.String,
    "entity": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "value": pl.Float64,
    "accession": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class Submissions:
    """What the SEC knows of a company, and its recent filings (schema FILINGS), as filed."""

    cik: str
    name: str | None
    sic: str | None
    industry: str | None
    fiscal_year_end: str | None  # MMDD
    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    filings: Page


def company_tickers_exchange_request(www_url: str) -> Request:
    """Every symbol with its company and exchange."""
    return Request(source=SOURCE, url=www_url.rstrip("/") + "/files/company_tickers_exchange.json")


def company_tickers_request(www_url: str) -> Request:
    """Every symbol with its company."""
    return Request(source=SOURCE, url=www_url.rstrip("/") + "/files/company_tickers.json")


def submissions_request(data_url: str, cik: str) -> Request:
    """The company ``cik`` and its recent filings."""
    return Request(source=SOURCE, url=f"{data_url.rstrip('/')}/submissions/CIK{int(cik):010d}.json")


def company_facts_request(data_url: str, cik: str) -> Request:
    """Every figure that the company ``cik`` reported."""
    return Request(source=SOURCE, url=f"{data_url.rstrip('/')}/api/xbrl/companyfacts/CIK{int(cik):010d}.json")


def frames_request(data_url: str, tag: str, unit: str, period: str, *, taxonomy: str = "us-gaap") -> Request:
    """One tag of all filers: ``period`` is CY2026, CY2026Q2, or CY2026Q2I for a balance."""
    return Request(source=SOURCE, url=f"{data_url.rstrip('/')}/api/xbrl/frames/{taxonomy}/{tag}/{unit}/{period}.json")


class _TickerTable(Struct):
    fields: list[str]
    data: list[Any]


def parse_company_tickers_exchange(body: bytes) -> Page:
    """Every symbol with its company and exchange (schema TICKERS); an exchange not stated is null."""
    file = "sec/company_tickers_exchange"
    table = decode(body, _TickerTable, endpoint=file)
    lacking = [name for name in ("cik", "name", "ticker", "exchange") if name not in table.fields]
    if lacking:
        raise unreadable(file, f"it has no field {lacking[0]}")
    if not table.data:
        raise unreadable(file, "it lists nothing")
    width = len(table.fields)
    whole = [
        dict(zip(table.fields, row, strict=True)) if isinstance(row, list) and len(row) == width else None
        for row in table.data
    ]
    return _tickers(objects(whole, endpoint=file), "cik", "name", file=file)


def parse_company_tickers(body: bytes) -> Page:
    """Every symbol with its company (schema TICKERS), the exchange null throughout."""
    file = "sec/company_tickers"
    table = decode(body, dict[str, Any], endpoint=file)
    if not table:
        raise unreadable(file, "it lists nothing")
    return _tickers(objects(list(table.values()), endpoint=file), "cik_str", "title", file=file)


def _tickers(rows: list[Row], cik: str, name: str, *, file: str) -> Page:
    fields: Fields = {
        "name": (name, "text"),
        "ticker": ("ticker", "text"),
        "symbol": ("ticker", "symbol"),
        "venue": ("exchange", "text"),
    }
    frame = columns(rows, fields, file=file).with_columns(
        pl.Series("cik", [cik_of(row.get(cik)) for row in rows], dtype=pl.String),
        exchange=pl.col("venue").str.to_uppercase().replace_strict(EXCHANGES, default=None, return_dtype=pl.String),
    )
    elsewhere = pl.col("venue").is_not_null() & pl.col("exchange").is_null()
    rules = [
        Rule(reason="bad_symbol", when=pl.col("symbol").is_null(), detail=sentence("{}", pl.col("ticker"))),
        Rule(reason="bad_cik", when=pl.col("cik").is_null(), detail=sentence("{}", pl.col("name"))),
        Rule(reason="unknown_exchange", when=elsewhere, detail=sentence("exchange is {}", "venue")),
    ]
    quarantine = Quarantine()
    kept = quarantine.sift(frame, rules, file=file, date=None)
    again = ~kept.select(pl.col("symbol").is_first_distinct()).to_series()
    quarantine.take(kept.filter(again), "duplicate", sentence("of {}", "cik"), file=file, date=None)
    return Page(frame=shaped(kept.filter(~again).sort("symbol"), TICKERS), quarantine=quarantine.frame())


class _Recent(Struct, rename="camel"):
    accession_number: list[Any]
    filing_date: list[Any]
    report_date: list[Any]
    acceptance_date_time: list[Any]
    form: list[Any]


class _Filings(Struct):
    recent: _Recent


class _Company(Struct, rename="camel"):
    cik: int | str
    filings: _Filings
    name: Any = None
    sic: Any = None
    sic_description: Any = None
    fiscal_year_end: Any = None
    tickers: Any = None
    exchanges: Any = None


def parse_submissions(body: bytes) -> Submissions:
    """A company and its recent filings; the instant of acceptance tells when a filing could be known."""
    file = "sec/submissions"
    found = decode(body, _Company, endpoint=file)
    cik = cik_of(found.cik)
    if cik is None:
        raise unreadable(file, "it names no company")
    told: Mapping[str, list[Any]] = msgspec.structs.asdict(found.filings.recent)
    if len({len(values) for values in told.values()}) != 1:
        raise unreadable(file, "its columns of filings differ in length")
    rows: list[Row] = [dict(zip(told, values, strict=True)) for values in zip(*told.values(), strict=True)]
    fields: Fields = {
        "accession": ("accession_number", "text"),
        "form": ("form", "text"),
        "filed": ("filing_date", "date"),
        "accepted": ("acceptance_date_time", "instant"),
        "period_end": ("report_date", "date"),
    }
    frame = columns(rows, fields, file=file).with_columns(symbol=pl.lit(None, dtype=pl.String))
    bad = [
        Rule(reason=reason, when=pl.col(name).is_null(), detail=sentence("filing {}", "accession"))
        for reason, name in (("no_accession", "accession"), ("no_form", "form"), ("bad_date", "filed"))
    ]
    quarantine = Quarantine()
    kept = quarantine.sift(frame, bad, file=file, date="filed")
    return Submissions(
        cik=cik,
        name=_word(found.name),
        sic=_word(found.sic),
        industry=_word(found.sic_description),
        fiscal_year_end=_word(found.fiscal_year_end),
        symbols=_words(found.tickers),
        exchanges=_words(found.exchanges),
        filings=Page(frame=shaped(kept, FILINGS), quarantine=quarantine.frame()),
    )


def _word(value: object) -> str | None:
    return printable(value).strip() or None if type(value) is str else None


def _words(values: object) -> tuple[str, ...]:
    return tuple(word for value in values if (word := _word(value))) if isinstance(values, list) else ()


class _PlainFilings(Struct, rename="camel"):
    accession_number: list[str]
    acceptance_date_time: list[str]


class _PlainParts(Struct):
    recent: _PlainFilings


class _PlainCompany(Struct, rename="camel"):
    cik: int | str
    filings: _PlainParts
    sic: str | None = None
    sic_description: str | None = None


_PLAIN_COMPANY: Final = msgspec.json.Decoder(_PlainCompany)


@dataclass(frozen=True, kw_only=True)
class Filer:
    """A company's industry, and the instants (RFC 3339) at which its recent filings were accepted."""

    cik: str
    sic: str | None
    industry: str | None
    accessions: Sequence[str]
    accepted: Sequence[str | None]


def read_filer(body: bytes) -> Filer:
    """The part of a company's submissions that dates its reports; many of them together: :func:`filers`."""
    found = quickly(body, _PLAIN_COMPANY)
    cik = None if found is None else cik_of(found.cik)
    if found is not None and cik is not None:
        recent = found.filings.recent
        if len(recent.accession_number) == len(recent.acceptance_date_time):
            return Filer(
                cik=cik,
                sic=_word(found.sic),
                industry=_word(found.sic_description),
                accessions=recent.accession_number,
                accepted=recent.acceptance_date_time,
            )
    told = parse_submissions(body)  # it says what is wrong, or reads what is merely odd
    filings = told.filings.frame
    return Filer(
        cik=told.cik,
        sic=told.sic,
        industry=told.industry,
        accessions=filings["accession"].to_list(),
        accepted=filings["accepted"].dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_list(),
    )


def filers(found: Sequence[Filer]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The companies that have a SIC code (schema INDUSTRIES), and when each filing was accepted (schema ACCEPTED)."""
    companies = [(one.cik, one.sic, one.industry) for one in found if one.sic is not None]
    accepted = pl.DataFrame(
        {
            "cik": [one.cik for one in found for _ in one.accessions],
            "accession": [accession for one in found for accession in one.accessions],
            "accepted": column([at for one in found for at in one.accepted], "instant"),
        },
        schema=ACCEPTED,
    )
    return pl.DataFrame(companies, schema=INDUSTRIES, orient="row"), accepted.drop_nulls()


def parse_company_facts(body: bytes) -> Page:
    """The figures of a company that reports are made of (schema FACTS), each as often as it was filed.

    A filer under other rules than US GAAP has none of them: the frame is empty.
    """
    return facts_page([read_company_facts(body)])


class _Frames(Struct):
    tag: str
    data: list[Any]


def parse_frames(body: bytes) -> Page:
    """One tag of all filers (schema FRAMES), sorted by company."""
    file = "sec/frames"
    found = decode(body, _Frames, endpoint=file)
    fields: Fields = {
        "entity": ("entityName", "text"),
        "start": ("start", "date"),
        "end": ("end", "date"),
        "value": ("val", "number"),
        "accession": ("accn", "text"),
    }
    rows = objects(found.data, endpoint=file)
    frame = columns(rows, fields, file=file).with_columns(
        pl.Series("cik", [cik_of(row.get("cik")) for row in rows], dtype=pl.String),
        symbol=pl.lit(None, dtype=pl.String),
    )
    said = sentence("{}", "entity")
    rules = [Rule(reason="bad_cik", when=pl.col("cik").is_null(), detail=said), *value_rules(said)]
    quarantine = Quarantine()
    kept = quarantine.sift(frame, rules, file=file, date="end")
    again = ~kept.select(pl.struct("cik", "start", "end").is_first_distinct()).to_series()
    quarantine.take(kept.filter(again), "duplicate", said, file=file, date="end")
    return Page(frame=shaped(kept.filter(~again).sort("cik", "end"), FRAMES), quarantine=quarantine.frame())
