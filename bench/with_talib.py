"""TA-Lib in a loop over symbols, each symbol's history contiguous; what TA-Lib lacks is NumPy over the whole set.

As a process: ``python -m bench.with_talib FOLDER`` reads the bars and computes the factors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import talib

from bench.data import BENCHMARK, FACTORS, Floats, Market, read


def every_session(bars: Market) -> dict[str, Floats]:
    """Each factor at each session: an array of symbols x sessions a factor."""
    high, low, close, volume = (np.ascontiguousarray(x.T) for x in (bars.high, bars.low, bars.close, bars.volume))
    shape = close.shape
    out = {name: np.empty(shape) for name in FACTORS}
    logs = np.diff(np.log(close), axis=1, prepend=np.nan)
    for i in range(shape[0]):
        h, lo, c, v = high[i], low[i], close[i], volume[i]
        out["rsi_14"][i] = talib.RSI(c, 14)
        out["atr_14"][i] = talib.ATR(h, lo, c, 14)
        out["adx_14"][i] = talib.ADX(h, lo, c, 14)
        out["ema_20"][i] = talib.EMA(c, 20)
        out["macd"][i], out["macd_signal"][i], _ = talib.MACD(c, 12, 26, 9)
        out["bollinger_upper"][i], out["sma_20"][i], out["bollinger_lower"][i] = talib.BBANDS(c, 20, 2.0, 2.0)
        out["sma_50"][i] = talib.SMA(c, 50)
        out["sma_200"][i] = talib.SMA(c, 200)
        out["volume_mean_20"][i] = talib.SMA(v, 20)
        out["volume_surge"][i] = talib.SMA(v, 3)
        for n in (1, 5, 21, 63):
            out[f"return_{n}"][i] = talib.ROCP(c, n)
        out["high_distance_pct"][i] = talib.MAX(h, 252)
        out["realised_volatility"][i] = talib.STDDEV(logs[i], 20, 1.0)
    out["volume_surge"] /= out["volume_mean_20"]
    out["high_distance_pct"] = (1.0 - close / out["high_distance_pct"]) * 100.0
    out["realised_volatility"] *= np.sqrt(20.0 / 19.0 * 252.0) * 100.0
    growth = 1.0 + out["return_63"]
    out["relative_strength"] = (growth / growth[BENCHMARK] - 1.0) * 100.0
    out["macd_cross_age"] = _cross_age(out["macd"] - out["macd_signal"])
    return out


def _cross_age(histogram: Floats) -> Floats:
    """Bars since the last change from <= 0 to > 0, where it is still > 0; shape symbols x sessions."""
    here = np.arange(histogram.shape[1])
    above = histogram > 0.0
    crossed = np.zeros(above.shape, dtype=np.int64) - 1
    rising = above[:, 1:] & (histogram[:, :-1] <= 0.0)
    crossed[:, 1:] = np.where(rising, here[1:], -1)
    latest = np.maximum.accumulate(crossed, axis=1)
    return np.where(above & (latest >= 0), here - latest, np.nan)


if __name__ == "__main__":
    print(len(every_session(read(Path(sys.argv[1])))))
