"""Whatever a source answers, a parse function gives a frame or a SourceError, and every one of them is tried."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrader.providers import alpaca, polygon, polygon_flat_files
from aitrader.providers.bodies import Page
from tests.providers.parse_fuzzer import PARSERS, Parse, found, load_seeds, run, seeded

INPUTS = 300
WIRE = Path(__file__).resolve().parents[3] / "shared" / "data" / "wire"


def recorded(pattern: str) -> list[bytes]:
    """The recorded bodies of a pattern; none where they are not beside the repository."""
    return [path.read_bytes() for path in sorted(WIRE.glob(pattern + ".json"))]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


BAR = {"t": "2024-07-02T04:00:00Z", "o": 10.0, "h": 11.0, "l": 9.0, "c": 10.5, "v": 1000, "n": 12, "vw": 10.2}
SPLIT = {"symbol": "A", "ex_date": "2024-07-02", "new_rate": 2, "old_rate": 1}
ASSET = {
    "id": "a1",
    "class": "us_equity",
    "exchange": "NYSE",
    "symbol": "BRK.B",
    "name": "Berkshire Hathaway Inc. Class B",
    "status": "active",
    "tradable": True,
}
AGGREGATE = {"T": "BRK.B", "t": 1719892800000, "o": 10.0, "h": 11.0, "l": 9.0, "c": 10.5, "v": 1000, "vw": 10.2, "n": 9}
TICKER = {
    "ticker": "BRK.B",
    "name": "Berkshire Hathaway Inc. Class B",
    "market": "stocks",
    "locale": "us",
    "primary_exchange": "XNYS",
    "type": "CS",
    "active": True,
    "cik": "0001067983",
    "composite_figi": "BBG000DWG505",
    "delisted_utc": None,
    "list_date": "1996-05-09",
    "market_cap": 9e11,
    "share_class_shares_outstanding": 1_300_000_000,
}
ARTICLE = {
    "title": "One rises",
    "description": "and one falls",
    "published_utc": "2024-07-02T12:00:00Z",
    "tickers": ["AAPL", "MSFT"],
    "publisher": {"name": "Wire"},
    "insights": [{"ticker": "AAPL", "sentiment": "positive"}],
}
STATEMENT = {
    "tickers": ["AAPL"],
    "period_end": "2024-03-30",
    "filing_date": "2024-05-03",
    "fiscal_quarter": 2,
    "fiscal_year": 2024,
    "timeframe": "quarterly",
    "total_assets": 1e9,
    "debt_current": 1.0,
    "long_term_debt_and_capital_lease_obligations": 2.0,
}
POINT = {"value": 100.0, "unit": "USD"}
REPORT = {
    "tickers": ["AAPL"],
    "end_date": "2024-03-30",
    "filing_date": "2024-05-03",
    "fiscal_period": "Q2",
    "financials": {"balance_sheet": {"assets": POINT}, "income_statement": {"revenues": POINT}},
}


def results(*rows: object) -> bytes:
    """An answer of Polygon with these rows."""
    return _json({"status": "OK", "count": len(rows), "results": rows, "next_url": "https://h/v3/reference/x?cursor=1"})


def alike(parse: Callable[[bytes], Page], plain: Callable[[bytes], Page | None], careful: Parse) -> Parse:
    """The parse function, whose quick way has to give what the reading bar by bar gives."""

    def both(body: bytes) -> Page:
        page = parse(body)
        if plain(body) is not None:
            other = careful(body)
            assert isinstance(other, Page)
            assert page.frame.equals(other.frame)
            assert (page.next_token, page.quarantine.height) == (other.next_token, other.quarantine.height)
        return page

    return both


CSV = (
    b"ticker,volume,open,close,high,low,window_start,transactions\n"
    b"NA,1000,10.0,10.5,11.0,9.0,1719892800000000000,12\n"
    b"TRUE,500,20,21,22,19,1719892800000000000,3\n"
)

seeded("alpaca.parse_assets", alpaca.parse_assets, _json([ASSET, ASSET]), *recorded("alpaca/asset_routes__get_all*"))
seeded(
    "alpaca.parse_bars",
    alike(alpaca.parse_bars, alpaca._plain, alpaca._bar_by_bar),
    _json({"bars": {"BRK.B": [BAR], "AAPL": [BAR]}, "next_page_token": "a"}),
    *recorded("alpaca/historical_stock_data__*get_bars*"),
)
seeded(
    "alpaca.parse_snapshots",
    alpaca.parse_snapshots,
    _json({"AAPL": {"latestQuote": {"t": BAR["t"], "bp": 10, "ap": 10.1}, "dailyBar": BAR, "prevDailyBar": BAR}}),
    *recorded("alpaca/historical_stock_data__get_snapshot*"),
)
seeded(
    "alpaca.parse_news",
    alpaca.parse_news,
    _json(
        {"news": [{"headline": "h &amp; m", "created_at": BAR["t"], "symbols": ["A", "B"]}], "next_page_token": None}
    ),
    *recorded("alpaca/historical_news*"),
)
seeded(
    "alpaca.parse_corporate_actions",
    alpaca.parse_corporate_actions,
    _json(
        {
            "corporate_actions": {
                "forward_splits": [{"symbol": "A", "ex_date": "2024-07-02", "new_rate": 2, "old_rate": 1}]
            }
        }
    ),
    *recorded("alpaca/corporate_actions*"),
)
seeded(
    "alpaca.parse_calendar", alpaca.parse_calendar, _json([{"date": "2024-07-03", "open": "09:30", "close": "13:00"}])
)
seeded(
    "polygon.parse_tickers", polygon.parse_tickers, results(TICKER, TICKER), *recorded("polygon/v3_reference_tickers*")
)
seeded(
    "polygon.parse_ticker_details",
    polygon.parse_ticker_details,
    _json({"status": "OK", "results": TICKER}),
    *recorded("polygon/v3_reference_tickers_AAPL*"),
)
seeded(
    "polygon.parse_ticker_types",
    polygon.parse_ticker_types,
    results({"code": "CS", "description": "Common Stock"}),
    *recorded("polygon/v3_reference_tickers_types"),
)
seeded(
    "polygon.parse_grouped_daily",
    alike(
        polygon.parse_grouped_daily,
        lambda body: polygon._plain(body, "polygon/grouped_daily"),
        lambda body: polygon._bar_by_bar(body, "polygon/grouped_daily"),
    ),
    results(AGGREGATE, {**AGGREGATE, "T": "ABRpD"}),
    *recorded("polygon/v2_aggs_grouped*"),
)
seeded(
    "polygon.parse_aggregates",
    alike(
        polygon.parse_aggregates,
        lambda body: polygon._plain(body, "polygon/aggregates"),
        lambda body: polygon._bar_by_bar(body, "polygon/aggregates"),
    ),
    results(AGGREGATE),
    *recorded("polygon/v2_aggs_ticker*"),
)
seeded(
    "polygon.parse_splits",
    polygon.parse_splits,
    results({"ticker": "A", "execution_date": "2024-07-02", "split_from": 1, "split_to": 2}),
    *recorded("polygon/v3_reference_splits"),
)
seeded(
    "polygon.parse_dividends",
    polygon.parse_dividends,
    results({"ticker": "A", "ex_dividend_date": "2024-07-02", "cash_amount": 0.5, "dividend_type": "SC"}),
    *recorded("polygon/v3_reference_dividends"),
)
seeded("polygon.parse_news", polygon.parse_news, results(ARTICLE), *recorded("polygon/v2_reference_news*"))
seeded(
    "polygon.parse_financials",
    polygon.parse_financials,
    results(REPORT),
    *recorded("polygon/vX_reference_financials"),
)
seeded("polygon.parse_statements", polygon.parse_statements, results(STATEMENT))
seeded("polygon_flat_files.parse_flat_file", polygon_flat_files.parse_flat_file, CSV, gzip.compress(CSV, mtime=0))
load_seeds()


def test_every_parse_function_has_a_body() -> None:
    missing = sorted(set(found()) - set(PARSERS))
    assert not missing, f"no seed body for {', '.join(missing)}: add it with parse_fuzzer.seeded in a seeds_*.py"
    assert {"alpaca.parse_bars", "polygon.parse_tickers", "polygon_flat_files.parse_flat_file"} <= set(found())


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_bodies_are_read_as_they_are(name: str) -> None:
    parse, bodies = PARSERS[name]
    parse(bodies[0])


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_nothing_but_a_source_error_escapes(name: str) -> None:
    read = run(name, INPUTS)
    assert 0 < read < INPUTS
