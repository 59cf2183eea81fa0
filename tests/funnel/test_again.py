"""The last session judged again: the same rules give the same result, other rules say who enters, leaves and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aitrader.domain.errors import ConfigError, RefusedError, ScannerError, StoreError, UsageError
from aitrader.domain.frames import Delivery
from aitrader.funnel import scan as scanning
from aitrader.funnel.engine import SessionResult
from aitrader.funnel.replay import Walk
from aitrader.funnel.what_if import ConfigTest, compare
from aitrader.store.home import Home
from aitrader.store.store import Store
from tests.support.funnels import OCCASION, published, rules, scanned, stored, walk
from tests.support.markets import CALENDAR, STORED_AT, Tables, day

LAST = 74
Keep = Callable[[Delivery], Store]


@pytest.fixture(scope="module", params=["tables", "lonely"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    tables: Tables = request.getfixturevalue(request.param)
    with stored(tmp_path_factory.mktemp("again"), tables.delivered()) as opened:
        published(opened, LAST, first=10)
        yield opened


def test_the_same_rules_reproduce_the_result(store: Store) -> None:
    run = store.reader.active_run()
    assert run is not None
    for _ in range(2):
        (again,) = scanning.requalify(store, walk(store), rules(store), OCCASION).runs
        assert again.result_digest == run.result_digest
        assert again.input_digest == run.input_digest
        assert again.membership.tobytes() == store.membership(run.run_id).tobytes()
        assert again.detail.equals(store.detail(run.run_id).select(again.detail.columns))
        assert (again.kind, again.previous_run) == ("requalification", run.previous_run)
        assert again.run_id != run.run_id


def difference(store: Store, layer: int, changes: dict[str, Any]) -> tuple[ConfigTest, list[SessionResult]]:
    both = [rules(store), rules(store, {layer: changes})]
    results = scanning.what_if(store, walk(store), both)
    return compare(layer, results[0], results[1], old=both[0].version, new=both[1].version), results


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_the_same_file_makes_no_difference(store: Store, layer: int) -> None:
    got, results = difference(store, layer, {})
    assert (got.entered, got.left, got.by_criterion, got.causes) == ([], [], {}, {})
    assert got.active_version == got.edited_version
    assert got.kept == int(results[0].places[layer].member.sum())
    assert all(one["before"] == one["after"] for one in got.layers)
    for name in results[0].cross.columns:
        assert results[0].cross[name].equals(results[1].cross[name]), name


def members(result: SessionResult, layer: int) -> set[str]:
    return set(result.cross["symbol"].gather(np.flatnonzero(result.places[layer].member)))


CHANGES: list[tuple[int, dict[str, Any], str]] = [
    (1, {"min_volume": 1_800_000}, "min_volume"),
    (1, {"min_market_cap": 900_000_000}, "min_market_cap"),
    (1, {"min_price": 30}, "min_price"),
    (1, {"max_price": 40}, "max_price"),
    (0, {"exchanges": ["NYSE"]}, "exchanges"),
    (2, {"layer": {"number": 2, "name": "technical", "min_score": 0.7, "max_symbols": 14}}, "score below the minimum"),
    (2, {"min_adx": 25}, "min_adx"),
    (3, {"max_debt_equity": 0.2}, "max_debt_equity"),
]


@pytest.mark.parametrize(("layer", "change", "cause"), CHANGES)
def test_a_tightened_file_says_who_leaves_and_by_what(
    store: Store, layer: int, change: dict[str, Any], cause: str
) -> None:
    got, results = difference(store, layer, change)
    before, after = members(results[0], layer), members(results[1], layer)
    assert set(got.left) == before - after
    assert set(got.entered) == after - before
    assert got.left, "the change bites"
    if layer < 2:
        assert got.entered == []
        assert {got.causes[name] for name in got.left} == {cause}
        assert got.by_criterion == {cause: {"entered": 0, "left": len(got.left)}}
    else:  # caps and bands may let somebody else in
        assert cause in {got.causes[name] for name in got.left}
    assert got.kept == len(before & after)
    sizes = [(one["before"], one["after"]) for one in got.layers]
    assert sizes[layer] == (len(before), len(after))


@pytest.mark.parametrize(("layer", "change", "cause"), CHANGES)
def test_a_loosened_file_says_who_enters_and_what_kept_them_out(
    store: Store, layer: int, change: dict[str, Any], cause: str
) -> None:
    both = [rules(store, {layer: change}), rules(store)]
    results = scanning.what_if(store, walk(store), both)
    got = compare(layer, results[0], results[1], old=both[0].version, new=both[1].version)
    assert got.entered
    if layer < 2:
        assert got.left == []
        assert {got.causes[name] for name in got.entered} == {cause}
    else:
        assert cause in {got.causes[name] for name in got.entered}


def test_a_symbol_that_was_held_leaves_by_its_own_layers_cause(store: Store) -> None:
    results = scanning.what_if(store, walk(store), [rules(store)])
    was = [int(at) for at in np.flatnonzero(results[0].places[3].member & ~results[0].places[2].member)]
    assert was, "somebody is held by band"
    bands = {"bands": {"exit_rank": 10, "max_age": 1, "max_stale": 2}}
    got, _ = difference(store, 3, bands)
    for name in set(got.left) & set(results[0].cross["symbol"].gather(was)):
        assert got.causes[name] == "too long since it last passed the layer below"


def test_a_what_if_writes_nothing(store: Store) -> None:
    before = sorted(path.name for path in store.home.path.rglob("*") if path.suffix != ".db-wal")
    run = store.reader.active_run()
    difference(store, 1, {"min_volume": 1_800_000})
    assert store.reader.active_run() == run
    assert sorted(path.name for path in store.home.path.rglob("*") if path.suffix != ".db-wal") == before


def test_a_requalification_starts_from_the_membership_of_the_session_before(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered())
    first = published(store, 70, first=6).runs[-1]
    changes = {1: {"min_volume": 1_800_000}}
    outcome = scanning.requalify(store, walk(store), rules(store, changes), OCCASION)
    store.publish(outcome.runs, at=STORED_AT, force=True)
    once = scanned(store, 71, changes=changes).runs[0]
    assert once.previous_run == outcome.runs[0].run_id
    back = scanning.requalify(store, walk(store), rules(store), OCCASION).runs[0]
    assert back.result_digest == first.result_digest
    assert back.previous_run == outcome.runs[0].previous_run == first.previous_run


# --- which session a scan is for ---


def test_a_published_session_is_not_scanned_again(store: Store) -> None:
    for position in (LAST, LAST - 1, 3):
        with pytest.raises(RefusedError, match="already published or before") as caught:
            scanned(store, position)
        assert caught.value.do


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (None, 109),
        (day(109), 109),
        (day(50), 50),
        (day(0), 0),
        (date(2015, 4, 3), 23),  # Good Friday: the session before
        (date(2015, 5, 24), 58),  # a Sunday
    ],
)
def test_the_session_meant_by_a_date(store: Store, as_of: date | None, expected: int) -> None:
    assert scanning.target_session(walk(store), as_of) == day(expected)


@pytest.mark.parametrize(
    ("as_of", "what"),
    [
        (date(2015, 2, 27), "before the first stored session"),
        (date(1980, 1, 1), "before the first stored session"),
        (day(110), "not stored yet"),
        (date(2100, 1, 1), "not stored yet"),
    ],
)
def test_dates_without_data_are_refused(store: Store, as_of: date, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        scanning.target_session(walk(store), as_of)
    assert caught.value.why
    assert caught.value.do


def test_an_empty_market_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path, "development", "dataset-empty")
    with Store.open(home, write=True, create=True) as store, pytest.raises(StoreError, match="no bars") as caught:
        scanning.target_session(Walk(store=store, calendar=CALENDAR, adjustment="raw"), None)
    assert "populate" in caught.value.do


@pytest.mark.parametrize("what", ["requalify", "what_if", "rebuild"])
def test_what_needs_a_published_run_says_so(keep: Keep, tables: Tables, what: str) -> None:
    store = keep(tables.delivered(until=5))
    calls: dict[str, Callable[[], Any]] = {
        "requalify": lambda: scanning.requalify(store, walk(store), rules(store), OCCASION),
        "what_if": lambda: scanning.what_if(store, walk(store), [rules(store)]),
        "rebuild": lambda: scanning.rebuild(store, walk(store), workers=1),
    }
    with pytest.raises(ScannerError, match="nothing is published yet"):
        calls[what]()


def test_a_first_scan_longer_than_the_history_takes_what_there_is(keep: Keep, tables: Tables) -> None:
    outcome = scanned(keep(tables.delivered(until=10)), 10, first=50)
    assert [run.session for run in outcome.runs] == [day(at) for at in range(11)]


def test_a_bad_file_is_refused_before_anything_is_judged(store: Store) -> None:
    with pytest.raises(ConfigError, match="did you mean min_volume"):
        rules(store, {1: {"min_volumes": 5}})
