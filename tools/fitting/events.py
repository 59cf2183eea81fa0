"""What happens to listings: splits by price, who pays dividends and how much, special payments, second classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tools.fitting.real_sets import LEVELS, bars, grouped, nightly, scores, screener

PRICES = (0.0, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 20.0, 80.0, 200.0, 500.0)
COMPANIES = ("common", "adr", "reit")
WHOLE_FORWARD = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
WHOLE_REVERSE = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)


def splits(data: Path) -> dict[str, Any]:
    """Yearly rates per price: forward from the published factors 2015-2016, reverse from jumps of 2024-2025.

    A reverse split is a close at least 3.5 times the last one on less volume than before: a jump without news.
    """
    published = pl.read_parquet(data / "bars" / "adjustments_2015_2016.parquet")
    _, _, old = bars(data, "daily_unadjusted_2015_2016")
    _, symbols, new = nightly(data)
    companies = grouped(screener(data).with_columns(etf=pl.lit("N"))).filter(pl.col("group").is_in(COMPANIES))["symbol"]
    mine = np.isin(symbols, companies.to_list())
    close, volume = new["close"][:, mine], new["volume"][:, mine]
    with np.errstate(all="ignore"):
        jump = close[1:] / close[:-1]
        after = np.stack([volume[1 + k : len(volume) - 2 + k] for k in range(3)]).mean(axis=0)
        before = np.stack([volume[2 - k - 1 : len(volume) - 1 - k - 1] for k in range(2)]).mean(axis=0)
    inner = jump[1 : len(after) + 1]
    reverse = (inner > 3.5) & (after[: len(inner)] < before[: len(inner)])
    row, column = np.nonzero(reverse)
    at = close[1 : len(inner) + 1][row, column]
    edges = np.array([*PRICES, np.inf])
    exposure = np.histogram(close[np.isfinite(close)], bins=edges)[0] / 252
    ratio = inner[row, column]
    forward = published.filter(pl.col("adj_ratio") < 0.72, pl.col("prev_close") > 8)  # cheaper ones are errors
    old_exposure = np.histogram(old["close"][np.isfinite(old["close"])], bins=edges)[0] / 252
    counts = np.histogram(forward["prev_close"].to_numpy(), bins=edges)[0]
    factor = 1 / forward["adj_ratio"].to_numpy()
    down = np.argmin(np.abs(np.log(factor[:, None] / np.array(WHOLE_FORWARD))), axis=1)
    up = np.argmin(np.abs(np.log(ratio[:, None] / np.array(WHOLE_REVERSE))), axis=1)
    return {
        "price": list(PRICES),
        "forward": [float(c / max(e, 1.0)) for c, e in zip(counts, old_exposure, strict=True)],
        "reverse": [float(c / max(e, 1.0)) for c, e in zip(np.histogram(at, bins=edges)[0], exposure, strict=True)],
        "forward_ratio": {f"{w:g}": float((down == i).mean()) for i, w in enumerate(WHOLE_FORWARD)},
        "reverse_ratio": {f"{1 / w:.6g}": float((up == i).mean()) for i, w in enumerate(WHOLE_REVERSE)},
    }


def dividends(data: Path) -> dict[str, Any]:
    """Share of payers by noise and group, payments a year, yearly yield, and what is paid once."""
    dates, symbols, real = bars(data, "daily_unadjusted_2015_2016")
    returns = np.abs(np.diff(np.log(real["close"]), axis=0))
    returns[returns > 0.5] = np.nan
    with np.errstate(all="ignore"):
        noise = np.nanmean(returns, axis=0)
    years = len(dates) / 252
    paid = pl.read_parquet(data / "bars" / "adjustments_2015_2016.parquet").with_columns(part=1 - pl.col("adj_ratio"))
    special = paid.filter(pl.col("part").is_between(0.05, 0.6), pl.col("part").is_between(0.49, 0.51).not_())
    ordinary = paid.filter(pl.col("part").is_between(1e-4, 0.05))
    times = ordinary.group_by("symbol").agg(n=pl.len() / years, size=pl.col("part").median())
    facts = grouped(screener(data).with_columns(etf=pl.lit("N"))).select("symbol", "group")
    table = (
        pl.DataFrame({"symbol": symbols, "noise": noise}).join(facts, on="symbol").join(times, on="symbol", how="left")
    )
    table = table.filter(pl.col("noise") > 0)
    payers: dict[str, list[float]] = {}
    for group in ("common", "adr", "reit", "fund"):
        part = table.filter(group=group)
        cell = np.clip(((scores(part["noise"]) + 2) / 4 * 6).astype(np.int64), 0, 5)
        pays = part["n"].is_not_null().to_numpy()
        payers[group] = [float(pays[cell == i].mean()) if (cell == i).any() else float(pays.mean()) for i in range(6)]
    payers |= {"preferred": [1.0], "note": [1.0], "etf": [0.75]}
    common = table.filter(pl.col("group") == "common").drop_nulls("n")
    often = common["n"].to_numpy()
    bins = {"1": often < 1.5, "2": (often >= 1.5) & (often < 2.5), "4": (often >= 2.5) & (often < 8), "12": often >= 8}
    whole = common.filter(pl.col("n").is_between(2.5, 8))
    return {
        "payers": payers,
        "times": {k: float(v.mean()) for k, v in bins.items()},
        "levels": list(LEVELS),
        "yield": [float(x) for x in np.quantile((whole["n"].round() * whole["size"]).to_numpy(), LEVELS)],
        "special_rate": float(len(special) * 0.7 / (len(symbols) * years)),
        "spin_rate": float(len(special) * 0.3 / (len(symbols) * years)),
        "special": [float(x) for x in np.quantile(special["part"].to_numpy(), np.linspace(0, 1, 11))],
    }


def second_classes(data: Path) -> float:
    """Share of company listings that are a further class: same CIK, code of the same root, no preferred."""
    raw = json.loads((data / "universe" / "sec_company_tickers.json").read_text(encoding="utf-8"))
    rows = raw["data"] if "data" in raw else list(raw.values())
    pairs = [(r[2], r[0]) for r in rows] if "data" in raw else [(r["ticker"], r["cik_str"]) for r in rows]
    frame = pl.DataFrame(pairs, schema=["symbol", "cik"], orient="row")
    frame = frame.with_columns(pl.col("symbol").str.replace("-", "/", literal=True))
    facts = grouped(screener(data).with_columns(etf=pl.lit("N"))).filter(group="common")
    listed = facts.join(frame, on="symbol")
    return float(1 - listed["cik"].n_unique() / len(listed))


def fit(data: Path) -> dict[str, Any]:
    """Sections splits, dividends, lines."""
    return {"splits": splits(data), "dividends": dividends(data), "lines": {"second_class": second_classes(data)}}
