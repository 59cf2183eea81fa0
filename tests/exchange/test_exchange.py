"""What the exchange refuses, limits, breaks on purpose, and when it tells what."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime

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


@pytest.mark.parametrize(
    ("path", "since", "until", "stamp"),
    [
        ("/v1beta1/news", "start", "end", "created_at"),
        ("/v2/reference/news", "published_utc__gte", "published_utc__lte", "published_utc"),
    ],
)
def test_a_date_is_its_midnight_in_new_york(quiet, path, since, until, stamp):
    def stamps(first, last):
        body = get(quiet, path, {**ALPACA, **POLYGON}, **{since: first, until: last}, limit="50").body
        content = json.loads(body)
        return [one[stamp] for one in content.get("news", content.get("results"))]

    assert stamps("2026-06-09", "2026-06-10") == stamps("2026-06-09T04:00:00Z", "2026-06-10T00:00:00-04:00") != []


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


SHARES = "/api/xbrl/frames/dei/EntityCommonStockSharesOutstanding/shares/"
REVENUES = "/api/xbrl/frames/us-gaap/Revenues/USD/"


@pytest.mark.parametrize(
    ("path", "column", "period", "ends"),
    [
        (SHARES + "CY2026Q1I.json", "shares_outstanding", None, ("2026-02-14", "2026-05-13")),
        (REVENUES + "CY2025Q3.json", "revenue", "Q", ("2025-08-16", "2025-11-13")),
        (REVENUES + "CY2025.json", "revenue", "FY", ("2025-07-01", "2026-06-30")),
    ],
)
def test_a_frame_has_the_last_told_figure_of_every_filer(quiet, market, path, column, period, ends):
    found = json.loads(get(quiet, path, SEC).body)
    told = market.fundamentals.filter(
        (pl.col("known_at") <= quiet.now)
        & pl.col("period_end").is_between(*(date.fromisoformat(day) for day in ends))
        & pl.col(column).is_not_null()
        & (pl.col("fiscal_period").str.starts_with(period) if period else pl.lit(value=True))
    )
    filers = told.join(market.securities.unique("symbol").select("symbol", "cik"), on="symbol")
    last = filers.sort("known_at", "shares_outstanding").unique("cik", keep="last")
    rows = {(d["cik"], d["end"], d["val"]) for d in found["data"]}
    assert rows == {(int(r["cik"]), str(r["period_end"]), round(r[column])) for r in last.to_dicts()}
    assert (found["taxonomy"], found["tag"], found["ccp"]) == (*path.split("/")[4:6], path.split("/")[-1][:-5])
    assert found["pts"] == len(found["data"]) > 100


@pytest.mark.parametrize(
    "path",
    [
        SHARES + "CY2026Q1.json",  # an instant, not a period
        SHARES + "CY2026I.json",
        SHARES.replace("/shares", "/USD") + "CY2026Q1I.json",
        SHARES.replace("dei", "us-gaap") + "CY2026Q1I.json",
        REVENUES + "CY2025Q3I.json",
        REVENUES.replace("us-gaap", "dei") + "CY2025Q3.json",
        REVENUES + "CY2199.json",
    ],
)
def test_a_frame_that_nobody_fills_is_404(quiet, path):
    assert get(quiet, path, SEC).status == 404


def test_the_lists_of_tickers_agree(quiet):
    table = json.loads(get(quiet, COMPANIES, SEC).body)["data"]
    plain = json.loads(get(quiet, "/files/company_tickers.json", SEC).body)
    assert [(r["cik_str"], r["title"], r["ticker"]) for r in plain.values()] == [tuple(row[:3]) for row in table]
    lines = get(quiet, "/include/ticker.txt", SEC).body.decode().splitlines()
    assert [line.split("\t") for line in lines] == [[ticker.lower(), str(cik)] for cik, _, ticker, _ in table]
    assert json.loads(get(quiet, "/files/company_tickers_mf.json", SEC).body)["data"] == []


def test_a_filer_without_reports_has_submissions_and_no_facts(quiet, market):
    reported = market.securities.join(market.fundamentals, on="symbol", how="semi")["cik"]
    silent = market.securities.filter(pl.col("cik").is_not_null() & ~pl.col("cik").is_in(reported.implode()))
    cik = silent["cik"].sort()[0]
    filer = json.loads(get(quiet, f"/submissions/CIK{cik}.json", SEC).body)
    assert (filer["name"], filer["filings"]["recent"]["form"]) == (silent.sort("cik")["name"][0], [])
    assert get(quiet, f"/api/xbrl/companyfacts/CIK{cik}.json", SEC).status == 404


DETAILS = "/v3/reference/tickers/"


def bar_text(row, vwap, *, polygon):
    """One bar as the vendor writes it."""
    middle = round((row["open"] + row["high"] + row["low"] + row["close"]) / 4, 4)
    assert vwap == pytest.approx(min(max(middle, row["low"]), row["high"]), abs=1.01e-4)
    o, h, low, c, v = row["open"], row["high"], row["low"], row["close"], int(row["volume"])
    n = math.ceil(v / 100)
    day = row["date"]
    if polygon:
        stamp = int(datetime(day.year, day.month, day.day, 4, tzinfo=UTC).timestamp() * 1000)
        return f'{{"T":"{row["symbol"]}","v":{v},"vw":{vwap},"o":{o},"c":{c},"h":{h},"l":{low},"t":{stamp},"n":{n}}}'
    return f'{{"t":"{day}T04:00:00Z","o":{o},"h":{h},"l":{low},"c":{c},"v":{v},"n":{n},"vw":{vwap}}}'


def test_bars_are_written_letter_by_letter_as_the_vendors_do(quiet, market):
    rows = {r["symbol"]: r for r in market.bars.filter(pl.col("date") == UNTIL).to_dicts() if r["symbol"].isalpha()}
    body = get(quiet, GROUPED + str(UNTIL), POLYGON, adjusted="false").body.decode()
    for bar in json.loads(body)["results"]:
        if bar["T"] in rows:
            assert bar_text(rows[bar["T"]], bar["vw"], polygon=True) in body
    page = get(quiet, BARS, ALPACA, **{**DAY, "symbols": ",".join(rows), "start": str(UNTIL), "limit": "10000"}).body
    text = page.decode()
    for symbol, bars in json.loads(page)["bars"].items():
        assert f'"{symbol}":[{bar_text(rows[symbol], bars[0]["vw"], polygon=False)}]' in text
    assert len(json.loads(page)["bars"]) == len(rows) > 200


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
    on.answer("POST", "/simulate/clock", [], {}, b'{"now": "2026-06-12T21:00:00Z"}')
    before = json.loads(get(on, BARS, ALPACA, **DAY, adjustment="split").body)["bars"]["AAPL"]
    assert before == raw[:-1], "a split to come scales nothing"


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
        "/v2/assets/" + value,
        "/submissions/" + value,
        DETAILS + value,
    )
    for path in paths:
        for name in names:
            base = {k: v for k, v in DAY.items() if k != name and path == BARS}
            found = quiet.answer("GET", path, [*base.items(), (name, value)], {**ALPACA, **POLYGON, **SEC})
            assert found.status < 500
