"""A small made-up market with everything that happens to listings, as a source would deliver it up to any session.

Thirty symbols over 110 sessions: splits (one known late), a spin-off, a special dividend, a possible split, gaps, a
listing, a delisting, a symbol change, quarterly filings, headlines, sectors that become known later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from aitrader.domain.frames import (
    ACTIONS,
    BARS,
    FUNDAMENTALS,
    MARKET_CAPS,
    NEWS,
    SECURITIES,
    Delivery,
    Schema,
)
from aitrader.domain.sessions import xnys

CALENDAR = xnys()
START = CALENDAR.ordinal(date(2015, 3, 2))
SESSIONS = 110
NEW_YORK = ZoneInfo("America/New_York")
STORED_AT = datetime(2020, 1, 1, tzinfo=UTC)
OFFERS = frozenset(
    {
        *(f"bars.{name}" for name in ("open", "high", "low", "close", "volume")),
        *(f"securities.{name}" for name in ("security_type", "exchange", "sector", "industry", "shares_outstanding")),
        *(f"fundamentals.{name}" for name in FUNDAMENTALS),
        "news.headline",
    }
)
SECTORS = ("Energy", "Finance", "Technology")
WORDS = ("beats estimates", "misses estimates", "holds its meeting", "wins award", "warns of losses")
# What happens to whom, by position of the session.
SPLITS = {"AAA": (60, 2.0, None), "BBB": (70, 0.1, None), "CCC": (55, 4.0, 80)}  # ratio, known from (None: ex-date)
SPIN_OFF = ("DDD", 65, 0.2)
SPECIAL = ("EEE", 72, 0.1)
SUSPECT = ("FFF", 85)
LISTED = ("NEW", 50)
DELISTED = ("OLD", 90)
RENAMED = ("MET", "META", 75)
GAPS = {"GGG": range(40, 66), "HHH": range(60, 72), "III": (98, 99)}
RETYPED = ("JJJ", 95)  # its sector becomes known


def day(position: int) -> date:
    """The session at a position, 0 being 2015-03-02."""
    return CALENDAR.session_at(START + position)


def frame(schema: Schema, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows in a neutral schema; what is not given is null."""
    rows = list(rows)
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema=schema)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Everything that ever becomes known, as plain rows of the neutral schemas."""

    securities: list[dict[str, Any]] = field(default_factory=list)
    bars: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    fundamentals: list[dict[str, Any]] = field(default_factory=list)
    news: list[dict[str, Any]] = field(default_factory=list)
    market_caps: list[dict[str, Any]] = field(default_factory=list)

    def delivered(self, *, until: int | None = None, **more: Any) -> Delivery:
        """The delivery of a source on the evening of a session: what had become known by then."""
        tables = self if until is None else self.known(until)
        values: dict[str, Any] = {"source": "dataset-made", "adjustment": "raw", "offers": OFFERS}
        return Delivery(
            securities=frame(SECURITIES, tables.securities),
            bars=frame(BARS, tables.bars),
            actions=frame(ACTIONS, tables.actions),
            fundamentals=frame(FUNDAMENTALS, tables.fundamentals),
            news=frame(NEWS, tables.news),
            market_caps=frame(MARKET_CAPS, tables.market_caps),
            **(values | more),
        )

    def known(self, until: int) -> Tables:
        """What had become known by the scheduled as_of of a session."""
        last, as_of = day(until), CALENDAR.scheduled_as_of(day(until))
        listings = []
        for row in self.securities:
            if max(row.get("listed_on") or date.min, row.get("known_on") or date.min) <= last:
                gone = row.get("delisted_on")
                listings.append({**row, "delisted_on": gone if gone and gone <= last else None})
        return Tables(
            securities=listings,
            bars=[row for row in self.bars if row["date"] <= last],
            actions=[
                row
                for row in self.actions
                if row["ex_date"] <= last and (row.get("known_at") is None or row["known_at"] <= as_of)
            ],
            fundamentals=[row for row in self.fundamentals if row["known_at"] <= as_of],
            news=[row for row in self.news if row["published_at"] <= as_of],
            market_caps=[row for row in self.market_caps if row["date"] <= last],
        )

    def without(self, *names: str) -> Tables:
        """The same without these tables."""
        return replace(self, **{name: [] for name in names})


def evening(at: date) -> datetime:
    """The end of a day in New York: a date-only fact counts from the next session."""
    return datetime.combine(at, time(23, 59, 59), NEW_YORK).astimezone(UTC)


def market(*, seed: int = 7, benchmark: bool = True) -> Tables:
    """The whole market; with or without SPY."""
    rng = np.random.default_rng(seed)
    named = [*SPLITS, SPIN_OFF[0], SPECIAL[0], SUSPECT[0], LISTED[0], DELISTED[0], RENAMED[0], *GAPS, RETYPED[0]]
    symbols = [*(["SPY"] if benchmark else []), *named, *(f"Q{at:02d}" for at in range(29 - len(named)))]
    tables = Tables()
    for number, symbol in enumerate(symbols):
        _listing(tables, symbol, number)
        _prices(tables, symbol, rng)
        if symbol != "SPY":
            _filings(tables, symbol, rng)
        _headlines(tables, symbol, rng)
    return tables


def _listing(tables: Tables, symbol: str, number: int) -> None:
    row: dict[str, Any] = {
        "symbol": symbol,
        "name": f"{symbol} Inc",
        "exchange": "NASDAQ" if number % 2 else "NYSE",
        "security_type": "etf" if symbol == "SPY" else "adr" if number == 20 else "reit" if number == 21 else "common",
        "sector": None if symbol == RETYPED[0] else SECTORS[number % 3],
        "industry": "Major Banks" if number % 7 == 3 else "Machinery",
        "cik": "77" if number in (22, 23) else str(1000 + number),  # two lines of one issuer
        "shares_outstanding": 5e6 * (1 + number % 9),
        "listed_on": day(LISTED[1]) if symbol == LISTED[0] else None,
        "delisted_on": day(DELISTED[1]) if symbol == DELISTED[0] else None,
    }
    tables.securities.append(row)
    if symbol == RETYPED[0]:
        tables.securities.append({**row, "sector": "Energy", "known_on": day(RETYPED[1])})
    if symbol == RENAMED[0]:
        tables.actions.append(
            {"symbol": symbol, "new_symbol": RENAMED[1], "ex_date": day(RENAMED[2]), "kind": "symbol_change"}
        )


def _prices(tables: Tables, symbol: str, rng: np.random.Generator) -> None:
    """A walk in today's basis made raw: what a split or a distribution does stands in the prices of the day."""
    close = 30.0 * np.exp(np.cumsum(rng.normal(0.001, 0.02, SESSIONS)) + rng.normal(0, 0.5))
    volume = np.round(rng.uniform(6e5, 2.4e6) * rng.uniform(0.4, 1.6, SESSIONS))
    price, shares = np.ones(SESSIONS), np.ones(SESSIONS)
    if symbol in SPLITS:
        at, ratio, known = SPLITS[symbol]
        price[at:], shares[at:] = 1 / ratio, ratio
        instant = None if known is None else CALENDAR.scheduled_as_of(day(known)) - timedelta(hours=3)
        tables.actions.append(
            {"symbol": symbol, "ex_date": day(at), "kind": "split", "ratio": ratio, "known_at": instant}
        )
    for kind, (who, at, share) in (("spinoff", SPIN_OFF), ("special_dividend", SPECIAL)):
        if symbol == who:
            price[at:] = 1 - share
            cash = float(close[at - 1] * share)
            tables.actions.append({"symbol": symbol, "ex_date": day(at), "kind": kind, "cash": cash})
    if symbol == SUSPECT[0]:
        price[SUSPECT[1] :] = 0.5
    if rng.random() < 0.4:
        at = int(rng.integers(20, SESSIONS))
        tables.actions.append({"symbol": symbol, "ex_date": day(at), "kind": "dividend", "cash": 0.1})
    spread = np.exp(np.abs(rng.normal(0, 0.01, SESSIONS)))
    opened = close * np.exp(rng.normal(0, 0.004, SESSIONS))
    missing = {int(at) for at in np.flatnonzero(rng.random(SESSIONS) < 0.02)} | {*GAPS.get(symbol, ())}
    for t in range(SESSIONS):
        if t in missing or (symbol == LISTED[0] and t < LISTED[1]) or (symbol == DELISTED[0] and t >= DELISTED[1]):
            continue
        traded = RENAMED[1] if symbol == RENAMED[0] and t >= RENAMED[2] else symbol
        low, high = min(close[t], opened[t]) / spread[t], max(close[t], opened[t]) * spread[t]
        tables.bars.append(
            {
                "symbol": traded,
                "date": day(t),
                "open": float(opened[t] * price[t]),
                "high": None if rng.random() < 0.01 else float(high * price[t]),
                "low": float(low * price[t]),
                "close": float(close[t] * price[t]),
                "volume": float(np.round(volume[t] * shares[t])),
            }
        )


def _filings(tables: Tables, symbol: str, rng: np.random.Generator) -> None:
    """Ten quarters from two years before the first session on, each known some weeks after its end."""
    ends = [date(y, m, d) for y in (2013, 2014, 2015) for m, d in ((3, 31), (6, 30), (9, 30), (12, 31))][:10]
    eps = rng.uniform(0.1, 0.8)
    for at, end in enumerate(ends):
        known = evening(end + timedelta(days=int(rng.integers(20, 60))))
        eps *= 1 + rng.normal(0.01, 0.05)
        tables.fundamentals.append(
            {
                "symbol": symbol,
                "period_end": end,
                "known_at": known if rng.random() < 0.7 else known - timedelta(hours=int(rng.integers(1, 12))),
                "fiscal_period": f"Q{at % 4 + 1}",
                "form": "10-Q",
                "eps_diluted": float(eps if rng.random() < 0.95 else -eps),
                "revenue": float(1e8 * (1 + 0.03 * at) * rng.uniform(0.95, 1.05)),
                "net_income": float(5e6 * rng.uniform(0.5, 1.5)),
                "equity": float(1e8 * rng.uniform(0.5, 2.0)),
                "total_debt": float(4e7 * rng.uniform(0.1, 3.0)) if rng.random() < 0.9 else None,
                "shares_outstanding": float(5e6 * rng.uniform(1, 9)) if rng.random() < 0.5 else None,
            }
        )


def _headlines(tables: Tables, symbol: str, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(2, 8))):
        at = datetime.combine(day(int(rng.integers(0, SESSIONS))), time(0), UTC)
        tables.news.append(
            {
                "symbol": symbol,
                "published_at": at + timedelta(minutes=int(rng.integers(0, 3 * 1440))),
                "headline": f"{symbol} {WORDS[int(rng.integers(0, len(WORDS)))]}",
                "sentiment": float(rng.uniform(-1, 1)) if rng.random() < 0.3 else None,
            }
        )
