"""The official clients, unchanged, read from the exchange what the market holds."""

from __future__ import annotations

import warnings
from datetime import datetime

import polars as pl

with warnings.catch_warnings():  # alpaca-py imports a part of websockets that is to go
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import NewsRequest, StockBarsRequest, StockSnapshotRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from massive import RESTClient

from aitrader.domain.symbols import canonical
from tests.exchange.conftest import START, UNTIL

PRICES = ("open", "high", "low", "close", "volume")


def test_alpaca_assets(url, market):
    found = TradingClient("key", "secret", url_override=url).get_all_assets()
    assert len(found) == len(set(market.securities["figi"]))
    assert {"AAPL", "BRK.B"} <= {asset.symbol for asset in found}


def test_alpaca_bars_over_pages(url, market):
    client = StockHistoricalDataClient("key", "secret", url_override=url)
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
    client = StockHistoricalDataClient("key", "secret", url_override=url)
    found = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["AAPL", "BRK.B"]))
    last = market.bars.filter(pl.col("date") == UNTIL)
    for symbol in ("AAPL", "BRK.B"):
        assert found[symbol].daily_bar.close == last.filter(pl.col("symbol") == symbol)["close"][0]


def test_alpaca_news(url, market):
    told = market.news.filter(pl.col("symbol") == "AAPL")
    found = NewsClient("key", "secret", url_override=url).get_news(
        NewsRequest(symbols="AAPL", start=datetime(2026, 5, 1), limit=1000)
    )
    assert {one.headline for one in found.data["news"]} <= set(told["headline"]) or not told.height
    assert len({one.headline for one in found.data["news"]}) == told["headline"].n_unique()


def polygon(url):
    return RESTClient("key", base=url)


def test_polygon_tickers_over_cursors(url, market):
    found = list(polygon(url).list_tickers(market="stocks", active=True, limit=100))
    gone = market.securities.filter(pl.col("delisted_on") <= UNTIL)["figi"].n_unique()
    assert len(found) == market.securities["figi"].n_unique() - gone > 300
    assert len({one.composite_figi for one in found}) == len(found)


def test_polygon_grouped_daily(url, market):
    found = polygon(url).get_grouped_daily_aggs(str(UNTIL), adjusted=False)
    told = market.bars.filter(pl.col("date") == UNTIL)
    rows = {(canonical(one.ticker), *(getattr(one, p) for p in PRICES)) for one in found}
    assert rows == set(told.select("symbol", *PRICES).rows())


def test_polygon_range_splits_dividends(url, market):
    client = polygon(url)
    bars = list(client.list_aggs("AAPL", 1, "day", str(START), str(UNTIL), adjusted=False))
    told = market.bars.filter(pl.col("symbol") == "AAPL").sort("date")
    assert [bar.close for bar in bars] == told["close"].to_list()
    kinds = market.actions["kind"]
    assert len(list(client.list_splits(limit=1000))) == (kinds == "split").sum()
    paid = list(client.list_dividends(limit=50))
    assert len(paid) == kinds.is_in(["dividend", "special_dividend"]).sum()
