"""What companies report and when it is known: three quarters and a year, restated now and then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.frames import FUNDAMENTALS
from aitrader.domain.sessions import NEW_YORK, Calendar
from aitrader.simulation import assumed
from aitrader.simulation.accounts import MICROSECONDS, PAST, Books
from aitrader.simulation.events import Jumps
from aitrader.simulation.fitted import section
from aitrader.simulation.listings import BEFORE, Listings
from aitrader.simulation.names import Texts
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, stream

WORDS: Final = np.array(["Q1", "Q2", "Q3", "FY"], dtype=object)
PROSPECTUS_QUARTERS: Final = 4  # quarters that a newcomer's prospectus shows at least, and its last fiscal year
DAY: Final = 86_400 * MICROSECONDS


def instant(day: date, at: time) -> int:
    """Microseconds since 1970 (UTC) of a New York wall-clock time."""
    return int(datetime.combine(day, at, NEW_YORK).astimezone(UTC).timestamp()) * MICROSECONDS


def showing(known: Ints, calendar: Calendar, sessions: list[date]) -> Ints:
    """Index of the session whose trading first shows an instant: after the close the next one; -1 before all."""
    closes = np.array([int(calendar.close(s).timestamp()) * MICROSECONDS for s in sessions])
    return np.asarray(np.where(known < instant(sessions[0], time(0)), -1, np.searchsorted(closes, known, side="right")))


def jumps(book: Books, shown: Ints, sessions: int) -> Jumps:
    """Moves of the listings on the sessions that first show their reports."""
    report = section("report")
    row = np.broadcast_to(book.rows[:, None], shown.shape)
    first = book.company == np.arange(len(book.rows))
    inside = (shown >= 0) & (shown < sessions) & first[:, None]
    session, rows = shown[inside], row[inside]
    size = report["scale"] * np.sinh(report["bend"] * book.surprise[inside])
    order = np.lexsort((rows, session))
    return Jumps(session=session[order], row=rows[order], size=size[order])


@dataclass(frozen=True, kw_only=True)
class Course:
    """What the played sessions decide for filings: symbols, splits, ends and the instants of listing."""

    symbols: list[str]
    code: Ints  # of each row at its start
    ended: Ints  # first session without the listing
    last_known: int  # microseconds: the end of the last session's day
    listing_instant: Ints  # per session: 08:00 New York
    splits: list[tuple[int, int, float]]  # session, row, ratio
    renames: list[tuple[int, int, int]]  # session, row, new code

    def split_scale(self, row: Ints, session: Ints) -> Floats:
        """Product of the ratios of the splits of each of ``row`` up to its session."""
        scale = np.ones(len(row))
        touched = np.flatnonzero(np.isin(row, [r for _, r, _ in self.splits]))
        for at, r, ratio in self.splits:
            scale[touched[(row[touched] == r) & (session[touched] >= at)]] *= ratio
        return scale

    def code_at(self, row: Ints, session: Ints) -> Ints:
        """The symbol in force for each of ``row`` at its session."""
        code = self.code[row]
        touched = np.flatnonzero(np.isin(row, [r for _, r, _ in self.renames]))
        for at, r, new in self.renames:
            code[touched[(row[touched] == r) & (session[touched] >= at)]] = new
        return code

    def text(self, row: Ints, session: Ints) -> pl.Series:
        """The same as text."""
        return pl.Series(self.symbols, dtype=pl.String).gather(self.code_at(row, session))


def _periods(flow: Floats, annual: Bools) -> Floats:
    """A flow of each quarter as reported: the year's sum in place of the last quarter."""
    total = np.cumsum(np.concatenate([np.zeros((len(flow), 1)), flow], axis=1), axis=1)
    start = np.maximum(np.arange(1, flow.shape[1] + 1) - 4, 0)
    return np.where(annual, total[:, 1:] - total[:, start], flow)


def frame(seed: int, book: Books, shown_at: Ints, listings: Listings, course: Course) -> pl.DataFrame:
    """The reports as delivered, on the share basis of the day they became known.

    What a newcomer reported before its first session is known from that morning, as its prospectus. A year needs its
    four quarters, so the first reports are those of the first fiscal year that begins within the table.
    """
    rows, annual = book.rows, book.fiscal == 3
    arrival = listings.arrival[rows][:, None]
    prospectus = (arrival > BEFORE) & (shown_at < arrival)
    session = np.where(prospectus, arrival, shown_at)
    known = np.where(prospectus, course.listing_instant[np.maximum(arrival, 0)], book.known)
    q = np.arange(book.ends.shape[1])[None, :]
    complete = (q >= book.fiscal) & ((arrival == BEFORE) | (q >= PAST - PROSPECTUS_QUARTERS - book.fiscal))
    past = ~prospectus | (book.ends * DAY < known)
    shown = (known <= course.last_known) & (session < course.ended[rows][:, None]) & complete & past
    place, quarter = np.nonzero(shown)
    row, at = rows[place], session[place, quarter]
    basis = book.growth_of_shares[place, quarter] * course.split_scale(row, at)
    cap = np.zeros(len(rows))
    np.add.at(cap, book.company, listings.shares[rows] * listings.price[rows])
    equal_shares = (cap[book.company] / listings.price[rows])[place] * basis  # the company in shares of this class
    income = _periods(book.income, annual)[place, quarter]
    cash = _periods(book.cash_flow, annual)[place, quarter]
    assets, debts = np.round(book.assets[place, quarter]), np.round(book.debts[place, quarter])
    form = _forms(listings.group[rows] == "adr", annual, prospectus)[place, quarter]
    out = pl.DataFrame(
        {
            "symbol": course.text(row, at),
            "period_end": pl.Series(book.ends[place, quarter].astype(np.int32)).cast(pl.Date),
            "known_at": pl.Series(known[place, quarter]).cast(pl.Datetime("us", "UTC")),
            "fiscal_period": pl.Series(WORDS[book.fiscal[place, quarter]].tolist(), dtype=pl.String),
            "form": pl.Series(form.tolist(), dtype=pl.String),
            "revenue": np.round(_periods(book.revenue, annual)[place, quarter]),
            "net_income": np.round(income),
            "eps_diluted": np.round(income / (equal_shares * assumed.DILUTED), 4),
            "assets": assets,
            "liabilities": debts,
            "total_debt": np.round(book.loans[place, quarter]),
            "equity": assets - debts,
            "operating_cash_flow": np.round(cash),
            "capital_expenditure": np.round(assumed.CAPITAL_SHARE * np.abs(cash)),
            "shares_outstanding": np.round(listings.shares[row] * basis),
        },
        schema=FUNDAMENTALS,
    )
    again = _restated(seed, out, row, quarter, course)
    return pl.concat([out, again]).sort("known_at", "symbol", "period_end", "form")


def _forms(foreign: Bools, annual: Bools, prospectus: Bools) -> Texts:
    """The form of each report."""
    home = np.where(annual, "10-K", "10-Q")
    abroad = np.where(annual, "20-F", "6-K")
    return np.where(prospectus, "424B4", np.where(foreign[:, None], abroad, home)).astype(object)


def _restated(seed: int, out: pl.DataFrame, row: Ints, quarter: Ints, course: Course) -> pl.DataFrame:
    """Amendments of a few reports, 30 to 200 days later, with another income, under the symbol of that day."""
    share, count = section("filings")["restated"], len(course.ended)
    quarters = int(quarter.max(initial=0)) + 1
    drawn = np.stack([stream(seed, Purpose.FILINGS, 1 << 20 | q).random((count, 3)) for q in range(quarters)], axis=1)
    mine = drawn[row, quarter]
    known = out["known_at"].cast(pl.Int64).to_numpy() + (30 + 170 * mine[:, 1]).astype(np.int64) * DAY
    session = np.searchsorted(course.listing_instant, known, side="right") - 1
    listed = session < course.ended[row]
    hit = (mine[:, 0] < share) & (known <= course.last_known) & listed & (out["form"] != "424B4").to_numpy()
    factor = pl.Series(1 + 0.3 * (mine[hit, 2] - 0.6))
    return out.filter(pl.Series(hit)).with_columns(
        symbol=course.text(row[hit], session[hit]),
        known_at=pl.Series(known[hit]).cast(pl.Datetime("us", "UTC")),
        form=pl.col("form") + "/A",
        net_income=(pl.col("net_income") * factor).round(),
        eps_diluted=(pl.col("eps_diluted") * factor).round(4),
    )
