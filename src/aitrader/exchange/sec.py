"""The SEC's wire format: who files under which ticker, filings, company facts, and one fact of all filers."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from aitrader.exchange.answer import Answer, RefusalError, as_json
from aitrader.exchange.view import View

NAMES: Final = {"NYSE": "NYSE", "NASDAQ": "Nasdaq", "ARCA": "NYSE", "AMEX": "NYSE", "BATS": "CBOE"}
TAGS: Final = {  # tag -> column, whether it is counted over a period, unit
    "Revenues": ("revenue", True, "USD"),
    "NetIncomeLoss": ("net_income", True, "USD"),
    "NetCashProvidedByUsedInOperatingActivities": ("operating_cash_flow", True, "USD"),
    "PaymentsToAcquirePropertyPlantAndEquipment": ("capital_expenditure", True, "USD"),
    "EarningsPerShareDiluted": ("eps_diluted", True, "USD/shares"),
    "Assets": ("assets", False, "USD"),
    "Liabilities": ("liabilities", False, "USD"),
    "LongTermDebt": ("total_debt", False, "USD"),
    "StockholdersEquity": ("equity", False, "USD"),
}
SHARES: Final = "EntityCommonStockSharesOutstanding"
_SUBMISSIONS = re.compile(r"/submissions/CIK(\d{10})\.json\Z")
_FACTS = re.compile(r"/api/xbrl/companyfacts/CIK(\d{10})\.json\Z")
_FRAMES = re.compile(r"/api/xbrl/frames/us-gaap/(\w+)/([\w-]+)/CY(\d{4})Q([1-4])(I?)\.json\Z")


def refusal(status: int, message: str) -> Answer:
    """An error as the SEC gives it: a page for people."""
    page = f"<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>{message}</h1></body></html>"
    return Answer(status=status, body=page.encode(), headers={"content-type": "text/html"})


def answer(view: View, path: str) -> Answer:
    """The answer to one request; RefusalError for what is not there."""
    if path == "/files/company_tickers_exchange.json":
        return _tickers(view)
    if found := _SUBMISSIONS.match(path):
        return _submissions(view, found[1])
    if found := _FACTS.match(path):
        return _facts(view, found[1])
    if found := _FRAMES.match(path):
        return _frame(
            view, found[1], found[2].replace("-per-", "/"), int(found[3]), int(found[4]), instant=bool(found[5])
        )
    raise RefusalError(404, "NoSuchKey")


def _tickers(view: View) -> Answer:
    rows = view.listings.filter(pl.col("active") & pl.col("cik").is_not_null())
    data = rows.select(pl.col("cik").cast(pl.Int64), "name", "sec", pl.col("exchange").replace(NAMES)).rows()
    return as_json({"fields": ["cik", "name", "ticker", "exchange"], "data": data})


def _reports(view: View, cik: str) -> pl.DataFrame:
    """The reports of one filer, each once though several listings are his."""
    found = view.reports.filter(pl.col("cik") == cik)
    if found.is_empty():
        raise RefusalError(404, "NoSuchKey")
    return found.unique(["period_end", "form", "fiscal_period", "known_at"], keep="first").sort("known_at")


def _accession(row: dict[str, Any]) -> str:
    return f"{row['cik']}-{row['known_at'].year % 100:02d}-{row['period_end'].toordinal() % 10**6:06d}"


def _submissions(view: View, cik: str) -> Answer:
    rows = _reports(view, cik).reverse().to_dicts()
    listed = view.listings.filter((pl.col("cik") == cik) & pl.col("active"))
    blank = [""] * len(rows)
    recent = {
        "accessionNumber": [_accession(r) for r in rows],
        "filingDate": [str(r["filed"]) for r in rows],
        "reportDate": [str(r["period_end"]) for r in rows],
        "acceptanceDateTime": [r["known_at"].strftime("%Y-%m-%dT%H:%M:%S.000Z") for r in rows],
        "act": blank,
        "form": [r["form"] for r in rows],
        "fileNumber": blank,
        "filmNumber": blank,
        "items": blank,
        "size": [0] * len(rows),
        "isXBRL": [1] * len(rows),
        "isInlineXBRL": [1] * len(rows),
        "primaryDocument": blank,
        "primaryDocDescription": [r["form"] for r in rows],
    }
    return as_json(
        {
            "cik": str(int(cik)),
            "entityType": "operating",
            "sic": "",
            "sicDescription": "",
            "name": rows[0]["name"],
            "tickers": listed["sec"].to_list(),
            "exchanges": listed["exchange"].replace(NAMES).to_list(),
            "fiscalYearEnd": "1231",
            "formerNames": [],
            "filings": {"recent": recent, "files": []},
        }
    )


def _start(row: dict[str, Any]) -> date:
    """First day of the period that a report counts over: a quarter, or a year."""
    return row["period_end"] - timedelta(days=364 if row["fiscal_period"] == "FY" else 90)  # type: ignore[no-any-return]


def _facts(view: View, cik: str) -> Answer:
    rows = _reports(view, cik).to_dicts()
    gaap: dict[str, Any] = {}
    for tag, (column, over, unit) in TAGS.items():
        if told := [_fact(r, column, over=over) for r in rows if r[column] is not None]:
            gaap[tag] = {"label": tag, "description": tag, "units": {unit: told}}
    shares = [_fact(r, "shares_outstanding", over=False) for r in rows if r["shares_outstanding"] is not None]
    cover = {SHARES: {"label": SHARES, "description": SHARES, "units": {"shares": shares}}} if shares else {}
    return as_json({"cik": int(cik), "entityName": rows[0]["name"], "facts": {"dei": cover, "us-gaap": gaap}})


def _fact(row: dict[str, Any], column: str, *, over: bool) -> dict[str, Any]:
    started = {"start": str(_start(row))} if over else {}
    value = row[column]
    return {
        **started,
        "end": str(row["period_end"]),
        "val": value if column == "eps_diluted" else round(value),
        "accn": _accession(row),
        "fy": row["period_end"].year,
        "fp": row["fiscal_period"],
        "form": row["form"],
        "filed": str(row["filed"]),
    }


def _frame(view: View, tag: str, unit: str, year: int, quarter: int, *, instant: bool) -> Answer:
    column, over, own = TAGS.get(tag, ("", False, ""))
    if own != unit or over == instant or not 1990 <= year <= 2100:
        raise RefusalError(404, "NoSuchKey")
    month = date(year, 3 * quarter, 28)
    rows = view.reports.filter(
        pl.col("period_end").is_between(month - timedelta(days=43), month + timedelta(days=46))
        & pl.col(column).is_not_null()
        & (pl.lit(instant) | (pl.col("fiscal_period") != "FY"))
    ).unique("cik", keep="last", maintain_order=True)
    if rows.is_empty():
        raise RefusalError(404, "NoSuchKey")
    data = [
        {
            "accn": _accession(r),
            "cik": int(r["cik"]),
            "entityName": r["name"],
            "loc": "US-NY",
            **({"start": str(_start(r))} if over else {}),
            "end": str(r["period_end"]),
            "val": r[column] if column == "eps_diluted" else round(r[column]),
        }
        for r in rows.to_dicts()
    ]
    ccp = f"CY{year}Q{quarter}{'I' if instant else ''}"
    return as_json(
        {
            "taxonomy": "us-gaap",
            "tag": tag,
            "ccp": ccp,
            "uom": unit.replace("/", "-per-"),
            "label": tag,
            "description": tag,
            "pts": len(data),
            "data": data,
        }
    )
