"""Alpaca's answers, recorded and hand-written, in the neutral schemas, and the questions that lead to them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, NEWS, QUARANTINE
from aitrader.providers import alpaca, alpaca_requests

WIRE = Path(__file__).resolve().parents[3] / "shared" / "data" / "wire" / "alpaca"
recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded bodies are not beside the repository")
BAR = {"t": "2024-07-02T04:00:00Z", "o": 10, "h": 11, "l": 9, "c": 10.5, "v": 1000, "n": 12, "vw": 10.2}
ASSET = {
    "id": "a1",
    "class": "us_equity",
    "exchange": "NYSE",
    "symbol": "ACME",
    "name": "Acme Corp. Common Stock",
    "status": "active",
    "tradable": True,
}


def body(name: str) -> bytes:
    return (WIRE / f"{name}.json").read_bytes()


def wire(value: object) -> bytes:
    return json.dumps(value).encode()


def reasons(quarantine: pl.DataFrame) -> list[tuple[str | None, str]]:
    assert quarantine.schema == pl.Schema(QUARANTINE)
    return list(quarantine.select("symbol", "reason").iter_rows())


def bars(*rows: object, symbol: str = "ACME", token: str | None = None) -> bytes:
    return wire({"bars": {symbol: list(rows)}, "next_page_token": token})


def actions(group: str, *rows: object) -> bytes:
    return wire({"corporate_actions": {group: list(rows)}, "next_page_token": None})


# --- recorded ---------------------------------------------------------------------------------------------------


@recorded
@pytest.mark.parametrize("name", ["asset_routes__get_all_assets", "asset_routes__get_all_assets_params"])
def test_recorded_assets(name: str) -> None:
    page = alpaca.parse_assets(body(name))
    assert page.frame.schema == pl.Schema(alpaca.ASSETS)
    row = page.frame.row(0, named=True)
    assert page.frame.height == 1
    assert (row["symbol"], row["exchange"], row["security_type"]) == ("AAPL", "NASDAQ", "common")
    assert (row["name"], row["asset_id"]) == ("Apple Inc. Common Stock", "904837e3-3b76-47ec-b432-046db621571b")
    assert (row["tradable"], row["status"]) == (True, "active")


@recorded
def test_recorded_single_asset_is_not_the_list() -> None:
    with pytest.raises(SourceError, match="alpaca/assets"):
        alpaca.parse_assets(body("asset_routes__get_asset"))


@recorded
@pytest.mark.parametrize(
    ("name", "rows", "token"),
    [
        (
            "get_bars",
            [
                ("AAPL", date(2022, 2, 1), 174.0, 174.84, 172.31, 174.61, 85_998_033.0, 173.703516, 732_412.0),
                ("AAPL", date(2022, 2, 2), 174.64, 175.88, 173.33, 175.84, 84_817_432.0, 174.941288, 675_034.0),
            ],
            "QUFQTHxEfDIwMjItMDItMDJUMDU6MDA6MDAuMDAwMDAwMDAwWg==",
        ),
        (
            "get_bars_desc",  # newest first on the wire
            [
                ("TSLA", date(2023, 9, 25), 243.38, 247.1, 238.31, 246.99, 104_668_716.0, 244.197325, 1_196_613.0),
                ("TSLA", date(2023, 9, 26), 242.98, 249.55, 241.6601, 244.12, 102_033_779.0, 245.559325, 1_118_004.0),
                ("TSLA", date(2023, 9, 27), 244.262, 245.33, 234.58, 240.5, 136_616_287.0, 240.479286, 1_393_690.0),
            ],
            "VFNMQXxEfDc1Mjc3NTc2MzYwMDAwMDAwMDA=",
        ),
        (
            "multisymbol_get_bars",
            [
                ("AAPL", date(2022, 3, 9), 161.51, 163.41, 159.41, 162.95, 88_496_480.0, 161.942117, 700_291.0),
                ("TSLA", date(2022, 3, 9), 839.0, 860.56, 832.01, 858.97, 19_227_323.0, 850.616587, 528_531.0),
            ],
            None,
        ),
        ("get_bars_single_empty_response", [], None),
        ("get_bars_multi_empty_response", [], None),
    ],
)
def test_recorded_bars(name: str, rows: list[tuple[object, ...]], token: str | None) -> None:
    page = alpaca.parse_bars(body(f"historical_stock_data__{name}"))
    assert page.frame.schema == pl.Schema(BARS)
    assert page.frame.rows() == rows
    assert page.next_token == token
    assert reasons(page.quarantine) == []


@recorded
def test_recorded_snapshot() -> None:
    found = alpaca.parse_snapshots(body("historical_stock_data__get_snapshot"))
    assert found.quotes.schema == pl.Schema(alpaca.QUOTES)
    quote = found.quotes.row(0, named=True)
    assert (quote["symbol"], quote["bid"], quote["ask"]) == ("AAPL", 161.19, 161.2)
    assert quote["spread_pct"] == pytest.approx(0.00620367, rel=1e-5)  # 1 cent of 161.195
    assert quote["quoted_at"] == datetime(2022, 3, 18, 14, 33, 58, 547_942, UTC)
    today = ("AAPL", date(2022, 3, 18), 160.59, 161.92, 159.76, 161.365, 31_749_988.0, 160.683364, 186_143.0)
    before = ("AAPL", date(2022, 3, 17), 158.6, 161.0, 157.63, 160.62, 73_839_892.0, 159.425082, 609_067.0)
    assert (found.daily.rows(), found.previous.rows()) == ([today], [before])


@recorded
def test_recorded_snapshot_of_an_unknown_symbol() -> None:
    found = alpaca.parse_snapshots(body("historical_stock_data__get_snapshot_multi_empty_response"))
    assert (found.quotes.height, found.daily.height, found.previous.height, found.quarantine.height) == (0, 0, 0, 0)


@recorded
def test_recorded_news() -> None:
    first, second = (alpaca.parse_news(body(f"historical_news_data__get_news{page}")) for page in ("", "_p2"))
    assert first.frame.schema == pl.Schema(NEWS)
    at = datetime(2024, 8, 18, 20, 15, 44, tzinfo=UTC)
    assert first.frame.rows() == [
        ("AAPL", at, "headline", "summary", None, "source"),
        ("QCOM", at, "headline", "summary", None, "source"),
    ]
    assert first.next_token == "MTczMDk3MTEwMTAwMDAwMDAwMHw0MTc5OTExNQ=="
    headline = "Piper Sandler Maintains Neutral on Clearwater Analytics Hldg, Raises Price Target to $28"
    assert second.frame.rows() == [
        ("CWAN", datetime(2024, 11, 7, 9, 16, 41, tzinfo=UTC), headline, None, None, "benzinga")
    ]
    assert second.next_token is None


@recorded
def test_recorded_corporate_actions() -> None:
    page = alpaca.parse_corporate_actions(body("corporate_actions__get_corporate_actions"))
    assert page.frame.schema == pl.Schema(ACTIONS)
    assert page.frame.rows() == [
        ("ATNXQ", date(2023, 10, 11), "delisting", None, None, None, None),
        ("BSAQ", date(2023, 8, 15), "symbol_change", None, None, "VFS", None),
        ("FCF", date(2023, 5, 4), "dividend", None, 0.125, None, None),
        ("GLOP", date(2023, 7, 17), "merger", None, 5.37, None, None),
        ("JUPW", date(2023, 8, 15), "spinoff", pytest.approx(1 / 19.35), None, "SRM", None),
        ("LSI", date(2023, 7, 20), "merger", 0.895, None, "EXR", None),
        ("MLVF", date(2023, 7, 18), "merger", 0.7733, 7.8, "FRBA", None),
        ("MNTS", date(2023, 8, 24), "split", 0.02, None, None, None),
        ("MSBC", date(2023, 5, 19), "stock_dividend", 1.05, None, None, None),
        ("SRE", date(2023, 8, 22), "split", 2.0, None, None, None),
        ("TPBAU", date(2023, 3, 1), "delisting", 1.0, None, "LVRO", None),
    ]
    assert reasons(page.quarantine) == [("ORPHY", "unknown_kind"), ("IFN", "unknown_kind")]
    assert page.next_token == "MDA3Q1ZSMDIwfDIwMjQtMDItMTV8NjBiZjkxYzItMDc0Ni00ZDliLThjOWUtYTgwYmIzMDhmZDkx"
    second = alpaca.parse_corporate_actions(body("corporate_actions__get_corporate_actions_p2"))
    assert second.frame.rows() == [("ZMTBY", date(2024, 8, 7), "dividend", None, 0.086928, None, None)]
    assert second.next_token is None


# --- assets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "inactive"}, "not_active"),
        ({"status": None}, "not_active"),
        ({"class": "crypto"}, "not_us_equity"),
        ({"exchange": "OTC"}, "unknown_exchange"),
        ({"exchange": "XNEW"}, "unknown_exchange"),
        ({"exchange": ""}, "unknown_exchange"),
        ({"exchange": 7}, "unknown_exchange"),
        ({"symbol": None}, "bad_symbol"),
        ({"symbol": "A B C"}, "bad_symbol"),
        ({"id": None}, "no_asset_id"),
        ({"name": "NASDAQ TEST STOCK"}, "test_issue"),
    ],
)
def test_an_asset_outside_of_the_universe_is_counted(changed: dict[str, object], reason: str) -> None:
    page = alpaca.parse_assets(wire([ASSET, {**ASSET, "id": "a2", "symbol": "ODD", **changed}]))
    assert page.frame["symbol"].to_list() == ["ACME"]
    assert page.quarantine["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("exchange", "ours"),
    [
        ("NYSE", "NYSE"),
        ("NASDAQ", "NASDAQ"),
        ("ARCA", "ARCA"),
        ("NYSEARCA", "ARCA"),
        ("AMEX", "AMEX"),
        ("BATS", "BATS"),
    ],
)
def test_exchanges(exchange: str, ours: str) -> None:
    assert alpaca.parse_assets(wire([{**ASSET, "exchange": exchange}])).frame["exchange"].to_list() == [ours]


@pytest.mark.parametrize(
    ("symbol", "name", "ours", "kind"),
    [
        ("BRK.B", "Berkshire Hathaway Inc. Class B", "BRK.B", "common"),
        ("ABR.PRD", "Arbor Realty Trust 6.375% Series D Preferred", "ABR-P-D", "preferred"),
        ("ACME.WS", "Acme Corp. Warrants", "ACME.WS", "warrant"),
        ("SPY", "SPDR S&P 500 ETF Trust", "SPY", "etf"),
        ("NA", "Nano Labs Ltd American Depositary Shares", "NA", "adr"),
        ("TRUE", "", "TRUE", "unknown"),
    ],
)
def test_symbols_and_types(symbol: str, name: str, ours: str, kind: str) -> None:
    page = alpaca.parse_assets(wire([{**ASSET, "symbol": symbol, "name": name}]))
    assert page.frame.select("symbol", "security_type").rows() == [(ours, kind)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_assets_of_a_symbol_the_tradable_one_stays(order: tuple[int, int]) -> None:
    both = [{**ASSET, "id": "old", "tradable": False}, {**ASSET, "id": "new"}]
    page = alpaca.parse_assets(wire([both[at] for at in order]))
    assert page.frame.select("asset_id", "tradable").rows() == [("new", True)]
    assert page.quarantine.select("reason", "detail").rows() == [("duplicate", "asset old")]


# --- bars -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2024-07-02T04:00:00Z", date(2024, 7, 2)),  # summer
        ("2024-01-02T05:00:00Z", date(2024, 1, 2)),  # winter
        ("2024-07-03T03:59:59Z", date(2024, 7, 2)),
        ("2024-07-02T00:00:00-04:00", date(2024, 7, 2)),
    ],
)
def test_a_bar_belongs_to_the_day_in_new_york(stamp: str, day: date) -> None:
    assert alpaca.parse_bars(bars({**BAR, "t": stamp})).frame["date"].to_list() == [day]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"c": -1}, "nonpositive_close"),
        ({"c": 0}, "nonpositive_close"),
        ({"c": None}, "bad_number"),
        ({"c": "10"}, "bad_number"),
        ({"c": True}, "bad_number"),
        ({"c": 10**40}, "bad_number"),
        ({"c": float("nan")}, "not_finite"),
        ({"v": -1}, "negative_volume"),
        ({"t": "soon"}, "bad_date"),
        ({"t": None}, "bad_date"),
        ({"t": "1899-07-03T04:00:00Z"}, "bad_date"),
        ({"t": "2024-07-04T04:00:00Z"}, "not_a_session"),
    ],
)
def test_a_bad_bar_is_set_aside_alone(changed: dict[str, object], reason: str) -> None:
    page = alpaca.parse_bars(bars(BAR, {**BAR, "t": "2024-07-03T04:00:00Z", **changed}))
    assert page.frame["date"].to_list() == [date(2024, 7, 2)]
    assert reasons(page.quarantine) == [("ACME", reason)]


@pytest.mark.parametrize(
    ("changed", "column", "reason"),
    [
        ({"h": 8}, "high", "high_below_close"),
        ({"l": 12}, "low", "low_above_close"),
        ({"o": -1}, "open", "nonpositive_price"),
        ({"vw": "x"}, "vwap", "bad_number"),
        ({"n": -1}, "trades", "negative_count"),
    ],
)
def test_a_bad_value_beside_the_close_is_missing(changed: dict[str, object], column: str, reason: str) -> None:
    page = alpaca.parse_bars(bars({**BAR, **changed}))
    assert page.frame[column].to_list() == [None]
    assert page.frame["close"].to_list() == [10.5]
    assert reason in page.quarantine["reason"].to_list()


def test_a_repeated_bar_counts_once_and_a_contradiction_not_at_all() -> None:
    page = alpaca.parse_bars(bars(BAR, BAR))
    assert (page.frame.height, reasons(page.quarantine)) == (1, [("ACME", "duplicate")])
    page = alpaca.parse_bars(bars(BAR, {**BAR, "c": 10.6}))
    assert (page.frame.height, reasons(page.quarantine)) == (0, [("ACME", "conflicting_duplicate")] * 2)


def test_unknown_fields_and_rows_that_are_no_objects() -> None:
    page = alpaca.parse_bars(bars({**BAR, "new": {"a": 1}}, None, 7))
    assert page.frame.height == 1
    assert reasons(page.quarantine) == [("ACME", "bad_date")] * 2


def test_an_unknown_volume_is_null_not_zero() -> None:
    assert alpaca.parse_bars(bars({**BAR, "v": None})).frame["volume"].to_list() == [None]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "empty"),
        (b"<html>502</html>", "HTML"),
        (b"{}", "an empty JSON object"),
        (b"[]", "a JSON list"),
        (b"null", "JSON null"),
        (b'{"bars": null}', "bars"),
        (b'{"bars": []}', "bars"),
        (b'{"bars": {"A": {}}}', "bars"),
        (b'{"bars": {"A": [1, 2]}}', "none of its 2 rows"),
        (b'{"bars": {}, "next_page_token": 7}', "next_page_token"),
        (b'{"bars": {"A": [{"t":', "no whole JSON"),
        (b'{"code": 40310000, "message": "subscription does not permit querying recent SIP data"}', "recent SIP data"),
        (b'{"bars": {"A": ' + b"[" * 100_000, "nested"),
        (b'{"bars": "\xff"}', "no whole JSON"),
        (b"9" * 10_000, "alpaca/bars"),
    ],
)
def test_what_is_not_a_page_of_bars_is_an_error_that_says_so(answer: bytes, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        alpaca.parse_bars(answer)
    assert "alpaca/bars" in str(caught.value)
    assert says in str(caught.value)
    assert caught.value.do


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"null", b"[1]", b'{"message": "forbidden."}'])
def test_an_empty_list_of_assets_is_no_universe(answer: bytes) -> None:
    with pytest.raises(SourceError, match="alpaca/assets"):
        alpaca.parse_assets(answer)


# --- snapshots, news, actions, calendar -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid", "ask", "spread", "reason"),
    [
        (99.0, 101.0, 2.0, None),
        (10.0, 10.0, 0.0, None),
        (0, 10.1, None, "one_sided_quote"),
        (10.0, None, None, "one_sided_quote"),
        (10.2, 10.1, None, "crossed_quote"),
    ],
)
def test_spread_in_percent_of_the_middle(bid: object, ask: object, spread: float | None, reason: str | None) -> None:
    quote = {"t": "2024-07-02T14:00:00Z", "bp": bid, "ap": ask}
    found = alpaca.parse_snapshots(wire({"ACME": {"latestQuote": quote, "dailyBar": None}}))
    assert found.quotes["spread_pct"].to_list() == ([] if spread is None else [pytest.approx(spread)])
    assert reasons(found.quarantine) == ([] if reason is None else [("ACME", reason)])


def test_a_symbol_without_a_snapshot_is_counted() -> None:
    found = alpaca.parse_snapshots(wire({"AAA": None, "ACME": {"dailyBar": BAR}}))
    assert found.daily["symbol"].to_list() == ["ACME"]
    assert reasons(found.quarantine) == [("AAA", "no_values")]
    with pytest.raises(SourceError, match="alpaca/snapshots"):
        alpaca.parse_snapshots(b'{"message": "too many requests"}')


def test_news_is_a_row_a_symbol_in_plain_text() -> None:
    article = {
        "headline": "A&amp;B&#39;s day",
        "created_at": "2024-07-02T12:00:00Z",
        "symbols": ["BRK.B", "BRK.B", "?"],
    }
    page = alpaca.parse_news(wire({"news": [article, {**article, "headline": " ", "symbols": ["ACME"]}]}))
    assert page.frame.select("symbol", "headline").rows() == [("BRK.B", "A&B's day")]
    assert reasons(page.quarantine) == [(None, "bad_symbol"), ("ACME", "no_headline")]


@pytest.mark.parametrize(
    ("group", "row", "expected"),
    [
        ("forward_splits", {"new_rate": 7, "old_rate": 1}, ("split", 7.0, None)),
        ("reverse_splits", {"new_rate": 1, "old_rate": 100}, ("split", 0.01, None)),
        ("stock_dividends", {"rate": 0.05}, ("stock_dividend", 1.05, None)),
        ("cash_dividends", {"rate": 0.5, "special": False}, ("dividend", None, 0.5)),
        ("cash_dividends", {"rate": 3, "special": True}, ("special_dividend", None, 3.0)),
    ],
)
def test_kinds_of_action(group: str, row: dict[str, object], expected: tuple[object, ...]) -> None:
    page = alpaca.parse_corporate_actions(actions(group, {"symbol": "ACME", "ex_date": "2024-07-02", **row}))
    assert page.frame.select("kind", "ratio", "cash").rows() == [expected]


@pytest.mark.parametrize(
    ("group", "row", "reason"),
    [
        ("forward_splits", {"new_rate": 0, "old_rate": 1}, "bad_ratio"),
        ("forward_splits", {"new_rate": 2, "old_rate": 0}, "bad_ratio"),
        ("forward_splits", {"new_rate": 2}, "bad_ratio"),
        ("cash_dividends", {"rate": -1}, "bad_cash"),
        ("cash_dividends", {"rate": 1, "ex_date": "2024-07-04"}, "not_a_session"),
        ("cash_dividends", {"rate": 1, "ex_date": None}, "bad_date"),
        ("partial_calls", {"rate": 1}, "unknown_kind"),
        ("name_changes", {"old_symbol": "ACME", "new_symbol": "ACME", "process_date": "2024-07-02"}, "same_symbol"),
        ("name_changes", {"old_symbol": "ACME", "process_date": "2024-07-02"}, "no_new_symbol"),
    ],
)
def test_an_action_that_cannot_be_used(group: str, row: dict[str, object], reason: str) -> None:
    page = alpaca.parse_corporate_actions(actions(group, {"symbol": "ACME", "ex_date": "2024-07-02", **row}))
    assert page.frame.height == 0
    assert reasons(page.quarantine) == [("ACME", reason)]


@pytest.mark.parametrize("day", ["0000-01-01", "0000-12-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00"])
def test_a_day_that_python_cannot_hold_is_none(day: str) -> None:
    page = alpaca.parse_corporate_actions(actions("cash_dividends", {"symbol": "ACME", "rate": 1, "ex_date": day}))
    assert [row[2:5:2] for row in page.quarantine.rows()] == [("ACME", "bad_date")]
    page = alpaca.parse_bars(bars({**BAR, "t": day}))
    assert [row[:3] for row in page.quarantine.rows()] == [("alpaca/bars", 1, "ACME")]


def test_calendar_with_an_early_close() -> None:
    rows = [
        {"date": "2024-07-05", "open": "09:30", "close": "16:00", "session_open": "0400"},
        {"date": "2024-07-03", "open": "09:30", "close": "13:00"},
        {"date": "2024-07-08", "open": "09:30", "close": "25:00"},
    ]
    page = alpaca.parse_calendar(wire(rows))
    assert page.frame.rows() == [
        (date(2024, 7, 3), time(9, 30), time(13), True),
        (date(2024, 7, 5), time(9, 30), time(16), False),
    ]
    assert page.quarantine.select("date", "reason").rows() == [(date(2024, 7, 8), "bad_hours")]
    assert alpaca.parse_calendar(b"[]").frame.height == 0
    with pytest.raises(SourceError, match="twice"):
        alpaca.parse_calendar(wire([rows[0], rows[0]]))


# --- requests ---------------------------------------------------------------------------------------------------


def test_bars_are_asked_for_many_symbols_at_once_in_their_spelling() -> None:
    symbols = ["BRK.B", "ABR-P-D", "AAPL"]
    asked = list(
        alpaca_requests.bars_requests(
            "https://h/", symbols, date(2024, 7, 1), datetime(2024, 7, 2, 20, tzinfo=UTC), "sip", chunk=2
        )
    )
    assert [dict(request.params)["symbols"] for request in asked] == ["BRK.B,ABR.PRD", "AAPL"]
    first = dict(asked[0].params)
    assert (asked[0].source, asked[0].url) == ("alpaca", "https://h/v2/stocks/bars")
    assert (first["timeframe"], first["adjustment"], first["feed"], first["limit"]) == ("1Day", "raw", "sip", "10000")
    assert (first["start"], first["end"]) == ("2024-07-01", "2024-07-02T20:00:00Z")


def test_the_token_of_the_page_before_is_replaced() -> None:
    request = alpaca_requests.news_request("https://h", date(2024, 7, 1), date(2024, 7, 2), ["AAPL"])
    second = alpaca_requests.with_token(alpaca_requests.with_token(request, "one"), "two=/+")
    assert [value for name, value in second.params if name == "page_token"] == ["two=/+"]
    assert second.target.endswith("page_token=two%3D%2F%2B") or second.target.endswith("page_token=two%3D/%2B")
    assert second.params[:-1] == request.params


def test_the_other_questions() -> None:
    day = date(2024, 7, 2)
    assert (
        alpaca_requests.assets_request("https://t").target == "https://t/v2/assets?status=active&asset_class=us_equity"
    )
    assert (
        alpaca_requests.calendar_request("https://t", day, day).target
        == "https://t/v2/calendar?start=2024-07-02&end=2024-07-02"
    )
    assert alpaca_requests.snapshots_request("https://d", ["AAPL"], "iex").target == (
        "https://d/v2/stocks/snapshots?symbols=AAPL&feed=iex"
    )
    assert alpaca_requests.corporate_actions_request("https://d", day, day).url == "https://d/v1/corporate-actions"
    with pytest.raises(ValueError, match="zone"):
        alpaca_requests.news_request("https://d", datetime(2024, 7, 2), day)
