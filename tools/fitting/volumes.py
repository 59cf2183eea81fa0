"""How volumes move, the shape of a bar, untraded and missing sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

from tools.fitting.panel import Panel, autocorrelation, averaged
from tools.fitting.paths import CAPPED, Draws, noise_path, volume_path
from tools.fitting.real_sets import Floats, bars

DOLLARS = (4.5, 5.25, 5.75, 6.25, 6.75, 7.25, 7.75, 8.5)  # centres, log10 of dollars traded a session
FAST, SLOW = 0.66, 0.97  # persistence of a listing's own log volume: the shape of its autocorrelation in all sets


def volumes(panel: Panel) -> dict[str, Any]:
    """Log volume about its mean: a common part, two speeds of own, bursts with own moves, and sheer noise.

    What is the listing's own depends on how much is traded: small listings have the wilder volumes.
    """
    close, volume = panel.real["close"], panel.real["volume"]
    whole = np.isfinite(close).mean(axis=0) > 0.9
    close, volume = close[:, whole], volume[:, whole]
    y = np.log(np.where(volume > 0, volume, np.nan))
    y = (y - np.nanmean(y, axis=0))[1:]
    liquid = np.nanmean(close * volume, axis=0) > 2e7
    common = np.nanmedian(y[:, liquid], axis=1)
    y = y - common[:, None]
    returns = np.diff(np.log(close), axis=0)
    returns[np.abs(returns) > 1.0] = np.nan
    stirred = (panel.market - panel.market.mean())[:, None]
    own = np.abs(returns - np.nanmean(returns * stirred, axis=0) / panel.market.var() * stirred)
    size = own / np.nanmean(own, axis=0)
    log_dollars = np.log10(np.nanmean(close * volume, axis=0))
    cells = [measured(y[:, np.abs(log_dollars - at) < 0.3], size[:, np.abs(log_dollars - at) < 0.3]) for at in DOLLARS]
    stir = np.abs(panel.market) / np.abs(panel.market).mean()
    rest = common - common.mean()
    pull = float(np.cov(stir, rest)[0, 1] / stir.var())
    left_common = rest - pull * (stir - stir.mean())
    return {
        "cells": cells,
        "common_variance": float(left_common.var()),
        "common_persistence": float(np.clip(autocorrelation(left_common[:, None])[0], 0, 0.98)),
        "common_pull": pull,
        "trend": float(np.polyfit(np.arange(len(common)) / 252, common, 1)[0]),
    } | bursts(panel)


def level_of_mean(log: Floats) -> float:
    """Mean log of the mean volume of 20 sessions over the base, which the cross-section was measured by."""
    return float(np.log(np.exp(log[30:]).reshape(-1, 25, log.shape[1])[:, :20].mean(axis=1)).mean())


def measured(y: Floats, size: Floats) -> list[float]:
    """Variances of fast, slow and sheer log volume and its slope on the size of own moves, as they show.

    Every listing counts the same: the slopes, autocorrelations and spreads are means over the columns.
    """
    move = np.where(np.isfinite(y), np.minimum(size, CAPPED), np.nan)
    y = np.where(np.isfinite(move), y, np.nan)
    move, y = move - np.nanmean(move, axis=0), y - np.nanmean(y, axis=0)
    burst = float(np.nanmean(np.nanmean(move * y, axis=0) / np.nanmean(move * move, axis=0)))
    left = y - burst * move
    scale = np.nanmean(left * left, axis=0)
    near, far = (float(np.nanmean(np.nanmean(left[:-k] * left[k:], axis=0) / scale)) for k in (1, 20))
    slow = float(np.clip(far / SLOW**20, 0.005, 0.9))
    fast = float(np.clip((near - slow * SLOW) / FAST, 0.005, 1 - slow))
    variance = float(np.nanmean(np.sqrt(scale))) ** 2
    return [variance * fast, variance * slow, variance * max(1 - fast - slow, 0.05), burst]


def bursts(panel: Panel) -> dict[str, float]:
    """After a move: how much of its volume comes later and how fast that fades, how unequal equal moves are in it,
    how volume foreshadows moves.
    """
    volume = panel.real["volume"][1:, panel.liquid]
    y = np.log(np.where(volume > 0, volume, np.nan))
    y = y - np.nanmean(y, axis=0)
    y = np.nan_to_num(y - np.nanmedian(y, axis=1)[:, None])
    size = np.abs(panel.rest) / np.abs(panel.rest).mean(axis=0)
    capped = np.minimum(size, CAPPED)
    lagged = np.stack([capped[6 - lag : len(capped) - lag] for lag in range(7)], axis=-1).reshape(-1, 7)
    slope = np.linalg.lstsq(np.c_[lagged, np.ones(len(lagged))], y[6:].ravel(), rcond=None)[0][:7]
    decay = float(np.clip(np.polyfit(np.arange(1, 7), np.log(np.maximum(slope[1:], 1e-4)), 1)[0], -1.0, -0.05))
    band = (size > 3) & (size < 6)
    excess = max(y[band].var() - y[size < 1].var(), 0.0)
    beyond = (y[(size > 12) & (size < 20)].mean() - y[(size > 6) & (size < 8)].mean()) / 8.0
    before = float(np.cov(y[:-1].ravel(), capped[1:].ravel())[0, 1])
    return {
        "after": float(slope[1] / slope[0]),
        "after_persistence": float(np.exp(decay)),
        "unequal": float(np.sqrt(excess) / (slope[0] * size[band].mean())),
        "beyond": float(beyond / slope[0]),
        "foreshadow": before,
    }


def volume_of(panels: list[Panel], noise: dict[str, float], report: dict[str, float]) -> dict[str, Any]:
    """The section volume. What a set shows of a variance is not what drives it: bursts, their fading and the link of
    volume to volatility show in all of them. So the drivers are moved until drawn paths show what the sets show.
    """
    found = averaged([volumes(p) for p in panels])
    shown = np.array(found.pop("cells"))
    found |= {"fast_persistence": FAST, "slow_persistence": SLOW, "capped": CAPPED, "dollars": list(DOLLARS)}
    draws = Draws(steps=280, count=1_200)
    own, _ = noise_path(noise, report, draws)
    size = np.abs(own) / np.abs(own).mean(axis=0)
    found["link"] = 0.5
    cells = shown * np.array([0.7, 0.7, 0.7, 0.8])
    for _ in range(12):
        for i, cell in enumerate(cells):
            log = volume_path(found, cell, own, draws)
            seen = np.array(measured(log - log.mean(axis=0), size))
            cells[i] = np.clip(
                cell * np.clip(shown[i] / seen, 0.5, 2.0) ** 0.7, [1e-3, 1e-3, 5e-3, 0.01], [2, 2, 2, 0.6]
            )
        large = volume_path(found, cells[-2], own, draws)
        led = float(np.cov(large[:-1].ravel(), np.minimum(size, CAPPED)[1:].ravel())[0, 1])
        found["link"] = float(np.clip(found["link"] + 2.0 * (found["foreshadow"] - led), 0.0, 0.9))
    names = ("fast_variance", "slow_variance", "sheer_variance", "burst")
    found |= {name: cells[:, i].tolist() for i, name in enumerate(names)}
    found["bias"] = [level_of_mean(volume_path(found, cell, own, draws)) for cell in cells]
    return found


def shapes(panel: Panel) -> dict[str, float]:
    """Share of a session's variance before the open, and the intraday range as a ratio to the session's moves."""
    real, liquid = panel.real, panel.liquid
    with np.errstate(all="ignore"):
        close, opened = np.log(real["close"][:, liquid]), np.log(real["open"][:, liquid])
        high, low = np.log(real["high"][:, liquid]), np.log(real["low"][:, liquid])
    overnight, day = opened[1:] - close[:-1], close[1:] - opened[1:]
    good = np.isfinite(overnight) & np.isfinite(day) & (np.abs(overnight) < 0.3) & (np.abs(day) < 0.3)
    before = np.where(good, overnight, np.nan)
    within = np.where(good, day, np.nan)
    a, b = np.nanmean(np.abs(before)), np.nanmean(np.abs(within))
    reach = np.where(good, (high - low)[1:], np.nan)
    mean_range = np.nanmean(reach, axis=0) / np.nanmean(np.abs(before + within), axis=0)
    return {
        "overnight": float(np.nanvar(before) / (np.nanvar(before) + np.nanvar(within))),
        "overnight_mean": float(a / (a + b)),
        "range": float(np.nanmedian(mean_range)),
    }


def reach_of(shape: dict[str, float], noise: dict[str, float]) -> float:
    """What a bar's bridge must be stretched by, so that the mean range over the mean move is that of the sets."""
    generator = np.random.default_rng(13)
    count = 200_000
    log_spread = np.sqrt(noise["fast_variance"] + noise["slow_variance"])
    spread = np.exp(log_spread * generator.standard_normal(count))
    move = spread * generator.standard_t(noise["freedom"], count) / 0.9
    variance = 0.5 * (1.25 * spread) ** 2 + 0.5 * move**2
    normal, draws = generator.standard_normal(count), generator.standard_exponential((2, count))
    night = shape["overnight"]
    day = move - night * move - np.sqrt(night * (1 - night) * variance) * normal

    def gap(reach: float) -> float:
        inside = reach**2 * (1 - night) * variance
        high = (day + np.sqrt(day**2 + 2 * inside * draws[0])) / 2
        low = (day - np.sqrt(day**2 + 2 * inside * draws[1])) / 2
        return float((high - low).mean() / np.abs(move).mean() - shape["range"])

    return float(optimize.brentq(gap, 0.5, 2.5))


def silence(data: Path) -> dict[str, float]:
    """Untraded sessions: logit(share) = level + slope x log(mean shares) + price x log(price); missing sessions."""
    _, _, real = bars(data, "daily_unadjusted_2015_2016")
    volume = real["volume"]
    count = np.isfinite(volume).sum(axis=0)
    mean, price = np.nanmean(volume, axis=0), np.nanmean(np.log(real["close"]), axis=0)
    known = (count > 100) & (mean > 0)
    zero = (volume == 0).sum(axis=0)[known]
    x, y = np.log(mean[known]), price[known]

    def loss(p: Floats) -> float:
        chance = 1 / (1 + np.exp(-np.clip(p[0] + p[1] * x + p[2] * y, -30, 30)))
        return float(-(zero * np.log(chance + 1e-12) + (count[known] - zero) * np.log(1 - chance + 1e-12)).sum())

    level, slope, dear = optimize.minimize(loss, [8.0, -1.2, -0.5], method="Nelder-Mead").x
    present = np.isfinite(volume)
    starts = gaps = lengths = 0
    first, last = present.argmax(axis=0), len(present) - 1 - present[::-1].argmax(axis=0)
    row = np.arange(len(present))[:, None]
    inside = (row > first) & (row < last)
    missing = ~present & inside
    starts = int((missing[1:] & ~missing[:-1]).sum())
    gaps = int(missing.sum())
    lengths = int((inside & present).sum())
    rates = {"level": float(level), "slope": float(slope), "price": float(dear)}
    return rates | {"halts": starts / lengths, "length": gaps / max(starts, 1)}
