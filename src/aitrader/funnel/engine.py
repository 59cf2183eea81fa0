"""The fold's step. Live scans, what-if tests and replays all call it; none has its own copy of the rules.

1. Fold the session's bars, actions, filings and headlines into the feature state.
2. Measure: one number per factor and security, as of this session.
3. Gather into one frame by security id; add what needs the whole cross-section (market cap, relative strength).
4. Judge every criterion of every layer on that frame.
5. Fill the layers from below: entry, bands, caps; advance the membership.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from time import perf_counter

import numpy as np
import polars as pl

from aitrader.criteria.layer import Layer
from aitrader.domain.run import QUALIFICATIONS, LayerSummary
from aitrader.features.fold import advance
from aitrader.features.measure import measure
from aitrader.features.state import FeatureState, SessionData
from aitrader.funnel import judge as words
from aitrader.funnel import membership as seats
from aitrader.funnel.cross_section import Benchmark, complete, frame
from aitrader.funnel.judge import NO_CAUSE, Judged, judge
from aitrader.funnel.listings import ListingView
from aitrader.funnel.membership import AT, Places, places
from aitrader.settings.models import Sentiment


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the funnel decides by: the bound layers, the headline settings, and the config version's name."""

    layers: tuple[Layer, ...]
    sentiment: Sentiment
    version: str


@dataclass
class FunnelState:
    """Everything a session starts from. Features and benchmark know no config; the membership does."""

    features: FeatureState
    benchmark: Benchmark
    membership: np.ndarray

    def copy(self) -> FunnelState:
        """An independent copy."""
        return FunnelState(self.features.copy(), self.benchmark.copy(), self.membership.copy())


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """What one step decided. ``cross`` is the cross-section it was decided on, a row per security."""

    session: date
    cross: pl.DataFrame
    judged: list[Judged]
    places: list[Places]
    layers: tuple[LayerSummary, ...]
    seconds: dict[str, float]


def step(state: FunnelState, data: SessionData, view: ListingView, rules: Rules, session: date) -> SessionResult:
    """Advance ``state`` in place by one session and return its result."""
    started = perf_counter()
    advance(state.features, data)
    folded = perf_counter()
    cross = look(state, data.day, view, rules.sentiment)
    seen = perf_counter()
    result = qualify(cross, view, rules, state.membership, data.ordinal, session)
    seconds = {"fold": folded - started, "measure": seen - folded, **result.seconds}
    return SessionResult(
        session=session,
        cross=cross,
        judged=result.judged,
        places=result.places,
        layers=result.layers,
        seconds=seconds,
    )


def look(state: FunnelState, day: int, view: ListingView, sentiment: Sentiment) -> pl.DataFrame:
    """The cross-section after a session was folded in; steps the benchmark."""
    assert state.features.ordinal is not None
    factors = measure(
        state.features,
        day=day,
        look_back=sentiment.look_back_sessions,
        half_life=sentiment.half_life_sessions,
        minimum_articles=sentiment.minimum_articles,
    )
    complete(factors, view, state.benchmark, state.features.ordinal)
    return frame(factors, view)


def qualify(
    cross: pl.DataFrame, view: ListingView, rules: Rules, membership: np.ndarray, ordinal: int, session: date
) -> SessionResult:
    """Judge a cross-section and fill the layers; ``membership`` (of the session before) is advanced in place."""
    started = perf_counter()
    judged = judge(cross, rules.layers)
    judged_at = perf_counter()
    before = membership[: AT["member3"] + 1] > 0
    filled: list[Places] = []
    summaries: list[LayerSummary] = []
    active = cross["active"].to_numpy()
    below = active
    counted_below: int | None = None
    liquid = unsure = np.zeros_like(active)
    suspect = cross["suspect"].to_numpy()
    for verdicts in judged:
        at = perf_counter()
        n = verdicts.layer.number
        outcome = places(
            verdicts,
            below=below,
            liquid=liquid,
            unsure=unsure,
            membership=membership,
            ordinal=ordinal,
            sector=view.sector_code,
        )
        counted = int(outcome.member.sum())
        if n == 0:
            counted = _count_admitted(outcome, rules, cross, membership)
        if n == 1:
            liquid = outcome.member
            unsure = below & (verdicts.verdict == words.UNKNOWN) & ~suspect
        below = outcome.member if n else below & (verdicts.verdict == words.PASSED)
        summaries.append(_summary(verdicts, outcome, before[n], active, counted, counted_below, perf_counter() - at))
        counted_below = counted
        filled.append(outcome)
    seconds = {"judge": judged_at - started, "fill": perf_counter() - judged_at}
    return SessionResult(
        session=session, cross=cross, judged=judged, places=filled, layers=tuple(summaries), seconds=seconds
    )


def _count_admitted(outcome: Places, rules: Rules, cross: pl.DataFrame, membership: np.ndarray) -> int:
    """Layer 0 stores every listing and counts the types that Layer 1 may admit (definition 9)."""
    admitted = rules.layers[1].types
    if admitted:
        outside = ~cross["security_type"].is_in(list(admitted)).to_numpy()
        outcome.cause[outside & outcome.member] = words.TYPE_NOT_ADMITTED
        outcome.member[outside] = False
        outcome.rank[:] = 0
        membership[AT["member0"]] = outcome.member
    return int(outcome.member.sum())


def _summary(
    judged: Judged,
    outcome: Places,
    before: np.ndarray,
    active: np.ndarray,
    counted: int,
    counted_below: int | None,
    seconds: float,
) -> LayerSummary:
    """Counts and rates (definitions 7 and 9): the change rate leaves delistings out and is unknown from nothing."""
    added = int((outcome.member & ~before).sum())
    removed = int((before & ~outcome.member & active).sum())
    size = int(before.sum())
    verdict = judged.verdict[outcome.reached]
    return LayerSummary(
        layer=judged.layer.number,
        symbols=int(outcome.member.sum()),
        counted=counted,
        reached=int(outcome.reached.sum()),
        failed=int((verdict == words.FAILED).sum()),
        unknown=int((verdict == words.UNKNOWN).sum()),
        qualification_rate=None if not counted_below else int(outcome.member.sum()) / counted_below,
        change_rate=(added + removed) / (2 * size) if size else None,
        added=added,
        removed=removed,
        seconds=seconds,
    )


def cause_text(judged: Judged, causes: np.ndarray) -> pl.Series:
    """The plain reason behind each cause code."""
    names = [NO_CAUSE[words.PASSES], *(c.name for c in judged.layer.criteria)]
    specials = sorted(code for code in NO_CAUSE if code < 0)
    names += [NO_CAUSE[code] for code in specials]
    lookup = {code: len(judged.layer.criteria) + 1 + at for at, code in enumerate(specials)}
    index = causes.astype(np.int64)
    for code, at in lookup.items():
        index = np.where(causes == code, at, index)
    return pl.Series("cause", names, dtype=pl.String).gather(pl.Series(index))


def qualifications(result: SessionResult) -> pl.DataFrame:
    """A row per security and layer that it reached, schema QUALIFICATIONS, sorted by layer and security."""
    parts = []
    symbol, security = result.cross["symbol"], result.cross["security"]
    for judged, outcome in zip(result.judged, result.places, strict=True):
        at = np.flatnonzero(outcome.reached)
        index = pl.Series(at)
        rank = outcome.rank[at]
        parts.append(
            pl.DataFrame(
                {
                    "layer": pl.Series(np.full(at.size, judged.layer.number, dtype=np.uint8)),
                    "security": security.gather(index),
                    "symbol": symbol.gather(index),
                    "verdict": judged.verdict[at],
                    "member": outcome.member[at],
                    "score": pl.Series(judged.score[at]).fill_nan(None),
                    "rank": pl.Series(rank).replace({0: None}),
                    "cause": cause_text(judged, outcome.cause[at]),
                }
            ).cast(QUALIFICATIONS)  # type: ignore[arg-type]
        )
    return pl.concat(parts)


def detail(result: SessionResult) -> pl.DataFrame:
    """A row per security: every number judged, input dates, each criterion's verdict code, each layer's score.

    What a layer did not reach it did not decide: its codes say so, and the numbers that only Layers 2 and 3 read are
    left out for securities outside Layer 1, which keeps a session's file under 2 MB.
    """
    epoch = pl.date(1970, 1, 1)
    basic = {"price", "volume", "dollar_volume", "market_cap", "history", "bar_age", "filing_date", "news_date"}
    for judged in result.judged[:2]:
        basic.update(factor for c in judged.layer.criteria for factor in c.definition.factors)
    further = pl.Series("further", result.places[2].reached)
    cross = result.cross.with_columns(
        (epoch + pl.duration(days=pl.col("filing_day"))).alias("filing_date"),
        (epoch + pl.duration(days=pl.col("news_day"))).alias("news_date"),
    ).drop("filing_day", "news_day")
    cross = cross.with_columns(
        pl.when(further).then(pl.col(name)).otherwise(None).alias(name)
        for name, kind in cross.schema.items()
        if kind == pl.Float64 and name not in basic
    )
    columns = []
    ranked = {factor: share for judged in result.judged for factor, share in judged.shares.items()}
    for factor, share in ranked.items():
        columns.append(pl.Series(f"percentile.{factor}", share).fill_nan(None))
    for judged, outcome in zip(result.judged, result.places, strict=True):
        n, reached = judged.layer.number, outcome.reached
        for at, c in enumerate(judged.layer.criteria):
            columns.append(pl.Series(f"L{n}.{c.name}", np.where(reached, judged.codes[at], words.NOT_REACHED)))
        columns.append(pl.Series(f"L{n}.verdict", np.where(reached, judged.verdict, words.NOT_REACHED)))
        score = pl.Series(f"L{n}.score", np.where(reached, judged.score, np.nan)).fill_nan(None)
        columns.append(score)
    return cross.with_columns(pl.lit(result.session).alias("session"), *columns).with_columns(
        pl.col("^L[0-9].*$").exclude(pl.Float64).cast(pl.UInt8)
    )


def result_digest(result: SessionResult) -> str:
    """SHA-256 over every verdict, score, place and rank of what any layer reached, in order of security id.

    A listing that begins later is no part of it.
    """
    digest = hashlib.sha256()
    here = np.flatnonzero(np.logical_or.reduce([outcome.reached for outcome in result.places]))
    digest.update(result.cross["security"].to_numpy()[here].tobytes())
    for judged, outcome in zip(result.judged, result.places, strict=True):
        for part in (judged.codes, judged.verdict, judged.score, outcome.member, outcome.rank, outcome.cause):
            digest.update(np.ascontiguousarray(part[..., here]).tobytes())
    return digest.hexdigest()


def fresh(securities: np.ndarray) -> FunnelState:
    """The state before any session: no bars seen, nobody a member."""
    return FunnelState(FeatureState(securities), Benchmark(), seats.empty(securities.size))
