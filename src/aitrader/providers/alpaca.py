"""Alpaca's wire format: what its answers mean in the neutral schemas."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, SECURITIES, Schema
from aitrader.domain.security_type import is_test_issue_expr, security_type_expr
from aitrader.domain.sessions import CLOSE, xnys
from aitrader.providers.bodies import (
    Fields,
    Page,
    Row,
    bars_page,
    canonical_texts,
    column,
    columns,
    decode,
    new_york_day,
    news_page,
    objects,
    shaped,
    texts,
    unreadable,
)
from aitrader.providers.plain_bars import PlainBar, days_of, plain_page, quickly, sessions
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.providers.row_rules import action_rules, say, symbol_rule

EXCHANGES: Final = {
    "NYSE": "NYSE",
    "NASDAQ": "NASDAQ",
    "ARCA": "ARCA",
    "NYSEARCA": "ARCA",
    "AMEX": "AMEX",
    "BATS": "BATS",
}
ASSETS: Final[Schema] = SECURITIES | {"asset_id": pl.String, "tradable": pl.Boolean, "status": pl.String}
QUOTES: Final[Schema] = {
    "symbol": pl.String,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "spread_pct": pl.Float64,  # of the middle of bid and ask, in percent
    "quoted_at": pl.Datetime("us", "UTC"),
}
CALENDAR: Final[Schema] = {"date": pl.Date, "open": pl.Time, "close": pl.Time, "early_close": pl.Boolean}


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """The last quote, today's bar so far and the bar of the session before, of each symbol."""

    quotes: pl.DataFrame  # schema QUOTES
    daily: pl.DataFrame  # schema BARS
    previous: pl.DataFrame  # schema BARS
    quarantine: pl.DataFrame


class _Bars(Struct):
    bars: dict[str, list[Any] | None]
    next_page_token: str | None = None


class _News(Struct):
    news: list[Any]
    next_page_token: str | None = None


class _Actions(Struct):
    corporate_actions: dict[str, list[Any] | None]
    next_page_token: str | None = None


def parse_assets(body: bytes) -> Page:
    """The active US equities of the scanner's exchanges (schema ASSETS), one row a symbol, sorted by symbol.

    A list without a single asset is a SourceError: there is no such market.
    """
    file = "alpaca/assets"
    rows = objects(decode(body, list[Any], endpoint=file), endpoint=file)
    if not rows:
        raise unreadable(file, "it lists no asset at all")
    fields: Fields = {
        "symbol": ("symbol", "symbol"),
        "name": ("name", "text"),
        "venue": ("exchange", "text"),
        "asset_id": ("id", "text"),
        "status": ("status", "text"),
        "class": ("class", "text"),
    }
    frame = columns(rows, fields, file=file).with_columns(
        pl.Series("tradable", [row.get("tradable") is True for row in rows], dtype=pl.Boolean),
        exchange=pl.col("venue").str.to_uppercase().replace_strict(EXCHANGES, default=None, return_dtype=pl.String),
    )
    frame = frame.with_columns(security_type=security_type_expr(symbol=pl.col("symbol"), name=pl.col("name")))
    rules = [
        Rule(reason="not_us_equity", when=pl.col("class").ne_missing("us_equity"), detail=say("class")),
        Rule(reason="not_active", when=pl.col("status").ne_missing("active"), detail=say("status")),
        Rule(reason="unknown_exchange", when=pl.col("exchange").is_null(), detail=sentence("exchange is {}", "venue")),
        symbol_rule(frame),
        Rule(reason="no_asset_id", when=pl.col("asset_id").is_null(), detail=say("asset_id")),
        Rule(
            reason="test_issue",
            when=is_test_issue_expr(symbol=pl.col("symbol"), name=pl.col("name")),
            detail=say("name"),
        ),
    ]
    quarantine = Quarantine()
    frame = quarantine.sift(frame, rules, file=file, date=None)
    # A symbol can stand twice, first with the asset that can no longer be traded; the id decides between equals.
    frame = frame.sort("symbol", ~pl.col("tradable"), "asset_id", "row")
    repeated = frame.select(pl.col("symbol").is_first_distinct().not_()).to_series()
    quarantine.take(frame.filter(repeated), "duplicate", sentence("asset {}", "asset_id"), file=file, date=None)
    return Page(frame=shaped(frame.filter(~repeated), ASSETS), quarantine=quarantine.frame())


_BAR: Final[Fields] = {
    "symbol": ("S", "symbol"),
    "at": ("t", "instant"),
    "open": ("o", "number"),
    "high": ("h", "number"),
    "low": ("l", "number"),
    "close": ("c", "number"),
    "volume": ("v", "number"),
    "vwap": ("vw", "number"),
    "trades": ("n", "number"),
}


class _PlainBar(PlainBar):
    t: str


class _PlainBars(Struct):
    bars: dict[str, list[_PlainBar] | None]
    next_page_token: str | None = None


_PLAIN_BARS: Final = msgspec.json.Decoder(_PlainBars)


def parse_bars(body: bytes) -> Page:
    """Daily bars (schema BARS); a symbol may go on on the next page."""
    return _plain(body) or _bar_by_bar(body)


def _plain(body: bytes) -> Page | None:
    """The page where nothing on it is doubtful."""
    page = quickly(body, _PLAIN_BARS)
    if page is None:
        return None
    parts = [part or [] for part in page.bars.values()]
    bars = [bar for part in parts for bar in part]
    symbols = canonical_texts(texts(list(page.bars))).gather(np.repeat(np.arange(len(parts)), [*map(len, parts)]))
    days = days_of([bar.t for bar in bars], _sessions)
    return plain_page(bars, symbols, days, next_token=page.next_page_token or None)


@lru_cache(16)  # pages have the same few days
def _sessions(stamps: tuple[str, ...]) -> pl.Series | None:
    return sessions(pl.select(new_york_day(pl.lit(column(stamps, "instant")))).to_series())


def _bar_by_bar(body: bytes) -> Page:
    """The page with what cannot be believed set aside, or the error that it is."""
    file = "alpaca/bars"
    page = decode(body, _Bars, endpoint=file)
    pairs = [(symbol, bar) for symbol, bars in page.bars.items() for bar in bars or ()]
    return bars_page(_bars(pairs, file=file), BARS, next_token=page.next_page_token or None)


def _bars(pairs: Sequence[tuple[str, Any]], *, file: str) -> pl.DataFrame:
    """Symbols and their bars as columns, the time stamp as the New York date."""
    bars = objects([bar for _, bar in pairs], endpoint=file)
    rows: list[Row] = [{**bar, "S": symbol} for (symbol, _), bar in zip(pairs, bars, strict=True)]
    frame = columns(rows, _BAR, file=file)
    return frame.with_columns(date=new_york_day(pl.col("at"))).drop("at", "raw:at", strict=False)


def parse_snapshots(body: bytes) -> Snapshots:
    """Quotes and bars by symbol. An empty object is the answer for symbols without any data."""
    file = "alpaca/snapshots"
    found = decode(body, dict[str, Any], endpoint=file)
    if found and not any(isinstance(value, dict) for value in found.values()):
        raise unreadable(file, "no symbol of it has a snapshot: " + ", ".join(list(found)[:3]))
    known = {symbol: value for symbol, value in found.items() if isinstance(value, dict)}
    parts = {
        part: [(symbol, value[part]) for symbol, value in known.items() if isinstance(value.get(part), dict)]
        for part in ("latestQuote", "dailyBar", "prevDailyBar")
    }
    fields: Fields = {
        "symbol": ("S", "symbol"),
        "bid": ("bp", "number"),
        "ask": ("ap", "number"),
        "quoted_at": ("t", "instant"),
    }
    rows: list[Row] = [{**quote, "S": symbol} for symbol, quote in parts["latestQuote"]]
    quotes = columns(rows, fields, file=file)
    quarantine = Quarantine()
    nothing = columns([{"S": symbol} for symbol in found if symbol not in known], fields, file=file)
    quarantine.take(nothing, "no_values", pl.lit("no snapshot"), file=file, date=None)
    ask, bid = pl.col("ask"), pl.col("bid")
    one_sided = ~((bid > 0) & (ask > 0) & bid.is_finite() & ask.is_finite()).fill_null(False)
    shown = sentence("bid {} ask {}", "bid", "ask")
    rules = [
        symbol_rule(quotes),
        Rule(reason="bad_date", when=pl.col("quoted_at").is_null(), detail=say("quoted_at")),
        Rule(reason="one_sided_quote", when=one_sided, detail=shown),
        Rule(reason="crossed_quote", when=ask < bid, detail=shown),
    ]
    quotes = quarantine.sift(quotes, rules, file=file, date=None).with_columns(
        spread_pct=(ask - bid) / (ask / 2 + bid / 2) * 100
    )
    quotes = quotes.unique("symbol", keep="first", maintain_order=True).sort("symbol")
    daily = bars_page(_bars(parts["dailyBar"], file="alpaca/snapshots dailyBar"), BARS)
    previous = bars_page(_bars(parts["prevDailyBar"], file="alpaca/snapshots prevDailyBar"), BARS)
    return Snapshots(
        quotes=shaped(quotes, QUOTES),
        daily=daily.frame,
        previous=previous.frame,
        quarantine=pl.concat([quarantine.frame(), daily.quarantine, previous.quarantine]),
    )


def parse_news(body: bytes) -> Page:
    """Headlines (schema NEWS), one row for each symbol that an article names."""
    file = "alpaca/news"
    page = decode(body, _News, endpoint=file)
    rows: list[Row] = []
    for article in objects(page.news, endpoint=file):
        named = article.get("symbols")
        readable = {
            key: html.unescape(text) for key in ("headline", "summary") if type(text := article.get(key)) is str
        }
        # An article about the market names no symbol: it is no row, and no fault.
        symbols: list[Any] = named if isinstance(named, list) else [None]
        rows += [{**article, **readable, "S": symbol} for symbol in symbols]
    fields: Fields = {
        "symbol": ("S", "symbol"),
        "published_at": ("created_at", "instant"),
        "headline": ("headline", "text"),
        "summary": ("summary", "text"),
        "source": ("source", "text"),
    }
    return news_page(columns(rows, fields, file=file), file=file, next_token=page.next_page_token or None)


class _Group(Struct, frozen=True):
    """What a group of the answer is to us, and the fields in which it says so."""

    kind: str
    symbol: str = "symbol"
    day: str = "ex_date"
    new_symbol: str = ""
    cash: str = ""
    rates: tuple[str, str] = ("", "")  # new shares, for so many old ones


_ACQUIRED: Final = ("acquirer_rate", "acquiree_rate")
_ACTION_GROUPS: Final = {
    "forward_splits": _Group("split", rates=("new_rate", "old_rate")),
    "reverse_splits": _Group("split", rates=("new_rate", "old_rate")),
    # The unit ends; its shares and warrants trade on under their own symbols.
    "unit_splits": _Group("delisting", "old_symbol", "effective_date", "new_symbol", rates=("new_rate", "old_rate")),
    "stock_dividends": _Group("stock_dividend"),
    "cash_dividends": _Group("dividend", cash="rate"),
    # How many new shares are given is told, not what they are worth.
    "spin_offs": _Group("spinoff", "source_symbol", new_symbol="new_symbol", rates=("new_rate", "source_rate")),
    "cash_mergers": _Group("merger", "acquiree_symbol", "effective_date", "acquirer_symbol", "rate"),
    "stock_mergers": _Group("merger", "acquiree_symbol", "effective_date", "acquirer_symbol", "", _ACQUIRED),
    "stock_and_cash_mergers": _Group(
        "merger", "acquiree_symbol", "effective_date", "acquirer_symbol", "cash_rate", _ACQUIRED
    ),
    "name_changes": _Group("symbol_change", "old_symbol", "process_date", "new_symbol"),
    "worthless_removals": _Group("delisting", day="process_date"),
}


def parse_corporate_actions(body: bytes) -> Page:
    """Corporate actions (schema ACTIONS); kinds that change neither price nor listing are set aside by name."""
    file = "alpaca/corporate_actions"
    page = decode(body, _Actions, endpoint=file)
    rows: list[Row] = []
    for group, found in page.corporate_actions.items():
        rows += [_action(group, row) for row in objects(found or (), endpoint=f"{file} {group[:40]}")]
    fields: Fields = {
        "symbol": ("symbol", "symbol"),
        "ex_date": ("ex_date", "date"),
        "kind": ("kind", "text"),
        "cash": ("cash", "number"),
        "new_symbol": ("new_symbol", "symbol"),
        "new_rate": ("new_rate", "number"),
        "old_rate": ("old_rate", "number"),
    }
    frame = columns(rows, fields, file=file)
    rate = pl.col("new_rate") / pl.when(pl.col("old_rate") > 0).then(pl.col("old_rate"))
    frame = frame.with_columns(ratio=pl.when(rate.is_finite() & (rate > 0)).then(rate))
    same = (pl.col("kind") == "symbol_change") & (pl.col("new_symbol") == pl.col("symbol"))
    rules = [
        replace(rule, when=rule.when & (pl.col("kind") != "spinoff")) if rule.reason == "bad_cash" else rule
        for rule in action_rules(frame, xnys())
    ]
    rules.append(Rule(reason="same_symbol", when=same, detail=sentence("{} keeps its symbol", "symbol")))
    quarantine = Quarantine()
    frame = quarantine.sift(frame, rules, file=file, date="ex_date")
    frame = frame.unique(list(ACTIONS)[:6], keep="first", maintain_order=True).sort("symbol", "ex_date", "kind")
    return Page(frame=shaped(frame, ACTIONS), quarantine=quarantine.frame(), next_token=page.next_page_token or None)


def _action(group: str, row: Row) -> Row:
    if group not in _ACTION_GROUPS:
        symbol = row.get("symbol", row.get("source_symbol"))
        return {"kind": group, "symbol": symbol, "ex_date": row.get("ex_date", row.get("process_date"))}
    told = _ACTION_GROUPS[group]
    special = group == "cash_dividends" and row.get("special") is True
    new, old = row.get(told.rates[0]), row.get(told.rates[1])
    if group == "stock_dividends":  # 0.05: five new shares on a hundred old ones
        rate = row.get("rate")
        new, old = (1 + rate if isinstance(rate, int | float) else rate), 1
    return {
        "kind": "special_dividend" if special else told.kind,
        "symbol": row.get(told.symbol),
        "ex_date": row.get(told.day),
        "new_symbol": row.get(told.new_symbol),
        "cash": row.get(told.cash),
        "new_rate": new,
        "old_rate": old,
    }


def parse_calendar(body: bytes) -> Page:
    """Sessions with their opening and closing times in New York (schema CALENDAR), in ascending order."""
    file = "alpaca/calendar"
    rows = objects(decode(body, list[Any], endpoint=file), endpoint=file)
    fields: Fields = {"date": ("date", "date"), "open": ("open", "text"), "close": ("close", "text")}
    frame = columns(rows, fields, file=file).with_columns(
        pl.col("open", "close").str.to_time("%H:%M", strict=False), symbol=pl.lit(None, dtype=pl.String)
    )
    hours = sentence("open {} close {}", "open", "close")
    rules = [
        Rule(reason="bad_date", when=pl.col("date").is_null(), detail=say("date")),
        Rule(reason="bad_hours", when=~(pl.col("open") < pl.col("close")).fill_null(False), detail=hours),
    ]
    quarantine = Quarantine()
    frame = quarantine.sift(frame, rules, file=file, date="date")
    if not frame["date"].is_unique().all():
        raise SourceError(f"{file}: the answer cannot be read", why="a session stands twice", do="try again")
    frame = frame.with_columns(early_close=pl.col("close") < pl.lit(CLOSE, dtype=pl.Time)).sort("date")
    return Page(frame=shaped(frame, CALENDAR), quarantine=quarantine.frame())
