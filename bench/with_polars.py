"""Polars expressions over the long frame, all threads: ``over("symbol")`` for every session, ``agg`` for the last.

As a process: ``python -m bench.with_polars FOLDER every|last`` reads the bars and computes the factors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from bench.data import BENCHMARK, FACTORS

C, H, L, V = (pl.col(name) for name in ("close", "high", "low", "volume"))


def scan(folder: Path) -> pl.LazyFrame:
    """The bars sorted by symbol and session, as the expressions want them."""
    return pl.scan_parquet(folder / "by_symbol.parquet").set_sorted("symbol")


def expressions() -> list[pl.Expr]:
    """One expression a factor over one symbol's bars, except relative strength, which needs the benchmark's return."""
    change = C.diff()
    gain, loss = _wilder(change.clip(lower_bound=0.0)), _wilder((-change).clip(lower_bound=0.0))
    previous = C.shift(1)
    true_range = pl.max_horizontal(H - L, (H - previous).abs(), (L - previous).abs())
    up, down = H.diff(), -L.diff()
    plus = _wilder(pl.when((up > down) & (up > 0.0)).then(up).otherwise(0.0))
    minus = _wilder(pl.when((down > up) & (down > 0.0)).then(down).otherwise(0.0))
    line = C.ewm_mean(span=12, adjust=False) - C.ewm_mean(span=26, adjust=False)
    signal = line.ewm_mean(span=9, adjust=False)
    above = (line - signal) > 0.0
    here = pl.col("session")
    crossed = pl.when(above & ~above.shift(1, fill_value=True)).then(here).forward_fill()
    middle, width = C.rolling_mean(20), 2.0 * C.rolling_std(20, ddof=0)
    mean = V.rolling_mean(20, min_samples=15)
    return [
        (100.0 * gain / (gain + loss)).alias("rsi_14"),
        _wilder(true_range).alias("atr_14"),
        _wilder((100.0 * (plus - minus).abs() / (plus + minus)).fill_nan(None)).alias("adx_14"),
        C.ewm_mean(span=20, adjust=False).alias("ema_20"),
        line.alias("macd"),
        signal.alias("macd_signal"),
        pl.when(above).then(here - crossed).cast(pl.Float64).alias("macd_cross_age"),
        (middle + width).alias("bollinger_upper"),
        (middle - width).alias("bollinger_lower"),
        *(C.rolling_mean(n).alias(f"sma_{n}") for n in (20, 50, 200)),
        mean.alias("volume_mean_20"),
        (V.rolling_mean(3) / mean).alias("volume_surge"),
        *((C / C.shift(n) - 1.0).alias(f"return_{n}") for n in (1, 5, 21, 63)),
        ((1.0 - C / H.rolling_max(252, min_samples=1)) * 100.0).alias("high_distance_pct"),
        (C.log().diff().rolling_std(20) * (252.0**0.5 * 100.0)).alias("realised_volatility"),
    ]


def every_session(bars: pl.LazyFrame) -> pl.DataFrame:
    """Each factor at each session: the long frame with a column a factor."""
    computed = bars.with_columns(e.over("symbol") for e in expressions()).collect()
    benchmark = computed.filter(pl.col("symbol") == BENCHMARK).select("session", base="return_63")
    return (
        computed.lazy()
        .join(benchmark.lazy(), on="session", how="left", maintain_order="left")
        .with_columns((((1.0 + pl.col("return_63")) / (1.0 + pl.col("base")) - 1.0) * 100.0).alias("relative_strength"))
        .select("session", "symbol", *FACTORS)
        .collect()
    )


def last_session(bars: pl.LazyFrame) -> pl.DataFrame:
    """Each factor at the last session: a row a symbol."""
    computed = bars.group_by("symbol").agg(e.last() for e in expressions()).sort("symbol")
    growth = 1.0 + pl.col("return_63")
    base = growth.filter(pl.col("symbol") == BENCHMARK).first()
    return computed.with_columns(((growth / base - 1.0) * 100.0).alias("relative_strength")).collect()


def _wilder(values: pl.Expr) -> pl.Expr:
    return values.ewm_mean(alpha=1.0 / 14.0, adjust=False)


if __name__ == "__main__":
    compute = {"every": every_session, "last": last_session}[sys.argv[2]]
    print(compute(scan(Path(sys.argv[1]))).height)
