"""Exchange sessions: which dates are trading dates, when each opens and closes, from when its scan is due.

A session is a date without a zone; an instant is aware and in UTC. The table is generated (``tools/make_sessions.py``)
and reading it needs the standard library only; Polars is imported by the vectorised functions alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import polars as pl

NEW_YORK: Final = ZoneInfo("America/New_York")
OPEN, CLOSE = time(9, 30), time(16, 0)
SETTLING: Final = timedelta(minutes=30)  # from the close to the session's scheduled scan


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The sessions of one exchange in ascending order, and the closes of those that end early (New York time)."""

    name: str
    sessions: list[date]
    early: Mapping[date, time]

    def is_session(self, day: date) -> bool:
        """Whether the exchange trades on ``day``."""
        at = bisect_left(self.sessions, day)
        return at < len(self.sessions) and self.sessions[at] == day

    def ordinal(self, session: date) -> int:
        """The position of a session in the table; a ValueError for a date that is none."""
        at = bisect_left(self.sessions, session)
        if at == len(self.sessions) or self.sessions[at] != session:
            raise ValueError(f"{session} is not a session of {self.name}")
        return at

    def session_at(self, ordinal: int) -> date:
        """The session at a position of the table; an IndexError outside of it."""
        if ordinal < 0:
            raise IndexError(f"no session at {ordinal}")
        return self.sessions[ordinal]

    def next(self, day: date) -> date:
        """The first session after ``day``; a ValueError past the table's end."""
        return self._at(bisect_right(self.sessions, day), day)

    def previous(self, day: date) -> date:
        """The last session before ``day``; a ValueError before the table's start."""
        return self._at(bisect_left(self.sessions, day) - 1, day)

    def last_on_or_before(self, day: date) -> date:
        """The session of ``day``, or the last one before it."""
        return self._at(bisect_right(self.sessions, day) - 1, day)

    def first_on_or_after(self, day: date) -> date:
        """The session of ``day``, or the first one after it."""
        return self._at(bisect_left(self.sessions, day), day)

    def between(self, first: date, last: date) -> list[date]:
        """The sessions from ``first`` to ``last``, both included."""
        return self.sessions[bisect_left(self.sessions, first) : bisect_right(self.sessions, last)]

    def is_early_close(self, session: date) -> bool:
        """Whether a session ends before 16:00 New York."""
        return session in self.early

    def open(self, session: date) -> datetime:
        """The instant (UTC) at which a session opens."""
        self.ordinal(session)
        return datetime.combine(session, OPEN, NEW_YORK).astimezone(UTC)

    def close(self, session: date) -> datetime:
        """The instant (UTC) at which a session closes."""
        self.ordinal(session)
        return datetime.combine(session, self.early.get(session, CLOSE), NEW_YORK).astimezone(UTC)

    def scheduled_as_of(self, session: date) -> datetime:
        """The instant (UTC) that a scan of the session stands for: its close and half an hour."""
        return self.close(session) + SETTLING

    def effective_session(self, known_at: datetime) -> date:
        """The first session whose scheduled scan may use what became known at ``known_at`` (aware)."""
        candidate = self.first_on_or_after(known_at.astimezone(NEW_YORK).date())
        return candidate if self.scheduled_as_of(candidate) >= known_at else self.next(candidate)

    def effective_sessions(self, known_at: pl.Series) -> pl.Series:
        """:meth:`effective_session` over a column of UTC instants; null for null and for what lies past the table."""
        import polars as pl

        due, sessions = self._due, self._dates
        instants = known_at.cast(pl.Datetime("us", "UTC"))
        at = due.search_sorted(instants.fill_null(due[0]), side="left")
        found = pl.Series(at, dtype=pl.UInt32)
        past = (found >= len(sessions)) | instants.is_null()
        picked = sessions.gather(found.clip(0, len(sessions) - 1))
        return pl.select(pl.when(~past).then(picked)).to_series().alias(known_at.name)

    def sessions_after(self, days: pl.Series) -> pl.Series:
        """:meth:`next` over a column of dates: from which session on a date-only fact counts. Null past the table."""
        import polars as pl

        sessions = self._dates
        found = pl.Series(sessions.search_sorted(days.fill_null(sessions[0]), side="right"), dtype=pl.UInt32)
        past = (found >= len(sessions)) | days.is_null()
        picked = sessions.gather(found.clip(0, len(sessions) - 1))
        return pl.select(pl.when(~past).then(picked)).to_series().alias(days.name)

    def is_session_expr(self, day: pl.Expr) -> pl.Expr:
        """:meth:`is_session` over a column of dates."""
        return day.is_in(self._dates.implode())

    def _at(self, position: int, day: date) -> date:
        if not 0 <= position < len(self.sessions):
            span = f"{self.sessions[0]}..{self.sessions[-1]}"
            raise ValueError(f"{day} lies outside the sessions known of {self.name}: {span}")
        return self.sessions[position]

    @cached_property
    def _dates(self) -> pl.Series:
        import polars as pl

        return pl.Series("session", self.sessions, dtype=pl.Date)

    @cached_property
    def _due(self) -> pl.Series:
        import polars as pl

        minutes = [
            60 * (clock := self.early.get(session, CLOSE)).hour + clock.minute + SETTLING.seconds // 60
            for session in self.sessions
        ]
        local = self._dates.cast(pl.Datetime("us")) + pl.Series(minutes, dtype=pl.Int64) * timedelta(minutes=1)
        return local.dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC")


@cache
def xnys() -> Calendar:
    """The calendar of the New York Stock Exchange, which every US equity exchange follows."""
    lines = Path(__file__).with_name("sessions_xnys.csv").read_text(encoding="ascii").split("\n")[1:-1]
    closes = (line.split(",") for line in lines if len(line) > 10)
    return Calendar(
        name="XNYS",
        sessions=[date.fromisoformat(line[:10]) for line in lines],
        early={date.fromisoformat(session): time.fromisoformat(close) for session, close in closes},
    )
