"""Who is listed: groups, exchanges, sectors, and cap, dollars traded, price, noise and beta together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tools.fitting.real_sets import LEVELS, Floats, directory, grouped, knots, nightly, scores, screener

MEASURES = ("market_cap", "dollars", "price", "noise", "beta")
EXCHANGES = {"Q": "NASDAQ", "N": "NYSE", "A": "AMEX", "P": "ARCA", "Z": "BATS"}
WEEKS = 60  # sessions that the cross-section is measured over


def shares_of(frame: pl.DataFrame, column: str, least: float = 0.0) -> dict[str, float]:
    """Share of rows per value, largest first; values rarer than ``least`` are left out."""
    counts = frame.drop_nulls(column).filter(pl.col(column) != "")[column].value_counts(sort=True, normalize=True)
    rows = sorted(counts.filter(pl.col("proportion") >= least).rows(), key=lambda row: (-row[1], row[0]))
    return dict(rows)


def cross_section(data: Path) -> pl.DataFrame:
    """One row per listing of the last session: group, sector and the five measures (null where not measurable)."""
    _, symbols, real = nightly(data)
    close, volume, cap = real["close"], real["volume"], real["market_cap"]
    returns = np.diff(np.log(close), axis=0)
    returns[np.abs(returns) > 0.5] = np.nan
    weight = np.nan_to_num(cap[:-1]) * np.isfinite(returns)
    market = np.nansum(np.nan_to_num(returns) * weight, axis=1) / weight.sum(axis=1)
    known = np.isfinite(returns)
    count = np.maximum(known.sum(axis=0), 1)
    r, m = np.nan_to_num(returns), market[:, None] * known
    mean_r, mean_m = r.sum(axis=0) / count, m.sum(axis=0) / count
    var_m = (m * m).sum(axis=0) / count - mean_m**2
    beta = ((r * m).sum(axis=0) / count - mean_r * mean_m) / np.maximum(var_m, 1e-12)
    rest = np.where(known, r - beta * market[:, None], np.nan)
    error = np.nanvar(rest, axis=0) / np.maximum(var_m * count, 1e-12)
    recent = slice(-WEEKS, None)
    with np.errstate(all="ignore"):
        frame = pl.DataFrame(
            {
                "symbol": symbols,
                "market_cap": cap[-1],
                "dollars": np.nanmean(volume[-20:], axis=0) * close[-1],
                "price": close[-1],
                "noise": np.nanmean(np.abs(rest[recent]), axis=0),
                "beta": np.where(count >= 200, beta, np.nan),
                "error": error,
                "sessions": count,
            }
        ).with_columns(pl.col(pl.Float64).fill_nan(None))
    frame = frame.filter(pl.col("price").is_not_null())
    facts = screener(data).with_columns(etf=pl.lit("N"))
    return grouped(frame.join(facts, on="symbol", how="inner"))


def shrunk_beta(frame: pl.DataFrame) -> pl.DataFrame:
    """Betas pulled to their group's mean by the share of their variance that is estimation error."""
    mean, spread = pl.col("beta").mean().over("group"), pl.col("beta").var().over("group")
    noise = pl.col("error").median().over("group")
    trust = (1 - noise / spread).clip(0.05, 1.0).sqrt()
    clipped = pl.col("beta").clip(mean - 4 * spread.sqrt(), mean + 4 * spread.sqrt())
    return frame.with_columns(beta=mean + (clipped - mean) * trust)


def copula(frame: pl.DataFrame, within: str | None) -> list[list[float]]:
    """Correlation of the normal scores of MEASURES, ranked inside each value of ``within``."""
    parts = frame.partition_by(within) if within else [frame]
    table = np.vstack([np.stack([scores(p[m]) for m in MEASURES], axis=1) for p in parts])
    known = np.vstack([np.stack([p[m].is_not_null().to_numpy() for m in MEASURES], axis=1) for p in parts])
    size = len(MEASURES)
    result = np.eye(size)
    for i in range(size):
        for j in range(i):
            both = known[:, i] & known[:, j]
            if both.sum() > 10:
                result[i, j] = result[j, i] = np.corrcoef(table[both, i], table[both, j])[0, 1]
    return [[float(x) for x in row] for row in nearest_correlation(result)]


def nearest_correlation(matrix: Floats) -> Floats:
    """The matrix with negative eigenvalues lifted and its diagonal set to one again."""
    value, vector = np.linalg.eigh(matrix)
    lifted = (vector * np.maximum(value, 1e-3)) @ vector.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))


ETF_KINDS = {  # first match wins; the words are the directories' own
    "leveraged": r"\b[23]x\b|ultrapro|leveraged|bull\b|bear\b|inverse|ultrashort|proshares short|daily (target|[0-9])",
    "bond": r"bond|treasury|municipal|\bmuni\b|credit|\bclo\b|fixed income|duration|floating rate|t-bill|aggregate",
    "commodity": r"\bgold\b|\boil\b|commodit|silver|uranium|metals|natural gas|agricultur",
    "crypto": r"bitcoin|ether|crypto|blockchain|solana",
    "buffer": r"buffer|defined|outcome|covered call|option|premium income|yieldmax|hedged equity",
    "international": r"international|emerging|global|msci|china|europe|japan|world|india|korea|brazil|eafe|developed",
    "sector": r"sector|technolog|health|biotech|energy|financ|bank|real estate|utilit|semiconductor|robot|industrial",
    "broad": r".",
}


def etf_kinds(names: pl.Series) -> dict[str, float]:
    """Share of each kind of fund among the directories' ETFs."""
    kind = pl.lit(None, dtype=pl.String)
    for word, pattern in reversed(ETF_KINDS.items()):
        kind = pl.when(pl.col("n").str.contains(pattern)).then(pl.lit(word)).otherwise(kind)
    return shares_of(pl.DataFrame({"n": names.str.to_lowercase()}).select(kind=kind), "kind")


def turnover_of_listings(data: Path, group_of: dict[str, str]) -> dict[str, dict[str, float]]:
    """Arrivals and exits a year, per listing, by group; exits by price (log-linear), changes of symbol a year."""
    dates, symbols, real = nightly(data)
    alive = np.isfinite(real["close"])
    first, last = alive.argmax(axis=0), len(dates) - 1 - alive[::-1].argmax(axis=0)
    close, cap = real["close"], real["market_cap"]
    edge = 8  # sessions at both ends within which a late or missing row is no arrival and no exit
    new, gone = np.flatnonzero(first > edge), np.flatnonzero(last < len(dates) - 1 - edge)
    end_price, end_cap = close[last, np.arange(len(symbols))], cap[last, np.arange(len(symbols))]
    start_price, start_cap = close[first, np.arange(len(symbols))], cap[first, np.arange(len(symbols))]
    renamed_new: set[int] = set()
    renamed_old: set[int] = set()
    for i in gone:  # a change: one symbol ends where another of the same cap and price begins
        at = new[(first[new] > last[i]) & (first[new] <= last[i] + 2)]
        near = (np.abs(np.log(start_cap[at] / end_cap[i])) < 0.2) & (
            np.abs(np.log(start_price[at] / end_price[i])) < 0.2
        )
        if near.any():
            renamed_old.add(int(i))
            renamed_new.add(int(at[near][0]))
    years = (len(dates) - 2 * edge) / 252
    groups = np.array([group_of.get(s, "common") for s in symbols])
    result: dict[str, dict[str, float]] = {"arrivals": {}, "exits": {}}
    at_once = alive.sum(axis=1).mean() / len(symbols)
    for group in sorted(set(groups)):
        size = (groups == group).sum() * at_once * years
        result["arrivals"][group] = float(
            np.isin(new, list(renamed_new), invert=True)[groups[new] == group].sum() / size
        )
        result["exits"][group] = float(
            np.isin(gone, list(renamed_old), invert=True)[groups[gone] == group].sum() / size
        )
    stock = groups == "common"
    result["renames"] = {"common": len(renamed_old) / (stock.sum() * at_once * years)}
    levels = np.array([0.0, 0.2, 0.6, 2.0, 6.0, 20.0, 60.0, np.inf])
    exposure = np.histogram(close[:, stock][np.isfinite(close[:, stock])], bins=levels)[0] / 252
    dead = np.array([i for i in gone if stock[i] and i not in renamed_old])
    exits = np.histogram(end_price[dead], bins=levels)[0]
    result["exit_by_price"] = {f"{levels[i]:g}": float(exits[i] / exposure[i]) for i in range(len(exits))}
    return result


def size_of_noise(real: pl.DataFrame) -> float:
    """Elasticity of a common share's noise to its market cap."""
    part = real.filter(pl.col("group") == "common", pl.col("market_cap") > 0, pl.col("noise") > 0)
    return float(np.polyfit(np.log(part["market_cap"].to_numpy()), np.log(part["noise"].to_numpy()), 1)[0])


def fit(data: Path) -> dict[str, Any]:
    """Sections groups, exchanges, sectors, industries, marginals, copulas, etf, lifetimes."""
    listed = grouped(directory(data).join(screener(data).drop("name"), on="symbol", how="left"))
    real = shrunk_beta(cross_section(data))
    groups = shares_of(listed, "group")
    exchanges = {
        g: {EXCHANGES[k]: v for k, v in shares_of(listed.filter(group=g), "exchange", 0.002).items() if k in EXCHANGES}
        for g in groups
    }
    sectors = {g: shares_of(real.filter(group=g), "sector", 0.004) for g in groups if g != "etf"}
    industries = {s: shares_of(real.filter(sector=s), "industry", 0.01) for s in sectors["common"]}
    marginals: dict[str, Any] = {"levels": list(LEVELS)}
    copulas: dict[str, Any] = {}
    for g in groups:
        rows = real.filter(group=g)
        if rows.is_empty():
            continue
        cells = {f"common:{s}": rows.filter(sector=s) for s in sectors["common"]} if g == "common" else {g: rows}
        for cell, part in cells.items():
            known = [m for m in MEASURES if part[m].drop_nulls().len() >= 20]
            marginals[cell] = {m: knots(part[m]) for m in known}
        copulas[g] = copula(
            rows.filter(pl.col("sector").is_in(list(sectors["common"]))) if g == "common" else rows,
            "sector" if g == "common" else None,
        )
    names = listed.filter(group="etf")["name"]
    ipo = real.with_columns(year=pl.col("ipoyear").cast(pl.Int64, strict=False))["year"].drop_nulls()
    every = grouped(screener(data).with_columns(etf=pl.lit("N")))
    kinds = dict(every.select("symbol", "group").rows())
    return {
        "groups": groups,
        "exchanges": exchanges,
        "sectors": sectors,
        "industries": industries,
        "marginals": marginals,
        "copulas": copulas,
        "etf": {"kinds": etf_kinds(names)},
        "ipo": {"year": knots(ipo)},
        "turnover": turnover_of_listings(data, kinds),
        "size": {"noise": size_of_noise(real)},
    }
