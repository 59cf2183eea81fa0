"""What the exchange refuses, limits, breaks on purpose, and when it tells what."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from aitrader.domain.errors import ConfigError
from aitrader.exchange.faults import conditions
from aitrader.exchange.limits import Limit, Limits
from tests.exchange.conftest import ALPACA, POLYGON, SEC, UNTIL, exchange, get

BARS, TICKERS, COMPANIES = "/v2/stocks/bars", "/v3/reference/tickers", "/files/company_tickers_exchange.json"
GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/"
DAY = {"symbols": "AAPL", "timeframe": "1Day", "start": "2026-05-01"}


def test_who_may_ask(quiet):
    for path, status in (("/v2/assets", 401), (TICKERS, 401), (COMPANIES, 403), ("/elsewhere", 404)):
        assert get(quiet, path, {}).status == status
    assert get(quiet, TICKERS, {}, apiKey="key").status == 200
    assert get(quiet, COMPANIES, {"user-agent": "python"}).status == 403
    assert get(quiet, COMPANIES, SEC).status == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (BARS, {}),
        (BARS, {**DAY, "limit": "0"}),
        (BARS, {**DAY, "limit": "10001"}),
        (BARS, {**DAY, "timeframe": "1Min"}),
        (BARS, {**DAY, "start": "yesterday"}),
        (BARS, {**DAY, "start": "0001-01-01"}),
        (BARS, {**DAY, "end": "9999-12-31"}),
        (BARS, {**DAY, "page_token": "!"}),
        (BARS, {**DAY, "symbols": "???"}),
        (BARS, {**DAY, "adjustment": "some"}),
        (BARS, {**DAY, "adjustment": "all"}),
        ("/v2/assets", {"status": "odd"}),
        ("/v1beta1/news", {"page_token": "AAAA"}),
        ("/v1beta1/news", {"start": "0001-01-01", "symbols": "\u00e9"}),
        ("/v1/corporate-actions", {"limit": "x"}),
        ("/v2/calendar", {"start": "x"}),
        (TICKERS, {"cursor": "x"}),
        (TICKERS, {"limit": "1001"}),
        (GROUPED + "2026-13-01", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/2026-05-01/2026-06-01", {}),
        ("/v2/aggs/ticker/AAPL/range/1/day/x/2026-06-01", {}),
        ("/v3/reference/splits", {"execution_date__gte": "x"}),
        ("/v2/reference/news", {"published_utc__gte": "x"}),
    ],
)
def test_a_bad_query_is_400_in_the_vendors_shape(quiet, path, query):
    found = get(quiet, path, {**ALPACA, **POLYGON}, **query)
    assert found.status == 400
    assert {"code", "message"} <= set(json.loads(found.body)) or json.loads(found.body)["status"] == "ERROR"


def test_small_pages_make_the_same_bars(quiet):
    def pages(limit, **more):
        rows, token = [], ""
        while token is not None:
            page = json.loads(
                get(
                    quiet, BARS, ALPACA, **{**DAY, "symbols": "MSFT,AAPL,SPY", **more}, limit=limit, page_token=token
                ).body
            )
            rows += [(s, bar["t"], bar["c"]) for s, bars in page["bars"].items() for bar in bars]
            token = page["next_page_token"]
        return rows

    for sort in ("asc", "desc"):
        assert pages("7", sort=sort) == pages("10000", sort=sort)
    assert len(pages("7")) > 60


def test_the_clock_hides_what_is_to_come(market):
    on = exchange(market)

    def grouped(day):
        return json.loads(get(on, GROUPED + day, POLYGON).body)["resultsCount"]

    assert grouped("2026-06-15") > 300
    for now, shown in (("2026-06-15T19:59:00Z", False), ("2026-06-15T20:00:00Z", True), ("2026-06-14", False)):
        assert on.answer("POST", "/simulate/clock", [], {}, json.dumps({"now": now}).encode()).status == 200
        assert (grouped("2026-06-15") > 0) is shown
        bars = json.loads(get(on, BARS, ALPACA, **DAY).body)["bars"]["AAPL"]
        assert (bars[-1]["t"] == "2026-06-15T04:00:00Z") is shown
    for body in (b"", b"[]", b'{"now":"x"}', b'{"now":"0001-01-01"}', b'{"now":"9999-12-31"}', b"\xff"):
        assert on.answer("POST", "/simulate/clock", [], {}, body).status == 400


def test_limits_slide():
    now = [0.0]
    limits = Limits({"sec": Limit(2, 10)}, clock=lambda: now[0])
    assert [limits.take("sec", "a").wait for _ in range(3)] == [None, None, 10]
    assert limits.take("sec", "b").wait is None
    now[0] = 10.0
    assert limits.take("sec", "a").wait is None


def test_too_many_requests(market):
    on = exchange(market, limits={"polygon": {"requests": 1, "seconds": 60.0}})
    assert get(on, TICKERS, POLYGON).headers["x-ratelimit-remaining"] == "0"
    refused = get(on, TICKERS, POLYGON)
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) in (59, 60)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (
            {"kind": "status", "status": 429, "retry_after": 3},
            lambda a: (a.status, a.headers["retry-after"]) == (429, "3"),
        ),
        ({"kind": "html_200"}, lambda a: a.status == 200 and a.body.startswith(b"<!DOCTYPE")),
        ({"kind": "empty"}, lambda a: a.body == b""),
        ({"kind": "bad_json"}, lambda a: b"NaN" in a.body),
        ({"kind": "cut_body"}, lambda a: not a.body.endswith(b"}")),
        ({"kind": "repeated_token"}, lambda a: json.loads(a.body)["next_url"].startswith("http://h:1" + TICKERS)),
        ({"kind": "list_cut_fraction", "fraction": 0.3}, lambda a: len(json.loads(a.body)["results"]) == 30),
        ({"kind": "redirect"}, lambda a: a.status == 302 and "location" in a.headers),
        ({"kind": "latency_ms", "latency_ms": 5}, lambda a: a.socket.latency_ms == 5),
        ({"kind": "reset"}, lambda a: a.socket.reset),
        ({"kind": "slow_drip"}, lambda a: a.socket.slow_drip),
    ],
)
def test_a_fault_befalls_the_request_it_names(market, rule, holds):
    on = exchange(market, faults=[{**rule, "path": TICKERS, "nth": 2, "count": 1}])
    answers = [get(on, TICKERS, POLYGON) for _ in range(3)]
    assert answers[0].body == answers[2].body
    assert holds(answers[1])


@pytest.mark.parametrize(
    "content",
    [
        {"faults": [{"kind": "earthquake"}]},
        {"faults": [{"kind": "empty", "nth": 0}]},
        {"faults": [{"kind": "empty", "color": 1}]},
        [{"kind": "empty"}],
        {"limits": {"nobody": {"requests": 1, "seconds": 1.0}}},
        "text",
    ],
)
def test_an_unknown_fault_is_refused(content):
    with pytest.raises(ConfigError):
        conditions(content)


def test_sec_tells_reports_from_the_day_they_are_filed(market):
    on = exchange(market)
    rows = json.loads(get(on, COMPANIES, SEC).body)
    cik = f"{next(r[0] for r in rows['data'] if r[2] == 'AAPL'):010d}"
    facts = json.loads(get(on, f"/api/xbrl/companyfacts/CIK{cik}.json", SEC).body)
    told = market.fundamentals.filter(
        (pl.col("symbol") == "AAPL") & (pl.col("known_at") <= datetime(2026, 6, 15, 21, tzinfo=UTC))
    )
    assert {f["val"] for f in facts["facts"]["us-gaap"]["Assets"]["units"]["USD"]} == set(told["assets"].drop_nulls())
    filings = json.loads(get(on, f"/submissions/CIK{cik}.json", SEC).body)["filings"]["recent"]
    assert len(filings["form"]) == told.height
    frame = json.loads(get(on, "/api/xbrl/frames/us-gaap/Assets/USD/CY2025Q4I.json", SEC).body)
    assert frame["pts"] == len(frame["data"]) > 50
    for nothing in ("/submissions/CIK0000000001.json", "/api/xbrl/frames/us-gaap/Odd/USD/CY2025Q4I.json"):
        assert get(on, nothing, SEC).status == 404


def test_financials_are_those_of_the_market(quiet, market):
    found = json.loads(get(quiet, "/vX/reference/financials", POLYGON, ticker="AAPL", limit="100").body)["results"]
    told = market.fundamentals.filter((pl.col("symbol") == "AAPL") & (pl.col("known_at") <= quiet.now))
    assert [f["financials"]["balance_sheet"]["assets"]["value"] for f in found] == (
        told.sort("period_end", "known_at", descending=True)["assets"].to_list()
    )


def test_splits_scale_older_bars_alone(market):
    split = {"symbol": "AAPL", "ex_date": UNTIL, "kind": "split", "ratio": 2.0}
    more = pl.concat([market.actions, pl.DataFrame([split], schema=market.actions.schema)])
    on = exchange(replace(market, actions=more))
    raw, split_adjusted = (
        json.loads(get(on, BARS, ALPACA, **DAY, adjustment=word).body)["bars"]["AAPL"] for word in ("raw", "split")
    )
    assert raw[-1] == split_adjusted[-1]
    for old, new in zip(raw[:-1], split_adjusted[:-1], strict=True):
        assert new["c"] == pytest.approx(old["c"] / 2, abs=1e-4)  # prices have four decimals
        assert new["v"] == 2 * old["v"]
    found = json.loads(get(on, "/v3/reference/splits", POLYGON, ticker="AAPL").body)["results"]
    assert [(one["split_from"], one["split_to"]) for one in found] == [(1.0, 2.0)]


@pytest.mark.parametrize("value", ["\ud800", "\x00", "-1", "1e999", "\u0661", "9" * 40, "null", "'", "1|D|2"])
def test_no_query_breaks_the_exchange(quiet, value):
    names = (
        "symbols",
        "start",
        "end",
        "limit",
        "page_token",
        "cursor",
        "ticker",
        "ticker.gte",
        "types",
        "type",
        "ex_dividend_date",
        "published_utc",
        "adjusted",
        "order",
        "sort",
        "status",
        "active",
        "cik",
    )
    paths = (
        BARS,
        TICKERS,
        GROUPED + value,
        "/v2/aggs/ticker/AAPL/range/1/day/2026-05-01/" + value,
        "/v2/calendar",
        "/v3/reference/dividends",
        "/v2/reference/news",
        "/vX/reference/financials",
        "/v1beta1/news",
        "/v1/corporate-actions",
        "/v2/stocks/snapshots",
        "/v2/assets",
        "/submissions/" + value,
    )
    for path in paths:
        for name in names:
            base = {k: v for k, v in DAY.items() if k != name and path == BARS}
            found = quiet.answer("GET", path, [*base.items(), (name, value)], {**ALPACA, **POLYGON, **SEC})
            assert found.status < 500
