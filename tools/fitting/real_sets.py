"""The real sets as frames and matrices, and the few statistics that every fit uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

Floats = npt.NDArray[np.float64]

LEVELS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995, 1.0)
SATURDAY = pl.date(2025, 7, 12)  # a snapshot of no session


def matrix(frame: pl.DataFrame, column: str, dates: list[Any], symbols: list[str], on: str) -> Floats:
    """The column as (dates, symbols), NaN where the set has no row."""
    values = np.full((len(dates), len(symbols)), np.nan)
    row = frame[on].replace_strict(dates, range(len(dates)), return_dtype=pl.Int64).to_numpy()
    col = frame["symbol"].replace_strict(symbols, range(len(symbols)), return_dtype=pl.Int64).to_numpy()
    values[row, col] = frame[column].cast(pl.Float64).to_numpy()
    return values


def nightly(data: Path) -> tuple[list[Any], list[str], dict[str, Floats]]:
    """Closes, volumes (0 where a row repeats the last one) and market caps 2024-2025 as (sessions, symbols)."""
    frame = pl.read_parquet(data / "universe" / "nightly_2024_2025.parquet").filter(pl.col("session") != SATURDAY)
    frame = frame.sort("symbol", "session").with_columns(
        repeat=(pl.col("close") == pl.col("close").shift().over("symbol"))
        & (pl.col("volume") == pl.col("volume").shift().over("symbol")),
        market_cap=pl.when(pl.col("market_cap") > 0).then("market_cap"),
    )
    frame = frame.with_columns(volume=pl.when("repeat").then(0).otherwise("volume"))
    dates, symbols = sorted(frame["session"].unique()), sorted(frame["symbol"].unique())
    columns = {c: matrix(frame, c, dates, symbols, "session") for c in ("close", "volume", "market_cap")}
    return dates, symbols, columns


def bars(data: Path, name: str) -> tuple[list[Any], list[str], dict[str, Floats]]:
    """Open, high, low, close, volume as (sessions, symbols); bogus sessions and closes <= 0 left out."""
    frame = pl.read_parquet(data / "bars" / f"{name}.parquet").drop_nulls(["close"]).filter(pl.col("close") > 0)
    frame = frame.filter(pl.len().over("date") > 1000)
    dates, symbols = sorted(frame["date"].unique()), sorted(frame["symbol"].unique())
    columns = ("open", "high", "low", "close", "volume")
    return dates, symbols, {c: matrix(frame, c, dates, symbols, "date") for c in columns}


def screener(data: Path) -> pl.DataFrame:
    """Symbol, name, sector, industry, country, ipoyear of the last screeners that use today's sector words."""
    days = ("20250821", "20250630", "20240628")
    columns = ("symbol", "name", "sector", "industry", "country", "ipoyear")
    frames = [pl.read_parquet(data / "universe" / f"snapshot_{d}.parquet").select(columns) for d in days]
    return pl.concat(frames).with_columns(pl.col("symbol").str.strip_chars()).unique("symbol", keep="first")


def directory(data: Path) -> pl.DataFrame:
    """Symbol (screener spelling), name, exchange, etf of both exchange directories, test issues left out."""

    def read(name: str, renamed: dict[str, str]) -> pl.DataFrame:
        path = data / "universe" / name
        frame = pl.read_csv(path, separator="|", infer_schema=False, quote_char=None).drop_nulls("ETF")
        return (
            frame.filter(pl.col("Test Issue") != "Y")
            .with_columns(Q=pl.lit("Q"))
            .select(**{new: pl.col(old) for new, old in renamed.items()})
        )

    nasdaq = read("nasdaqlisted.txt", {"symbol": "Symbol", "name": "Security Name", "exchange": "Q", "etf": "ETF"})
    other = {"symbol": "ACT Symbol", "name": "Security Name", "exchange": "Exchange", "etf": "ETF"}
    both = pl.concat([nasdaq, read("otherlisted.txt", other)])
    return both.with_columns(pl.col("symbol").str.replace(".", "/", literal=True).str.replace("$", "^", literal=True))


def grouped(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds ``group``: the security type by name and industry, with blank-check companies apart as ``spac``."""
    name, industry = pl.col("name").str.to_lowercase(), pl.col("industry").fill_null("")
    partnership = name.str.contains("common units|limited partner|beneficial")
    group = (
        pl.when(pl.col("etf") == "Y").then(pl.lit("etf"))
        .when(name.str.contains(r"\bwarrants?\b")).then(pl.lit("warrant"))
        .when(name.str.contains(r"\bunits?\b") & ~partnership).then(pl.lit("unit"))
        .when(name.str.contains(r"\brights?\b")).then(pl.lit("right"))
        .when(pl.col("symbol").str.contains("^", literal=True) | name.str.contains("preferred|preference|perpetual"))
        .then(pl.lit("preferred"))
        .when(name.str.contains(r"\bnotes?\b|debentures|\bbonds? due|% senior|subordinated")).then(pl.lit("note"))
        .when(name.str.contains(r"depositary|\bads\b|\badrs?\b")).then(pl.lit("adr"))
        .when(industry == "Real Estate Investment Trusts").then(pl.lit("reit"))
        .when(name.str.contains(r"\bfund\b|municipal|income trust") | industry.str.contains("^Trusts Except"))
        .then(pl.lit("fund"))
        .when((industry == "Blank Checks") | name.str.contains("acquisition")).then(pl.lit("spac"))
        .otherwise(pl.lit("common"))
    )  # fmt: skip
    return frame.with_columns(group=group)


def knots(values: pl.Series) -> list[float]:
    """The values at LEVELS."""
    return [float(x) for x in np.quantile(values.drop_nulls().drop_nans().to_numpy(), LEVELS)]


def scores(values: pl.Series) -> Floats:
    """Normal scores of the ranks; missing values get 0 and count as independent."""
    rank = values.rank("average").fill_null(0).to_numpy()
    n = values.drop_nulls().len()
    return np.where(rank > 0, stats.norm.ppf(np.maximum(rank, 0.5) / (n + 1)), 0.0)
