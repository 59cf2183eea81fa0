"""The simulated market as one delivery: everything a source would know of it up to a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.errors import UsageError
from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, NEWS, SECURITIES, Delivery
from aitrader.domain.sessions import Calendar, xnys
from aitrader.simulation import accounts, filings, headlines
from aitrader.simulation.events import Payers
from aitrader.simulation.filings import Course
from aitrader.simulation.fitted import section
from aitrader.simulation.listings import BEFORE, Listings, listed
from aitrader.simulation.names import identifiers
from aitrader.simulation.prices import NEVER, Tape, played
from aitrader.simulation.regimes import STRESS_SESSIONS, factors
from aitrader.simulation.streams import Ints, Purpose, stream

REGIMES: Final = ("stressed",)
FITTED_AT: Final = date(2025, 8, 21)  # the session that prices, caps and volumes were fitted at
EPOCH: Final = date(1970, 1, 1)
LEAST_LISTINGS: Final = 200
RECOUNT: Final = 63  # sessions between two share counts of a depositary receipt
NOT_OFFERED: Final = frozenset({"bars.vwap", "bars.trades", "corporate_actions.known_at", "news.summary"})
FILES: Final = {
    "securities": SECURITIES,
    "bars": BARS,
    "corporate_actions": ACTIONS,
    "fundamentals": FUNDAMENTALS,
    "news": NEWS,
}
OFFERS: Final = frozenset(f"{file}.{c}" for file, schema in FILES.items() for c in schema) - NOT_OFFERED


@dataclass(frozen=True, kw_only=True)
class MarketSpec:
    """What a market is: the same spec gives the same market, bit for bit; a later ``until`` only appends.

    ``listings`` are there at the start, others arrive; ``regime`` "stressed" forces a crash over the 40 sessions
    that end with ``regime_until`` (by default ``until``).
    """

    seed: int = 7
    listings: int = 10_500
    start: date = date(2025, 4, 21)
    until: date = date(2026, 6, 30)
    regime: str | None = None
    regime_until: date | None = None

    def sessions(self) -> list[date]:
        """The sessions of the market; at least one."""
        found = xnys().between(self.start, self.until)
        if not found:
            raise UsageError(
                f"no session from {self.start} to {self.until}", why="a market needs one", do="choose a later until"
            )
        return found

    def stressed(self, sessions: list[date]) -> list[bool]:
        """Which sessions a crash is forced upon."""
        if self.regime is None:
            return [False] * len(sessions)
        forced = set(xnys().between(self.start, self.regime_until or self.until)[-STRESS_SESSIONS:])
        return [session in forced for session in sessions]


def generate(spec: MarketSpec) -> Delivery:
    """The market of ``spec`` as a delivery of source "simulated" with raw prices; market caps are to be derived.

    Raises UsageError for a spec that is no market: too few listings, no session, an unknown regime.
    """
    _check(spec)
    calendar, sessions = xnys(), spec.sessions()
    rows = listed(spec.seed, spec.listings, len(sessions))
    trend_start = (sessions[0] - FITTED_AT).days / 365.25
    shared = factors(spec.seed, np.array(spec.stressed(sessions)), trend_start=trend_start)
    book = accounts.books(spec.seed, rows, sessions)
    shown_at = filings.showing(book.known, calendar, sessions)
    reports = filings.jumps(book, shown_at, len(sessions))
    tape = played(spec.seed, rows, shared, Payers(spec.seed, rows, sessions), reports)
    course = Course(
        symbols=tape.symbols,
        code=tape.first_code,
        ended=tape.ended,
        last_known=filings.instant(sessions[-1], time(23, 59, 59)),
        listing_instant=np.array([filings.instant(s, time(8)) for s in sessions]),
        splits=tape.splits,
        renames=tape.renames,
    )
    written = headlines.written(spec.seed, rows, tape.moves, reports)
    return Delivery(
        source="simulated",
        adjustment="raw",
        offers=OFFERS,
        securities=_securities(spec.seed, rows, tape, course, sessions),
        bars=_bars(tape, sessions),
        actions=_actions(tape, sessions),
        fundamentals=filings.frame(spec.seed, book, shown_at, rows, course),
        news=headlines.frame(written, rows, sessions, course),
    )


def _check(spec: MarketSpec) -> None:
    if spec.listings < LEAST_LISTINGS:
        raise UsageError(
            f"{spec.listings} listings are no market", why=f"the least is {LEAST_LISTINGS}", do="choose more listings"
        )
    if spec.regime is not None and spec.regime not in REGIMES:
        raise UsageError(
            f"unknown regime {spec.regime!r}",
            why=f"known: {', '.join(REGIMES)}",
            do="leave it out for the usual weather",
        )


def days_of(dates: list[date]) -> Ints:
    """Days since 1970."""
    return np.array([(d - EPOCH).days for d in dates], dtype=np.int64)


def dates_of(days: Ints) -> pl.Series:
    """The inverse, as a column of dates."""
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def _bars(tape: Tape, sessions: list[date]) -> pl.DataFrame:
    """All bars, sorted by date and symbol."""
    lengths = np.array([len(code) for code in tape.code])
    symbol = pl.Series(tape.symbols, dtype=pl.String).gather(np.concatenate(tape.code).astype(np.uint32))
    columns = {c: np.concatenate(getattr(tape, c)) for c in ("open", "high", "low", "close", "volume")}
    unknown = pl.repeat(None, len(symbol), dtype=pl.Float64, eager=True)
    dates = dates_of(np.repeat(days_of(sessions), lengths))
    return pl.DataFrame({"symbol": symbol, "date": dates, **columns, "vwap": unknown, "trades": unknown}, schema=BARS)


def _actions(tape: Tape, sessions: list[date]) -> pl.DataFrame:
    """Corporate actions by ex-date, symbol and kind; each is known on its ex-date."""
    schema = {"session": pl.Int64, "code": pl.Int64, **{c: ACTIONS[c] for c in ("kind", "ratio", "cash", "new_symbol")}}
    found = pl.DataFrame(tape.actions, schema=schema, orient="row")
    frame = found.with_columns(
        symbol=pl.Series(tape.symbols, dtype=pl.String).gather(found["code"]),
        ex_date=pl.Series(sessions, dtype=pl.Date).gather(found["session"]),
        known_at=pl.lit(None, dtype=ACTIONS["known_at"]),
    )
    return frame.select(list(ACTIONS)).sort("ex_date", "symbol", "kind")


def _listed_on(seed: int, rows: Listings, sessions: list[date], calendar: Calendar) -> Ints:
    """First day of each listing: a session of a year that the screener's quantiles give, or its arrival."""
    uniform = stream(seed, Purpose.NAMES, 1).random((rows.count, 2))
    years = np.interp(uniform[:, 0], section("marginals")["levels"], section("ipo")["year"]).astype(np.int64)
    day = (np.maximum(years, calendar.sessions[0].year + 1) - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    wished = np.minimum(day.astype(np.int64) + (364 * uniform[:, 1]).astype(np.int64), days_of(sessions[:1])[0] - 1)
    every = days_of(calendar.sessions)
    known = every[np.maximum(np.searchsorted(every, wished, side="right") - 1, 0)]
    arrival = days_of(sessions)[np.maximum(rows.arrival, 0)]
    return np.where(rows.arrival > BEFORE, arrival, known)


def _securities(seed: int, rows: Listings, tape: Tape, course: Course, sessions: list[date]) -> pl.DataFrame:
    """One row a listing under the symbol that it was first listed by; later symbols are actions.

    Receipts have a row more for every time their shares are counted anew.
    """
    gone = tape.ended < NEVER
    last = dates_of(days_of(sessions)[np.where(gone, tape.ended, 0)]).set(pl.Series(~gone), None)
    fund = rows.group == "etf"
    bare = fund | (rows.industry == "")
    symbol = pl.Series(tape.symbols, dtype=pl.String).gather(tape.first_code)
    frame = pl.DataFrame(
        {
            "symbol": symbol,
            "name": pl.Series(rows.name.tolist(), dtype=pl.String),
            "exchange": pl.Series(rows.exchange.tolist(), dtype=pl.String),
            "security_type": pl.Series(rows.security_type.tolist(), dtype=pl.String),
            "sector": pl.Series(rows.sector.tolist(), dtype=pl.String).set(pl.Series(fund | (rows.sector == "")), None),
            "industry": pl.Series(rows.industry.tolist(), dtype=pl.String).set(pl.Series(bare), None),
            "listed_on": dates_of(_listed_on(seed, rows, sessions, xnys())),
            "delisted_on": last,
            "shares_outstanding": pl.Series(np.round(rows.shares)).fill_nan(None),
            "cik": pl.Series(1_000_000 + 7 * rows.issuer).cast(pl.String).str.zfill(10).set(pl.Series(fund), None),
            "figi": pl.Series(identifiers(rows.count), dtype=pl.String),
            "known_on": pl.repeat(None, rows.count, dtype=pl.Date, eager=True),
        },
        schema=SECURITIES,
    )
    never = (tape.ended <= rows.arrival) & (rows.arrival > BEFORE)  # its issuer had gone before it came
    later = [_recounted(seed, frame, rows, course, sessions, t) for t in range(RECOUNT, len(sessions), RECOUNT)]
    return pl.concat([frame.filter(pl.Series(~never)), *later]).sort("symbol", "listed_on", "known_on")


def _recounted(
    seed: int, frame: pl.DataFrame, rows: Listings, course: Course, sessions: list[date], t: int
) -> pl.DataFrame:
    """Share counts of depositary receipts as told anew in session t: their filings count ordinary shares."""
    told = np.flatnonzero((rows.group == "adr") & (rows.arrival < t) & (course.ended > t))
    at = np.full(len(told), t)
    growth = 1 + 0.004 * (1 + np.abs(stream(seed, Purpose.RECOUNTS, t).standard_normal(rows.count)[told]))
    grown = rows.shares[told] * growth ** (t // RECOUNT) * course.split_scale(told, at)
    return frame[told].with_columns(
        symbol=course.text(told, at),
        shares_outstanding=pl.Series(np.round(grown)),
        known_on=pl.lit(sessions[t]),
    )
