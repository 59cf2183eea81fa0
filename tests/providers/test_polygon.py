"""Polygon's answers, recorded and hand-written, in the neutral schemas, and the questions that lead to them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, NEWS
from aitrader.providers import polygon, polygon_requests
from aitrader.transport.wire import Request

WIRE = Path(__file__).resolve().parents[3] / "shared" / "data" / "wire" / "polygon"
recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded bodies are not beside the repository")
DAY = date(2024, 7, 2)
LONG_DEBT = "long_term_debt_and_capital_lease_obligations"
TICKER = {
    "ticker": "ACME",
    "name": "Acme Corp. Common Stock",
    "market": "stocks",
    "locale": "us",
    "primary_exchange": "XNYS",
    "type": "CS",
    "active": True,
    "composite_figi": "BBG000000001",
}
BAR = {"T": "ACME", "t": 1_719_950_400_000, "o": 10, "h": 11, "l": 9, "c": 10.5, "v": 1000, "n": 12, "vw": 10.2}
ARTICLE = {
    "title": "Acme rises",
    "description": "A day",
    "published_utc": "2024-07-02T12:00:00Z",
    "tickers": ["ACME"],
    "publisher": {"name": "Wire"},
}


def body(name: str) -> bytes:
    return (WIRE / f"{name}.json").read_bytes()


def answer(*rows: object, **more: object) -> bytes:
    return json.dumps({"status": "OK", "results": list(rows)} | more).encode()


# --- recorded ---------------------------------------------------------------------------------------------------


@recorded
def test_recorded_tickers() -> None:
    page = polygon.parse_tickers(body("v3_reference_tickers"))
    assert page.frame.schema == pl.Schema(polygon.TICKERS)
    columns = ("symbol", "name", "exchange", "security_type", "cik", "figi", "active")
    assert page.frame.select(columns).rows() == [
        ("A", "Agilent Technologies Inc.", "NYSE", "common", "0001090872", "BBG000C2V3D6", True),
        ("AA", "Alcoa Corporation", "NYSE", "common", "0001675149", "BBG00B3T3HD3", True),
    ]
    assert page.next_token is not None
    assert page.next_token.startswith("/v3/reference/tickers?cursor=YWN0aXZlPXRydWUm")
    (path,) = WIRE.glob("v3_reference_tickers_cursor*.json")
    second = polygon.parse_tickers(path.read_bytes())
    assert second.frame.select(columns).rows() == [
        ("AAA", "AAF First Priority CLO Bond ETF", "ARCA", "etf", None, "BBG00X5FSP48", True),
        ("AAAU", "Goldman Sachs Physical Gold ETF Shares", "BATS", "etf", "0001708646", "BBG00LPXX872", True),
    ]
    assert second.next_token is None


@recorded
@pytest.mark.parametrize(
    ("name", "cap"),
    [
        ("v3_reference_tickers_AAPL", 2_488_795_282_370.0),
        ("v3_reference_tickers_AAPL_date_2020-10-01", 1_916_103_105_630.0),
    ],
)
def test_recorded_ticker_details(name: str, cap: float) -> None:
    page = polygon.parse_ticker_details(body(name))
    assert page.frame.schema == pl.Schema(polygon.DETAILS)
    row = page.frame.row(0, named=True)
    assert (row["symbol"], row["exchange"], row["market_cap"]) == ("AAPL", "NASDAQ", cap)
    assert (row["listed_on"], row["shares_outstanding"]) == (date(1980, 12, 12), 16_319_440_000.0)
    assert (row["industry"], row["cik"]) == ("ELECTRONIC COMPUTERS", "0000320193")


@recorded
def test_recorded_ticker_types() -> None:
    page = polygon.parse_ticker_types(body("v3_reference_tickers_types"))
    assert page.frame["code"].to_list() == [
        *(
            "CS",
            "PFD",
            "WARRANT",
            "RIGHT",
            "BOND",
            "ETF",
            "ETN",
            "SP",
            "ADRC",
            "ADRW",
            "ADRR",
            "FUND",
            "BASKET",
            "UNIT",
        ),
        "LT",
    ]


@recorded
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("v2_aggs_ticker_AAPL_prev", [("AAPL", date(2022, 4, 26), 162.25, 162.34, 156.72, 156.8, 95_595_226.0)]),
        *(
            (
                f"v2_aggs_ticker_AAPL_range_1_day_2005-04-0{first}_2005-04-04",
                [
                    ("AAPL", date(2005, 4, 1), 1.5032, 1.5064, 1.4489, 1.4604, 642_646_396.0),
                    ("AAPL", date(2005, 4, 4), 1.4639, 1.4754, 1.4343, 1.4675, 578_172_308.0),
                ],
            )
            for first in (1, 2)
        ),
    ],
)
def test_recorded_aggregates(name: str, rows: list[tuple[object, ...]]) -> None:
    page = polygon.parse_aggregates(body(name))
    assert page.frame.schema == pl.Schema(BARS)
    assert page.frame.drop("vwap", "trades").rows() == rows
    assert (page.quarantine.height, page.next_token) == (0, None)


@recorded
def test_recorded_grouped_daily() -> None:
    page = polygon.parse_grouped_daily(body("v2_aggs_grouped_locale_us_market_stocks_2005-04-04_adjusted_true"))
    assert page.frame.rows() == [("GIK", date(2020, 10, 14), 9.99, 10.02, 9.9, 10.02, 895_345.0, 9.9979, 96.0)]


@recorded
def test_recorded_splits() -> None:
    page = polygon.parse_splits(body("v3_reference_splits"))
    assert page.frame.schema == pl.Schema(ACTIONS)
    assert set(page.frame["kind"]) == {"split"}
    assert page.frame.select("symbol", "ex_date", "ratio").rows() == [
        ("AMZN", date(2022, 6, 6), 20.0),
        ("BRW", date(2022, 5, 20), 0.5),
        ("CIG.C", date(2022, 5, 2), pytest.approx(4 / 3)),
        ("CM", date(2022, 5, 16), 2.0),
        ("CTO", date(2022, 7, 1), 3.0),
        ("DXCM", date(2022, 6, 10), 4.0),
        ("GOOG", date(2022, 7, 18), 20.0),
        ("GOOGL", date(2022, 7, 18), 20.0),
        ("SHOP", date(2022, 6, 22), 10.0),
        ("SHOP", date(2022, 6, 29), 10.0),
    ]


@recorded
def test_recorded_dividends() -> None:
    page = polygon.parse_dividends(body("v3_reference_dividends"))
    assert page.frame.height == 10
    first, last = page.frame.row(0, named=True), page.frame.row(-1, named=True)
    assert (first["symbol"], first["ex_date"], first["cash"]) == ("AIRTP", date(2023, 8, 11), 0.5)
    assert first["known_at"] == datetime(2022, 2, 11, 4, 59, 59, tzinfo=UTC)  # the end of 2022-02-10 in New York
    assert (last["symbol"], last["ex_date"], last["cash"]) == ("CSSEN", date(2025, 6, 12), 0.59375)
    assert set(page.frame["kind"]) == {"dividend"}


@recorded
def test_recorded_financials() -> None:
    page = polygon.parse_financials(body("vX_reference_financials"), symbol="NXPI")
    assert page.frame.schema == pl.Schema(FUNDAMENTALS)
    row = page.frame.row(0, named=True)
    assert (row["symbol"], row["period_end"], row["fiscal_period"]) == ("NXPI", date(2022, 4, 3), "Q1")
    assert row["known_at"] == datetime(2022, 5, 4, 3, 59, 59, tzinfo=UTC)
    assert (row["revenue"], row["net_income"], row["eps_diluted"]) == (3.136e9, 6.57e8, 2.48)
    assert (row["assets"], row["liabilities"], row["equity"]) == (2.1321e10, 1.4561e10, 6.509e9)
    assert (row["operating_cash_flow"], row["total_debt"], row["form"]) == (8.56e8, None, "10-Q")
    nameless = polygon.parse_financials(body("vX_reference_financials"))
    assert (nameless.frame.height, nameless.quarantine["reason"].to_list()) == (0, ["bad_symbol"])


@recorded
def test_recorded_news_holds_fewer_articles_than_it_says() -> None:
    name = "v2_reference_news_ticker_NFLX"
    with pytest.raises(SourceError, match="count is 10, received 1"):
        polygon.parse_news(body(name))
    page = polygon.parse_news(body(name).replace(b'"count": 10', b'"count": 1'))
    assert page.frame.schema == pl.Schema(NEWS)
    assert page.frame["symbol"].to_list() == ["MSFT", "TSN", "NFLX", "AMZN"]
    row = page.frame.row(2, named=True)
    assert row["published_at"] == datetime(2022, 4, 28, 17, 8, tzinfo=UTC)
    assert row["headline"].startswith("Theres a big hole in the Feds theory of inflation")
    assert (row["source"], row["sentiment"]) == ("MarketWatch", None)


# --- envelopes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "rows", "fine"),
    [
        ({}, 2, True),
        ({"count": 2}, 2, True),
        ({"count": 3}, 2, False),
        ({"resultsCount": 3}, 2, False),
        ({"queryCount": 3}, 2, False),
        ({"count": 2, "resultsCount": 2, "queryCount": 2}, 2, True),
        ({"count": 1}, 0, False),
    ],
)
def test_a_shortfall_names_both_numbers(told: dict[str, int], rows: int, fine: bool) -> None:
    text = answer(*({**BAR, "T": name} for name in ["AA", "BB"][:rows]), **told)
    if fine:
        assert polygon.parse_grouped_daily(text).frame.height == rows
        return
    with pytest.raises(SourceError) as caught:
        polygon.parse_grouped_daily(text)
    assert str(max(told.values())) in caught.value.why
    assert str(rows) in caught.value.why


def test_a_closed_day_has_no_list_of_bars() -> None:
    closed = {"status": "OK", "queryCount": 0, "resultsCount": 0, "adjusted": True}
    assert polygon.parse_grouped_daily(json.dumps(closed).encode()).frame.height == 0
    with pytest.raises(SourceError, match="no list"):
        polygon.parse_grouped_daily(json.dumps({**closed, "resultsCount": 5}).encode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b"<html></html>", "HTML"),
        (b"{}", "an empty JSON object"),
        (b"[]", "a JSON list"),
        (b'{"status": "OK"}', "no list"),
        (b'{"status": "OK", "results": {}}', "no list"),
        (b'{"status": "OK", "results": [1]}', "none of its 1 rows"),
        (b'{"status": "ERROR", "error": "Unknown API Key"}', "status is ERROR"),
        (b'{"status": "NOT_FOUND", "results": []}', "status is NOT_FOUND"),
        (b'{"results": []}', "status"),
    ],
)
def test_what_is_no_page_is_an_error_that_says_so(text: bytes, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        polygon.parse_tickers(text)
    assert "polygon/tickers" in str(caught.value)
    assert says in str(caught.value)


def test_delayed_data_is_data() -> None:
    assert polygon.parse_aggregates(answer(BAR, status="DELAYED", ticker="ACME")).frame.height == 1


@pytest.mark.parametrize(
    ("told", "token"),
    [
        ("https://api.polygon.io/v3/reference/tickers?cursor=abc", "/v3/reference/tickers?cursor=abc"),
        ("https://evil.example/v3/reference/tickers?cursor=abc", "/v3/reference/tickers?cursor=abc"),
        ("https://h/v3/reference/tickers?cursor=a%3D&apiKey=SECRET&APIKEY=x", "/v3/reference/tickers?cursor=a%3D"),
        (None, None),
        ("", None),
    ],
)
def test_of_the_next_address_the_path_and_query_stay(told: str | None, token: str | None) -> None:
    assert polygon.parse_tickers(answer(TICKER, next_url=told)).next_token == token


@pytest.mark.parametrize("told", ["https://h/v3/reference/tickers", "nonsense", "http://[::1", 7])
def test_a_next_address_that_leads_nowhere_is_an_error(told: object) -> None:
    with pytest.raises(SourceError):
        polygon.parse_tickers(answer(TICKER, next_url=told))


@pytest.mark.parametrize(
    ("url", "token", "target"),
    [
        ("https://h/v3/reference/tickers", "/v3/reference/tickers?cursor=a", "https://h/v3/reference/tickers?cursor=a"),
        ("http://127.0.0.1:9/p/v3/x", "/p/v3/x?cursor=a", "http://127.0.0.1:9/p/v3/x?cursor=a"),
        ("http://127.0.0.1:9/p/v3/x", "/v3/x?cursor=a&apiKey=k", "http://127.0.0.1:9/p/v3/x?cursor=a"),
        ("https://h/v2/aggs/ticker/A/range/1/day/1/2", "/v2/aggs/ticker/A/range/1/day/9/2?cursor=a", None),
    ],
)
def test_the_next_page_is_asked_of_our_host(url: str, token: str, target: str | None) -> None:
    request = Request(source="polygon", url=url, params=(("limit", "1000"),))
    assert polygon_requests.with_token(request, token).target == (target or "https://h" + token)


@pytest.mark.parametrize("token", ["//evil/v3/x?a=1", "https://evil/v3/x?a=1", "/admin?a=1", "/v3/../x?a=1", "@evil?a"])
def test_a_token_that_is_none_of_the_routes_is_refused(token: str) -> None:
    with pytest.raises(SourceError):
        polygon_requests.with_token(Request(source="polygon", url="https://h/v3/x"), token)


# --- rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *(("CS", "common"), ("ADRC", "adr"), ("ETF", "etf"), ("ETN", "etf"), ("ETV", "etf"), ("PFD", "preferred")),
        *(("WARRANT", "warrant"), ("RIGHT", "right"), ("UNIT", "unit"), ("FUND", "fund"), ("SP", "note")),
        *(("BOND", "note"), ("ADRW", "warrant"), ("NEWCODE", "unknown"), (None, "unknown")),
    ],
)
def test_codes_of_types(code: str | None, kind: str) -> None:
    page = polygon.parse_tickers(answer({**TICKER, "type": code, "name": ""}))
    assert page.frame["security_type"].to_list() == [kind]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"active": False}, "not_active"),
        ({"active": None}, "not_active"),
        ({"market": "otc"}, "not_us_equity"),
        ({"locale": "global"}, "not_us_equity"),
        ({"primary_exchange": "XNEW"}, "unknown_exchange"),
        ({"ticker": 5}, "bad_symbol"),
        ({"ticker": "ACME"}, "duplicate"),
        ({"ticker": "ZVZZT"}, "test_issue"),
    ],
)
def test_a_listing_outside_of_the_universe_is_counted(changed: dict[str, object], reason: str) -> None:
    page = polygon.parse_tickers(answer(TICKER, {**TICKER, "ticker": "ODD", **changed}))
    assert (page.frame["symbol"].to_list(), page.quarantine["reason"].to_list()) == (["ACME"], [reason])


def test_delisted_listings_keep_their_last_day() -> None:
    gone = {**TICKER, "active": False, "delisted_utc": "2022-11-09T05:00:00Z"}
    page = polygon.parse_tickers(answer(gone), active=False)
    assert page.frame.select("symbol", "delisted_on").rows() == [("ACME", date(2022, 11, 9))]


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        (1_719_892_800_000, date(2024, 7, 2)),  # 04:00Z: midnight New York in summer
        (1_719_892_799_999, date(2024, 7, 1)),
        (1_719_950_400_000, date(2024, 7, 2)),  # 20:00Z: the close
        (1_704_171_600_000, date(2024, 1, 2)),  # 05:00Z: midnight in winter
    ],
)
def test_milliseconds_are_days_in_new_york(stamp: int, day: date) -> None:
    assert polygon.parse_grouped_daily(answer({**BAR, "t": stamp})).frame["date"].to_list() == [day]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"c": -2}, "nonpositive_close"),
        ({"c": None}, "bad_number"),
        ({"c": float("nan")}, "not_finite"),
        ({"t": "2024"}, "bad_date"),
        ({"t": 10**30}, "bad_date"),
        ({"T": None}, "bad_symbol"),
        ({"t": 1_720_065_600_000}, "not_a_session"),  # the Fourth of July
    ],
)
def test_a_bad_bar_is_set_aside_alone(changed: dict[str, object], reason: str) -> None:
    page = polygon.parse_grouped_daily(answer(BAR, {**BAR, "T": "ODD", **changed}, resultsCount=2))
    assert (page.frame["symbol"].to_list(), page.quarantine["reason"].to_list()) == (["ACME"], [reason])


def test_spellings_of_the_tape() -> None:
    page = polygon.parse_grouped_daily(answer({**BAR, "T": "ABRpD"}, {**BAR, "T": "BRK.B"}, {**BAR, "T": "NA"}))
    assert page.frame["symbol"].to_list() == ["ABR-P-D", "BRK.B", "NA"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"split_from": 1, "split_to": 7}, [("split", 7.0)]),
        ({"split_from": 100, "split_to": 1, "adjustment_type": "reverse_split"}, [("split", 0.01)]),
        ({"split_from": 100, "split_to": 105, "adjustment_type": "stock_dividend"}, [("stock_dividend", 1.05)]),
        ({"split_from": 0, "split_to": 7}, []),
        ({"split_from": 1}, []),
    ],
)
def test_splits(row: dict[str, object], expected: list[tuple[object, ...]]) -> None:
    page = polygon.parse_splits(answer({"ticker": "ACME", "execution_date": "2024-07-02", **row}))
    assert page.frame.select("kind", "ratio").rows() == expected
    assert page.quarantine.height == 1 - len(expected)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"dividend_type": "CD"}, "dividend"),
        ({"dividend_type": "SC"}, "special_dividend"),
        ({"distribution_type": "recurring"}, "dividend"),
        ({"distribution_type": "special"}, "special_dividend"),
        ({"dividend_type": "CD", "currency": "CAD"}, None),
        ({"cash_amount": 0}, None),
    ],
)
def test_dividends(row: dict[str, object], kind: str | None) -> None:
    page = polygon.parse_dividends(
        answer({"ticker": "ACME", "ex_dividend_date": "2024-07-02", "cash_amount": 0.5, **row})
    )
    assert page.frame["kind"].to_list() == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("said", "score"), [("positive", 1.0), ("negative", -1.0), ("neutral", 0.0), ("mixed", None), (None, None)]
)
def test_an_insight_is_the_sentiment_of_its_own_symbol(said: object, score: float | None) -> None:
    insights = [{"ticker": "ACME", "sentiment": said}]
    page = polygon.parse_news(answer({**ARTICLE, "tickers": ["ACME", "OTHER"], "insights": insights}))
    assert page.frame.select("symbol", "sentiment").rows() == [("ACME", score), ("OTHER", None)]


def test_figures_in_another_currency_are_missing() -> None:
    dollars, euros = {"value": 5.0, "unit": "USD"}, {"value": 9.0, "unit": "EUR"}
    report = {
        "tickers": ["ACME"],
        "end_date": "2024-03-31",
        "filing_date": "2024-05-01",
        "fiscal_period": "Q1",
        "acceptance_datetime": "2024-05-01T20:30:00Z",
        "financials": {"income_statement": {"revenues": dollars}, "balance_sheet": {"assets": euros}},
    }
    page = polygon.parse_financials(answer(report, {**report, "fiscal_period": "TTM"}))
    assert page.frame.select("revenue", "assets").rows() == [(5.0, None)]
    assert page.frame["known_at"].to_list() == [datetime(2024, 5, 1, 20, 30, tzinfo=UTC)]
    assert page.quarantine["reason"].to_list() == ["not_a_report"]


@pytest.mark.parametrize(
    ("timeframe", "quarter", "figures", "expected"),
    [
        (
            "quarterly",
            2,
            {"debt_current": 1.0, "long_term_debt_and_capital_lease_obligations": 2.0},
            ("Q2", "10-Q", 3.0),
        ),
        ("quarterly", 4.0, {"debt_current": 1.0, "total_assets": 9.0}, ("Q4", "10-K", None)),
        ("annual", 4, {"revenue": 1.0}, ("FY", "10-K", None)),
    ],
)
def test_newer_statements(
    timeframe: str, quarter: float, figures: dict[str, float], expected: tuple[object, ...]
) -> None:
    row = {"tickers": ["ACME"], "period_end": "2024-03-31", "filing_date": "2024-05-01", **figures}
    page = polygon.parse_statements(answer({**row, "timeframe": timeframe, "fiscal_quarter": quarter}))
    assert page.frame.select("fiscal_period", "form", "total_debt").rows() == [expected]


# --- requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (
            polygon_requests.tickers_request("https://h/", day=DAY),
            "/v3/reference/tickers?market=stocks&active=true&order=asc&sort=ticker&date=2024-07-02&limit=1000",
        ),
        (
            polygon_requests.grouped_daily_request("https://h", DAY),
            "/v2/aggs/grouped/locale/us/market/stocks/2024-07-02?adjusted=false&include_otc=false",
        ),
        (
            polygon_requests.aggregates_request("https://h", "ABR-P-D", DAY, DAY),
            "/v2/aggs/ticker/ABRpD/range/1/day/2024-07-02/2024-07-02?adjusted=false&sort=asc&limit=50000",
        ),
        (polygon_requests.ticker_details_request("https://h", "BRK.B"), "/v3/reference/tickers/BRK.B"),
        (
            polygon_requests.statements_request("https://h", "balance-sheets", DAY, DAY),
            "/stocks/financials/v1/balance-sheets?filing_date.gte=2024-07-02&filing_date.lte=2024-07-02&limit=1000",
        ),
        (
            polygon_requests.ticker_types_request("https://h"),
            "/v3/reference/tickers/types?asset_class=stocks&locale=us",
        ),
    ],
)
def test_questions(request_: Request, target: str) -> None:
    assert (request_.source, request_.target) == ("polygon", "https://h" + target)


def test_questions_of_a_span() -> None:
    for request, name in (
        (polygon_requests.splits_request("https://h", DAY, DAY), "execution_date"),
        (polygon_requests.dividends_request("https://h", DAY, DAY), "ex_dividend_date"),
        (polygon_requests.financials_request("https://h", DAY, DAY, symbol="BRK.B"), "filing_date"),
        (polygon_requests.news_request("https://h", DAY, DAY), "published_utc"),
    ):
        told = dict(request.params)
        assert (told[f"{name}.gte"], told[f"{name}.lte"], told["sort"]) == ("2024-07-02", "2024-07-02", name)
