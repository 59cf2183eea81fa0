"""Judging a cross-section: every criterion once over every security, then scores and layer verdicts as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from aitrader.criteria.layer import Layer
from aitrader.domain.verdict import Verdict

FAILED, PASSED, UNKNOWN = int(Verdict.FAILED), int(Verdict.PASSED), int(Verdict.UNKNOWN)
NOT_REACHED, SKIPPED = int(Verdict.NOT_REACHED), int(Verdict.SKIPPED)

PASSES, TYPE_NOT_ADMITTED, TYPE_UNKNOWN, COVERAGE, SCORE, NOT_LISTED = 0, -1, -2, -3, -4, -5
HELD, CAPPED, SECTOR_CAPPED, BAND_RANK, BAND_AGE, STALE, ENTER_RANK, OTHER_LAYER = -6, -7, -8, -9, -10, -11, -12, -13
NO_CAUSE = {
    PASSES: "passed",
    TYPE_NOT_ADMITTED: "security type not admitted",
    TYPE_UNKNOWN: "security type unknown",
    COVERAGE: "too little of the score known",
    SCORE: "score below the minimum",
    NOT_LISTED: "not listed",
    HELD: "held by band",
    CAPPED: "no room under the layer's cap",
    SECTOR_CAPPED: "sector cap",
    BAND_RANK: "rank beyond the exit rank",
    BAND_AGE: "too long since it last passed the layer below",
    STALE: "data: a required input stayed unknown",
    ENTER_RANK: "rank beyond the entry rank",
    OTHER_LAYER: "left the layer below",
}


@dataclass
class Judged:
    """One layer's answer for every security, whether or not it was reached.

    ``verdict`` is a Verdict code, ``cause`` 1 + the index of the deciding criterion (negative: see NO_CAUSE),
    ``score`` 0..1 or NaN, ``exit_verdict`` by the required criteria alone, against their exit values, ``shares``
    the percentile of each ranking factor.
    """

    layer: Layer
    codes: np.ndarray  # (criteria, securities) u8
    verdict: np.ndarray
    cause: np.ndarray
    score: np.ndarray
    exit_verdict: np.ndarray
    shares: dict[str, np.ndarray] = field(default_factory=dict)


def judge(cross: pl.DataFrame, layers: tuple[Layer, ...]) -> list[Judged]:
    """Every layer's verdict for every row of the cross-section. Scores rank factors among the members of Layer 1."""
    expressions = [expression for layer in layers for expression in (*layer.expressions, *layer.exit_expressions)]
    answers = cross.select(expressions) if expressions else pl.DataFrame()
    judged: list[Judged] = []
    active: np.ndarray = cross["active"].to_numpy()
    population = active
    shares: dict[str, np.ndarray] = {}
    for layer in layers:
        codes = _stack([answers[f"L{layer.number}.{c.name}"] for c in layer.criteria], cross.height)
        score, coverage = _score(layer, codes, cross, population, shares)
        verdict, cause = _required(layer, codes, cross)
        exit_verdict = verdict.copy()
        if layer.exit_expressions:
            exits = codes.copy()
            for at, c in enumerate(layer.criteria):
                if c.required and c.setting.exit is not None:
                    exits[at] = answers[f"L{layer.number}.{c.name}.exit"].to_numpy()
            exit_verdict = _required(layer, exits, cross)[0]
        _select(layer, verdict, cause, score, coverage)
        judged.append(
            Judged(
                layer=layer,
                codes=codes,
                verdict=verdict,
                cause=cause,
                score=score,
                exit_verdict=exit_verdict,
                shares={factor: shares[factor] for factor, _ in layer.ranking},
            )
        )
        if layer.number <= 1:
            population = population & (verdict == PASSED)
            shares = {}
    return judged


def _stack(columns: list[pl.Series], height: int) -> np.ndarray:
    if not columns:
        return np.empty((0, height), dtype=np.uint8)
    return np.stack([np.broadcast_to(column.to_numpy(), (height,)) for column in columns])


def _required(layer: Layer, codes: np.ndarray, cross: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Verdict and cause by the required criteria and the admitted types alone; a fail beats an unknown."""
    verdict = np.full(cross.height, PASSED, dtype=np.uint8)
    cause = np.zeros(cross.height, dtype=np.int16)
    required = [at for at, c in enumerate(layer.criteria) if c.required]
    for wanted in (UNKNOWN, FAILED):
        # What is written later stands, so walk the criteria backwards: the first in the file decides.
        for at in reversed(required):
            hit = codes[at] == wanted
            verdict[hit] = wanted
            cause[hit] = at + 1
    if layer.types:
        kinds = cross["security_type"]
        outside = ~kinds.is_in(list(layer.types)).to_numpy()
        unknown = outside & (kinds == "unknown").to_numpy()
        verdict[outside & ~unknown], cause[outside & ~unknown] = FAILED, TYPE_NOT_ADMITTED
        open_type = unknown & (verdict != FAILED)
        verdict[open_type], cause[open_type] = UNKNOWN, TYPE_UNKNOWN
    return verdict, cause


def _select(layer: Layer, verdict: np.ndarray, cause: np.ndarray, score: np.ndarray, coverage: np.ndarray) -> None:
    """Of those that every required criterion passed, the score selects; too little of it known is unknown."""
    if not layer.scored and not layer.ranking:
        return
    passed = verdict == PASSED
    thin = passed & ((coverage < layer.file.min_coverage) | np.isnan(score))
    verdict[thin], cause[thin] = UNKNOWN, COVERAGE
    low = passed & ~thin & ~(score >= layer.file.min_score)
    verdict[low], cause[low] = FAILED, SCORE


def _score(
    layer: Layer,
    codes: np.ndarray,
    cross: pl.DataFrame,
    population: np.ndarray,
    shares: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of what is known, and the known share of the weight that the source can offer.

    A scored criterion gives 1 or 0, a ranking factor its percentile among the members of Layer 1. The weight of an
    unavailable or skipped input is redistributed; a symbol's own unknowns count against its coverage. ``shares``
    keeps the percentiles of this population.
    """
    height = cross.height
    if not layer.scored and not layer.ranking:
        return np.full(height, np.nan), np.ones(height)
    total, known, offered = np.zeros(height), np.zeros(height), np.zeros(height)
    for at, c in enumerate(layer.criteria):
        if c.required or not c.available:
            continue
        weight, code = c.setting.weight, codes[at]
        answered = (code == PASSED) | (code == FAILED)
        total += np.where(code == PASSED, weight, 0.0)
        known += np.where(answered, weight, 0.0)
        offered += np.where(code == SKIPPED, 0.0, weight)
    for factor, weight in layer.ranking:
        if factor not in shares:
            shares[factor] = percentile(cross[factor].to_numpy(), population)
        share = shares[factor]
        answered = np.isfinite(share)
        total += np.where(answered, weight * share, 0.0)
        known += np.where(answered, weight, 0.0)
        offered += weight
    with np.errstate(all="ignore"):
        score = np.where(known > 0, total / known, np.nan)
        coverage = np.where(offered > 0, known / offered, 0.0)
    return score, coverage


def percentile(values: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Mid-rank percentile 0..1 of each value among the population's known values; NaN outside it or unknown."""
    out = np.full(values.size, np.nan)
    at = np.flatnonzero(population & np.isfinite(values))
    if at.size:
        picked = values[at]
        ordered = np.sort(picked)
        low, high = np.searchsorted(ordered, picked, "left"), np.searchsorted(ordered, picked, "right")
        out[at] = (low + high) / (2 * at.size)
    return out
