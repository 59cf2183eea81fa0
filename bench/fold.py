"""The scanner's fold over the bench's bars, with nothing else of the scanner imported.

As a process: ``python -m bench.fold FOLDER every|last`` reads the bars and computes the factors.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from aitrader.features.fold import advance
from aitrader.features.measure import measure
from aitrader.features.state import FeatureState, SessionData
from bench.data import Market, read

FIRST = 5_000  # ordinal of the first session; any will do


def session_data(bars: Market, t: int, ordinal: int, **more: Any) -> SessionData:
    """Session ``t`` of the market as the fold takes it."""
    cap = np.full(bars.symbols, np.nan)
    day = 18_000 + ordinal
    return SessionData(ordinal=ordinal, day=day, market_cap=cap, **{k: v[t] for k, v in bars.arrays().items()}, **more)


def factors(state: FeatureState, day: int) -> dict[str, Any]:
    """Every factor of the last session folded in."""
    return measure(state, day=day, look_back=10, half_life=3.0, minimum_articles=1)


def recompute(bars: Market, *, every: bool) -> dict[str, Any]:
    """Fold the whole market from nothing; the factors at each session, or at the last one only."""
    state = FeatureState(np.arange(bars.symbols))
    out: dict[str, Any] = {}
    for t in range(bars.sessions):
        data = session_data(bars, t, FIRST + t)
        advance(state, data)
        if every or t == bars.sessions - 1:
            out = factors(state, data.day)
    return out


if __name__ == "__main__":
    print(len(recompute(read(Path(sys.argv[1])), every=sys.argv[2] == "every")))
