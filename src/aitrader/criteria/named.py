"""The criteria that are more than one factor against one number."""

from __future__ import annotations

import polars as pl

from aitrader.criteria.criterion import criterion


def _asked(holds: pl.Expr, wanted: bool) -> pl.Expr:
    return holds if wanted else ~holds


@criterion(factors=("price", "sma20", "sma50"), op="is")
def uptrend(wanted: bool) -> pl.Expr:
    """Last close above its 20-bar mean, and that above the 50-bar mean."""
    holds = (pl.col("price") > pl.col("sma20")) & (pl.col("sma20") > pl.col("sma50"))
    known = pl.col("price").is_not_null() & pl.col("sma20").is_not_null() & pl.col("sma50").is_not_null()
    return pl.when(known).then(_asked(holds, wanted)).otherwise(None)


@criterion(factors=("price", "bollinger_lower", "bollinger_upper"), op="is")
def inside_bollinger(wanted: bool) -> pl.Expr:
    """Last close within the Bollinger bands (20 bars, 2 deviations), the bands included."""
    low, high = pl.col("bollinger_lower"), pl.col("bollinger_upper")
    known = pl.col("price").is_not_null() & low.is_not_null() & high.is_not_null()
    holds = (pl.col("price") >= low) & (pl.col("price") <= high)
    return pl.when(known).then(_asked(holds, wanted)).otherwise(None)


@criterion(factors=("macd_cross_age", "macd_histogram"), op="<", unit="sessions")
def macd_cross(sessions: int) -> pl.Expr:
    """MACD crossed above its signal within the last ``sessions`` sessions, today's included, and is still above."""
    recent = (pl.col("macd_histogram") > 0) & (pl.col("macd_cross_age") < sessions).fill_null(False)
    return pl.when(pl.col("macd_histogram").is_not_null()).then(recent).otherwise(None)


@criterion(factors=("exchange",), op="in", needs=("securities.exchange",), reads="listing")
def exchanges(names: tuple) -> pl.Expr:  # type: ignore[type-arg]
    """Listed on one of the named exchanges."""
    return pl.col("exchange").is_in(list(names))


@criterion(factors=("suspect",), op="is", needs=("bars.close",))
def explained_jumps(wanted: bool) -> pl.Expr:
    """No split-like overnight jump without a known action in the last 60 sessions; one makes the symbol unknown."""
    return pl.when(~pl.col("suspect")).then(pl.lit(wanted))
