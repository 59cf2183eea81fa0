"""Polygon's daily bars: of all symbols on one day, and of one symbol over a range."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.symbols import spell
from aitrader.exchange.answer import Answer, Query, RefusalError, parse_day, parse_symbol
from aitrader.exchange.bars import Rows, day_number
from aitrader.exchange.view import View

REQUEST_ID: Final = "00000000000000000000000000000000"
FIELDS: Final = {
    "T": "T", "v": "volume", "vw": "vwap", "o": "open", "c": "close", "h": "high", "l": "low", "t": "ms", "n": "trades",
}  # fmt: skip


def grouped(view: View, query: Query, told: str) -> Answer:
    """The bars of one day, by symbol; none before its close."""
    day = parse_day(told)
    rows = view.table.on(day_number(day)) if day <= view.session else np.arange(0)
    return _answer(view, rows, query, ticker="")


def aggregates(view: View, query: Query, parts: list[str]) -> Answer:
    """The bars of one symbol; ``parts`` are the pieces of the path from the symbol on."""
    if len(parts) != 6 or parts[1] != "range":
        raise RefusalError(404, "not found")
    if parts[2:4] != ["1", "day"]:
        raise RefusalError(400, "this exchange has one-day aggregates alone")
    symbol, limit = parse_symbol(parts[0]), query.number("limit", 5000, at_most=50_000)
    first, last = _bound(parts[4]), min(_bound(parts[5]), view.session)
    rows = np.arange(*view.table.span(symbol, day_number(first), day_number(last)))
    if query.word("sort", "asc", ("asc", "desc")) == "desc":
        rows = rows[::-1]
    return _answer(view, rows[:limit], query, ticker=f'"ticker":"{spell(symbol, "polygon")}",')


def _answer(view: View, rows: Rows, query: Query, *, ticker: str) -> Answer:
    adjusted = query.word("adjusted", "true", ("true", "false"))
    bars = view.table.columns(rows, split_adjusted=adjusted == "true", known=view.last_day, vendor="polygon")
    head = f'"queryCount":{len(rows)},"resultsCount":{len(rows)},"adjusted":{adjusted},"count":{len(rows)}'
    results = bars.select(pl.col(column).alias(name) for name, column in FIELDS.items()).write_json()
    body = f'{{{ticker}{head},"status":"OK","request_id":"{REQUEST_ID}","results":{results}}}'
    return Answer(body=body.encode())


def _bound(told: str) -> date:
    """A date, or milliseconds since 1970."""
    if told.isascii() and told.isdigit() and len(told) <= 13:
        return datetime.fromtimestamp(int(told) / 1000, UTC).date()
    return parse_day(told)
