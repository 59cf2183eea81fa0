"""The SEC's wire format: who files under which ticker, filings, company facts, and one fact of all filers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import msgspec
import polars as pl

from aitrader.exchange.answer import Answer, RefusalError, as_json
from aitrader.exchange.filings import COVER, RECENT, TAGS
from aitrader.exchange.view import View

NAMES: Final = {"NYSE": "NYSE", "NASDAQ": "Nasdaq", "ARCA": "NYSE", "AMEX": "NYSE", "BATS": "CBOE"}
TAXONOMIES: Final = {"us-gaap": TAGS, "dei": COVER}
NOWHERE: Final = dict.fromkeys(  # the market's companies have no address
    ("street1", "street2", "city", "stateOrCountry", "zipCode", "stateOrCountryDescription")
)
_SUBMISSIONS = re.compile(r"/submissions/CIK(\d{10})\.json\Z")
_FACTS = re.compile(r"/api/xbrl/companyfacts/CIK(\d{10})\.json\Z")
_FRAMES = re.compile(r"/api/xbrl/frames/(us-gaap|dei)/(\w+)/([\w-]+)/CY(\d{4})(?:Q([1-4])(I?))?\.json\Z")


def refusal(status: int, message: str) -> Answer:
    """An error as the SEC gives it: a page for people."""
    page = f"<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>{message}</h1></body></html>"
    return Answer(status=status, body=page.encode(), headers={"content-type": "text/html"})


def answer(view: View, path: str) -> Answer:
    """The answer to one request; RefusalError for what is not there."""
    if path in _LISTS:
        return _LISTS[path](view)
    if found := _SUBMISSIONS.match(path):
        return _submissions(view, found[1])
    if found := _FACTS.match(path):
        return _facts(view, found[1])
    if found := _FRAMES.match(path):
        taxonomy, tag, unit, year, quarter, mark = found.groups()
        return _frame(view, taxonomy, tag, unit, int(year), int(quarter) if quarter else None, instant=bool(mark))
    raise RefusalError(404, "NoSuchKey")


def _filers(view: View) -> pl.DataFrame:
    """The filers' listings that trade: cik, name, sec (the ticker), exchange."""
    rows = view.listings.filter(pl.col("active") & pl.col("cik").is_not_null())
    return rows.select(pl.col("cik").cast(pl.Int64), "name", "sec", pl.col("exchange").replace(NAMES))


def _tickers_exchange(view: View) -> Answer:
    return as_json({"fields": ["cik", "name", "ticker", "exchange"], "data": _filers(view).rows()})


def _tickers(view: View) -> Answer:
    rows = _filers(view).select("cik", "sec", "name").rows()
    return as_json({str(n): {"cik_str": cik, "ticker": t, "title": name} for n, (cik, t, name) in enumerate(rows)})


def _funds(_: View) -> Answer:
    """The market's funds have no filer: the list is there and empty."""
    return as_json({"fields": ["cik", "seriesId", "classId", "symbol"], "data": []})


def _ticker_text(view: View) -> Answer:
    lines = [f"{ticker.lower()}\t{cik}" for cik, ticker in _filers(view).select("cik", "sec").rows()]
    return Answer(body="\n".join(lines).encode(), headers={"content-type": "text/plain"})


_LISTS: Final[dict[str, Callable[[View], Answer]]] = {
    "/files/company_tickers.json": _tickers,
    "/files/company_tickers_exchange.json": _tickers_exchange,
    "/files/company_tickers_mf.json": _funds,
    "/include/ticker.txt": _ticker_text,
}


def _submissions(view: View, cik: str) -> Answer:
    own, told = view.filings.filer(cik), view.filings.recent(cik)
    if not own:
        raise RefusalError(404, "NoSuchKey")
    filer, listed, year = own[0], [row for row in own if row["active"]], told["years"]
    filings = {name: told[name] for name in RECENT}
    blank, zeros, ones = ([value] * len(filings["form"]) for value in ("", 0, 1))
    recent = {
        **filings,
        **dict.fromkeys(("act", "fileNumber", "filmNumber", "items", "primaryDocument"), blank),
        "size": zeros,
        "isXBRL": ones,
        "isInlineXBRL": ones,
        "primaryDocDescription": filings["form"],
    }
    return as_json(
        {
            "cik": str(int(cik)),
            "entityType": "operating",
            "sic": filer["sic"] or "",
            "sicDescription": filer["sic_description"] or "",
            "insiderTransactionForOwnerExists": 0,
            "insiderTransactionForIssuerExists": 0,
            "name": filer["name"],
            "tickers": [row["sec"] for row in listed],
            "exchanges": [NAMES.get(row["exchange"], row["exchange"]) for row in listed],
            "ein": None,
            "description": "",
            "website": "",
            "investorWebsite": "",
            "category": "",
            "fiscalYearEnd": year.strftime("%m%d") if year else None,
            "stateOfIncorporation": "",
            "stateOfIncorporationDescription": "",
            "addresses": {"mailing": NOWHERE, "business": NOWHERE},
            "phone": None,
            "flags": "",
            "formerNames": [],
            "filings": {"recent": recent, "files": []},
        }
    )


def _facts(view: View, cik: str) -> Answer:
    body = view.filings.facts(cik)
    if body is None:
        raise RefusalError(404, "NoSuchKey")
    return Answer(body=body)


def _frame(view: View, taxonomy: str, tag: str, unit: str, year: int, quarter: int | None, *, instant: bool) -> Answer:
    """One fact of all filers: of the periods that end nearest to a calendar quarter's or, without one, year's end."""
    column, over, own = TAXONOMIES[taxonomy].get(tag, ("", False, ""))
    if own != unit.replace("-per-", "/") or over == instant or not 1990 <= year <= 2100:
        raise RefusalError(404, "NoSuchKey")
    if quarter is None:
        first, last = date(year, 7, 1), date(year + 1, 6, 30)
    else:
        month = date(year, 3 * quarter, 28)
        first, last = month - timedelta(days=43), month + timedelta(days=46)
    rows = view.reports.filter(
        pl.col("period_end").is_between(first, last)
        & pl.col(column).is_not_null()
        & (pl.lit(instant) | ((pl.col("fiscal_period") == "FY") == (quarter is None)))
    ).unique("cik", keep="last", maintain_order=True)
    if rows.is_empty():
        raise RefusalError(404, "NoSuchKey")
    value = pl.col(column)
    data = rows.select(
        pl.col("accession").alias("accn"),
        pl.col("cik").cast(pl.Int64),
        pl.col("name").alias("entityName"),
        pl.lit("US-NY").alias("loc"),
        *([pl.col("begun").cast(pl.String).alias("start")] if over else []),
        pl.col("period_end").cast(pl.String).alias("end"),
        (value if column == "eps_diluted" else value.round().cast(pl.Int64)).alias("val"),
    )
    ccp = f"CY{year}" if quarter is None else f"CY{year}Q{quarter}{'I' if instant else ''}"
    about = {
        "taxonomy": taxonomy,
        "tag": tag,
        "ccp": ccp,
        "uom": unit,
        "label": tag,
        "description": tag,
        "pts": data.height,
        "data": msgspec.Raw(data.write_json().encode()),
    }
    return as_json(about)
