"""The fold over partitions of securities in parallel processes; gathered, it equals the fold over all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import date
from multiprocessing import get_context

import numpy as np

from aitrader.domain.sessions import xnys
from aitrader.features.state import FeatureState, gathered
from aitrader.funnel.replay import Walk, folded
from aitrader.store.home import Home
from aitrader.store.store import Store

Part = tuple[np.ndarray, np.ndarray, int | None]


def in_partitions(
    home: Home,
    walk: Walk,
    ids: np.ndarray,
    sessions: Sequence[date],
    *,
    workers: int,
    executor: Executor | None = None,
) -> FeatureState:
    """Features of ``ids`` after ``sessions``. ``workers`` 0 means one a core; any Executor may be handed in."""
    count = workers or os.cpu_count() or 1
    parts = [part for part in np.array_split(ids, count) if part.size]
    if executor is not None:
        return _collected(executor, home, walk, parts, sessions)
    # Polars' threads do not survive a fork, so workers start afresh.
    from concurrent.futures import ProcessPoolExecutor  # it takes longer to load than a day to fold

    with ProcessPoolExecutor(max_workers=count, mp_context=get_context("spawn")) as pool:
        return _collected(pool, home, walk, parts, sessions)


def _collected(
    executor: Executor, home: Home, walk: Walk, parts: Sequence[np.ndarray], sessions: Sequence[date]
) -> FeatureState:
    waiting = [executor.submit(_part, home, walk.adjustment, part, tuple(sessions)) for part in parts]
    return gathered([FeatureState(*one.result()) for one in waiting])


def _part(home: Home, adjustment: str, ids: np.ndarray, sessions: Sequence[date]) -> Part:
    with Store.open(home, write=False) as store:
        walk = Walk(store=store, calendar=xnys(), adjustment=adjustment)
        state = folded(walk, ids, sessions, until=sessions[-1])
    return state.securities, state.matrix, state.ordinal
