"""The simulated market as one delivery: everything a source would know of it up to a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.errors import UsageError
from aitrader.domain.frames import ACTIONS, BARS, SECURITIES, Delivery
from aitrader.domain.sessions import NEW_YORK, Calendar, xnys
from aitrader.simulation import filings, headlines
from aitrader.simulation.events import Payers
from aitrader.simulation.fitted import marginal, section
from aitrader.simulation.listings import BEFORE, Listings, listed
from aitrader.simulation.prices import NEVER, Tape, played
from aitrader.simulation.regimes import factors
from aitrader.simulation.streams import Ints, Purpose, stream

REGIMES: Final = ("stressed",)
FITTED_AT: Final = date(2025, 8, 21)  # the session that prices, caps and volumes were fitted at
DEFAULT_UNTIL: Final = date(2026, 6, 30)
DEFAULT_SESSIONS: Final = 300
LEAST_LISTINGS: Final = 200
OFFERS: Final = frozenset(
    [f"securities.{c}" for c in SECURITIES if c != "known_on"]
    + [f"bars.{c}" for c in ("symbol", "date", "open", "high", "low", "close", "volume")]
    + [f"actions.{c}" for c in ("symbol", "ex_date", "kind", "ratio", "cash", "new_symbol")]
    + [f"fundamentals.{c}" for c in filings.FUNDAMENTALS]
    + [f"news.{c}" for c in ("symbol", "published_at", "headline", "sentiment", "source")]
)


def default_start(calendar: Calendar) -> date:
    """The first of the default 300 sessions."""
    return calendar.session_at(calendar.ordinal(DEFAULT_UNTIL) - DEFAULT_SESSIONS + 1)


@dataclass(frozen=True, kw_only=True)
class MarketSpec:
    """What a market is: the same spec gives the same market, bit for bit; a later ``until`` only appends.

    ``listings`` are there at the start, others arrive; ``regime`` "stressed" forces a crash over the last 40 sessions
    (such a market has another past for another ``until``, over those 40 sessions).
    """

    seed: int = 7
    listings: int = 10_500
    start: date = date(2025, 4, 21)
    until: date = DEFAULT_UNTIL
    regime: str | None = None

    def sessions(self) -> list[date]:
        """The sessions of the market; at least one."""
        found = xnys().between(self.start, self.until)
        if not found:
            raise UsageError(
                f"no session from {self.start} to {self.until}", why="a market needs one", do="choose a later until"
            )
        return found


def generate(spec: MarketSpec) -> Delivery:
    """The market of ``spec`` as a delivery of source "simulated" with raw prices; market caps are to be derived."""
    _check(spec)
    calendar = xnys()
    sessions = spec.sessions()
    rows = listed(spec.seed, spec.listings, len(sessions))
    trend_start = (sessions[0] - FITTED_AT).days / 365.25
    shared = factors(spec.seed, len(sessions), stressed=spec.regime == "stressed", trend_start=trend_start)
    book = filings.books(spec.seed, rows, sessions)
    when = filings.effective_sessions(book.known, calendar, sessions)
    surprises = filings.jumps(book, when, len(sessions))
    months = np.array([s.year * 12 + s.month - 1 for s in sessions])
    payers = Payers(spec.seed, rows, months, np.array([s.day for s in sessions]))
    tape = played(spec.seed, rows, shared, payers, surprises)
    context = filings.FilingContext(
        symbols=tape.symbols,
        ended=tape.ended,
        last_known=filings.last_instant(sessions[-1]),
        listing_instant=np.array([_micros(s, time(8)) for s in sessions]),
        splits=tape.splits,
        renames=tape.renames,
    )
    raw = headlines.headlines(spec.seed, rows, sessions, tape.moves, surprises, _codes(rows, tape, len(sessions)))
    return Delivery(
        source="simulated",
        adjustment="raw",
        offers=OFFERS,
        securities=_securities(spec.seed, rows, tape, sessions, calendar),
        bars=_bars(tape, sessions),
        actions=_actions(tape, sessions),
        fundamentals=filings.frame(spec.seed, book, when, rows, context),
        news=headlines.frame(spec.seed, rows, sessions, tape.symbols, raw),
        notices=("simulated data",),
    )


def _check(spec: MarketSpec) -> None:
    if spec.listings < LEAST_LISTINGS:
        raise UsageError(
            f"{spec.listings} listings are no market", why=f"the least is {LEAST_LISTINGS}", do="choose more listings"
        )
    if spec.regime is not None and spec.regime not in REGIMES:
        raise UsageError(
            f"unknown regime {spec.regime!r}", why=f"known: {', '.join(REGIMES)}", do="leave it out for the usual weather"
        )


def _micros(day: date, at: time) -> int:
    return int(datetime.combine(day, at, NEW_YORK).astimezone(UTC).timestamp() * 1e6)


def _codes(rows: Listings, tape: Tape, sessions: int) -> list[Ints]:
    """For each session the symbol code of every row."""
    code = np.arange(rows.count)
    result, changes = [], {at: [] for at, _, _ in tape.renames}
    for at, row, new in tape.renames:
        changes[at].append((row, new))
    for t in range(sessions):
        if t in changes:
            code = code.copy()
            for row, new in changes[t]:
                code[row] = new
        result.append(code)
    return result


def _bars(tape: Tape, sessions: list[date]) -> pl.DataFrame:
    """All bars, sorted by date and symbol."""
    lengths = np.array([len(r) for r in tape.row])
    days = np.array([(s - date(1970, 1, 1)).days for s in sessions], dtype=np.int32)
    columns = {c: np.concatenate(getattr(tape, c)) for c in ("open", "high", "low", "close", "volume")}
    symbol = pl.Series(tape.symbols, dtype=pl.String).gather(np.concatenate(tape.code).astype(np.uint32))
    frame = pl.DataFrame({"symbol": symbol, "date": pl.Series(np.repeat(days, lengths)).cast(pl.Date), **columns})
    return frame.with_columns(
        vwap=pl.lit(None, dtype=pl.Float64), trades=pl.lit(None, dtype=pl.Float64)
    ).select(list(BARS))


def _actions(tape: Tape, sessions: list[date]) -> pl.DataFrame:
    """Corporate actions by ex-date and symbol; each is known on its ex-date."""
    columns = list(zip(*tape.actions, strict=True)) if tape.actions else [[]] * 6
    days = pl.Series([sessions[t] for t in columns[0]], dtype=pl.Date)
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([tape.symbols[c] for c in columns[1]], dtype=pl.String),
            "ex_date": days,
            "kind": pl.Series(list(columns[2]), dtype=pl.String),
            "ratio": pl.Series(list(columns[3]), dtype=pl.Float64),
            "cash": pl.Series(list(columns[4]), dtype=pl.Float64),
            "new_symbol": pl.Series(list(columns[5]), dtype=pl.String),
            "known_at": pl.Series([None] * len(days), dtype=pl.Datetime("us", "UTC")),
        },
        schema=ACTIONS,
    )
    return frame.sort("ex_date", "symbol", "kind")


def _securities(seed: int, rows: Listings, tape: Tape, sessions: list[date], calendar: Calendar) -> pl.DataFrame:
    """One row a listing under the symbol that it was first listed by; later symbols are actions."""
    n = rows.count
    uniform = stream(seed, Purpose.NAMES, 1).random((n, 3))
    found = marginal_year(uniform[:, 0])
    earliest = calendar.sessions[0]
    begin = np.array([(date(max(int(y), earliest.year + 1), 1, 1) - date(1970, 1, 1)).days for y in found])
    days = np.array([(s - date(1970, 1, 1)).days for s in calendar.sessions])
    first = (sessions[0] - date(1970, 1, 1)).days
    spot = np.searchsorted(days, np.minimum(begin + (364 * uniform[:, 1]).astype(np.int64), first - 1), side="right") - 1
    listed_on = days[np.maximum(spot, 0)]
    new = rows.arrival > BEFORE
    listed_on[new] = np.array([(s - date(1970, 1, 1)).days for s in sessions])[rows.arrival[new]]
    gone = tape.ended < NEVER
    last = pl.Series(
        [sessions[t] if t < NEVER else None for t in tape.ended.tolist()] if gone.any() else [None] * n, dtype=pl.Date
    )
    first_cik, first_figi = 1_000_000 + 37 * (seed % 1000), 36**4
    cik = pl.Series(first_cik + 7 * rows.issuer).cast(pl.String).str.zfill(10)
    figi = pl.Series([_figi(first_figi + 11 * i) for i in range(n)])
    sector = pl.Series(rows.sector.tolist(), dtype=pl.String)
    funds = pl.Series(rows.group == "etf")
    frame = pl.DataFrame(
        {
            "symbol": pl.Series(rows.symbol.tolist(), dtype=pl.String),
            "name": pl.Series(rows.name.tolist(), dtype=pl.String),
            "exchange": pl.Series(rows.exchange.tolist(), dtype=pl.String),
            "security_type": pl.Series(rows.security_type.tolist(), dtype=pl.String),
            "sector": sector,
            "industry": pl.Series(rows.industry.tolist(), dtype=pl.String),
            "listed_on": pl.Series(listed_on.astype(np.int32)).cast(pl.Date),
            "delisted_on": last,
            "shares_outstanding": pl.Series(np.round(rows.shares)),
            "cik": cik,
            "figi": figi,
            "known_on": pl.Series([None] * n, dtype=pl.Date),
        },
        schema=SECURITIES,
    ).with_columns(
        sector=pl.when(~funds & (pl.col("sector") != "")).then("sector"),
        industry=pl.when(~funds & (pl.col("industry") != "")).then("industry"),
        cik=pl.when(~funds).then("cik"),
        shares_outstanding=pl.col("shares_outstanding").fill_nan(None),
    )
    never = (tape.ended <= rows.arrival) & new  # its issuer had gone before it came
    return frame.filter(pl.Series(~never)).sort("symbol", "listed_on")


def marginal_year(uniform: np.ndarray) -> np.ndarray:
    """Years of listing for uniform numbers, by the screener's quantiles."""
    levels = section("marginals")["levels"]
    return np.interp(uniform, levels, section("ipo")["year"])


def _figi(number: int) -> str:
    """A made-up identifier of the form of a FIGI: BBG00 and seven consonants or digits."""
    digits = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
    text = ""
    for _ in range(7):
        number, rest = divmod(number, len(digits))
        text = digits[rest] + text
    return f"BBG00{text}"
