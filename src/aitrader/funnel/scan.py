"""A scan: catch up from the last published session, step by step, and hand every session's run to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from aitrader.domain.errors import RefusedError, StoreError, UsageError
from aitrader.domain.run import ScanRun
from aitrader.features.layout import VERSION
from aitrader.features.state import FeatureState
from aitrader.funnel import membership as seats
from aitrader.funnel.cross_section import Benchmark
from aitrader.funnel.engine import (
    FunnelState,
    Rules,
    SessionResult,
    detail,
    fresh,
    look,
    qualifications,
    qualify,
    result_digest,
)
from aitrader.funnel.judge import UNKNOWN
from aitrader.funnel.listings import ListingView
from aitrader.funnel.market import days
from aitrader.funnel.partitions import in_partitions
from aitrader.funnel.replay import Position, Progress, Walk, fold, refold, replay, sign, widened
from aitrader.store.events import PROVISIONAL
from aitrader.store.reader import Run
from aitrader.store.store import Store

REFOLD_SHARE = 0.3  # above this share of corrected securities everything is folded from the start


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What a run is labelled with."""

    source: str
    environment: str
    kind: str = "final"


@dataclass
class Outcome:
    """The runs of a scan in order of session, and the last one's result with the listings it saw."""

    runs: list[ScanRun] = field(default_factory=list)
    result: SessionResult | None = None
    view: ListingView | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def target_session(walk: Walk, as_of: date | None) -> date:
    """The session a scan is for: the last one with bars up to ``as_of``; raises where there is none."""
    stored = walk.store.sessions()
    if not stored:
        raise StoreError(
            "no bars are stored", why="the market is empty", do="run: python ai_trader.py universe --populate"
        )
    if as_of is None:
        return stored[-1]
    if as_of < stored[0]:
        why = f"that is {stored[0]}"
        raise UsageError(f"--as-of {as_of} is before the first stored session", why=why, do="give a later date")
    wanted = walk.calendar.last_on_or_before(as_of)
    if wanted > stored[-1]:
        why = f"the last stored session is {stored[-1]}"
        raise UsageError(f"--as-of {as_of} is not stored yet", why=why, do="populate first, or give an earlier date")
    return wanted


def superseded(store: Store, run: Run) -> bool:
    """Whether a run was judged on bars that could still change and are final by now: it is to be judged again."""
    return run.kind == PROVISIONAL and run.session not in store.provisional_sessions()


def scan(
    store: Store,
    walk: Walk,
    rules: Rules,
    occasion: Occasion,
    *,
    session: date,
    first_scan_sessions: int,
    progress: Progress | None = None,
) -> Outcome:
    """Every session after the last final one up to ``session``, as runs ready to publish.

    A session whose bars may still change gets a provisional run, which nothing starts from: it is judged again from
    the session before it once its bars are final. Only the last one may be such a session; RefusedError otherwise.

    On an empty history the membership starts empty ``first_scan_sessions`` sessions before the end; features are
    folded from the first stored bar. Nothing is published here; the checkpoint is saved, for it can be derived.
    """
    started = perf_counter()
    open_sessions = store.provisional_sessions()
    published = store.reader.active_run()
    again = published is not None and published.kind == PROVISIONAL
    if published is not None and not _due(published, session, open_sessions):
        raise RefusedError(
            f"session {session} is already published or before the last published one ({published.session})",
            why="published history is never rewritten",
            do="read it with --as-of, or re-run it with universe --requalify",
        )
    sessions = walk.calendar.between(walk.store.sessions()[0], session)
    if published is None:
        judged_from = sessions[-min(first_scan_sessions, len(sessions))]
    else:
        judged_from = published.session if again else walk.calendar.next(published.session)
    todo = [one for one in sessions if one >= judged_from]
    _check_final(todo[:-1], open_sessions)
    base = _base(published)
    known = None if published is None else walk.calendar.session_at(walk.calendar.ordinal(judged_from) - 1)
    position = restore(store, walk, on_or_before=known, progress=progress)
    done = position.session
    market = walk.market(after=done, until=session)
    widened(position, market.listings.ids)
    waiting = [one for one in sessions if (done is None or one > done) and one < judged_from]
    fold(walk, market, position, waiting, progress)
    if base is not None:
        position.state.membership = seats.grown(store.membership(base), position.state.features.size)
    restored = perf_counter()
    outcome = Outcome()
    saved = 0.0
    previous = base
    tail = len(todo) - (session in open_sessions)
    for part, kind in ((todo[:tail], occasion.kind), (todo[tail:], PROVISIONAL)):
        label = Occasion(source=occasion.source, environment=occasion.environment, kind=kind)
        for result in replay(walk, market, position, part, rules, progress if len(part) > 1 else None):
            at = perf_counter()
            view = market.listings.at(result.session)
            run = as_run(store, walk, result, rules, label, position, previous)
            run.seconds["record"] = perf_counter() - at
            outcome.runs.append(run)
            outcome.result, outcome.view = result, view
            previous = run.run_id
        if kind != PROVISIONAL:  # what is kept to start from holds no bar that may still change
            at = perf_counter()
            save(store, position)
            saved = perf_counter() - at
    outcome.seconds = {
        "restore": restored - started,
        "step": perf_counter() - restored - saved,
        "checkpoint": saved,
    }
    return outcome


def _due(published: Run, session: date, open_sessions: frozenset[date]) -> bool:
    """Whether a session is still to be judged: later than the last, or the last whose bars have become final."""
    if session > published.session:
        return True
    return session == published.session and published.kind == PROVISIONAL and session not in open_sessions


def _check_final(sessions: Sequence[date], open_sessions: frozenset[date]) -> None:
    """Raise RefusedError where a session that others start from has bars that may still change."""
    waiting = next((one for one in sessions if one in open_sessions), None)
    if waiting is not None:
        raise RefusedError(
            f"the bars of session {waiting} may still change, so no later session can be judged",
            why="the next session starts from the final run of the one before",
            do="run universe --populate to get its final bars, then scan again",
        )


def _base(published: Run | None) -> str | None:
    """The final run that the next one to be judged starts from."""
    if published is None:
        return None
    return published.previous_run if published.kind == PROVISIONAL else published.run_id


def requalify(
    store: Store, walk: Walk, rules: Rules, occasion: Occasion, *, progress: Progress | None = None
) -> Outcome:
    """The last published session judged again under ``rules``, from the membership of the session before.

    While its bars may still change the run stays provisional.
    """
    again = _Again(store, walk, progress)
    result, membership = again.under(rules)
    again.position.state.membership = membership
    open_still = again.run.session in store.provisional_sessions()
    kind = PROVISIONAL if open_still else "requalification"
    label = Occasion(source=occasion.source, environment=occasion.environment, kind=kind)
    made = as_run(store, walk, result, rules, label, again.position, again.run.previous_run)
    return Outcome(runs=[made], result=result, view=again.view, seconds=dict(result.seconds))


def what_if(
    store: Store, walk: Walk, choices: Sequence[Rules], progress: Progress | None = None
) -> list[SessionResult]:
    """The last published session's result under each choice of rules; nothing is written."""
    again = _Again(store, walk, progress)
    return [again.under(rules)[0] for rules in choices]


class _Again:
    """The last published session as it stood before it was judged."""

    def __init__(self, store: Store, walk: Walk, progress: Progress | None) -> None:
        run = store.reader.active_run()
        if run is None:
            raise StoreError("nothing is published yet", why="no scan has run", do="run: python ai_trader.py scan")
        self.run = run
        self.position = restore(store, walk, on_or_before=run.session, progress=progress)
        market = walk.market(after=self.position.session, until=run.session)
        widened(self.position, market.listings.ids)
        done = self.position.session
        waiting = [s for s in walk.calendar.between(store.sessions()[0], run.session) if done is None or s > done]
        fold(walk, market, self.position, waiting, progress)
        self.view = market.listings.at(run.session)
        self.ordinal = walk.calendar.ordinal(run.session)
        size = self.position.state.features.size
        self.before = seats.grown(store.membership(run.previous_run) if run.previous_run else seats.empty(0), size)

    def under(self, rules: Rules) -> tuple[SessionResult, np.ndarray]:
        """The result under ``rules`` and the membership it leaves."""
        session, membership = self.run.session, self.before.copy()
        cross = look(self.position.state, days(session), self.view, rules.sentiment)
        return qualify(cross, self.view, rules, membership, self.ordinal, session), membership


def rebuild(store: Store, walk: Walk, *, workers: int, progress: Progress | None = None) -> None:
    """Fold everything again from the first stored bar to the last published session and keep it as the checkpoint.

    A last session whose bars may still change is left out: the checkpoint holds final bars only. With more than one
    worker the securities are folded in partitions by processes; the result is the same, bit for bit, for every
    operation of the fold concerns one security alone.
    """
    run = store.reader.active_run()
    if run is None:
        raise StoreError("nothing is published yet", why="no scan has run", do="run: python ai_trader.py scan")
    ids = store.securities()["id"].sort().to_numpy().astype(np.uint32)
    sessions = walk.calendar.between(store.sessions()[0], run.session)
    if run.session in store.provisional_sessions():
        sessions = sessions[:-1]
    if not sessions:
        return
    position = Position(fresh(ids))
    market = walk.market(after=None, until=sessions[-1])
    if workers == 1 or market.listings.at(sessions[-1]).benchmark is None:
        # Without SPY the benchmark is a sum over the whole universe of every session.
        fold(walk, market, position, sessions, progress)
    else:
        position.state.features = in_partitions(store.home, walk, ids, sessions, workers=workers)
        for session in sessions:
            sign(market, position, market.data(session, ids), session)
    save(store, position)


def restore(store: Store, walk: Walk, *, on_or_before: date | None, progress: Progress | None) -> Position:
    """The newest checkpoint up to a session, what has since been corrected folded again; fresh where there is none.

    The weighted universe, the benchmark where SPY is not listed, is a sum over all securities of every session: where
    the bars of one were corrected, everything is folded again.
    """
    securities_now = store.securities()
    ids = securities_now["id"].to_numpy().astype(np.uint32)
    found = None if on_or_before is None else store.load_checkpoint(version=VERSION, on_or_before=on_or_before)
    if found is None:
        return Position(fresh(ids))
    securities = np.asarray(found.meta["securities"], dtype=np.uint32)
    ordinal = walk.calendar.ordinal(found.session)
    features = FeatureState(securities, found.matrix, ordinal).grown(ids)
    bench = found.meta["benchmark"]
    weights = None if bench["weights"] is None else np.array(bench["weights"], dtype=float)
    benchmark = Benchmark([float(level) for level in bench["levels"]], float(bench["level"]), weights, ordinal)
    state = FunnelState(features, benchmark, seats.empty(features.size))
    position = Position(state, found.input_digest, found.session)
    changed = store.changed_since(population=int(found.meta["population"]), session=found.session)
    # A security that is new and has traded before the checkpoint has a past to fold.
    seen = securities_now.filter(pl.col("first_bar") <= found.session)["id"].to_numpy().astype(np.uint32)
    touched = np.union1d(changed, np.setdiff1d(seen, securities)).astype(np.uint32)
    if touched.size > REFOLD_SHARE * ids.size:
        return Position(fresh(ids))
    if touched.size:
        if progress is not None:
            progress(0, int(touched.size))
        refold(walk, position, touched, until=found.session)
        traded = position.state.features["bars_seen"][np.searchsorted(ids, touched)] > 0
        if weights is not None and traded.any():
            return Position(fresh(ids))
    return position


def save(store: Store, position: Position) -> None:
    """Keep the state after the last session; a checkpoint can always be derived again."""
    population = store.population()
    if position.session is None or population is None:
        return
    benchmark = position.state.benchmark
    weights = None if benchmark.weights is None else benchmark.weights.tolist()
    store.save_checkpoint(
        session=position.session,
        version=VERSION,
        input_digest=position.digest,
        matrix=position.state.features.matrix,
        meta={
            "securities": position.state.features.securities.tolist(),
            "population": population.id,
            "benchmark": {"levels": benchmark.levels, "level": benchmark.level, "weights": weights},
        },
    )


def as_run(
    store: Store,
    walk: Walk,
    result: SessionResult,
    rules: Rules,
    occasion: Occasion,
    position: Position,
    previous: str | None,
) -> ScanRun:
    """A result as the store keeps it."""
    number = store.runs_of(result.session) + 1
    return ScanRun(
        run_id=f"{result.session}.{number}",
        session=result.session,
        as_of=walk.calendar.scheduled_as_of(result.session),
        kind=occasion.kind,
        config_version=rules.version,
        previous_run=previous,
        input_digest=position.digest,
        result_digest=result_digest(result),
        source=occasion.source,
        environment=occasion.environment,
        layers=result.layers,
        qualifications=qualifications(result),
        detail=detail(result),
        membership=position.state.membership.copy(),
        header=header(result, rules),
        seconds=dict(result.seconds),
    )


def header(result: SessionResult, rules: Rules) -> dict[str, Any]:
    """What every output says of a run: criteria that the source cannot feed, unknown shares, types, relaxed caps."""
    unavailable = {str(layer.number): list(layer.unavailable) for layer in rules.layers if layer.unavailable}
    unknown: dict[str, dict[str, float]] = {}
    for judged, outcome in zip(result.judged, result.places, strict=True):
        reached = outcome.reached
        count = int(reached.sum())
        shares = {
            c.name: round(float((judged.codes[at][reached] == UNKNOWN).sum()) / count, 4) if count else 0.0
            for at, c in enumerate(judged.layer.criteria)
            if c.available
        }
        unknown[str(judged.layer.number)] = shares
    active = result.cross.filter(pl.col("active"))
    kinds = active.group_by("security_type").len().sort("security_type")
    skipped = {c.name: c.missing for layer in rules.layers for c in layer.criteria if c.missing != "fail"}
    return {
        "unavailable": unavailable,
        "unknown": unknown,
        "missing": skipped,
        "types": dict(kinds.iter_rows()),
        "sector_cap_relaxed_by": {str(n): one.relaxed for n, one in enumerate(result.places) if one.relaxed},
        "cap_bound": [n for n, one in enumerate(result.places) if one.bound],
    }
