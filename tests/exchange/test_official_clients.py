"""The official clients, unchanged, read from the exchange what the market holds: every row, value by value."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
import pytest

with warnings.catch_warnings():  # alpaca-py imports a part of websockets that is to go
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import CorporateActionsRequest, NewsRequest, StockBarsRequest, StockSnapshotRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import AssetStatus
    from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest
    from massive import RESTClient

from aitrader.domain.symbols import canonical
from tests.exchange.conftest import START, UNTIL, exchange, serving

PRICES = ("open", "high", "low", "close", "volume")
KEYS = ("key", "secret")
VENUES = {"NYSE": "XNYS", "NASDAQ": "XNAS", "ARCA": "ARCX", "AMEX": "XASE", "BATS": "BATS"}
EVENTS = (  # one of each kind: symbol, ex-date, kind, ratio, cash, new symbol
    ("AAPL", date(2026, 5, 11), "split", 4.0, None, None),
    ("NO", date(2026, 5, 12), "split", 0.1, None, None),
    ("MSFT", date(2026, 5, 13), "special_dividend", None, 3.5, None),
    ("BRK.B", date(2026, 5, 14), "stock_dividend", 1.05, None, None),
    ("GOOGL", date(2026, 5, 15), "spinoff", 0.25, None, "ZZSPN"),
    ("TRUE", date(2026, 5, 18), "symbol_change", None, None, "ZZTRU"),
    ("Y", date(2026, 5, 19), "merger", None, 84.5, None),
)


@pytest.fixture(scope="module")
def eventful(market):
    """The market with one more event of each kind."""
    names = ("symbol", "ex_date", "kind", "ratio", "cash", "new_symbol")
    rows = [dict(zip(names, event, strict=True)) for event in EVENTS]
    return replace(market, actions=pl.concat([market.actions, pl.DataFrame(rows, schema=market.actions.schema)]))


@pytest.fixture(scope="module")
def eventful_url(eventful):
    with serving(exchange(eventful)) as found:
        yield found


def listed(market):
    """The listings, once each: symbol, name, exchange, and whether it still trades."""
    assert "symbol_change" not in market.actions["kind"], "every listing has one symbol"
    rows = market.securities.unique("figi", keep="first", maintain_order=True)
    return rows.with_columns(active=~(pl.col("delisted_on") <= UNTIL).fill_null(value=False))


def test_alpaca_assets(url, market):
    client = TradingClient(*KEYS, url_override=url)
    told = {(r["symbol"], r["exchange"], r["active"], r["name"]) for r in listed(market).to_dicts()}
    assert {active for _, _, active, _ in told} == {True, False}, "some have gone"

    def rows(assets):
        return {(canonical(a.symbol), a.exchange.value, a.status == AssetStatus.ACTIVE, a.name) for a in assets}

    found = client.get_all_assets()
    assert rows(found) == told
    assert len({asset.id for asset in found}) == len(found) == len(told)
    assert {a.tradable for a in found if a.status == AssetStatus.ACTIVE} == {True}
    active = client.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE))
    assert rows(active) == {row for row in told if row[2]}


def test_alpaca_one_asset(url):
    client = TradingClient(*KEYS, url_override=url)
    assert client.get_asset("BRK.B").name == "Berkshire Hathaway Inc. Class B"
    with pytest.raises(APIError, match="asset not found for ZZZZ"):
        client.get_asset("ZZZZ")


def test_alpaca_clock_and_calendar(url):
    client = TradingClient(*KEYS, url_override=url)
    clock = client.get_clock()
    assert (clock.timestamp, clock.is_open) == (datetime(2026, 6, 15, 21, tzinfo=UTC), False)
    assert clock.next_open == datetime(2026, 6, 16, 13, 30, tzinfo=UTC)
    assert clock.next_close == datetime(2026, 6, 16, 20, tzinfo=UTC)
    days = client.get_calendar(GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 12, 1)))
    assert [(day.date, day.open.time(), day.close.time()) for day in days] == [
        (date(2025, 11, 26), time(9, 30), time(16)),
        (date(2025, 11, 28), time(9, 30), time(13)),  # the day after Thanksgiving closes early
        (date(2025, 12, 1), time(9, 30), time(16)),
    ]


def test_alpaca_bars_over_pages(url, market):
    client = StockHistoricalDataClient(*KEYS, url_override=url)
    symbols = market.bars["symbol"].unique().sort().to_list()
    asked = StockBarsRequest(
        symbol_or_symbols=symbols, timeframe=TimeFrame.Day, start=datetime(2026, 5, 1), end=datetime(2026, 6, 16)
    )
    found = {
        (canonical(s), bar.timestamp.date(), *(getattr(bar, p) for p in PRICES))
        for s, bars in client.get_stock_bars(asked).data.items()
        for bar in bars
    }
    assert len(found) > 10_000, "several pages"
    assert found == set(market.bars.select("symbol", "date", *PRICES).rows())


def test_alpaca_snapshots(url, market):
    client = StockHistoricalDataClient(*KEYS, url_override=url)
    symbols = market.bars.filter(pl.col("date") == UNTIL)["symbol"].sort().to_list()[:150]
    found = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=[*symbols, "ZZZZ"]))
    assert {canonical(symbol) for symbol in found} == set(symbols)
    last = market.bars.sort("date").group_by("symbol").tail(2)
    for symbol, snapshot in found.items():
        own = last.filter(pl.col("symbol") == canonical(symbol))
        told = [
            (bar.timestamp.date(), *(getattr(bar, p) for p in PRICES))
            for bar in (snapshot.previous_daily_bar, snapshot.daily_bar)
            if bar is not None
        ]
        assert told == own.sort("date").select("date", *PRICES).rows()
        assert snapshot.latest_trade.price == own["close"][-1]


def articles(market):
    """Every article once: instant, headline, source and its symbols with their sentiment."""
    told = market.news.filter(pl.col("published_at") <= datetime(2026, 6, 15, 21, tzinfo=UTC))
    rows = told.group_by("published_at", "headline", "source").agg("symbol", "sentiment").to_dicts()
    return [(r["published_at"].replace(microsecond=0), r["headline"], r["source"], r) for r in rows]


def test_alpaca_news_over_pages(url, market):
    asked = NewsRequest(start=datetime(2026, 5, 1), sort="asc")  # all of them, fifty a page
    found = NewsClient(*KEYS, url_override=url).get_news(asked).data["news"]
    stamps = [one.created_at for one in found]
    assert stamps == sorted(stamps)
    since = datetime(2026, 5, 1, 4, tzinfo=UTC)
    told = {(at, h, s, frozenset(r["symbol"])) for at, h, s, r in articles(market) if at >= since}
    rows = {(n.created_at, n.headline, n.source, frozenset(canonical(s) for s in n.symbols)) for n in found}
    assert len(found) > 50, "several pages"
    assert rows == told


def test_alpaca_news_of_one_symbol(url, market):
    symbol = market.news.filter(pl.col("published_at") > datetime(2026, 6, 1, tzinfo=UTC))["symbol"].mode().sort()[0]
    found = NewsClient(*KEYS, url_override=url).get_news(NewsRequest(symbols=symbol, start=datetime(2026, 6, 1)))
    since = datetime(2026, 6, 1, 4, tzinfo=UTC)
    told = {(at, h) for at, h, _, r in articles(market) if symbol in r["symbol"] and at >= since}
    assert {(one.created_at, one.headline) for one in found.data["news"]} == told != set()


def test_alpaca_corporate_actions(eventful_url, eventful):
    client = CorporateActionsClient(*KEYS, url_override=eventful_url)
    asked = CorporateActionsRequest(start=START, end=UNTIL, limit=None)
    found = client.get_corporate_actions(asked).data
    paid = eventful.actions.filter(pl.col("kind").is_in(["dividend", "special_dividend"]))
    rows = {(canonical(a.symbol), a.ex_date, a.rate, a.special) for a in found["cash_dividends"]}
    special = pl.col("kind") == "special_dividend"
    assert rows == set(paid.select("symbol", "ex_date", "cash", special).rows())
    assert len(rows) > 100, "several pages"
    forward, reverse = found["forward_splits"][0], found["reverse_splits"][0]
    assert (forward.symbol, forward.ex_date, forward.new_rate, forward.old_rate) == ("AAPL", date(2026, 5, 11), 4, 1)
    assert (reverse.symbol, reverse.ex_date, reverse.new_rate, reverse.old_rate) == ("NO", date(2026, 5, 12), 1, 10)
    stock, spin = found["stock_dividends"][0], found["spin_offs"][0]
    assert (stock.symbol, stock.ex_date, stock.rate) == ("BRK.B", date(2026, 5, 14), pytest.approx(0.05))
    assert (spin.source_symbol, spin.new_symbol, spin.new_rate) == ("GOOGL", "ZZSPN", 0.25)
    renamed, merged = found["name_changes"][0], found["cash_mergers"][0]
    assert (renamed.old_symbol, renamed.new_symbol, renamed.process_date) == ("TRUE", "ZZTRU", date(2026, 5, 18))
    assert (merged.acquiree_symbol, merged.rate, merged.effective_date) == ("Y", 84.5, date(2026, 5, 19))
    gone = {(canonical(a.symbol), a.process_date) for a in found["worthless_removals"]}
    assert gone == set(eventful.actions.filter(pl.col("kind") == "delisting").select("symbol", "ex_date").rows())


def polygon(url):
    return RESTClient("key", base=url)


@pytest.mark.parametrize("active", [True, False])
def test_polygon_tickers_over_cursors(url, market, active):
    found = list(polygon(url).list_tickers(market="stocks", active=active, limit=100))
    told = listed(market).filter(pl.col("active") == active)
    rows = {(canonical(t.ticker), t.name, t.primary_exchange, t.active, t.cik, t.composite_figi) for t in found}
    assert len(rows) == len(found)
    assert rows == set(
        told.select("symbol", "name", pl.col("exchange").replace(VENUES), "active", "cik", "figi").rows()
    )
    assert len(found) > 300 or not active, "several pages"
    ends = {canonical(t.ticker): t.delisted_utc and datetime.fromisoformat(t.delisted_utc) for t in found}
    midnight = {d: datetime.combine(d, time(), ZoneInfo("America/New_York")) for d in told["delisted_on"].drop_nulls()}
    assert ends == {s: None if active else midnight[d] for s, d in told.select("symbol", "delisted_on").rows()}


def test_polygon_types(url, market):
    found = polygon(url).get_ticker_types()
    codes = {t.code: (t.description, t.asset_class, t.locale) for t in found}
    assert codes["CS"] == ("Common Stock", "stocks", "us")
    assert {t.type for t in polygon(url).list_tickers(limit=1000)} <= set(codes)


def test_polygon_grouped_daily(url, market):
    found = polygon(url).get_grouped_daily_aggs(str(UNTIL), adjusted=False)
    told = market.bars.filter(pl.col("date") == UNTIL)
    rows = {(canonical(one.ticker), *(getattr(one, p) for p in PRICES)) for one in found}
    assert rows == set(told.select("symbol", *PRICES).rows())
    midnight = datetime(UNTIL.year, UNTIL.month, UNTIL.day, 4, tzinfo=UTC)  # of New York, in summer
    assert {one.timestamp for one in found} == {int(midnight.timestamp() * 1000)}


def test_polygon_range(url, market):
    found = list(polygon(url).list_aggs("BRK.B", 1, "day", str(START), str(UNTIL), adjusted=False))
    told = market.bars.filter(pl.col("symbol") == "BRK.B").sort("date")
    rows = [(datetime.fromtimestamp(b.timestamp / 1000, UTC).date(), *(getattr(b, p) for p in PRICES)) for b in found]
    assert rows == told.select("date", *PRICES).rows()


def test_polygon_splits_and_dividends(eventful_url, eventful):
    client, actions = polygon(eventful_url), eventful.actions
    splits = [(s.ticker, s.execution_date, s.split_from, s.split_to) for s in client.list_splits(limit=1)]
    theirs = [("NO", "2026-05-12", 10.0, 1.0), ("AAPL", "2026-05-11", 1.0, 4.0)]  # the newest first
    assert [row for row in splits if row in theirs] == theirs
    assert len(splits) == (actions["kind"] == "split").sum()
    paid = actions.filter(pl.col("kind").is_in(["dividend", "special_dividend"]))
    found = list(client.list_dividends(limit=50))
    kind = pl.col("kind").replace({"dividend": "CD", "special_dividend": "SC"})
    assert {(canonical(d.ticker), d.ex_dividend_date, d.cash_amount, d.dividend_type) for d in found} == set(
        paid.select("symbol", pl.col("ex_date").cast(pl.String), "cash", kind).rows()
    )
    assert len(found) == paid.height > 50, "several pages"


def test_polygon_financials_over_cursors(url, market):
    found = list(polygon(url).vx.list_stock_financials(ticker="AAPL", limit=5))
    told = market.fundamentals.filter(
        (pl.col("symbol") == "AAPL") & (pl.col("known_at") <= datetime(2026, 6, 15, 21, tzinfo=UTC))
    )
    rows = [
        (
            f.end_date,
            f.fiscal_period,
            f.financials.income_statement.revenues.value,
            f.financials.income_statement.net_income_loss.value,
            f.financials.income_statement.diluted_earnings_per_share.value,
            f.financials.balance_sheet.assets.value,
            f.financials.balance_sheet.liabilities.value,
            f.financials.balance_sheet.equity.value,
            f.financials.cash_flow_statement.net_cash_flow_from_operating_activities.value,
        )
        for f in found
    ]
    columns = ("revenue", "net_income", "eps_diluted", "assets", "liabilities", "equity", "operating_cash_flow")
    newest = told.sort("period_end", "known_at", descending=True)
    assert rows == newest.select(pl.col("period_end").cast(pl.String), "fiscal_period", *columns).rows()
    assert len(rows) > 5, "several pages"
    latest = found[0]
    assert (latest.start_date, latest.end_date, latest.fiscal_period) == ("2026-01-01", "2026-03-31", "Q1")


def test_polygon_news_with_insights(url, market):
    found = list(polygon(url).list_ticker_news(limit=50))
    rows = {
        (n.published_utc, n.title, n.publisher.name, frozenset(canonical(t) for t in n.tickers))
        for n in found
    }  # fmt: skip
    told = articles(market)
    assert len(found) == len(told) > 50, "several pages"
    assert rows == {(at.strftime("%Y-%m-%dT%H:%M:%SZ"), h, s, frozenset(r["symbol"])) for at, h, s, r in told}
    moods = {(n.title, canonical(i.ticker), i.sentiment) for n in found for i in n.insights or []}
    assert moods == {
        (headline, symbol, "neutral" if abs(score) < 0.05 else "positive" if score > 0 else "negative")
        for _, headline, _, r in told
        for symbol, score in zip(r["symbol"], r["sentiment"], strict=True)
        if score is not None
    }


def test_polygon_ticker_details(url, market):
    client = polygon(url)
    last = dict(market.bars.filter(pl.col("date") == UNTIL).select("symbol", "close").rows())
    about = {row["symbol"]: row for row in listed(market).to_dicts()}
    for symbol in ("AAPL", "BRK.B", "BRK.A", "SPY", "NAN"):
        found, own = client.get_ticker_details(symbol), about[symbol]
        assert (found.name, found.cik, found.composite_figi) == (own["name"], own["cik"], own["figi"])
        assert (found.list_date, found.active) == (str(own["listed_on"]), True)
        assert found.share_class_shares_outstanding == own["shares_outstanding"]
        family = ("BRK.A", "BRK.B") if symbol.startswith("BRK") else (symbol,)
        cap = sum(about[s]["shares_outstanding"] * last[s] for s in family)
        assert found.market_cap == pytest.approx(cap, abs=0.01)
        assert found.weighted_shares_outstanding == round(cap / last[symbol])
    apple, fund = client.get_ticker_details("AAPL"), client.get_ticker_details("SPY")
    assert (apple.sic_code, apple.sic_description) == ("3571", "ELECTRONIC COMPUTERS")
    assert (apple.type, apple.primary_exchange, fund.type) == ("CS", "XNAS", "ETF")
    assert (fund.cik, fund.sic_code) == (None, None), "funds of the market are no filers"


def test_polygon_details_of_every_kind(url, market):
    client = polygon(url)
    chosen = listed(market).sort("symbol").unique(["security_type", "active"], keep="first", maintain_order=True)
    for row in chosen.to_dicts():
        ticker = next(
            t.ticker
            for t in client.list_tickers(active=row["active"], limit=1000)
            if canonical(t.ticker) == row["symbol"]
        )
        found = client.get_ticker_details(ticker)
        assert (found.composite_figi, found.active) == (row["figi"], row["active"])
        assert (found.market_cap is None) is (row["shares_outstanding"] is None or not row["active"])
        assert (found.sic_code is None) is (row["cik"] is None)
