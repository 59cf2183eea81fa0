"""One fold, however it is cut: session by session or at once, in partitions, from any order of symbols, bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.domain.run import ScanRun
from aitrader.features.layout import VERSION
from aitrader.funnel import scan as scanning
from aitrader.funnel.engine import fresh
from aitrader.funnel.partitions import in_partitions
from aitrader.funnel.replay import Position, fold, folded
from aitrader.store.store import Store
from tests.support.funnels import published, scanned, stored, walk
from tests.support.markets import CALENDAR, SESSIONS, Tables, day
from tests.support.size import more

FIRST, LAST = 72, 86
Keep = Callable[[Delivery], Store]


def told(runs: Sequence[ScanRun]) -> list[tuple[Any, ...]]:
    """What must be the same of each run."""
    return [
        (run.session, run.input_digest, run.result_digest, run.membership.tobytes(), run.qualifications.rows())
        for run in runs
    ]


@pytest.fixture(scope="module")
def once(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Any, ...]], bytes]:
    """The runs of sessions 72 to 86 judged in one go, and the checkpoint that they left."""
    with stored(tmp_path_factory.mktemp("once"), tables.delivered()) as store:
        return told(scanned(store, LAST, first=LAST - FIRST + 1).runs), checkpoint(store, LAST)


def checkpoint(store: Store, position: int) -> bytes:
    found = store.load_checkpoint(version=VERSION, on_or_before=day(position))
    assert found is not None
    assert found.session == day(position)
    return found.matrix.tobytes() + found.input_digest.encode() + repr(found.meta["benchmark"]).encode()


@pytest.mark.parametrize(
    "stops",
    [
        tuple(range(FIRST, LAST + 1)),
        (FIRST, 75, 79, 80, LAST),  # around a split that becomes known late
        (85, LAST),
    ],
)
def test_in_steps_or_at_once(once: Any, keep: Keep, tables: Tables, stops: tuple[int, ...]) -> None:
    store = keep(tables.delivered())
    runs: list[ScanRun] = []
    for stop in stops:
        runs += published(store, stop, first=stops[0] - FIRST + 1).runs
    assert told(runs) == once[0]
    assert checkpoint(store, LAST) == once[1]


def test_without_its_checkpoints_a_store_folds_again(once: Any, keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered())
    runs = [*published(store, 78, first=78 - FIRST + 1).runs]
    shutil.rmtree(store.home.checkpoints)
    runs += published(store, LAST).runs
    assert told(runs) == once[0]
    assert checkpoint(store, LAST) == once[1]


def test_a_damaged_checkpoint_is_never_believed(once: Any, keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered())
    published(store, 78, first=78 - FIRST + 1)
    for path in (one for one in store.home.checkpoints.rglob("*") if one.is_file()):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(bytes(raw))
    assert told(published(store, LAST).runs) == once[0][78 - FIRST + 1 :]


@pytest.mark.parametrize("seed", range(more(2, 12)))
def test_the_order_of_rows_in_a_delivery_changes_nothing(once: Any, keep: Keep, tables: Tables, seed: int) -> None:
    whole = tables.delivered()
    rng = np.random.default_rng(seed)
    shuffled = {
        name: getattr(whole, name)[rng.permutation(getattr(whole, name).height).tolist()]
        for name in ("bars", "actions", "fundamentals", "news")
    }
    by_symbol = whole.securities.with_columns(at=pl.Series(rng.permutation(whole.securities.height)))
    order = by_symbol.sort(pl.col("at").min().over("symbol"), "symbol", "known_on", nulls_last=False)
    store = keep(replace(whole, securities=order.drop("at"), **shuffled))
    assert told(scanned(store, LAST, first=LAST - FIRST + 1).runs) == once[0]


@pytest.fixture(scope="module")
def history(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with all of the market, and its features at the end as one fold leaves them."""
    with stored(tmp_path_factory.mktemp("history"), tables.delivered()) as store:
        ids = store.securities()["id"].to_numpy()
        sessions = CALENDAR.between(day(0), day(SESSIONS - 1))
        position = Position(fresh(ids))
        way = walk(store)
        fold(way, way.market(after=None, until=sessions[-1]), position, sessions, None)
        yield store, ids, sessions, position.state.features


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_partitions_equal_one_fold(history: Any, workers: int) -> None:
    store, ids, sessions, expected = history
    with ThreadPoolExecutor(workers) as pool:
        got = in_partitions(store.home, walk(store), ids, sessions, workers=workers, executor=pool)
    assert got.securities.tobytes() == expected.securities.tobytes()
    assert got.matrix.tobytes() == expected.matrix.tobytes()
    assert got.ordinal == expected.ordinal


def test_processes_equal_one_fold(history: Any) -> None:
    store, ids, sessions, expected = history
    got = in_partitions(store.home, walk(store), ids, sessions, workers=2)
    assert got.matrix.tobytes() == expected.matrix.tobytes()


def test_some_securities_folded_alone_are_the_same(history: Any) -> None:
    store, ids, sessions, expected = history
    some = ids[[2, 5, 11, 29]]
    got = folded(walk(store), some, sessions, until=sessions[-1])
    assert got.matrix.tobytes() == np.ascontiguousarray(expected.matrix[:, [2, 5, 11, 29]]).tobytes()


def test_one_more_session_is_the_fold_of_one_more(history: Any) -> None:
    store, ids, sessions, expected = history
    way = walk(store)
    position = Position(fresh(ids))
    fold(way, way.market(after=None, until=sessions[-2]), position, sessions[:-1], None)
    digest = position.digest
    fold(way, way.market(after=sessions[-2], until=sessions[-1]), position, sessions[-1:], None)
    assert position.state.features.matrix.tobytes() == expected.matrix.tobytes()
    assert position.digest != digest


def test_rebuilding_leaves_the_checkpoint_as_it_was(once: Any, keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered())
    published(store, LAST, first=LAST - FIRST + 1)
    scanning.rebuild(store, walk(store), workers=1)
    assert checkpoint(store, LAST) == once[1]


def test_progress_is_told_to_the_end(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered(until=30))
    seen: list[tuple[int, int]] = []
    way = walk(store)
    position = Position(fresh(store.securities()["id"].to_numpy()))
    sessions = CALENDAR.between(day(0), day(30))
    fold(way, way.market(after=None, until=day(30)), position, sessions, lambda done, total: seen.append((done, total)))
    assert seen == [(at + 1, 31) for at in range(31)]
