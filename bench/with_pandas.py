"""pandas, vectorised over wide frames (sessions x symbols): ``rolling`` and ``ewm``, no loop over symbols.

As a process: ``python -m bench.with_pandas FOLDER every|last`` reads the bars and computes the factors.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.data import BENCHMARK, COLUMNS, Market

Frame = Any  # a pandas DataFrame


def read(folder: Path) -> dict[str, Frame]:
    """Wide frames by column name, through pandas' own reader and a reshape that costs nothing."""
    frame = pd.read_parquet(folder / "by_session.parquet", columns=["session", *COLUMNS])
    sessions = int(frame["session"].iloc[-1]) + 1
    return {name: pd.DataFrame(frame[name].to_numpy().reshape(sessions, -1)) for name in COLUMNS}


def wide(bars: Market) -> dict[str, Frame]:
    """The same frames from arrays in memory."""
    return {name: pd.DataFrame(values) for name, values in bars.arrays().items()}


def every_session(bars: dict[str, Frame]) -> dict[str, Frame]:
    """Each factor at each session: a frame of sessions x symbols a factor."""
    close, volume = bars["close"], bars["volume"]
    out = _recursive(bars)
    middle = close.rolling(20).mean()
    width = 2.0 * close.rolling(20).std(ddof=0)
    out |= {"sma_20": middle, "bollinger_upper": middle + width, "bollinger_lower": middle - width}
    out |= {f"sma_{n}": close.rolling(n).mean() for n in (50, 200)}
    out["volume_mean_20"] = volume.rolling(20, min_periods=15).mean()
    out["volume_surge"] = volume.rolling(3).mean() / out["volume_mean_20"]
    out |= {f"return_{n}": close / close.shift(n) - 1.0 for n in (1, 5, 21, 63)}
    out["high_distance_pct"] = (1.0 - close / bars["high"].rolling(252, min_periods=1).max()) * 100.0
    out["realised_volatility"] = np.log(close).diff().rolling(20).std() * (np.sqrt(252.0) * 100.0)
    benchmark = out["return_63"][BENCHMARK]
    out["relative_strength"] = ((1.0 + out["return_63"]).div(1.0 + benchmark, axis=0) - 1.0) * 100.0
    return out


def last_session(bars: dict[str, Frame]) -> dict[str, Frame]:
    """Each factor at the last session only: windows from their tail, what is recursive from the whole history."""
    close, volume = bars["close"], bars["volume"]
    out = {name: values.iloc[-1] for name, values in _recursive(bars).items()}
    tail = close.tail(20)
    middle, width = tail.mean(), 2.0 * tail.std(ddof=0)
    out |= {"sma_20": middle, "bollinger_upper": middle + width, "bollinger_lower": middle - width}
    out |= {f"sma_{n}": close.tail(n).mean() for n in (50, 200)}
    out["volume_mean_20"] = volume.tail(20).mean()
    out["volume_surge"] = volume.tail(3).mean() / out["volume_mean_20"]
    out |= {f"return_{n}": close.iloc[-1] / close.iloc[-1 - n] - 1.0 for n in (1, 5, 21, 63)}
    out["high_distance_pct"] = (1.0 - close.iloc[-1] / bars["high"].tail(252).max()) * 100.0
    out["realised_volatility"] = np.log(close.tail(21)).diff().std() * (np.sqrt(252.0) * 100.0)
    growth = 1.0 + out["return_63"]
    out["relative_strength"] = (growth / growth[BENCHMARK] - 1.0) * 100.0
    return out


def _recursive(bars: dict[str, Frame]) -> dict[str, Frame]:
    """RSI, ATR, ADX, EMA and MACD with its cross age, by ``ewm(adjust=False)``, pandas' usual idiom."""
    high, low, close = bars["high"], bars["low"], bars["close"]
    previous = close.shift(1)
    change = close - previous
    gain, loss = _wilder(change.clip(lower=0.0)), _wilder((-change).clip(lower=0.0))
    true_range = np.maximum(high - low, np.maximum((high - previous).abs(), (low - previous).abs()))
    up, down = high.diff(), -low.diff()
    plus = _wilder(up.where((up > down) & (up > 0.0), 0.0))
    minus = _wilder(down.where((down > up) & (down > 0.0), 0.0))
    line = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    signal = line.ewm(span=9, adjust=False).mean()
    above = (line - signal) > 0.0
    here = np.arange(len(close), dtype=np.float64)[:, None]
    crossed = pd.DataFrame(np.where(above & ~above.shift(1, fill_value=True), here, np.nan)).ffill()
    return {
        "rsi_14": 100.0 * gain / (gain + loss),
        "atr_14": _wilder(true_range),
        "adx_14": _wilder(100.0 * (plus - minus).abs() / (plus + minus)),
        "ema_20": close.ewm(span=20, adjust=False).mean(),
        "macd": line,
        "macd_signal": signal,
        "macd_cross_age": (here - crossed).where(above),
    }


def _wilder(values: Frame) -> Frame:
    return values.ewm(alpha=1.0 / 14.0, adjust=False).mean()


if __name__ == "__main__":
    compute = {"every": every_session, "last": last_session}[sys.argv[2]]
    computed = compute(read(Path(sys.argv[1])))
    print(len(computed))
