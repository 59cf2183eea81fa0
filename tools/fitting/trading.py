"""How prices move: market regimes, shared factors, own moves, the moves that reports bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import optimize, stats

from tools.fitting import filings
from tools.fitting.panel import LAGS, Panel, autocorrelation, averaged
from tools.fitting.paths import NOISE, Draws, noise_path
from tools.fitting.real_sets import Floats, grouped, screener
from tools.fitting.volumes import reach_of, shapes, silence, volume_of

TAIL = (0.25, 0.5, 0.9, 0.99, 0.999)  # quantiles of |noise| that are fitted


def hidden_markov(series: list[Floats], states: int = 3, rounds: int = 80) -> dict[str, Any]:
    """Means, spreads and transitions of a Gaussian hidden Markov chain by expectation-maximisation."""
    pooled = np.concatenate(series)
    mean = np.zeros(states)
    spread = pooled.std() * np.array([0.5, 1.0, 2.0])
    move = np.full((states, states), 0.02) + np.eye(states) * (1 - 0.02 * states)
    for _ in range(rounds):
        weight, joint = [], np.zeros((states, states))
        for x in series:
            density = stats.norm.pdf(x[:, None], mean, spread)
            ahead = np.empty_like(density)
            scale = np.empty(len(x))
            prior = np.full(states, 1 / states)
            for t in range(len(x)):
                ahead[t] = prior * density[t]
                scale[t] = ahead[t].sum()
                ahead[t] /= scale[t]
                prior = ahead[t] @ move
            back = np.ones_like(density)
            for t in range(len(x) - 2, -1, -1):
                back[t] = move @ (density[t + 1] * back[t + 1]) / scale[t + 1]
            weight.append(ahead * back)
            for t in range(len(x) - 1):
                joint += ahead[t][:, None] * move * (density[t + 1] * back[t + 1]) / scale[t + 1]
        w = np.vstack(weight)
        total = w.sum(axis=0)
        mean = (w * pooled[:, None]).sum(axis=0) / total
        spread = np.sqrt((w * (pooled[:, None] - mean) ** 2).sum(axis=0) / total)
        move = joint / joint.sum(axis=1, keepdims=True)
    order = np.argsort(spread)
    share = np.linalg.matrix_power(move, 5000)[0]
    error = spread**2 / total  # a regime's mean is known badly: it is pulled to the mean of all by its error
    between = max(float(np.var(mean, ddof=1) - error.mean()), 1e-12)
    centre = float(pooled.mean())
    mean = centre + (mean - centre) * between / (between + error)
    return {
        "mean": list(mean[order]),
        "spread": list(spread[order]),
        "move": [list(row) for row in move[np.ix_(order, order)]],
        "share": list(share[order]),
    }


def volatility_clusters(rest: Floats, report: dict[str, float]) -> dict[str, float]:
    """Log-volatility that the noise follows: two AR(1) parts, Student innovations, the echo of large moves.

    Found by drawing paths with the same numbers until the autocorrelation of |noise|, its tail and what follows a
    large move are those of the set.
    """
    target = clustering(np.abs(rest))
    draws = Draws(steps=260, count=1_500)
    weight = np.array([8.0] * len(LAGS) + [1.0] * len(TAIL) + [1.0])

    def gap(p: Floats) -> Floats:
        return weight * (clustering(np.abs(noise_path(dict(zip(NOISE, p, strict=True)), report, draws)[0])) - target)

    lower, upper = [0.001, 0.05, 0.001, 0.9, 2.8, 0.0], [0.6, 0.88, 0.6, 0.99, 12.0, 0.2]
    start = [0.1, 0.6, 0.03, 0.95, 5.0, 0.06]
    found = optimize.least_squares(gap, start, bounds=(lower, upper), diff_step=0.03, max_nfev=25).x
    return dict(zip(NOISE, map(float, found), strict=True))


def clustering(size: Floats) -> Floats:
    """Autocorrelation of |noise| at LAGS, log of its tail over its mean, log of what follows a large move."""
    acf = autocorrelation(size)
    size = size / size.mean(axis=0)
    after = size[1:][(size[:-1] > 6) & (size[:-1] < 12)].mean() / size[1:][size[:-1] < 1].mean()
    return np.concatenate([acf, np.log(np.quantile(size, TAIL)), [np.log(after)]])


def reports(panel: Panel, known: pl.DataFrame) -> dict[str, float]:
    """Moves with reports: the largest of the ten sessions up to a report, against the largest of any ten sessions."""
    size = np.abs(panel.rest) / np.abs(panel.rest).mean(axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(size, 10, axis=0).max(axis=-1)  # (sessions - 9, listings)
    place = {panel.symbols[i]: k for k, i in enumerate(panel.liquid)}
    at = {d: i for i, d in enumerate(panel.dates)}
    seen = [
        windows[at[d] - 9, place[s]]
        for s, d in known.select("symbol", "collected").rows()
        if s in place and 9 <= at.get(d, 0) < len(panel.dates) - 1
    ]
    ordinary = np.quantile(windows, np.linspace(0, 0.85, 20_000))  # 15 % of windows hold a report of their own
    surprise = np.random.default_rng(5).standard_normal(20_000)

    def gap(p: Floats) -> Floats:
        largest = np.maximum(ordinary, np.abs(p[0] * np.sinh(p[1] * surprise)))
        model = np.quantile(largest, [0.25, 0.5, 0.75, 0.9])
        return np.asarray(np.log(model / np.quantile(seen, [0.25, 0.5, 0.75, 0.9])))

    found = optimize.least_squares(gap, [3.5, 0.95], bounds=([0.5, 0.3], [8.0, 1.6]), diff_step=0.02).x
    return {"scale": float(found[0]), "bend": float(found[1])}


def levels_of_stress(panels: list[Panel]) -> dict[str, float]:
    """Elasticity of the spread of style, sector and noise to the market's own spread over 20 sessions."""
    rows = []
    for p in panels:
        cut = len(p.market) // 20 * 20
        spread = np.log(p.market[:cut].reshape(-1, 20).std(axis=1))
        style = np.log(p.style[:cut].reshape(-1, 20).std(axis=1))
        noise = np.log(np.abs(p.rest[:cut]).mean(axis=1).reshape(-1, 20).mean(axis=1))
        rows.append(np.stack([spread, style, noise], axis=1) - np.array([spread.mean(), style.mean(), noise.mean()]))
    table = np.vstack(rows)
    slope = (table[:, :1] * table[:, 1:]).mean(axis=0) / table[:, 0].var()
    return {"style": float(slope[0]), "noise": float(slope[1])}


def factors(panel: Panel, sector_of: dict[str, str]) -> dict[str, Any]:
    """Style tilts by sector (mean, spread) and each sector's own factor, as ratios to the market's spread."""
    sectors = np.array([sector_of.get(panel.symbols[i], "") for i in panel.liquid])
    result: dict[str, Any] = {}
    for sector in sorted(set(sectors) - {""}):
        mine = sectors == sector
        own = panel.rest[:, mine]
        weight = 1 / own.var(axis=0)
        factor = (own * weight).sum(axis=1) / weight.sum()
        sampling = 1 / weight.sum()  # variance of the mean of independent noises
        ratio = np.sqrt(max(factor.var() - sampling, 0.0)) / panel.market.std()
        result[sector] = [float(panel.tilt[mine].mean()), float(panel.tilt[mine].std()), float(ratio)]
    return result


def fit(data: Path) -> dict[str, Any]:
    """Sections market, factors, stress, noise, report, volume, shape, silence."""
    panels = {n: Panel.of(data, n) for n in ("nightly", "daily_yahoo_2021_2023", "daily_unadjusted_2015_2016")}
    facts = grouped(screener(data).with_columns(etf=pl.lit("N")))
    sector_of = dict(facts.filter(pl.col("sector") != "").select("symbol", "sector").rows())
    known = filings.reports(data).filter(~pl.col("amend"), pl.col("lag").is_between(15, 120))
    report = reports(panels["daily_unadjusted_2015_2016"], known)
    overall = float(np.mean([p.market.std() for p in panels.values()]))
    noise = averaged([volatility_clusters(p.rest, report) for p in panels.values()])
    noise["level"] = float(np.abs(noise_path(noise, report, Draws(steps=400, count=3_000))[0]).mean())
    shape = averaged([shapes(p) for p in panels.values() if "high" in p.real])
    return {
        "market": hidden_markov([p.market for p in panels.values()]) | {"overall": overall},
        "factors": factors(panels["nightly"], sector_of),
        "stress": levels_of_stress(list(panels.values())),
        "report": report,
        "noise": noise,
        "volume": volume_of(list(panels.values()), noise, report),
        "shape": shape | {"reach": reach_of(shape, noise)},
        "silence": silence(data),
    }
