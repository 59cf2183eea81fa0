"""The synthetic bars that every contestant gets: random walks without gaps, halts or splits, the same for all.

Without gaps each contestant may use its fastest form (wide frames, plain reshapes), which favours the others:
the product's fold handles gaps, splits and late listings in the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

FACTORS = (
    "rsi_14",
    "atr_14",
    "adx_14",
    "ema_20",
    "macd",
    "macd_signal",
    "macd_cross_age",
    "bollinger_upper",
    "bollinger_lower",
    "sma_20",
    "sma_50",
    "sma_200",
    "volume_mean_20",
    "volume_surge",
    "return_1",
    "return_5",
    "return_21",
    "return_63",
    "high_distance_pct",
    "realised_volatility",
    "relative_strength",
)
COLUMNS = ("open", "high", "low", "close", "volume")
BENCHMARK = 0  # the symbol that relative strength is measured against


@dataclass(frozen=True, kw_only=True)
class Market:
    """Bars as arrays of shape (sessions, symbols), session-major; dollars and shares."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return int(self.close.shape[0])

    @property
    def symbols(self) -> int:
        """Number of symbols."""
        return int(self.close.shape[1])

    def arrays(self) -> dict[str, Floats]:
        """The five arrays by column name."""
        return {name: getattr(self, name) for name in COLUMNS}


def market(symbols: int, sessions: int, seed: int = 7) -> Market:
    """Correlated random walks with prices rounded to cents and volumes in whole shares."""
    rng = np.random.default_rng(seed)
    volatility = rng.uniform(0.008, 0.04, symbols)
    common = rng.normal(0.0003, 0.009, sessions)
    moves = rng.standard_normal((sessions, symbols))
    moves *= volatility
    moves += common[:, None]
    start = np.exp(rng.normal(3.2, 1.2, symbols))
    close = np.maximum(np.round(start * np.exp(np.cumsum(moves, axis=0)), 2), 0.01)
    spread = 1.0 + np.abs(rng.standard_normal((sessions, symbols))) * (volatility / 2)
    opened = np.maximum(np.round(close * np.exp(-moves / 2), 2), 0.01)
    high = np.round(np.maximum(close, opened) * spread, 2)
    low = np.maximum(np.round(np.minimum(close, opened) / spread, 2), 0.01)
    level = np.exp(rng.normal(12.8, 1.8, symbols))
    volume = np.floor(level * np.exp(rng.normal(0.0, 0.5, (sessions, symbols)))) + 1.0
    return Market(open=opened, high=high, low=low, close=close, volume=volume)


def write(bars: Market, folder: Path) -> None:
    """The market as ``by_session.parquet`` and ``by_symbol.parquet``, long, so that each contestant may choose.

    Columns: session (0, 1, ...), symbol (0, 1, ...), open, high, low, close, volume.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = bars.close.shape
    session = np.repeat(np.arange(shape[0], dtype=np.int32), shape[1])
    symbol = np.tile(np.arange(shape[1], dtype=np.int32), shape[0])
    columns = {name: values.ravel() for name, values in bars.arrays().items()}
    frame = pl.DataFrame({"session": session, "symbol": symbol, **columns})
    frame.write_parquet(folder / "by_session.parquet")
    frame.sort("symbol", "session").write_parquet(folder / "by_symbol.parquet")


def read(folder: Path) -> Market:
    """The written market as session-major arrays; the fastest way in for a contestant that works on arrays."""
    frame = pl.read_parquet(folder / "by_session.parquet", columns=["session", *COLUMNS])
    sessions = int(frame["session"][-1]) + 1
    arrays = {name: frame[name].to_numpy().reshape(sessions, -1) for name in COLUMNS}
    return Market(**arrays)


def save_arrays(bars: Market, folder: Path) -> None:
    """One ``.npy`` file a column, for a contestant that lives in another interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in bars.arrays().items():
        np.save(folder / f"{name}.npy", values)


def weekdays(count: int, first: date = date(2020, 1, 1)) -> list[date]:
    """``count`` weekdays from ``first`` on, for contestants that want dates."""
    days = np.busday_offset(np.datetime64(first), np.arange(count), roll="forward")
    return [date.fromisoformat(str(day)) for day in days]
