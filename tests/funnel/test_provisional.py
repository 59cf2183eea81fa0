"""A session with bars that may still change: judged provisionally, then for good; nothing starts from the former."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aitrader.domain.errors import RefusedError
from aitrader.domain.frames import Delivery
from aitrader.domain.run import ScanRun
from aitrader.features.layout import VERSION
from aitrader.funnel import scan as scanning
from aitrader.operations.published import envelope
from aitrader.store.store import Store
from tests.support.funnels import OCCASION, rules, scanned, stored, walk
from tests.support.markets import STORED_AT, Tables, day

FIRST = 60  # this session is judged once, those after it twice
Keep = Callable[[Delivery], Store]


def tentative(tables: Tables, at: int) -> Delivery:
    """What is known on the afternoon of a session: some of its bars are missing, others are off."""
    known = tables.known(at)
    rows = []
    for number, row in enumerate(known.bars):
        if row["date"] == day(at) and number % 10 == 0:
            continue
        if row["date"] == day(at) and number % 3 == 0:
            row = {**row, "close": row["close"] * 1.09, "high": None, "volume": row["volume"] * 0.3}
        rows.append(row)
    return replace(known, bars=rows).delivered(provisional=frozenset({day(at)}))


def past_corrected(tables: Tables, at: int) -> Tables:
    """The tables with one close of some sessions ago told otherwise."""
    symbol, when = f"Q{at % 7 + 8:02d}", day(at - at % 9 - 1)
    wrong = [row["symbol"] == symbol and row["date"] == when for row in tables.bars]
    rows = [{**row, "close": row["close"] * 1.01} if off else row for off, row in zip(wrong, tables.bars, strict=True)]
    return replace(tables, bars=rows)


def judged(store: Store, at: int, *, first: int = 20) -> list[ScanRun]:
    """The runs of a scan, published."""
    outcome = scanned(store, at, first=first)
    store.publish(outcome.runs, at=STORED_AT + timedelta(days=at), force=True)
    return outcome.runs


def told(store: Store, what: str = "symbol.%") -> list[tuple[Any, ...]]:
    """The events of a kind: session, name, symbol, layer, cause."""
    sql = "SELECT session, name, symbol, layer, cause FROM events WHERE name LIKE ? ORDER BY seq"
    return store._connection.execute(sql, (what,)).fetchall()


@pytest.fixture(scope="module", params=[("tables", 10), ("lonely", 4)], ids=["tables", "lonely"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, Store, dict[date, str]]]:
    """A market judged twice every session, the same market judged once, and the results of the first judgement."""
    name, pairs = request.param
    tables: Tables = request.getfixturevalue(name)
    root = tmp_path_factory.mktemp("pair")
    early: dict[date, str] = {}
    with (
        stored(root / "twice", tables.delivered(until=FIRST)) as twice,
        stored(root / "once", tables.delivered(until=FIRST)) as once,
    ):
        judged(twice, FIRST)
        judged(once, FIRST)
        for at in range(FIRST + 1, FIRST + pairs + 1):
            later = STORED_AT + timedelta(days=1, hours=2 * at)
            corrected = tables if at % 3 else past_corrected(tables, at)
            twice.ingest(tentative(corrected if at % 2 else tables, at), at=later)
            (run,) = judged(twice, at)
            assert run.kind == "provisional"
            early[run.session] = run.result_digest
            tables = corrected
            for store in (twice, once):
                store.ingest(tables.delivered(until=at), at=later + timedelta(hours=1))
                (run,) = judged(store, at)
                assert run.kind == "final"
        yield twice, once, early


def standing(store: Store) -> dict[date, Any]:
    return {run.session: run for run, _ in store.reader.history()}


def test_the_final_runs_are_those_of_a_market_that_never_had_others(pair: tuple[Store, Store, dict[date, str]]) -> None:
    twice, once, early = pair
    ours, theirs = standing(twice), standing(once)
    assert list(ours) == list(theirs)
    for session, run in ours.items():
        assert run.kind == theirs[session].kind == "final"
        assert run.result_digest == theirs[session].result_digest, session
        assert run.input_digest == theirs[session].input_digest, session
        assert twice.membership(run.run_id).tobytes() == once.membership(theirs[session].run_id).tobytes()
    assert len(early) >= 4
    assert any(ours[session].result_digest != digest for session, digest in early.items()), "the early bars mattered"


def test_each_run_starts_from_the_final_one_of_the_session_before(pair: tuple[Store, Store, dict[date, str]]) -> None:
    twice, _, early = pair
    for session in early:
        for number in (1, 2):
            run = twice.reader.run(f"{session}.{number}")
            before = twice.reader.run(str(run.previous_run))
            assert (before.kind, before.session < session) == ("final", True)
    assert not any(twice.reader.run(f"{session}.1").run_id == standing(twice)[session].run_id for session in early)


def test_changes_are_told_once_by_final_runs(pair: tuple[Store, Store, dict[date, str]]) -> None:
    twice, once, early = pair
    assert told(twice) == told(once)
    assert told(twice)
    rows = twice._connection.execute("SELECT run_id, data FROM events WHERE name = 'universe.updated' ORDER BY seq")
    updates = [(run_id, json.loads(data)) for run_id, data in rows]
    marked = {run_id for run_id, data in updates if data.get("provisional")}
    assert marked == {f"{session}.1" for session in early}
    revised = {run_id: data["revised"] for run_id, data in updates if "revised" in data}
    assert set(revised) == {f"{session}.2" for session in early}
    for session in early:
        first, second = (
            {(q.layer, q.security) for n in (1, 2, 3) for q in twice.reader.qualifications(run, n) if q.member}
            for run in (f"{session}.1", f"{session}.2")
        )
        assert revised[f"{session}.2"] == len(first ^ second)
    assert any(revised.values())


def test_the_checkpoint_holds_final_bars_only(pair: tuple[Store, Store, dict[date, str]]) -> None:
    twice, once, early = pair
    ours, theirs = (store.load_checkpoint(version=VERSION, on_or_before=max(early)) for store in pair[:2])
    assert ours is not None
    assert theirs is not None
    assert ours.session == theirs.session == max(early)
    assert ours.matrix.tobytes() == theirs.matrix.tobytes()
    assert twice.provisional_sessions() == once.provisional_sessions() == frozenset()


def test_a_provisional_run_is_marked_and_left_until_its_bars_are_final(keep: Keep, tables: Tables) -> None:
    store = keep(tentative(tables, 30))
    runs = judged(store, 30, first=3)
    assert [run.kind for run in runs] == ["final", "final", "provisional"]
    active = store.reader.active_run()
    assert active is not None
    assert envelope(store.reader, active)["provisional"]
    assert {session for session, *_ in told(store)} == {str(day(29))}, "only what is final is told by symbol"
    assert not scanning.superseded(store, active)
    with pytest.raises(RefusedError, match="already published"):
        scanned(store, 30)
    found = store.load_checkpoint(version=VERSION, on_or_before=day(30))
    assert found is not None
    assert found.session == day(29)
    store.ingest(tables.delivered(until=30), at=STORED_AT + timedelta(hours=5))
    assert scanning.superseded(store, active)
    (final,) = judged(store, 30)
    assert (final.kind, final.run_id, final.previous_run) == ("final", f"{day(30)}.2", f"{day(29)}.1")
    active = store.reader.active_run()
    assert active is not None
    assert not envelope(store.reader, active)["provisional"]
    assert not scanning.superseded(store, active)


def test_a_first_publication_of_nothing_final_tells_its_layer_3_when_it_is(keep: Keep, tables: Tables) -> None:
    store = keep(tentative(tables, 60))
    (run,) = judged(store, 60, first=1)
    assert (run.kind, run.previous_run) == ("provisional", None)
    assert told(store) == []
    store.ingest(tables.delivered(until=60), at=STORED_AT + timedelta(hours=5))
    (run,) = judged(store, 60, first=1)
    assert (run.kind, run.previous_run) == ("final", None)
    assert {(name, layer) for _, name, _, layer, _ in told(store)} == {("symbol.qualified", 3)}


def test_equal_final_bars_make_a_final_run_that_revises_nothing(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered(until=60, provisional=frozenset({day(60)})))
    early = judged(store, 60, first=5)[-1]
    found = store.ingest(tables.delivered(until=60), at=STORED_AT + timedelta(hours=5))
    assert (found.sessions_written, found.settled) == ((), (day(60),))
    (late,) = judged(store, 60)
    assert (early.kind, late.kind) == ("provisional", "final")
    assert (early.result_digest, early.input_digest) == (late.result_digest, late.input_digest)
    data = store._connection.execute("SELECT data FROM events WHERE run_id = ? AND name = ?", (late.run_id, UPDATED))
    assert json.loads(data.fetchone()[0])["revised"] == 0


UPDATED = "universe.updated"


def test_the_next_session_waits_for_the_final_bars_of_the_one_before(keep: Keep, tables: Tables) -> None:
    store = keep(tentative(tables, 60))
    judged(store, 60, first=5)
    both = frozenset({day(60), day(61)})
    known = tables.known(61)
    held = replace(known, bars=[row for row in known.bars if row["date"] != day(60)])
    store.ingest(held.delivered(provisional=both), at=STORED_AT + timedelta(hours=5))
    before = store.reader.active_run()
    with pytest.raises(RefusedError, match=rf"session {day(60)} may still change.*--populate"):
        scanned(store, 61)
    assert store.reader.active_run() == before
    store.ingest(tables.delivered(until=61, provisional=frozenset({day(61)})), at=STORED_AT + timedelta(hours=6))
    assert [(run.run_id, run.kind) for run in judged(store, 61)] == [
        (f"{day(60)}.2", "final"),
        (f"{day(61)}.1", "provisional"),
    ]


def test_a_first_scan_needs_final_bars_for_all_but_the_last_session(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered(until=30, provisional=frozenset({day(28), day(30)})))
    with pytest.raises(RefusedError, match=str(day(28))):
        scanned(store, 30, first=5)
    assert [run.kind for run in scanned(store, 30, first=2).runs] == ["final", "provisional"]


def test_rules_adopted_meanwhile_judge_a_provisional_session_provisionally(keep: Keep, tables: Tables) -> None:
    store = keep(tentative(tables, 60))
    base = judged(store, 60, first=5)[-2]
    scanning.rebuild(store, walk(store), workers=1)
    (again,) = scanning.requalify(store, walk(store), rules(store), OCCASION).runs
    assert (again.kind, again.previous_run) == ("provisional", base.run_id)
    store.publish([again], at=STORED_AT, force=True)
    store.ingest(tables.delivered(until=60), at=STORED_AT + timedelta(hours=5))
    (final,) = judged(store, 60)
    assert (final.run_id, final.kind, final.previous_run) == (f"{day(60)}.3", "final", base.run_id)
    fresh = keep(tables.delivered(until=60))
    assert judged(fresh, 60, first=5)[-1].membership.tobytes() == final.membership.tobytes()


def test_rules_adopted_after_the_final_bars_came_make_the_final_run(keep: Keep, tables: Tables) -> None:
    store = keep(tentative(tables, 60))
    judged(store, 60, first=5)
    store.ingest(tables.delivered(until=60), at=STORED_AT + timedelta(hours=5))
    (again,) = scanning.requalify(store, walk(store), rules(store), OCCASION).runs
    assert again.kind == "requalification"
    fresh = keep(tables.delivered(until=60))
    expected = judged(fresh, 60, first=5)[-1]
    assert again.result_digest == expected.result_digest
    assert np.array_equal(again.membership, expected.membership)


def test_a_market_of_one_provisional_session_is_rebuilt_from_nothing(tmp_path: Path, tables: Tables) -> None:
    with stored(tmp_path, tables.delivered(until=0, provisional=frozenset({day(0)}))) as store:
        judged(store, 0)
        scanning.rebuild(store, walk(store), workers=1)
        assert store.checkpoint_sessions(VERSION) == []
        assert scanning.requalify(store, walk(store), rules(store), OCCASION).runs[0].kind == "provisional"
