"""Random numbers by purpose and session, so that a longer market never draws differently in its past."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Purpose(IntEnum):
    """What a stream is for; each has its own counter space, so that one more draw here moves nothing there."""

    CODES = 1
    NAMES = 2
    BASE = 3  # attributes of the listings at the start
    ARRIVAL_COUNTS = 4
    ARRIVALS = 5  # attributes of later listings, one row each
    LINES = 6  # which issuer a preferred, warrant, unit, right, note or second class belongs to
    REGIME = 7
    FACTORS = 8
    NOISE = 9
    TAILS = 10
    VOLUME = 11
    SHAPE = 12
    SILENCE = 13
    EVENTS = 14  # splits, exits, deals, halts, renames
    DIVIDENDS = 15
    FUNDAMENTALS = 16
    QUARTERS = 17  # one stream per variable, a row per issuer
    FILINGS = 18
    HEADLINES = 19
    RECOUNTS = 20


def stream(seed: int, purpose: Purpose, ordinal: int = 0) -> np.random.Generator:
    """The generator of one purpose at one ordinal (a session, a quarter, a variable; 0 where there is one only)."""
    key = (seed & (2**64 - 1)) << 64 | int(purpose) << 40 | ordinal
    return np.random.Generator(np.random.Philox(key=key))


def pick(share: Floats, uniform: Floats) -> Ints:
    """Index into ``share`` (weights that need not sum to one) for each uniform number."""
    edges = np.cumsum(share) / share.sum()
    return np.minimum(np.searchsorted(edges, uniform, side="right"), len(share) - 1).astype(np.int64)
