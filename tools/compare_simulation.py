"""Write docs/simulation.md: what the simulated market shows beside what the real sets show, by the same measures.

Run from the repository: ``python -m tools.compare_simulation [DATA]`` (default ``../shared/data``); some minutes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from aitrader.domain.frames import Delivery
from aitrader.simulation.market import FITTED_AT, MarketSpec, generate
from tools.fitting import rules
from tools.fitting.listings import cross_section
from tools.fitting.panel import Panel, autocorrelation
from tools.fitting.real_sets import Floats, matrix, nightly
from tools.fitting.valuations import real_companies, simulated_companies

ROOT = Path(__file__).resolve().parents[1]
TARGET, TEXT = ROOT / "docs" / "simulation.md", ROOT / "tools" / "simulation_text.md"
SETS = {"2024-2025": "nightly", "2021-2023": "daily_yahoo_2021_2023", "2015-2016": "daily_unadjusted_2015_2016"}
SEEDS = range(201, 221)  # of the last table: seeds that no fit was looked at with
FEW = (101, 102, 103)  # of the others
COMPANIES = ("common", "adr", "reit")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
COLUMNS = ("open", "high", "low", "close", "volume")


def main() -> None:
    """Measures everything and puts the tables into the page."""
    warnings.simplefilter("ignore", RuntimeWarning)
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    few = [generate(MarketSpec(seed=seed)) for seed in FEW]
    text = TEXT.read_text(encoding="utf-8")
    text = text.replace("{{cross_section}}", section_table(data, few))
    text = text.replace("{{dynamics}}", dynamics_table(data, few))
    text = text.replace("{{events}}", events_table(data, few))
    text = text.replace("{{companies}}", companies_table(data, few))
    text = text.replace("{{rules}}", rules_table())
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


def shown(value: float) -> str:
    """Three significant digits, thousands and more with a unit letter."""
    if not np.isfinite(value):
        return "-"
    for size, letter in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    top = list(head)
    lines = ["| " + " | ".join(top) + " |", "|" + " --- |" * len(top)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def matrices(delivery: Delivery, types: tuple[str, ...]) -> tuple[list[str], dict[str, Floats]]:
    """Bars of the given security types as (sessions, symbols), as published."""
    wanted = delivery.securities.filter(pl.col("security_type").is_in(types))["symbol"].unique()
    bars = delivery.bars.join(wanted.to_frame(), on="symbol", how="semi")
    dates, symbols = sorted(bars["date"].unique()), sorted(bars["symbol"].unique())
    return symbols, {c: matrix(bars, c, dates, symbols, "date") for c in COLUMNS}


def simulated_section(delivery: Delivery) -> pl.DataFrame:
    """Companies on the session that was fitted at: price, mean volume of 20 sessions, dollars, cap, mean |return|."""
    bars = delivery.bars.filter(pl.col("date") <= FITTED_AT).sort("symbol", "date")
    listed = delivery.securities.filter(pl.col("security_type").is_in(COMPANIES), pl.col("known_on").is_null())
    splits = delivery.actions.filter(pl.col("kind") == "split", pl.col("ex_date") <= FITTED_AT)
    became = splits.group_by("symbol").agg(became=pl.col("ratio").product())
    move = (pl.col("close") / pl.col("close").shift()).log().abs()
    measured = bars.group_by("symbol").agg(
        price=pl.col("close").last(),
        volume=pl.col("volume").tail(20).mean(),
        move=move.filter(move < 0.5).tail(60).mean(),
        last=pl.col("date").last(),
    )
    both = measured.filter(pl.col("last") == FITTED_AT).join(listed, on="symbol").join(became, on="symbol", how="left")
    shares = pl.col("shares_outstanding") * pl.col("became").fill_null(1.0)
    return both.with_columns(dollars=pl.col("price") * pl.col("volume"), cap=pl.col("price") * shares)


def real_section(data: Path) -> pl.DataFrame:
    """The same of the screener's companies on its last session."""
    _, symbols, real = nightly(data)
    move = np.abs(np.diff(np.log(real["close"]), axis=0))[-60:]
    move[move > 0.5] = np.nan
    moves = pl.DataFrame({"symbol": symbols, "move": np.nanmean(move, axis=0)})
    both = cross_section(data).filter(pl.col("group").is_in([*COMPANIES, "spac"])).join(moves, on="symbol")
    return both.rename({"market_cap": "cap"}).with_columns(volume=pl.col("dollars") / pl.col("price"))


def section_table(data: Path, few: list[Delivery]) -> str:
    """Quantiles of the companies on the session fitted at, and the share of the whole screener that trades at size."""
    real, simulated = real_section(data), pl.concat([simulated_section(d) for d in few])
    rows = []
    for name, column in (
        ("close, dollars", "price"),
        ("mean volume of 20 sessions, shares", "volume"),
        ("dollars traded a session", "dollars"),
        ("market cap, dollars", "cap"),
        ("mean absolute daily return, 60 sessions", "move"),
    ):
        for origin, frame in (("real", real), ("simulated", simulated)):
            values = frame[column].drop_nulls().drop_nans()
            rows.append([name, origin, *(shown(float(np.quantile(values, q))) for q in QUANTILES)])
    pairs = (("cap", "volume"), ("cap", "price"), ("cap", "move"), ("volume", "move"), ("price", "volume"))
    for a, b in pairs:
        both = [f.select(a, b).filter(pl.all_horizontal(pl.all() > 0)).drop_nulls() for f in (real, simulated)]
        ranks = [float(np.corrcoef(f[a].rank(), f[b].rank())[0, 1]) for f in both]
        rows.append(
            [f"rank correlation of {a} and {b}", "real / simulated", "", "", f"{ranks[0]:.2f} / {ranks[1]:.2f}", "", ""]
        )
    return table(["companies", "", *(f"{q:.0%}" for q in QUANTILES)], rows)


def dynamics(panel: Panel) -> dict[str, str]:
    """How liquid companies move, as words for a table."""
    returns, size = panel.returns, np.abs(panel.rest)
    some = np.corrcoef(returns[:, ::3].T)
    z = size / size.mean(axis=0)
    volume = panel.real["volume"][1:, panel.liquid]
    log = np.log(np.where(volume > 0, volume, np.nan))
    log = log - np.nanmean(log, axis=0)
    common = np.nanmedian(log, axis=1)
    log = np.nan_to_num(log - common[:, None])
    total = np.cumsum(np.vstack([np.zeros(volume.shape[1]), np.nan_to_num(volume)]), axis=0)
    surge = ((total[20:] - total[17:-3]) / 3) / np.maximum((total[20:] - total[:-20]) / 20, 1e-9)
    path = np.cumsum(np.vstack([np.zeros(returns.shape[1]), returns]), axis=0)
    five = np.exp(path[5:] - path[:-5]) - 1
    band = (np.nan_to_num(z) > 3) & (z < 6)

    def several(values: Floats, levels: tuple[float, ...]) -> str:
        return " / ".join(f"{v:.3g}" for v in np.quantile(values, levels))

    result = {
        "liquid companies": f"{returns.shape[1]:,}",
        "pairwise correlation of returns, mean": f"{(some.sum() - len(some)) / (len(some) * (len(some) - 1)):.2f}",
        "share of variance explained by market and style, 10/50/90 %": several(
            1 - panel.rest.var(axis=0) / returns.var(axis=0), (0.1, 0.5, 0.9)
        ),
        "mean absolute return, 5/50/95 %": several(np.abs(returns).mean(axis=0), (0.05, 0.5, 0.95)),
        "own move over its mean, 50/90/99/99.9 %": several(z, (0.5, 0.9, 0.99, 0.999)),
        "autocorrelation of own absolute moves, lag 1/5/20": " / ".join(
            f"{v:.2f}" for v in autocorrelation(size)[[0, 3, 5]]
        ),
        "spread of log volume, own / of the market": f"{log.std(axis=0).mean():.2f} / {common.std():.2f}",
        "autocorrelation of log volume, lag 1/5/20": " / ".join(f"{v:.2f}" for v in autocorrelation(log)[[0, 3, 5]]),
        "log volume with an own move of 3-6 means": f"{log[band].mean():.2f}",
        "volume of 3 sessions over 20, 5/50/95/99 %": several(surge, (0.05, 0.5, 0.95, 0.99)),
        "return of 5 sessions, 5/50/95 %": several(five, (0.05, 0.5, 0.95)),
    }
    if "high" in panel.real:
        from tools.fitting.volumes import shapes

        shape = shapes(panel)
        result["range over absolute return; variance before the open"] = (
            f"{shape['range']:.2f}; {shape['overnight']:.2f}"
        )
    return result


def dynamics_table(data: Path, few: list[Delivery]) -> str:
    """Liquid companies of the three sets and of the simulated market."""
    columns = {name: dynamics(Panel.of(data, file)) for name, file in SETS.items()}
    for seed, delivery in zip(FEW[:2], few, strict=False):
        columns[f"seed {seed}"] = dynamics(Panel(*matrices(delivery, COMPANIES)))
    names = list(columns[f"seed {FEW[0]}"])
    return table(["", *columns], [[name, *(columns[c].get(name, "-") for c in columns)] for name in names])


def events_table(data: Path, few: list[Delivery]) -> str:
    """What happens to listings, a year and per hundred listings."""
    real = rules.real_events(data)
    found = [rules.simulated_events(delivery) for delivery in few]
    mean = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
    return table(["", "real", "simulated"], [[k, shown(real.get(k, np.nan)), shown(v)] for k, v in mean.items()])


def companies_table(data: Path, few: list[Delivery]) -> str:
    """Annual reports on the day they became known."""
    real, simulated = real_companies(data), pl.concat([simulated_companies(delivery) for delivery in few])
    rows = []
    for name, column in (
        ("price over earnings, where positive", "pe"),
        ("revenue over market cap", "sales"),
        ("assets over market cap", "assets"),
        ("liabilities over assets", "debts"),
        ("growth of revenue", "growth"),
        ("debt over equity, where positive", "leverage"),
        ("days from period end, annual", "lag"),
    ):
        for origin, frame in (("real", real), ("simulated", simulated)):
            values = (
                frame[column].drop_nulls().drop_nans() if column in frame.columns else pl.Series([], dtype=pl.Float64)
            )
            rows.append(
                [name, origin, *(shown(float(np.quantile(values, q))) if len(values) else "-" for q in QUANTILES)]
            )
    for name, column in (
        ("share with a loss", "loss"),
        ("quarter better than a year before", "better"),
        ("two in a row", "twice"),
    ):
        means = [float(np.mean(f[column].drop_nulls().to_numpy())) for f in (real, simulated)]
        rows.append([name, "real / simulated", "", "", f"{means[0]:.3f} / {means[1]:.3f}", "", ""])
    return table(["", "", *(f"{q:.0%}" for q in QUANTILES)], rows)


def rules_table() -> str:
    """Shares of liquid companies for which single questions hold, over the final sessions of twenty seeds."""
    found = [rules.shares(generate(MarketSpec(seed=seed))) for seed in SEEDS]
    stressed = [rules.shares(generate(MarketSpec(seed=seed, regime="stressed"))) for seed in SEEDS[:3]]
    rows = []
    for name, real in rules.REAL.items():
        values = [f[name] for f in found]
        forced = np.median([f[name] for f in stressed])
        rows.append(
            [name, real, *(shown(float(np.quantile(values, q))) for q in (0.0, 0.5, 1.0)), shown(float(forced))]
        )
    return table(["final session", "real", "least", "median", "greatest", "stressed, median"], rows)


if __name__ == "__main__":
    main()
