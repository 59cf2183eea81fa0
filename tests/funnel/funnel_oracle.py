"""Scores and places a second time, in plain Python, one symbol after the other, straight from the definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FAILED, PASSED, UNKNOWN, SKIPPED, UNAVAILABLE = 0, 1, 2, 4, 5


def percentile(value: float | None, among: Sequence[float]) -> float | None:
    """Share of ``among`` below ``value``, equals counted half."""
    if value is None or not among:
        return None
    below = sum(1 for one in among if one < value)
    equal = sum(1 for one in among if one == value)
    return (below + equal / 2) / len(among)


def score(
    answers: Sequence[tuple[int, float]], shares: Sequence[tuple[float | None, float]]
) -> tuple[float | None, float]:
    """Score and coverage from (verdict, weight) of scored criteria and (percentile, weight) of ranking factors."""
    good = known = offered = 0.0
    for verdict, weight in answers:
        if verdict in (SKIPPED, UNAVAILABLE):
            continue
        offered += weight
        if verdict in (PASSED, FAILED):
            known += weight
            good += weight if verdict == PASSED else 0.0
    for share, weight in shares:
        offered += weight
        if share is not None:
            known += weight
            good += weight * share
    return (good / known if known else None), (known / offered if offered else 0.0)


def verdict(
    required: Sequence[int], score: float | None, coverage: float, *, least: float, cover: float, scored: bool
) -> int:
    """A no beats an unknown beats a yes; then the score."""
    if FAILED in required:
        return FAILED
    if UNKNOWN in required:
        return UNKNOWN
    if not scored:
        return PASSED
    if score is None or coverage < cover:
        return UNKNOWN
    return PASSED if score >= least else FAILED


@dataclass(kw_only=True)
class Symbol:
    """What a session says of one symbol."""

    below: bool = False  # holds a place in the layer below today
    passes: bool = False  # all required criteria and the score
    liquid: bool = True  # passes Layer 1
    unsure: bool = False  # lacks data for Layer 1
    unknown: bool = False  # its verdict is open: too little is known
    required: int = PASSED  # the required criteria, against the values for members
    score: float | None = 0.5  # None where the verdict is open
    sector: str = "unknown"


@dataclass(kw_only=True)
class Config:
    """The head and the bands of a layer with bands."""

    max_symbols: int | None = None
    min_symbols: int = 0
    sector_cap: float | None = None
    enter_rank: int | None = None
    exit_rank: int | None = None
    max_age: int = 10
    min_dwell: int = 0
    max_stale: int = 3


@dataclass(kw_only=True)
class Seats:
    """Members with the sessions of their last pass below and of their entry, and how long they have been stale."""

    config: Config
    passed: dict[int, int] = field(default_factory=dict)
    entered: dict[int, int] = field(default_factory=dict)
    stale: dict[int, int] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)  # best first

    def step(self, t: int, symbols: Mapping[int, Symbol]) -> list[int]:
        """Definitions 6 and 8 on one session; the members, best first."""
        config, was = self.config, set(self.members)
        self.passed |= {who: t for who, one in symbols.items() if one.below}
        pool = [
            who
            for who, one in symbols.items()
            if (who in was or one.below) and (one.liquid or one.unsure) and one.required != FAILED
        ]
        rank = {who: at for at, who in enumerate(self._best(pool, symbols), 1)}
        self.stale = {who: self.stale.get(who, 0) + 1 for who in was if self._open(symbols[who])}
        kept = [who for who in was if self._stays(who, t, symbols[who], rank)]
        entrants = [
            who
            for who, one in symbols.items()
            if one.below
            and one.passes
            and who not in kept
            and (config.enter_rank is None or rank.get(who, math.inf) <= config.enter_rank)
        ]
        kept = self._best(kept, symbols)[: config.max_symbols]
        taken = self._admitted(self._best(entrants, symbols), kept, symbols)
        self.entered |= {who: t for who in taken if who not in was}
        self.members = self._best([*kept, *taken], symbols)
        return self.members

    def _stays(self, who: int, t: int, one: Symbol, rank: Mapping[int, int]) -> bool:
        config = self.config
        if not (one.liquid or one.unsure) or one.required == FAILED:
            return False
        if self.stale.get(who, 0) > config.max_stale:
            return False
        if self._open(one) or t - self.entered[who] < config.min_dwell:
            return True
        bound = config.exit_rank or (2 * config.max_symbols if config.max_symbols else math.inf)
        return rank[who] <= bound and t - self.passed[who] <= config.max_age

    @staticmethod
    def _open(one: Symbol) -> bool:
        return one.required == UNKNOWN or one.unknown or one.unsure

    def _admitted(self, entrants: Sequence[int], kept: Sequence[int], symbols: Mapping[int, Symbol]) -> list[int]:
        config = self.config
        room = math.inf if config.max_symbols is None else config.max_symbols - len(kept)
        if config.sector_cap is None or config.max_symbols is None:
            return list(entrants[: int(min(room, len(entrants)))])
        cap = max(3, math.floor(round(config.sector_cap * config.max_symbols, 6)))
        while True:
            taken: list[int] = []
            refused = False
            for who in entrants:
                seated = sum(symbols[other].sector == symbols[who].sector for other in [*kept, *taken])
                ahead = sum(symbols[other].sector == symbols[who].sector for other in kept) + sum(
                    symbols[other].sector == symbols[who].sector for other in entrants[: entrants.index(who)]
                )
                if ahead >= cap:
                    refused = True
                elif len(taken) < room and seated < cap:
                    taken.append(who)
            enough = len(kept) + len(taken) >= min(config.min_symbols, config.max_symbols)
            if enough or not refused:
                return taken
            cap += 1

    @staticmethod
    def _best(who: Sequence[int], symbols: Mapping[int, Symbol]) -> list[int]:
        def key(one: int) -> tuple[float, int]:
            value = symbols[one].score
            return (math.inf if value is None else -value, one)

        return sorted(who, key=key)
