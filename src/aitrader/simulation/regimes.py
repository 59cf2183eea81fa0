"""The weather of the market: calm, normal or stressed, and the factors that every listing shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aitrader.simulation import assumed
from aitrader.simulation.fitted import section
from aitrader.simulation.listings import SECTORS
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, stream

CALM, NORMAL, STRESSED = 0, 1, 2
STRESS_SESSIONS = 40  # how long a forced stress lasts, ending with the last session
CRASH_SPREAD = 0.038  # of the market's daily return in a forced stress: more than half again a usual stress
CRASH_PANIC = 0.8  # share of the way to a beta of one that companies with a smaller one go
CRASH_DRIFT = (-0.004, -0.03)  # its mean on the first and on the last of those sessions: the fall quickens


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Daily log returns of what is shared, one row a session."""

    regime: Ints
    market: Floats
    spread: Floats  # of the market's return
    panic: Floats  # 0..1: how far companies with a small beta are sold like the rest
    style: Floats
    sector: Floats  # (sessions, SECTORS)
    rates: Floats
    noise_level: Floats  # multiplies every listing's own moves
    volume: Floats  # log of the market's volume over its mean


def regimes(seed: int, sessions: int) -> Ints:
    """The regime of each session by the fitted Markov chain; the first is drawn from its long-run shares."""
    chain = section("market")
    move, share = np.cumsum(chain["move"], axis=1), np.cumsum(chain["share"])
    uniform = [float(stream(seed, Purpose.REGIME, t).random()) for t in range(sessions)]
    state = np.zeros(sessions, dtype=np.int64)
    for t, u in enumerate(uniform):
        edges = share if t == 0 else move[state[t - 1]]
        state[t] = min(int(np.searchsorted(edges, u, side="right")), STRESSED)
    return state


def factors(seed: int, stressed: Bools, *, trend_start: float) -> Factors:
    """All shared returns; a crash is forced upon the sessions that ``stressed`` marks.

    ``trend_start`` is the first session's distance in years from the date that volumes were fitted at.
    """
    sessions = len(stressed)
    state = regimes(seed, sessions)
    chain, stress, volume = section("market"), section("stress"), section("volume")
    width = len(SECTORS) + 4
    normal = np.stack([stream(seed, Purpose.FACTORS, t).standard_normal(width) for t in range(sessions)])
    mean, spread = np.array(chain["mean"])[state], np.array(chain["spread"])[state]
    state = np.where(stressed, STRESSED, state)
    first, last = CRASH_DRIFT
    fall = first + (last - first) * np.maximum(np.cumsum(stressed) - 1, 0) / (STRESS_SESSIONS - 1)
    mean, spread = np.where(stressed, fall, mean), np.where(stressed, CRASH_SPREAD, spread)
    market = mean + spread * normal[:, 0]
    overall = chain["overall"]
    ratio = spread / overall
    sector_spread = np.array([section("factors")[s][2] for s in SECTORS]) * overall
    level = ratio ** stress["style"]
    stir = np.abs(market) / (0.8 * overall)
    common = np.zeros(sessions)
    hold, variance = volume["common_persistence"], volume["common_variance"]
    for t in range(sessions):
        before = common[t - 1] if t else 0.0
        common[t] = hold * before + np.sqrt(variance * (1 - hold**2)) * normal[t, 1]
    years = np.clip(trend_start + np.arange(sessions) / 252, -1.0, 1.0)  # no further than it was measured
    return Factors(
        regime=state,
        market=market,
        spread=spread,
        panic=np.where(stressed, CRASH_PANIC, 0.0),
        style=overall * level * normal[:, 2],
        sector=sector_spread * level[:, None] * normal[:, 4:],
        rates=assumed.RATES * level * normal[:, 3],
        noise_level=ratio ** stress["noise"],
        volume=common + volume["common_pull"] * np.minimum(stir - 1, 4.0) + volume["trend"] * years,
    )
