"""What arrives late touches its own securities only, and leaves the state of a fold that had it from the start."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from aitrader.domain.frames import Delivery
from aitrader.features.layout import VERSION
from aitrader.features.state import FeatureState
from aitrader.funnel import replay
from aitrader.funnel.engine import fresh
from aitrader.funnel.replay import Position, Walk, fold
from aitrader.store.store import Store
from tests.support.funnels import published, walk
from tests.support.markets import CALENDAR, STORED_AT, Tables, day, evening

CUT, NEXT = 80, 81
Keep = Callable[[Delivery], Store]


def changed(tables: Tables, name: str, symbol: str, at: int, **values: Any) -> Tables:
    """The tables with one row changed."""
    rows = deepcopy(getattr(tables, name))
    when = {"bars": "date", "actions": "ex_date"}[name]
    (row,) = [row for row in rows if row["symbol"] == symbol and row[when] == day(at)]
    row.update(values)
    return replace(tables, **{name: rows})


def added(tables: Tables, name: str, *rows: dict[str, Any]) -> Tables:
    """The tables with rows that arrive late."""
    return replace(tables, **{name: [*getattr(tables, name), *rows]})


def late_history(tables: Tables) -> Tables:
    """A symbol that was left out so far, with all its past."""
    bars = [{**row, "symbol": "ZZZ"} for row in tables.bars if row["symbol"] == "Q05"]
    listed = [{**row, "symbol": "ZZZ", "cik": "99999"} for row in tables.securities if row["symbol"] == "Q05"]
    return added(added(tables, "bars", *bars), "securities", *listed)


FILING = {
    "symbol": "Q04",
    "period_end": date(2015, 3, 31),
    "known_at": evening(day(CUT - 3)),
    "fiscal_period": "Q1",
    "form": "10-Q/A",
    "eps_diluted": 9.0,
}
HEADLINE = {
    "symbol": "Q06",
    "published_at": CALENDAR.scheduled_as_of(day(CUT - 1)),
    "headline": "Q06 soars on record profit",
}
KINDS: dict[str, tuple[Callable[[Tables], Tables], set[str]]] = {
    "a close": (lambda t: changed(t, "bars", "Q01", 60, close=77.0, high=78.0), {"Q01"}),
    "a volume": (lambda t: changed(t, "bars", "Q03", 79, volume=5e6), {"Q03"}),
    "a bar that was missing": (
        lambda t: added(t, "bars", {"symbol": "HHH", "date": day(65), "close": 30.0, "volume": 1e6}),
        {"HHH"},
    ),
    "a split": (
        lambda t: added(t, "actions", {"symbol": "Q02", "ex_date": day(70), "kind": "split", "ratio": 2.0}),
        {"Q02"},
    ),
    "a filing": (lambda t: added(t, "fundamentals", FILING), {"Q04"}),
    "a headline": (lambda t: added(t, "news", HEADLINE), {"Q06"}),
    "a security with a past": (late_history, {"ZZZ"}),
    "several at once": (
        lambda t: changed(changed(t, "bars", "Q01", 60, close=77.0), "bars", "Q07", 20, close=5.0, low=4.0),
        {"Q01", "Q07"},
    ),
}


def state_after(store: Store, position: int) -> FeatureState:
    """The checkpoint that a scan left."""
    found = store.load_checkpoint(version=VERSION, on_or_before=day(position))
    assert found is not None
    assert found.session == day(position)
    return FeatureState(np.asarray(found.meta["securities"], dtype=np.uint32), found.matrix)


def from_the_start(store: Store, position: int) -> Position:
    """Everything that the store holds, folded from the first bar."""
    way = walk(store)
    out = Position(fresh(store.securities()["id"].to_numpy()))
    fold(way, way.market(after=None, until=day(position)), out, CALENDAR.between(day(0), day(position)), None)
    return out


@pytest.fixture
def refolded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the securities that were folded again."""
    seen: list[int] = []
    really = replay.folded

    def spy(way: Walk, ids: np.ndarray, *rest: Any, **more: Any) -> FeatureState:
        seen.extend(ids.tolist())
        return really(way, ids, *rest, **more)

    monkeypatch.setattr(replay, "folded", spy)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_correction_folds_again_what_it_touches(
    keep: Keep, tables: Tables, refolded: list[int], kind: str
) -> None:
    correct, symbols = KINDS[kind]
    store = keep(tables.delivered(until=CUT))
    published(store, CUT, first=2)
    untouched = state_after(store, CUT)
    refolded.clear()
    store.ingest(correct(tables.known(NEXT)).delivered(), at=STORED_AT + timedelta(days=2))
    published(store, NEXT)
    ids = dict(store.securities().select("symbol", "id").iter_rows())
    assert set(refolded) == {ids[symbol] for symbol in symbols}
    expected = from_the_start(store, NEXT).state.features
    got = state_after(store, NEXT)
    assert got.matrix.tobytes() == expected.matrix.tobytes()
    before = {int(one): untouched.matrix[:, at].tobytes() for at, one in enumerate(untouched.securities)}
    again = from_the_start(store, CUT).state.features
    differ = {
        int(one) for at, one in enumerate(again.securities) if again.matrix[:, at].tobytes() != before.get(int(one))
    }
    assert {ids[symbol] for symbol in symbols} <= differ, "the correction says something"
    assert differ <= {ids[symbol] for symbol in symbols} | {ids["NEW"]}


def test_nothing_new_folds_nothing_again(keep: Keep, tables: Tables, refolded: list[int]) -> None:
    store = keep(tables.delivered(until=CUT))
    published(store, CUT, first=2)
    refolded.clear()
    store.ingest(tables.known(NEXT).delivered(), at=STORED_AT + timedelta(days=2))
    published(store, NEXT)
    assert refolded == []


def test_much_that_is_corrected_is_folded_from_the_start(keep: Keep, tables: Tables, refolded: list[int]) -> None:
    store = keep(tables.delivered(until=CUT))
    published(store, CUT, first=2)
    refolded.clear()
    known = tables.known(NEXT)
    bars = [{**row, "close": row["close"] * 1.01} if row["date"] == day(60) else row for row in known.bars]
    store.ingest(replace(known, bars=bars).delivered(), at=STORED_AT + timedelta(days=2))
    published(store, NEXT)
    late_split = {int(one) for one in store.securities().filter(symbol="CCC")["id"]}
    assert set(refolded) <= late_split
    assert state_after(store, NEXT).matrix.tobytes() == from_the_start(store, NEXT).state.features.matrix.tobytes()


def test_the_weighted_universe_takes_a_correction_up(keep: Keep, lonely: Tables) -> None:
    store = keep(lonely.delivered(until=CUT))
    published(store, CUT, first=2)
    corrected = changed(lonely.known(NEXT), "bars", "Q01", 60, close=77.0)
    store.ingest(corrected.delivered(), at=STORED_AT + timedelta(days=2))
    published(store, NEXT)
    found = store.load_checkpoint(version=VERSION, on_or_before=day(NEXT))
    assert found is not None
    expected = from_the_start(store, NEXT).state.benchmark
    assert np.array(found.meta["benchmark"]["levels"]).tobytes() == np.array(expected.levels).tobytes()
    assert found.meta["benchmark"]["level"] == expected.level


def test_a_late_action_known_after_the_checkpoint_waits_for_its_session(keep: Keep, tables: Tables) -> None:
    """A security touched by a correction is folded up to the checkpoint with what was known then, not since."""
    store = keep(tables.delivered(until=76))
    published(store, 76, first=2)
    corrected = changed(tables.known(84), "bars", "CCC", 40, close=33.0)  # its split of 55 becomes known at 80
    store.ingest(corrected.delivered(), at=STORED_AT + timedelta(days=2))
    one_go = {run.session: run for run in published(store, 84).runs}
    suspect = {at: one_go[day(at)].detail.filter(symbol="CCC")["suspect"].item() for at in range(77, 85)}
    assert suspect == {at: at < 80 for at in range(77, 85)}


def test_published_history_is_never_rewritten(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered(until=CUT))
    before = published(store, CUT, first=3).runs
    corrected = changed(tables.known(NEXT), "bars", "Q01", 60, close=77.0)
    store.ingest(corrected.delivered(), at=STORED_AT + timedelta(days=2))
    published(store, NEXT)
    for run in before:
        kept = store.reader.run(run.run_id)
        assert (kept.result_digest, kept.input_digest) == (run.result_digest, run.input_digest)
        assert store.membership(run.run_id).tobytes() == run.membership.tobytes()
