"""Runs beside each other, coverage, and what each answer says of its run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from aitrader.domain.errors import StoreError, UsageError
from aitrader.operations.coverage import coverage
from aitrader.operations.history import published_in
from aitrader.operations.published import chosen_run, envelope
from aitrader.operations.stats import causes, compared, run_before
from aitrader.store.store import Store
from tests.operations import sample


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = sample.publish(tmp_path_factory.mktemp("home"))
    with Store.open(home, write=False) as opened:
        yield opened


def test_the_envelope_speaks_of_its_run(store: Store) -> None:
    run = chosen_run(store.reader, None)
    assert envelope(store.reader, run) == {
        "schema_version": 1,
        "environment": "development",
        "source": "simulated",
        "run_id": "2025-08-21.1",
        "config_version": sample.VERSION,
        "as_of": "2025-08-21T20:30:00Z",
        "session": "2025-08-21",
        "published_at": "2025-08-22T01:30:00Z",
        "provisional": False,
        "stale": False,
        "unavailable": {"1": ["max_spread_pct"]},
    }


@pytest.mark.parametrize(
    ("as_of", "session"), [(None, 21), (date(2025, 8, 21), 21), (date(2025, 8, 20), 20), (date(2025, 8, 19), 19)]
)
def test_a_date_is_answered_by_the_run_that_stands_for_it(store: Store, as_of: date | None, session: int) -> None:
    assert chosen_run(store.reader, as_of).session == date(2025, 8, session)


@pytest.mark.parametrize("as_of", [date(2025, 8, 18), date(2025, 8, 22), date.min, date.max])
def test_a_date_that_no_run_answers_is_a_usage_error(store: Store, as_of: date) -> None:
    with pytest.raises(UsageError):
        chosen_run(store.reader, as_of)


def test_nothing_published_is_a_store_error(tmp_path: Path) -> None:
    with Store.open(sample.publish(tmp_path, runs=0), write=False) as store, pytest.raises(StoreError):
        chosen_run(store.reader, None)


def test_the_run_before_is_that_of_the_session_before(store: Store) -> None:
    run = chosen_run(store.reader, None)
    before = run_before(store.reader, run)
    assert before is not None
    assert before.run_id == "2025-08-20.1"
    first = chosen_run(store.reader, sample.SESSIONS[0])
    assert run_before(store.reader, first) is None
    assert compared(store.reader, first)["previous"] is None


def test_a_requalified_run_is_compared_with_the_one_whose_place_it_took(tmp_path: Path) -> None:
    home = sample.publish(tmp_path)
    with Store.open(home, write=True) as store:
        store.save_config_version(
            "newer", sample.CONTENT, author="test", at=sample.NOW, cause="requalify layer 1", state="active"
        )
        places = {**sample.PLACES, 3: sample.EARLIER[3]}
        again = sample.run(
            sample.identities(store),
            sample.SESSIONS[2],
            places,
            number=2,
            previous="2025-08-20.1",
            version="newer",
            kind="requalification",
        )
        store.publish([again], at=sample.NOW)
        found = compared(store.reader, chosen_run(store.reader, None))
    assert found["previous"]["run_id"] == "2025-08-21.1"
    assert (found["config_version"], found["previous"]["config_version"]) == ("newer", sample.VERSION)
    third = found["layers"][3]
    assert third["entered"] == [{"symbol": "GOOGL", "cause": "passed"}]
    assert third["left"] == [{"symbol": "AAPL", "cause": "score below the minimum (Layer 3)"}]


def test_causes_are_counted_the_most_frequent_first() -> None:
    rows = [{"cause": "b"}, {"cause": "a"}, {"cause": "b"}, {"cause": None}, {"cause": "a"}, {"cause": "b"}]
    assert causes(rows) == [("b", 3), ("a", 2), ("unknown", 1)]


@pytest.mark.parametrize(("days", "sessions"), [(1, 1), (2, 2), (3, 3), (10_000_000, 3)])
def test_days_are_calendar_days_up_to_the_last_published_session(store: Store, days: int, sessions: int) -> None:
    run = chosen_run(store.reader, None)
    assert len(published_in(store.reader, run, days)) == sessions


def test_coverage_is_the_share_of_member_sessions_with_a_bar(store: Store) -> None:
    ids = sample.identities(store)
    # AAPL lacks one of three sessions, MSFT none, NODATA has no bar at all.
    both = coverage(store, [ids["AAPL"], ids["MSFT"]])
    assert (both.share, both.pairs, both.missing, both.sessions) == (5 / 6, 6, 1, 3)
    assert coverage(store, [ids["MSFT"]]).share == 1.0
    assert coverage(store, [ids["AAPL"]], sessions=1).share == 1.0


def test_coverage_of_nobody_is_unknown(store: Store) -> None:
    assert coverage(store, []).share is None
