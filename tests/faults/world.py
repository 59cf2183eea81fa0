"""The small market of the faults: what it holds is what is right, read from its own frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any

import polars as pl

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK
from aitrader.exchange.exchange import Exchange
from aitrader.exchange.faults import conditions
from aitrader.simulation.market import MarketSpec, generate

START, UNTIL = date(2026, 5, 1), date(2026, 6, 15)
BEFORE = date(2026, 6, 12)  # the session before the last one
OLD = datetime.combine(date(2026, 6, 13), time(7), NEW_YORK)  # a morning: the bars of the session before are final
NEW = datetime.combine(date(2026, 6, 16), time(7), NEW_YORK)
SEED, FOREIGN_SEED = 116, 127  # in the first a listing arrives on the last session
LISTINGS = 300
PLENTY = {"limits": {vendor: {"requests": 100_000, "seconds": 1.0} for vendor in ("alpaca", "polygon", "sec")}}
COUNTED = ("common", "adr", "reit", "etf")
TRUST = "Trust Common Shares of Beneficial Interest"
PRICES = ("open", "high", "low", "close", "volume")


@cache
def market(seed: int = SEED) -> Delivery:
    return generate(MarketSpec(seed=seed, listings=LISTINGS, start=START, until=UNTIL))


@cache
def exchange(now: datetime, seed: int = SEED) -> Exchange:
    """One for all that ask at a moment: what costs most is made once."""
    return Exchange(market(seed), now, conditions=conditions(PLENTY))


@dataclass(frozen=True)
class Right:
    """What is right at a moment: the symbols listed then, those of Layer 0, and the bars of a session."""

    symbols: frozenset[str]
    layer0: frozenset[str]
    trusts: frozenset[str]  # funds whose name is that of a common stock
    bars: frozenset[tuple[Any, ...]]  # symbol, date, open, high, low, close, volume


@cache
def right(session: date, seed: int = SEED) -> Right:
    """As of the evening of ``session``, its own bars."""
    told = market(seed)
    listed = told.securities.filter(
        (pl.col("listed_on") <= session) & (pl.col("delisted_on").is_null() | (pl.col("delisted_on") > session))
    )
    renames = told.actions.filter((pl.col("kind") == "symbol_change") & (pl.col("ex_date") <= session)).sort("ex_date")
    types = dict(listed.select("symbol", "security_type").iter_rows())
    for old, new in renames.select("symbol", "new_symbol").iter_rows():
        if old in types:
            types[new] = types.pop(old)
    bars = told.bars.filter(pl.col("date") == session).select("symbol", "date", *PRICES)
    counted = frozenset(symbol for symbol, kind in types.items() if kind in COUNTED)
    named = set(listed.filter(pl.col("name").str.ends_with(TRUST))["symbol"])
    trusts = frozenset(symbol for symbol, kind in types.items() if kind == "fund" and symbol in named)
    return Right(frozenset(types), counted, trusts, frozenset(bars.rows()))


def directory_files(session: date) -> dict[str, bytes]:
    """The two directories of the exchanges' own site as of a session."""
    told, now = market(), right(session)
    listed = told.securities.filter(pl.col("symbol").is_in(list(now.symbols)))
    rows = listed.unique("symbol", keep="last").sort("symbol")
    letters = {"NYSE": "N", "ARCA": "P", "AMEX": "A", "BATS": "Z"}
    nasdaq = ["Symbol|Security Name|Market Category|Test Issue|Financial Status|Round Lot Size|ETF|NextShares"]
    other = ["ACT Symbol|Security Name|Exchange|CQS Symbol|ETF|Round Lot Size|Test Issue|NASDAQ Symbol"]
    for symbol, name, venue, kind in rows.select("symbol", "name", "exchange", "security_type").iter_rows():
        cqs = re.sub(r"-P-(\w)$", r"p\1", symbol) if "-P-" in symbol else symbol
        etf = "Y" if kind == "etf" else "N"
        if venue == "NASDAQ":
            nasdaq.append(f"{symbol}|{name}|Q|N|N|100|{etf}|N")
        else:
            other.append(f"{cqs}|{name}|{letters[venue]}|{cqs}|{etf}|100|N|{symbol}")
    end = "File Creation Time: 0615202618:00"
    return {
        "/SymDir/nasdaqlisted.txt": "\r\n".join([*nasdaq, end + "|||||||", ""]).encode(),
        "/SymDir/otherlisted.txt": "\r\n".join([*other, end + "|||||||", ""]).encode(),
    }
