"""Walking the fold over sessions: features alone, or every session's verdicts; and folding single securities again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

import numpy as np
import polars as pl

from aitrader.domain.sessions import Calendar
from aitrader.features.fold import advance
from aitrader.features.measure import basis
from aitrader.features.state import FeatureState, SessionData
from aitrader.funnel import membership as seats
from aitrader.funnel.cross_section import step_benchmark
from aitrader.funnel.engine import FunnelState, Rules, SessionResult, step
from aitrader.funnel.market import Market, Reads, data_digest

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a walk over sessions reads: the store, its calendar and the source's adjustment."""

    store: Reads
    calendar: Calendar
    adjustment: str

    def market(self, *, after: date | None, until: date) -> Market:
        """The events of the sessions in (after, until], each as known when it happened."""
        return Market(self.store, calendar=self.calendar, after=after, until=until, adjustment=self.adjustment)


@dataclass
class Position:
    """Where a walk stands: the state after its last session, and the chain of input digests up to there."""

    state: FunnelState
    digest: str = ""
    session: date | None = None


def widened(position: Position, ids: np.ndarray) -> None:
    """Give the state a column for every id (sorted, a superset of today's)."""
    state = position.state
    if state.features.size != ids.size:
        state.features = state.features.grown(ids)
        state.membership = seats.grown(state.membership, ids.size)


def fold(walk: Walk, market: Market, position: Position, sessions: Sequence[date], progress: Progress | None) -> None:
    """Advance features and benchmark over ``sessions``, judging nothing."""
    for at, session in enumerate(sessions):
        _fold_late(walk, market, position, session)
        state = position.state
        data = market.data(session, state.features.securities)
        view = market.listings.at(session)
        advance(state.features, data)
        step_benchmark(basis(state.features, day=data.day), view, state.benchmark, data.ordinal)
        sign(market, position, data, session)
        if progress is not None:
            progress(at + 1, len(sessions))


def replay(
    walk: Walk,
    market: Market,
    position: Position,
    sessions: Sequence[date],
    rules: Rules,
    progress: Progress | None = None,
) -> Iterator[SessionResult]:
    """Advance over ``sessions``, yielding each one's result; ``position`` stands after the session yielded."""
    for at, session in enumerate(sessions):
        _fold_late(walk, market, position, session)
        state = position.state
        data = market.data(session, state.features.securities)
        view = market.listings.at(session)
        result = step(state, data, view, rules, session)
        sign(market, position, data, session)
        if progress is not None:
            progress(at + 1, len(sessions))
        yield result


def sign(market: Market, position: Position, data: SessionData, session: date) -> None:
    """Note what a step has read, and that the walk stands after it."""
    listings = market.listings.digest(position.session, session)
    position.digest = data_digest(position.digest, data, position.state.features.securities, listings)
    position.session = session


def folded(walk: Walk, ids: np.ndarray, sessions: Sequence[date], *, until: date) -> FeatureState:
    """The features of ``ids`` after ``sessions``, folded from nothing with every action known by ``until``'s as_of."""
    market = Market(
        walk.store,
        calendar=walk.calendar,
        after=None,
        until=until,
        adjustment=walk.adjustment,
        settled=True,
        securities=ids,
    )
    state = FeatureState(ids)
    firsts = walk.store.securities().filter(pl.col("id").is_in(pl.Series(ids).implode()))["first_bar"]
    first = date.max if firsts.null_count() == firsts.len() else cast(date, firsts.min())
    # A session without a bar or an event leaves a fresh state as it is: most new listings have no past at all.
    told = min(first, market.first_event)
    for session in sessions:
        if session >= told:
            advance(state, market.data(session, ids, traded=session >= first))
    if sessions:
        state.ordinal = walk.calendar.ordinal(sessions[-1])
    return state


def refold(walk: Walk, position: Position, ids: np.ndarray, *, until: date) -> None:
    """Fold ``ids`` again up to where ``position`` stands and put their columns in place."""
    if position.session is None or not ids.size:
        return
    features = position.state.features
    sessions = walk.calendar.between(walk.store.sessions()[0], position.session)
    again = folded(walk, ids, sessions, until=until)
    features.matrix[:, np.searchsorted(features.securities, ids)] = again.matrix
    told = hashlib.sha256(position.digest.encode() + ids.tobytes() + again.matrix.tobytes())
    position.digest = told.hexdigest()


def _fold_late(walk: Walk, market: Market, position: Position, session: date) -> None:
    """Securities whose action became known today, after its ex-date, are folded again with it."""
    late = market.late(session)
    if late.size:
        known = late[np.isin(late, position.state.features.securities)]
        refold(walk, position, known, until=session)
