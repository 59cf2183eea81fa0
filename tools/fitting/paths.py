"""The market's own equations for one listing, drawn many times: what the fits compare with the real sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from tools.fitting.real_sets import Floats

NOISE = ("fast_variance", "fast_persistence", "slow_variance", "slow_persistence", "freedom", "echo")
SHEER_FREEDOM = 3.0  # of Student's t, for sheer noise in log volume; its spread is the square root of 3
CAPPED = 8.0  # a move beyond this many mean moves adds less volume
REPORTS = 4 / 252  # a session


class Draws:
    """The same random numbers for every trial, so that a trial differs by its parameters alone."""

    def __init__(self, *, steps: int, count: int) -> None:
        generator = np.random.default_rng(11)
        self.normal = generator.standard_normal((8, steps, count))
        self.uniform = generator.random((2, steps, count))
        self.sheer = np.clip(generator.standard_t(SHEER_FREEDOM, (steps, count)) / np.sqrt(SHEER_FREEDOM), -5.0, 5.0)
        self.steps, self.count = steps, count


def student(uniform: Floats, freedom: float) -> Floats:
    """Student's t of the given uniform numbers over its mean size."""
    at = np.concatenate([np.geomspace(1e-6, 0.01, 60), np.linspace(0.012, 0.5, 120)])
    half = stats.t.ppf(at, freedom)
    knots, values = np.concatenate([at, 1 - at[-2::-1]]), np.concatenate([half, -half[-2::-1]])
    z = np.interp(uniform, knots, values)
    return np.asarray(z / np.abs(z).mean())


def noise_path(noise: dict[str, float], report: dict[str, float], draws: Draws) -> tuple[Floats, Floats]:
    """Own moves over the listing's scale (steps, count), and the normals that stirred their volatility."""
    z = student(draws.uniform[0], noise["freedom"])
    surprise = report["scale"] * np.sinh(report["bend"] * draws.normal[2])
    jump = np.where(draws.uniform[1] < REPORTS, surprise, 0.0)
    mean_log = (noise["fast_variance"] + noise["slow_variance"]) / 2
    state = [np.sqrt(noise[f"{k}_variance"]) * draws.normal[3 + i, 0] for i, k in enumerate(("fast", "slow"))]
    own = np.empty((draws.steps, draws.count))
    for t in range(draws.steps):
        for i, k in enumerate(("fast", "slow")):
            hold = noise[f"{k}_persistence"]
            state[i] = hold * state[i] + np.sqrt(noise[f"{k}_variance"] * (1 - hold**2)) * draws.normal[i, t]
        own[t] = np.exp(state[0] + state[1] - mean_log) * z[t] + jump[t]
        state[0] = state[0] + noise["echo"] * np.clip(np.abs(own[t]) - 1, 0.0, 11.0)
    return own, draws.normal[:2]


def volume_path(volume: dict[str, Any], cell: Floats, own: Floats, draws: Draws) -> Floats:
    """Log volume over its base for one size of listing; ``cell`` is fast, slow and sheer variance, and burst."""
    fast, slow, sheer, slope = cell
    link = volume["link"]
    flow = [np.sqrt(v) * draws.normal[5 + i, 0] for i, v in enumerate((fast, slow))]
    size = np.minimum(np.abs(own), CAPPED) + volume["beyond"] * np.clip(np.abs(own) - CAPPED, 0.0, 20.0)
    burst = slope * size * np.maximum(1 + volume["unequal"] * draws.normal[7], 0.0)
    tail = np.zeros(draws.count)
    log = np.empty_like(own)
    for t in range(draws.steps):
        for i, (k, v) in enumerate((("fast", fast), ("slow", slow))):
            hold = volume[f"{k}_persistence"]
            led = link * draws.normal[i, t] + np.sqrt(1 - link**2) * draws.normal[5 + i, t]
            flow[i] = hold * flow[i] + np.sqrt(v * (1 - hold**2)) * led
        log[t] = flow[0] + flow[1] + np.sqrt(sheer) * draws.sheer[t] + burst[t] + tail
        tail = volume["after_persistence"] * tail + volume["after"] * burst[t]
    return log
