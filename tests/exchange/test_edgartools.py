"""edgartools, unchanged, reads from the exchange the filers, filings and facts that the market holds.

It keeps global state and caches on disk: it runs as a process of its own in a home of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tests.exchange.conftest import SEC, UNTIL, get

NOW = datetime(2026, 6, 15, 21, tzinfo=UTC)
READER = """
import json, sys
from edgar import Company
from edgar.reference.tickers import get_company_ticker_name_exchange, get_mutual_fund_tickers

table = get_company_ticker_name_exchange()
found = {
    "tickers": table[["cik", "name", "ticker", "exchange"]].values.tolist(),
    "funds": len(get_mutual_fund_tickers()),
    "companies": {},
}
cik_of = dict(zip(table["ticker"], table["cik"]))
for ticker in sys.argv[1:]:
    company = Company(int(cik_of[ticker]))
    filings = company.get_filings().to_pandas()
    facts = company.get_facts()
    assert len(company.get_filings(form="10-K")) == (filings["form"].isin(["10-K", "10-K/A"])).sum()
    found["companies"][ticker] = {
        "cik": company.cik, "name": company.name, "tickers": company.tickers, "exchanges": company.get_exchanges(),
        "sic": company.sic, "industry": company.industry, "year_end": company.fiscal_year_end,
        "filings": [
            [r.accession_number, str(r.filing_date), r.reportDate, r.form] for r in filings.itertuples()
        ],
        "facts": [
            [f.concept, f.unit, f.period_start and str(f.period_start), str(f.period_end), f.numeric_value,
             f.fiscal_year, f.fiscal_period, f.form_type, str(f.filing_date), f.accession]
            for f in facts
        ],
        "revenue": facts.get_revenue(), "income": facts.get_net_income(), "assets": facts.get_total_assets(),
        "equity": facts.get_shareholders_equity(), "shares": facts.shares_outstanding,
        "ttm": facts.get_ttm_revenue().value,
    }
found["nobody"] = Company(999).get_facts() is None
print(json.dumps(found))
"""
FIGURES = {  # concept -> (column, whether it is counted over a period)
    "us-gaap:Revenues": ("revenue", True),
    "us-gaap:NetIncomeLoss": ("net_income", True),
    "us-gaap:NetCashProvidedByUsedInOperatingActivities": ("operating_cash_flow", True),
    "us-gaap:PaymentsToAcquirePropertyPlantAndEquipment": ("capital_expenditure", True),
    "us-gaap:EarningsPerShareDiluted": ("eps_diluted", True),
    "us-gaap:Assets": ("assets", False),
    "us-gaap:Liabilities": ("liabilities", False),
    "us-gaap:LongTermDebt": ("total_debt", False),
    "us-gaap:StockholdersEquity": ("equity", False),
    "dei:EntityCommonStockSharesOutstanding": ("shares_outstanding", False),
}


def reports(market, symbol):
    """What a filer has filed by now, the newest last."""
    known = (pl.col("symbol") == symbol) & (pl.col("known_at") <= NOW)
    return market.fundamentals.filter(known).sort("known_at").to_dicts()


def restated(market):
    """A filer that corrected a report."""
    by = market.fundamentals.filter(pl.col("known_at") <= NOW).group_by("symbol", "period_end", "fiscal_period").len()
    plain = pl.col("symbol").str.contains("^[A-Z]+$")
    return by.filter((pl.col("len") > 1) & plain)["symbol"].sort()[0]


@pytest.fixture(scope="module")
def found(url, market, tmp_path_factory):
    home = tmp_path_factory.mktemp("edgar")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EDGAR_")},
        "HOME": str(home),
        "EDGAR_LOCAL_DATA_DIR": str(home / "data"),
        "EDGAR_CACHE_DIR": str(home / "cache"),
        "EDGAR_IDENTITY": "Some One someone@example.org",
        "EDGAR_BASE_URL": url,
        "EDGAR_DATA_URL": url,
    }
    words = ["AAPL", "BRK-B", restated(market)]
    line = [sys.executable, "-W", "error", "-c", READER, *words]
    done = subprocess.run(line, env=environ, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_lists_of_tickers(found, market):
    spelled = {"NYSE": "NYSE", "NASDAQ": "Nasdaq", "ARCA": "NYSE", "AMEX": "NYSE", "BATS": "CBOE"}
    filers = market.securities.unique("figi").filter(
        pl.col("cik").is_not_null() & ~(pl.col("delisted_on") <= UNTIL).fill_null(value=False)
    )
    told = {(int(r["cik"]), r["name"], spelled[r["exchange"]]) for r in filers.to_dicts()}
    assert {(cik, name, exchange) for cik, name, _, exchange in found["tickers"]} == told
    assert len(found["tickers"]) == filers.height
    assert {"AAPL", "BRK-A", "BRK-B"} <= {ticker for _, _, ticker, _ in found["tickers"]}
    assert found["funds"] == 0
    assert found["nobody"]


def test_a_company(found, market):
    apple, berkshire = found["companies"]["AAPL"], found["companies"]["BRK-B"]
    ciks = dict(market.securities.select("symbol", "cik").rows())
    assert (apple["cik"], berkshire["cik"]) == (int(ciks["AAPL"]), int(ciks["BRK.B"]))
    assert (apple["name"], apple["tickers"], apple["exchanges"]) == ("Apple Inc. Common Stock", ["AAPL"], ["Nasdaq"])
    assert (apple["sic"], apple["industry"], apple["year_end"]) == ("3571", "Electronic Computers", "1231")
    assert berkshire["tickers"] == ["BRK-A", "BRK-B"], "one filer, two classes"
    assert (berkshire["sic"], berkshire["industry"]) == ("6331", "Fire, Marine & Casualty Insurance")


def test_the_filings(found, market):
    for ticker, company in found["companies"].items():
        told = reports(market, ticker.replace("-", "."))
        ordered = [(str(r["period_end"]), r["form"]) for r in reversed(told)]
        assert [(ends, form) for _, _, ends, form in company["filings"]] == ordered
        assert len({number for number, *_ in company["filings"]}) == len(told), "a number for each"
        for (_, filed, *_), r in zip(company["filings"], reversed(told), strict=True):
            assert date.fromisoformat(filed) in (r["known_at"].date(), r["known_at"].date() - timedelta(days=1))


def test_a_filing_is_there_once_with_the_newest_period_it_tells(quiet, market):
    known = market.fundamentals.filter(pl.col("known_at") <= NOW)
    assert "424B4" in known["form"], "a prospectus tells several periods"
    filers = market.securities.unique("symbol").select("symbol", "cik")
    told = known.join(filers, on="symbol").group_by("cik", "form", "known_at").agg(pl.col("period_end").max())
    found, numbers = set(), []
    for cik in told["cik"].unique():
        filed = json.loads(get(quiet, f"/submissions/CIK{cik}.json", SEC).body)["filings"]["recent"]
        numbers += filed["accessionNumber"]
        found |= {(cik, *row) for row in zip(filed["form"], filed["reportDate"], strict=True)}
    assert found == set(told.select("cik", "form", pl.col("period_end").cast(pl.String)).rows())
    assert len(set(numbers)) == len(numbers) == told.height > 2000
    assert {len(number) for number in numbers} == {20}


def test_a_filer_has_the_tickers_that_trade(quiet, market):
    gone = (pl.col("delisted_on") <= UNTIL).fill_null(value=False)
    lines = market.securities.unique("figi").filter(pl.col("cik").is_not_null())
    trading = dict(lines.group_by("cik").agg((~gone).sum()).rows())
    assert {0, 1, 2} <= set(trading.values()), "some filers have gone, some have several lines"
    for cik, count in trading.items():
        filer = json.loads(get(quiet, f"/submissions/CIK{cik}.json", SEC).body)
        assert len(set(filer["tickers"])) == len(filer["exchanges"]) == count


def test_every_fact(found, market):
    for ticker, company in found["companies"].items():
        told = reports(market, ticker.replace("-", "."))
        numbers = {(filed, ends, form): number for number, filed, ends, form in company["filings"]}
        rows = set()
        for concept, unit, start, end, value, year, period, form, filed, accession in company["facts"]:
            column, over = FIGURES[concept]
            assert numbers[filed, end, form] == accession, "the fact is of the filing"
            assert (start is not None) is over
            if start is not None:
                days = (date.fromisoformat(end) - date.fromisoformat(start)).days + 1
                assert days in ((365, 366) if period == "FY" else range(89, 93)), "whole months"
            assert year == int(end[:4])
            assert unit.startswith("shares" if column == "shares_outstanding" else "USD")
            rows.add((column, end, period, form, value))
        assert rows == {
            (column, str(r["period_end"]), r["fiscal_period"], r["form"],
             r[column] if column == "eps_diluted" else round(r[column]))
            for r in told for column, _ in FIGURES.values() if r[column] is not None
        }  # fmt: skip
    assert any("/A" in form for *_, form in found["companies"][restated(market)]["filings"])


def test_its_own_figures(found, market):
    told = reports(market, "AAPL")
    apple, year = found["companies"]["AAPL"], [r for r in told if r["fiscal_period"] == "FY"][-1]
    assert (apple["revenue"], apple["income"]) == (round(year["revenue"]), round(year["net_income"]))
    assert (apple["assets"], apple["equity"]) == (round(year["assets"]), round(year["equity"]))
    assert apple["shares"] == told[-1]["shares_outstanding"]
    # The last four quarters; the fourth is the year less the other three.
    of = {(r["fiscal_period"], r["period_end"].year): round(r["revenue"]) for r in told}
    fourth = of["FY", 2025] - of["Q1", 2025] - of["Q2", 2025] - of["Q3", 2025]
    assert apple["ttm"] == pytest.approx(of["Q1", 2026] + of["Q2", 2025] + of["Q3", 2025] + fourth)
