"""Counts that are known of real markets, measured on a simulated one without the product's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import talib

from aitrader.domain.frames import Delivery
from tools.fitting.events import PRICES, dividends, splits
from tools.fitting.listings import turnover_of_listings
from tools.fitting.real_sets import Floats, bars, grouped, matrix, screener
from tools.fitting.volumes import silence

COUNTED = ("common", "adr", "reit", "etf")
REAL = {  # product.md and data/README.md; blank where the real sets hold nothing to compare with
    "listings": "11,261",
    "listings of counted types": "",
    "liquid listings": "",
    "of them exchange-traded funds": "",
    "liquid share of counted types": "0.20-0.30",
    "liquid share without funds": "0.246 of all lines",
    "RSI 30-70": "0.76-0.95",
    "volume of 3 sessions > 1.5 x 20": "0.01-0.33",
    "5-session return -2..+8 %": "0.17-0.71",
    "close > SMA20 > SMA50": "0.04-0.43",
    "inside the Bollinger bands": "0.72-0.96",
    "MACD cross within 5 sessions": "0.03-0.34",
    "all six, symbols per 1,000": "0-7",
    "five of six, symbols per 1,000": "12-92",
    "four of six, symbols per 1,000": "70-430",
}


def adjusted(delivery: Delivery) -> tuple[list[str], dict[str, Floats]]:
    """Close and volume as (sessions, symbols) on the last session's share basis, under each listing's last symbol."""
    after: dict[str, str] = {}
    changes = delivery.actions.filter(pl.col("kind") == "symbol_change").sort("ex_date", descending=True)
    for old, new in changes.select("symbol", "new_symbol").rows():
        after[old] = after.get(new, new)
    frame = delivery.bars.with_columns(pl.col("symbol").replace(after))
    dates, symbols = sorted(frame["date"].unique()), sorted(frame["symbol"].unique())
    found = {c: matrix(frame, c, dates, symbols, "date") for c in ("close", "volume")}
    row, column = {d: i for i, d in enumerate(dates)}, {s: i for i, s in enumerate(symbols)}
    for symbol, day, ratio in delivery.actions.filter(kind="split").select("symbol", "ex_date", "ratio").rows():
        at = column[after.get(symbol, symbol)]
        found["close"][: row[day], at] /= ratio
        found["volume"][: row[day], at] *= ratio
    return symbols, found


def capitalisation(delivery: Delivery) -> dict[str, float]:
    """Latest known shares x last close of each listing's last symbol, summed over the company's lines."""
    splits = delivery.actions.filter(pl.col("kind") == "split").select("symbol", "ex_date", "ratio")
    filed = delivery.fundamentals.select("symbol", "shares_outstanding", day=pl.col("known_at").dt.date())
    told = delivery.securities.select(
        "symbol", "shares_outstanding", day=pl.col("known_on").fill_null(pl.lit(delivery.bars["date"].min()))
    )
    counts = pl.concat([told, filed]).drop_nulls().sort("day").unique("symbol", keep="last")
    later = counts.join(splits, on="symbol", how="left").with_columns(
        factor=pl.when(pl.col("ex_date") > pl.col("day")).then(pl.col("ratio")).otherwise(1.0)
    )
    shares = later.group_by("symbol").agg(shares=pl.col("shares_outstanding").first() * pl.col("factor").product())
    last = delivery.bars.filter(pl.col("date") == pl.col("date").max()).select("symbol", "close")
    lines = last.join(shares, on="symbol").with_columns(cap=pl.col("close") * pl.col("shares"))
    company = delivery.securities.select("symbol", company=pl.coalesce("cik", "figi")).unique("symbol", keep="last")
    lines = lines.join(company, on="symbol").with_columns(pl.col("cap").sum().over("company"))
    return dict(lines.select("symbol", "cap").rows())


def shares(delivery: Delivery) -> dict[str, float]:
    """The counts of REAL on the final session."""
    symbols, found = adjusted(delivery)
    close, volume = found["close"], found["volume"]
    facts = delivery.securities.sort("listed_on").unique("symbol", keep="last").select("symbol", "security_type")
    changes = delivery.actions.filter(pl.col("kind") == "symbol_change").select("symbol", "new_symbol")
    renamed = changes.join(facts, on="symbol").select("security_type", symbol="new_symbol")
    kind_of = dict(pl.concat([facts, renamed.select(facts.columns)]).rows())
    cap_of = capitalisation(delivery)
    kind = np.array([kind_of.get(s, "") for s in symbols])
    cap = np.array([cap_of.get(s, np.nan) for s in symbols])
    listed = np.isfinite(close[-1])
    counted, fund = listed & np.isin(kind, COUNTED), kind == "etf"
    mean = np.nanmean(np.where(listed, volume[-20:], np.nan), axis=0)
    large = (mean >= 1e6) & (close[-1] >= 1.0) & (fund | (cap >= 1e8)) & (np.isfinite(close).sum(axis=0) >= 60)
    liquid = counted & large
    answers = single(close[:, liquid & ~fund], volume[:, liquid & ~fund])
    both = np.stack(list(answers.values())).sum(axis=0)
    per = 1_000 / both.size
    return {
        "listings": float(listed.sum()),
        "listings of counted types": float(counted.sum()),
        "liquid listings": float(liquid.sum()),
        "of them exchange-traded funds": float((liquid & fund).sum()),
        "liquid share of counted types": float(liquid.sum() / counted.sum()),
        "liquid share without funds": float((liquid & ~fund).sum() / (listed & ~fund).sum()),
        **{name: float(answer.mean()) for name, answer in answers.items()},
        "all six, symbols per 1,000": float((both == 6).sum() * per),
        "five of six, symbols per 1,000": float((both == 5).sum() * per),
        "four of six, symbols per 1,000": float((both == 4).sum() * per),
    }


def single(close: Floats, volume: Floats) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Which columns answer yes to each single question on the last row."""
    count = close.shape[1]
    rsi, cross, inside, trend = (np.zeros(count, dtype=np.bool_) for _ in range(4))
    for i in range(count):
        path = close[np.isfinite(close[:, i]), i]
        value = talib.RSI(path, 14)[-1]
        histogram = talib.MACD(path)[2][-6:]
        short, long = path[-20:].mean(), path[-50:].mean()
        rsi[i] = 30 <= value <= 70
        cross[i] = histogram[-1] > 0 and bool(((histogram[1:] > 0) & (histogram[:-1] <= 0)).any())
        inside[i] = abs(path[-1] - short) <= 2 * path[-20:].std()
        trend[i] = path[-1] > short > long
    gain = close[-1] / close[-6] - 1
    surge = np.nanmean(volume[-3:], axis=0) > 1.5 * np.nanmean(volume[-20:], axis=0)
    names = list(REAL)[6:12]
    answers = (rsi, surge, (gain >= -0.02) & (gain <= 0.08), trend, inside, cross)
    return dict(zip(names, answers, strict=True))


EVENTS = (
    "untraded sessions, share (companies)",
    "missing sessions, share",
    "forward splits",
    "reverse splits",
    "dividend payers, share of companies",
    "arrivals of companies",
    "exits of companies",
    "changes of symbol",
)


def real_events(data: Path) -> dict[str, float]:
    """EVENTS of the real sets, the rates a year and per 100 listings."""
    _, _, old = bars(data, "daily_unadjusted_2015_2016")
    close, volume = old["close"], old["volume"]
    years = np.isfinite(close).sum() / 252
    published = pl.read_parquet(data / "bars" / "adjustments_2015_2016.parquet")
    groups = dict(grouped(screener(data).with_columns(etf=pl.lit("N"))).select("symbol", "group").rows())
    turnover = turnover_of_listings(data, groups)
    rates, quiet = splits(data), silence(data)
    exposure = _exposure(data)
    forward = published.filter(pl.col("adj_ratio") < 0.72, pl.col("prev_close") > 8)
    values = (
        float(np.nansum(volume == 0) / np.isfinite(volume).sum()),
        quiet["halts"] * quiet["length"],
        100 * len(forward) / years,
        100 * float(np.dot(rates["reverse"], exposure)),
        float(np.mean(dividends(data)["payers"]["common"][1:5])),
        100 * turnover["arrivals"]["common"],
        100 * turnover["exits"]["common"],
        100 * turnover["renames"]["common"],
    )
    return dict(zip(EVENTS, values, strict=True))


def _exposure(data: Path) -> Floats:
    """Share of 2024-2025 company-sessions in each price cell of the split rates."""
    companies = grouped(screener(data).with_columns(etf=pl.lit("N"))).filter(pl.col("group").is_in(COUNTED))
    close = pl.read_parquet(data / "universe" / "nightly_2024_2025.parquet").join(companies, on="symbol", how="semi")[
        "close"
    ]
    found = np.histogram(close, bins=np.array([*PRICES, np.inf]))[0]
    return np.asarray(found / found.sum())


def simulated_events(delivery: Delivery) -> dict[str, float]:
    """EVENTS of a simulated market."""
    kinds = delivery.securities.filter(pl.col("known_on").is_null())
    company = kinds.filter(pl.col("security_type").is_in(["common", "adr", "reit"]))
    traded = delivery.bars.join(company.select("symbol").unique(), on="symbol", how="semi")
    sessions = delivery.bars["date"].n_unique()
    start = delivery.bars["date"].min()
    years = len(traded) / 252
    actions = delivery.actions.join(company.select("symbol").unique(), on="symbol", how="semi")
    split = actions.filter(pl.col("kind") == "split")["ratio"]
    everyone = delivery.bars.group_by("symbol").agg(n=pl.len(), a=pl.col("date").min(), b=pl.col("date").max())
    whole = everyone.filter(pl.col("a") == start, pl.col("b") == delivery.bars["date"].max())
    values = (
        float((traded["volume"] == 0).mean()),  # type: ignore[arg-type]
        float(1 - np.mean(whole["n"].to_numpy()) / sessions),
        100 * float((split > 1).sum()) / years,
        100 * float((split < 1).sum()) / years,
        actions.filter(pl.col("kind") == "dividend")["symbol"].n_unique() / len(company),
        100 * float((company["listed_on"] >= start).sum()) / years,
        100 * float(company["delisted_on"].is_not_null().sum()) / years,
        100 * float((actions["kind"] == "symbol_change").sum()) / years,
    )
    return dict(zip(EVENTS, values, strict=True))
