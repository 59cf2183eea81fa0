"""Membership: who holds a place in a layer after entry conditions, bands, caps and sector caps (definitions 6-8).

A matrix of float64 rows over securities is carried from session to session beside the features; only final runs
advance it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aitrader.criteria.layer import Layer
from aitrader.funnel import judge as words
from aitrader.funnel.judge import FAILED, PASSED, UNKNOWN, Judged
from aitrader.settings.layer_file import Bands

ROWS = (
    *(f"member{n}" for n in range(4)),
    *(f"passed{n}" for n in (2, 3)),  # ordinal of the last entry pass that renews a place in the layer
    *(f"entered{n}" for n in (2, 3)),
    *(f"stale{n}" for n in (2, 3)),  # sessions in a row with a required input unknown
)
AT = {name: at for at, name in enumerate(ROWS)}


def empty(size: int) -> np.ndarray:
    """A membership of nobody: (rows, securities)."""
    out = np.zeros((len(ROWS), size))
    out[[AT[f"passed{n}"] for n in (2, 3)]] = -np.inf
    return out


def grown(membership: np.ndarray, size: int) -> np.ndarray:
    """The same membership with fresh columns appended for securities that are new (ids are never reused)."""
    out = empty(size)
    out[:, : membership.shape[1]] = membership
    return out


@dataclass(frozen=True, kw_only=True)
class Places:
    """A layer's outcome: who was judged, who holds a place, in which order and why."""

    reached: np.ndarray
    member: np.ndarray
    rank: np.ndarray  # 1 = best, 0 = no member
    cause: np.ndarray
    relaxed: int  # names that the sector cap was relaxed by
    bound: bool  # whether max_symbols kept a candidate out


def order(score: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Columns of ``among`` by score, best first; ties by security id, unknown scores last."""
    at = np.flatnonzero(among)
    if not np.isfinite(score[at]).any():
        return at
    value = np.where(np.isfinite(score[at]), score[at], -np.inf)
    return at[np.argsort(-value, kind="stable")]


def places(
    judged: Judged,
    *,
    below: np.ndarray,
    liquid: np.ndarray,
    unsure: np.ndarray,
    membership: np.ndarray,
    ordinal: int,
    sector: np.ndarray,
) -> Places:
    """Fill a layer and advance its rows of ``membership`` in place.

    ``below`` holds a place in the layer below today, ``liquid`` passes Layer 1, ``unsure`` is listed but lacks data
    for Layer 1; ``sector`` are dense codes.
    """
    file, n = judged.layer.file, judged.layer.number
    was = membership[AT[f"member{n}"]] > 0
    # A score of the little that is known would rank a symbol without data first.
    score = np.where(judged.verdict == UNKNOWN, np.nan, judged.score)
    cause = judged.cause.copy()
    entering = below & (judged.verdict == PASSED)
    held = np.zeros_like(was)
    if file.bands is not None and n >= 2:
        renewed = below if n == 3 else entering
        membership[AT[f"passed{n}"]][renewed] = ordinal
        rank = np.full(was.size, np.inf)
        # A symbol that fails a required criterion (a fund in Layer 3) takes nobody's rank.
        pool = order(score, (was | below) & (liquid | unsure) & (judged.exit_verdict != FAILED))
        rank[pool] = np.arange(1, pool.size + 1)
        held = _held(judged, file.bands, was, liquid, unsure, rank, membership, ordinal, cause)
        if file.bands.enter_rank is not None:
            outside = entering & ~held & (rank > file.bands.enter_rank)
            cause[outside] = words.ENTER_RANK
            entering = entering & ~outside
    member, relaxed, bound = _filled(judged.layer, score, entering & ~held, held, sector, cause)
    cause[held] = np.where(entering[held], words.PASSES, words.HELD)
    if n >= 2:
        entered = membership[AT[f"entered{n}"]]
        entered[member & ~was] = ordinal
    membership[AT[f"member{n}"]] = member
    rank = np.zeros(was.size, dtype=np.uint32)
    rank[order(score, member)] = np.arange(1, int(member.sum()) + 1, dtype=np.uint32)
    reached = below | was if n >= 2 and file.bands is not None else below
    return Places(reached=reached, member=member, rank=rank, cause=cause, relaxed=relaxed, bound=bound)


def _held(
    judged: Judged,
    bands: Bands,
    was: np.ndarray,
    liquid: np.ndarray,
    unsure: np.ndarray,
    rank: np.ndarray,
    membership: np.ndarray,
    ordinal: int,
    cause: np.ndarray,
) -> np.ndarray:
    """Members that keep their place: liquid, required criteria hold (an unknown for a while), ranked, not too old."""
    file, n = judged.layer.file, judged.layer.number
    stale = membership[AT[f"stale{n}"]]
    unknown = was & ((judged.exit_verdict == UNKNOWN) | (judged.verdict == UNKNOWN) | unsure)
    stale[:] = np.where(unknown, stale + 1, 0)
    exit_rank = bands.exit_rank or 2 * (file.max_symbols or was.size)
    young = ordinal - membership[AT[f"passed{n}"]] <= bands.max_age
    dwelling = ordinal - membership[AT[f"entered{n}"]] < bands.min_dwell
    sound = (liquid | unsure) & (judged.exit_verdict != FAILED)
    fresh = stale <= bands.max_stale
    kept: np.ndarray = was & sound & fresh & (dwelling | unknown | ((rank <= exit_rank) & young))
    left = was & ~kept
    cause[left & ~(liquid | unsure)] = words.OTHER_LAYER
    cause[left & sound & ~fresh] = words.STALE
    cause[left & sound & fresh & ~young] = words.BAND_AGE
    cause[left & sound & fresh & young] = words.BAND_RANK
    return kept


def _filled(
    layer: Layer,
    score: np.ndarray,
    candidates: np.ndarray,
    held: np.ndarray,
    sector: np.ndarray,
    cause: np.ndarray,
) -> tuple[np.ndarray, int, bool]:
    """Held members first, then candidates by rank while there is room, within the sector cap.

    The cap is max(3, floor(share x max_symbols)) names a sector, for entrants; while fewer than ``min_symbols``
    result and the cap kept somebody out, it is relaxed by one name.
    """
    file, share = layer.file, layer.sector_cap
    ordered = order(score, candidates)
    limit = file.max_symbols if file.max_symbols is not None else held.size
    crowded = order(score, held)[limit:]  # a lowered cap keeps the best
    held[crowded], cause[crowded] = False, words.CAPPED
    room = max(limit - int(held.sum()), 0)
    relaxed = 0
    if share is None or file.max_symbols is None:
        taken, skipped = ordered[:room], ordered[:0]
    else:
        cap = max(3, int(round(share * file.max_symbols, 6)))
        while True:
            taken, skipped = _within_cap(ordered, sector, held, cap + relaxed, room)
            if held.sum() + taken.size >= min(file.min_symbols, limit) or not skipped.size:
                break
            relaxed += 1
    member = held.copy()
    member[taken] = True
    cause[ordered] = words.CAPPED
    cause[skipped] = words.SECTOR_CAPPED
    cause[taken] = words.PASSES
    bound = crowded.size > 0 or ordered.size > taken.size + skipped.size
    return member, relaxed, bound


def _within_cap(
    ordered: np.ndarray, sector: np.ndarray, held: np.ndarray, cap: int, room: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first ``room`` candidates that stay within ``cap`` names a sector, and those that the cap kept out."""
    codes = sector[ordered]
    seated = np.bincount(sector[held], minlength=int(sector.max(initial=0)) + 1)
    # Position of each candidate within its sector, in rank order.
    grouped = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[grouped], codes[grouped], "left")
    within = np.empty(codes.size, dtype=np.intp)
    within[grouped] = np.arange(codes.size) - starts
    fits = within < cap - seated[codes]
    taken = ordered[fits][:room]
    return taken, ordered[~fits]
