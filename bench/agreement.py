"""Do the contestants compute the same numbers? A race between different tasks would mean nothing."""

from __future__ import annotations

import numpy as np
import polars as pl

from bench import with_pandas, with_polars, with_talib
from bench.data import FACTORS, Floats, Market, market

# Averages that pandas and Polars start at the first value and TA-Lib with the mean of the first ones: after 300
# sessions their difference has faded to this share of the value.
FADED = 1e-4


def worst(symbols: int = 200, sessions: int = 300) -> dict[str, float]:
    """The largest relative difference to TA-Lib at the last session by contestant, over all factors and symbols."""
    bars = market(symbols, sessions)
    expected = {name: values[:, -1] for name, values in with_talib.every_session(bars).items()}
    wide, frame = with_pandas.wide(bars), long(bars).lazy()
    answers: dict[str, dict[str, Floats]] = {
        "pandas, every session": {k: v.to_numpy()[-1] for k, v in with_pandas.every_session(wide).items()},
        "pandas, last session": {k: np.asarray(v) for k, v in with_pandas.last_session(wide).items()},
        "Polars, last session": columns(with_polars.last_session(frame)),
        "Polars, every session": columns(
            with_polars.every_session(frame).filter(pl.col("session") == sessions - 1).sort("symbol")
        ),
    }
    return {name: max(difference(got[f], expected[f]) for f in FACTORS) for name, got in answers.items()}


def long(bars: Market) -> pl.DataFrame:
    """The bars as Polars wants them in memory: a row per symbol and session, sorted by symbol."""
    sessions, symbols = bars.close.shape
    keys = {
        "session": np.tile(np.arange(sessions, dtype=np.int32), symbols),
        "symbol": np.repeat(np.arange(symbols, dtype=np.int32), sessions),
    }
    frame = pl.DataFrame({**keys, **{name: values.T.ravel() for name, values in bars.arrays().items()}})
    return frame.with_columns(pl.col("symbol").set_sorted())


def columns(frame: pl.DataFrame) -> dict[str, Floats]:
    """The factors of a frame as arrays, null as NaN."""
    return {name: frame[name].fill_null(float("nan")).to_numpy() for name in FACTORS}


def difference(got: Floats, expected: Floats) -> float:
    """The largest |got - expected| / max(|expected|, 1), infinite where only one of them is known."""
    if (np.isnan(got) != np.isnan(expected)).any():
        return float("inf")
    return float(np.nanmax(np.abs(got - expected) / np.maximum(np.abs(expected), 1.0), initial=0.0))
