"""The shipped table of sessions against exchange-calendars, and what is read from it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.domain.sessions import Calendar, xnys

CALENDAR = xnys()


@pytest.fixture(scope="module")
def schedule():  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calendars = pytest.importorskip("exchange_calendars")
        return calendars.get_calendar("XNYS", start="1990-01-01", end="2040-12-31").schedule


def test_the_table_is_that_of_exchange_calendars(schedule) -> None:  # type: ignore[no-untyped-def]
    assert CALENDAR.sessions == list(schedule.index.date)


def test_opens_and_closes_are_those_of_exchange_calendars(schedule) -> None:  # type: ignore[no-untyped-def]
    wanted = [(o.to_pydatetime(), c.to_pydatetime()) for o, c in zip(schedule["open"], schedule["close"], strict=True)]
    assert [(CALENDAR.open(s), CALENDAR.close(s)) for s in CALENDAR.sessions] == wanted
    early = schedule["close"].dt.tz_convert("America/New_York").dt.hour < 16
    assert [s for s in CALENDAR.sessions if CALENDAR.is_early_close(s)] == list(schedule.index[early].date)


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2025, 8, 21), True),
        (date(2025, 7, 12), False),  # a Saturday
        (date(2015, 4, 3), False),  # Good Friday
        (date(2025, 1, 9), False),  # a day of mourning
        (date(2001, 9, 11), False),
        (date(2012, 10, 29), False),  # a storm
        (date(2025, 11, 28), True),  # the half day after Thanksgiving
        (date(1989, 12, 29), False),  # before the table
        (date(2041, 1, 2), False),  # past it
    ],
)
def test_is_session(day: date, trades: bool) -> None:
    assert CALENDAR.is_session(day) is trades
    assert pl.select(CALENDAR.is_session_expr(pl.lit(day))).item() is trades


def test_neighbours_and_spans() -> None:
    friday, saturday, monday = date(2025, 7, 11), date(2025, 7, 12), date(2025, 7, 14)
    assert CALENDAR.next(friday) == CALENDAR.next(saturday) == monday
    assert CALENDAR.previous(monday) == CALENDAR.previous(saturday) == friday
    assert CALENDAR.last_on_or_before(saturday) == CALENDAR.last_on_or_before(friday) == friday
    assert CALENDAR.first_on_or_after(saturday) == CALENDAR.first_on_or_after(monday) == monday
    assert CALENDAR.between(friday, monday) == [friday, monday]
    assert CALENDAR.between(saturday, saturday) == []
    assert CALENDAR.session_at(CALENDAR.ordinal(monday)) == monday
    assert CALENDAR.ordinal(monday) - CALENDAR.ordinal(friday) == 1


def test_outside_of_the_table_is_an_error_that_names_its_span() -> None:
    with pytest.raises(ValueError, match=r"2025-07-12 is not a session of XNYS"):
        CALENDAR.ordinal(date(2025, 7, 12))
    for ask in (CALENDAR.close, CALENDAR.open, CALENDAR.scheduled_as_of):
        with pytest.raises(ValueError, match="is not a session"):
            ask(date(2025, 7, 12))
    with pytest.raises(ValueError, match=r"lies outside the sessions known of XNYS: 1990-01-02\.\.2040-12-31"):
        CALENDAR.next(CALENDAR.sessions[-1])
    with pytest.raises(ValueError, match="lies outside"):
        CALENDAR.previous(CALENDAR.sessions[0])
    with pytest.raises(IndexError):
        CALENDAR.session_at(-1)


@pytest.mark.parametrize(
    ("session", "close"),
    [
        (date(2025, 8, 21), datetime(2025, 8, 21, 20, 0, tzinfo=UTC)),  # summer time
        (date(2025, 1, 2), datetime(2025, 1, 2, 21, 0, tzinfo=UTC)),  # winter time
        (date(2025, 11, 28), datetime(2025, 11, 28, 18, 0, tzinfo=UTC)),  # 13:00 New York
        (date(1990, 12, 24), datetime(1990, 12, 24, 19, 0, tzinfo=UTC)),  # 14:00 New York
        (date(2024, 3, 8), datetime(2024, 3, 8, 21, 0, tzinfo=UTC)),  # the Friday before the clocks change
        (date(2024, 3, 11), datetime(2024, 3, 11, 20, 0, tzinfo=UTC)),
    ],
)
def test_close_and_scheduled_scan(session: date, close: datetime) -> None:
    assert CALENDAR.close(session) == close
    assert CALENDAR.scheduled_as_of(session) == close + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("known_at", "session"),
    [
        (datetime(2025, 8, 21, 20, 29, 59, tzinfo=UTC), date(2025, 8, 21)),
        (datetime(2025, 8, 21, 20, 30, tzinfo=UTC), date(2025, 8, 21)),  # at the scheduled instant
        (datetime(2025, 8, 21, 20, 30, 0, 1, tzinfo=UTC), date(2025, 8, 22)),
        (datetime(2025, 8, 22, 3, 59, 59, tzinfo=UTC), date(2025, 8, 22)),  # 23:59:59 New York: the day after
        (datetime(2025, 8, 23, 15, 0, tzinfo=UTC), date(2025, 8, 25)),  # a Saturday
        (datetime(2025, 11, 28, 18, 31, tzinfo=UTC), date(2025, 12, 1)),  # after a half day
        (datetime(2025, 11, 28, 18, 30, tzinfo=UTC), date(2025, 11, 28)),
        (datetime(1980, 1, 1, tzinfo=UTC), date(1990, 1, 2)),
    ],
)
def test_from_which_session_on_a_fact_counts(known_at: datetime, session: date) -> None:
    assert CALENDAR.effective_session(known_at) == session
    assert CALENDAR.effective_sessions(pl.Series([known_at])).to_list() == [session]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2040, 12, 1), timezones=st.just(UTC)), max_size=30))
def test_whole_columns_agree_with_single_instants(instants: list[datetime]) -> None:
    column = pl.Series("known_at", instants, dtype=pl.Datetime("us", "UTC"))
    assert CALENDAR.effective_sessions(column).to_list() == [CALENDAR.effective_session(at) for at in instants]
    days = pl.Series("day", [at.date() for at in instants], dtype=pl.Date)
    assert CALENDAR.sessions_after(days).to_list() == [CALENDAR.next(at.date()) for at in instants]


def test_missing_and_too_late_instants_have_no_session() -> None:
    column = pl.Series("k", [None, datetime(2050, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    assert CALENDAR.effective_sessions(column).to_list() == [None, None]
    assert CALENDAR.sessions_after(pl.Series("d", [None, date(2040, 12, 31)], dtype=pl.Date)).to_list() == [None, None]


def test_a_calendar_is_read_once_and_without_polars() -> None:
    assert xnys() is CALENDAR
    assert isinstance(CALENDAR, Calendar)
    code = "import sys; from aitrader.domain.sessions import xnys; xnys().sessions; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == "False"


def _environment() -> dict[str, str]:
    import os

    import aitrader

    return {**os.environ, "PYTHONPATH": str(aitrader.__path__[0]) + "/.."}
