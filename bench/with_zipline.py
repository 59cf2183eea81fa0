"""zipline-reloaded's Pipeline over arrays in memory. Runs in an interpreter of its own, which has zipline and no more.

``python bench/with_zipline.py FOLDER SESSIONS REPEATS CHUNK [CHUNK ...]`` reads ``FOLDER/<column>.npy``, tries the
chunk lengths once each, repeats the fastest, and prints one JSON object (see :func:`measure`).

Choices are made in zipline's favour: the shortest windows that its own factors use, no cross age of MACD, a screen
that lets only tradable symbols into the result, data handed over as views of arrays. ATR and ADX are its custom
factors, in three forms: simple means, Wilder's averages on whole arrays as zipline's own factors are written, and
Wilder's averages tuned by blocks of assets.
"""

# What zipline calls by position keeps zipline's parameters; zipline itself is in another interpreter.
# ruff: noqa: ARG002, ARG005
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import create_engine
from zipline.assets import AssetDBWriter, AssetFinder
from zipline.lib.adjusted_array import AdjustedArray
from zipline.pipeline import CustomFactor, Pipeline, SimplePipelineEngine
from zipline.pipeline.data import USEquityPricing
from zipline.pipeline.domain import US_EQUITIES
from zipline.pipeline.factors import (
    RSI,
    AnnualizedVolatility,
    BollingerBands,
    ExponentialWeightedMovingAverage,
    MACDSignal,
    Returns,
    SimpleMovingAverage,
)
from zipline.pipeline.loaders.base import PipelineLoader

COLUMNS = ("open", "high", "low", "close", "volume")
FIRST = pd.Timestamp("2012-01-03")
WARM = 260  # sessions before the first measured one: the longest window is 252


class SimpleATR(CustomFactor):
    """Plain mean of 14 true ranges: cheap, but not Wilder's number."""

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    window_length = 15

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        out[:] = true_range(high, low, close).mean(axis=0)


class SimpleADX(CustomFactor):
    """Plain mean of 14 directional indices, each from sums over 14 sessions: cheap, but not Wilder's number."""

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    window_length = 28

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        plus, minus = directional_moves(high, low)
        span = moving_sum(true_range(high, low, close))
        out[:] = directional_index(moving_sum(plus) / span, moving_sum(minus) / span).mean(axis=0)


class WilderATR(CustomFactor):
    """Wilder's average true range from the last 60 sessions: within 0.2 % of its value over the whole history."""

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    window_length = 60

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        out[:] = wilder(true_range(high, low, close))[-1]


class WilderADX(CustomFactor):
    """Wilder's ADX from the last 80 sessions: within 1 % of its value over the whole history for half the assets."""

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    window_length = 80

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        plus, minus = directional_moves(high, low)
        out[:] = wilder(directional_index(wilder(plus), wilder(minus)))[-1]


class TunedATR(WilderATR):
    """The same by blocks of assets that fit the processor's cache."""

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        for block in blocks(out):
            super().compute(today, assets, out[block], high[:, block], low[:, block], close[:, block])


class TunedADX(WilderADX):
    """The same by blocks of assets that fit the processor's cache."""

    def compute(self, today: Any, assets: Any, out: Any, high: Any, low: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        for block in blocks(out):
            super().compute(today, assets, out[block], high[:, block], low[:, block], close[:, block])


class HighDistance(CustomFactor):
    """Percent below the highest high of 252 sessions."""

    inputs = (USEquityPricing.high, USEquityPricing.close)
    window_length = 252

    def compute(self, today: Any, assets: Any, out: Any, high: Any, close: Any) -> None:
        """Fill ``out`` with a value per asset."""
        out[:] = (1.0 - close[-1] / high.max(axis=0)) * 100.0


class RelativeStrength(CustomFactor):
    """Percent by which a 63-session return beats that of the benchmark, a slice of the same factor."""

    window_length = 1

    def compute(self, today: Any, assets: Any, out: Any, own: Any, benchmark: Any) -> None:
        """Fill ``out`` with a value per asset."""
        out[:] = ((1.0 + own[-1]) / (1.0 + benchmark[-1]) - 1.0) * 100.0


def blocks(out: Any, length: int = 1_000) -> list[slice]:
    """Slices of ``length`` assets."""
    return [slice(at, at + length) for at in range(0, len(out), length)]


def true_range(high: Any, low: Any, close: Any) -> Any:
    """True ranges of all rows but the first."""
    previous = close[:-1]
    return np.maximum(high[1:] - low[1:], np.maximum(np.abs(high[1:] - previous), np.abs(low[1:] - previous)))


def directional_moves(high: Any, low: Any) -> tuple[Any, Any]:
    """Upward and downward moves of all rows but the first, each 0 where the other is larger."""
    up, down = np.diff(high, axis=0), -np.diff(low, axis=0)
    return np.where((up > down) & (up > 0.0), up, 0.0), np.where((down > up) & (down > 0.0), down, 0.0)


def directional_index(plus: Any, minus: Any) -> Any:
    """Percent; the true range that both are divided by cancels."""
    return 100.0 * np.abs(plus - minus) / (plus + minus)


def moving_sum(rows: Any, length: int = 14) -> Any:
    """Sums over ``length`` rows, by differences of cumulated sums."""
    sums = np.cumsum(rows, axis=0)
    out = sums[length - 1 :].copy()
    out[1:] -= sums[:-length]
    return out


def wilder(rows: Any, length: int = 14) -> Any:
    """Wilder's average row by row, seeded with the mean of the first ``length`` rows."""
    out = np.empty((len(rows) - length + 1, rows.shape[1]))
    out[0] = rows[:length].mean(axis=0)
    for i in range(1, len(out)):
        np.subtract(rows[length - 1 + i], out[i - 1], out=out[i])
        out[i] /= length
        out[i] += out[i - 1]
    return out


class ArrayLoader(PipelineLoader):
    """Serves slices of arrays in memory and counts the seconds it takes."""

    def __init__(self, folder: Path, sessions: pd.DatetimeIndex) -> None:
        self.arrays = {name: np.load(folder / f"{name}.npy") for name in COLUMNS}
        self.sessions = sessions
        self.seconds = 0.0

    def load_adjusted_array(self, domain: Any, columns: Any, dates: Any, sids: Any, mask: Any) -> dict[Any, Any]:
        """One adjusted array a column, without adjustments."""
        begin = time.perf_counter()
        rows = self.sessions.slice_indexer(dates[0], dates[-1])
        out = {c: AdjustedArray(self.arrays[c.name][rows], {}, c.missing_value) for c in columns}
        self.seconds += time.perf_counter() - begin
        return out


def finder(symbols: int, sessions: pd.DatetimeIndex) -> AssetFinder:
    """A database in memory with ``symbols`` equities that live throughout."""
    engine = create_engine("sqlite:///:memory:")
    names = [f"S{i:06d}" for i in range(symbols)]
    equities = pd.DataFrame(
        {
            "symbol": names,
            "asset_name": names,
            "start_date": sessions[0],
            "end_date": sessions[-1],
            "exchange": "NYSE",
        }
    )
    exchanges = pd.DataFrame({"exchange": ["NYSE"], "canonical_name": ["NYSE"], "country_code": ["US"]})
    AssetDBWriter(engine).write(equities=equities, exchanges=exchanges)
    return AssetFinder(engine)


def pipeline(benchmark: Any, custom: dict[str, Any]) -> Pipeline:
    """What zipline has built in of the factor list, and the ``custom`` factors by name."""
    close, volume = USEquityPricing.close, USEquityPricing.volume
    bands = BollingerBands(window_length=20, k=2.0)
    mean = SimpleMovingAverage(inputs=[volume], window_length=20)

    def ema(span: int) -> Any:
        return ExponentialWeightedMovingAverage.from_span(inputs=[close], window_length=span, span=span)

    quarter = Returns(window_length=64)
    columns = {
        "rsi_14": RSI(),
        "ema_20": ema(20),
        "macd": ema(12) - ema(26),
        "macd_signal": MACDSignal(),
        "bollinger_upper": bands.upper,
        "bollinger_lower": bands.lower,
        **{f"sma_{n}": SimpleMovingAverage(inputs=[close], window_length=n) for n in (20, 50, 200)},
        "volume_mean_20": mean,
        "volume_surge": SimpleMovingAverage(inputs=[volume], window_length=3) / mean,
        **{f"return_{n}": Returns(window_length=n + 1) for n in (1, 5, 21)},
        "return_63": quarter,
        "realised_volatility": AnnualizedVolatility(window_length=20),
    }
    if custom:
        columns["relative_strength"] = RelativeStrength(inputs=[quarter, quarter[benchmark]])
    columns |= custom
    return Pipeline(columns=columns, screen=(mean >= 1_000_000) & (close.latest >= 1.0), domain=US_EQUITIES)


def measure(folder: Path, count: int, repeats: int, chunks: list[int]) -> dict[str, Any]:
    """Seconds per session of four lists with the fastest chunk length, loading included and on its own.

    {"chunk", "by_chunk": {chunk: seconds}, and for "built_in", "simple", "wilder" and "tuned" each
    {"total": [..], "loading": [..], "cpu": [..]}}
    """
    calendar = US_EQUITIES.sessions()
    begin = calendar.searchsorted(FIRST)
    sessions = calendar[begin : begin + WARM + count]
    loader = ArrayLoader(folder, sessions)
    assets = finder(loader.arrays["close"].shape[1], sessions)
    engine = SimplePipelineEngine(lambda column: loader, assets, US_EQUITIES)
    benchmark = assets.retrieve_asset(0)
    high = {"high_distance_pct": HighDistance()}
    lists = {
        "built_in": pipeline(benchmark, {}),
        "simple": pipeline(benchmark, high | {"atr_14": SimpleATR(), "adx_14": SimpleADX()}),
        "wilder": pipeline(benchmark, high | {"atr_14": WilderATR(), "adx_14": WilderADX()}),
        "tuned": pipeline(benchmark, high | {"atr_14": TunedATR(), "adx_14": TunedADX()}),
    }

    def once(name: str, chunk: int, length: int) -> tuple[float, float, float]:
        loader.seconds = 0.0
        start, worked = time.perf_counter(), time.process_time()
        engine.run_chunked_pipeline(lists[name], sessions[WARM], sessions[WARM + length - 1], chunk)
        seconds, cpu = time.perf_counter() - start, time.process_time() - worked
        return seconds / length, loader.seconds / length, cpu / length

    once("tuned", 5, 5)
    by_chunk = {chunk: once("tuned", chunk, max(chunk, min(count, 63)))[0] for chunk in chunks}
    best = min(by_chunk, key=lambda chunk: by_chunk[chunk])
    out: dict[str, Any] = {"chunk": best, "by_chunk": by_chunk}
    for name in lists:
        rounds = [once(name, best, count) for _ in range(repeats)]
        out[name] = {"total": [r[0] for r in rounds], "loading": [r[1] for r in rounds], "cpu": [r[2] for r in rounds]}
    return out


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), [int(x) for x in sys.argv[4:]])))
