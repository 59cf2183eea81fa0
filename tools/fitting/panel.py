"""A set of prices split into what is shared and what is each listing's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tools.fitting.real_sets import Floats, bars, nightly

LAGS = np.array([1, 2, 3, 5, 10, 20, 40])


class Panel:
    """Returns of one set, split into market, style and noise over its liquid listings."""

    dates: list[Any]

    def __init__(self, symbols: list[str], real: dict[str, Floats], caps: Floats | None = None) -> None:
        """``real`` holds close and volume (and maybe open, high, low) as (sessions, symbols); ``caps`` weights it."""
        self.symbols, self.real = symbols, real
        close, volume = real["close"], real["volume"]
        dollars = np.nanmean(close * volume, axis=0, keepdims=True)
        weight = np.broadcast_to(dollars, close[:-1].shape) if caps is None else caps[:-1]
        returns = np.diff(np.log(close), axis=0)
        returns[np.abs(returns) > 0.5] = np.nan
        usable = np.nan_to_num(weight) * np.isfinite(returns)
        self.market = (np.nan_to_num(returns) * usable).sum(axis=1) / usable.sum(axis=1)
        liquid = (np.nanmean(close * volume, axis=0) > 2e7) & (np.isfinite(returns).mean(axis=0) > 0.95)
        self.liquid = np.flatnonzero(liquid)
        r = np.nan_to_num(returns[:, liquid])
        centred = self.market - self.market.mean()
        self.beta = (r * centred[:, None]).mean(axis=0) / centred.var()
        self.returns = r
        rest = r - self.beta * self.market[:, None]
        left, size, _ = np.linalg.svd(rest / rest.std(axis=0), full_matrices=False)
        self.style = left[:, 0] * size[0]
        self.style = self.style / self.style.std() * self.market.std()
        self.tilt = (rest * self.style[:, None]).mean(axis=0) / self.style.var()
        self.rest = rest - self.tilt * self.style[:, None]

    @classmethod
    def of(cls, data: Path, name: str) -> Panel:
        """The panel of a real set: ``nightly`` or a file of bars."""
        if name == "nightly":
            dates, symbols, real = nightly(data)
            panel = cls(symbols, real, real["market_cap"])
        else:
            dates, symbols, real = bars(data, name)
            panel = cls(symbols, real)
        panel.dates = dates
        return panel


def autocorrelation(x: Floats, lags: npt.NDArray[np.int64] = LAGS) -> Floats:
    """Mean over columns of the autocorrelation at each lag."""
    x = x - x.mean(axis=0)
    scale = (x * x).mean(axis=0)
    return np.array([((x[:-lag] * x[lag:]).mean(axis=0) / scale).mean() for lag in lags])


def averaged(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over the sets of every number."""
    return {k: np.mean([f[k] for f in found], axis=0).tolist() for k in found[0]}
