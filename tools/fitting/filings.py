"""What companies report: yields on price, growth, leverage, losses, seasons, lags, restatements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tools.fitting.real_sets import LEVELS, bars, grouped, knots, scores, screener

RATIOS = ("earnings", "sales", "assets", "debts", "growth")  # E/P, S/P, A/P, liabilities/assets, log revenue growth
LOGARITHMIC = ("sales", "assets")


def reports(data: Path) -> pl.DataFrame:
    """Each report once, as first collected, with its lag in days."""
    frame = pl.read_parquet(data / "fundamentals" / "reports_10k_10q_2015_2017.parquet").sort("collected")
    key = ["symbol", "end_date", "period_focus", "doc_type"]
    frame = frame.unique(key, keep="first", maintain_order=True)
    return frame.with_columns(
        lag=(pl.col("collected") - pl.col("end_date")).dt.total_days(), month=pl.col("end_date").dt.truncate("1mo")
    )


def year_on_year(frame: pl.DataFrame) -> pl.DataFrame:
    """Reports beside the same period a year before: log revenue growth, change of net income, of shares."""
    before = frame.select(
        "symbol",
        "period_focus",
        month=pl.col("month").dt.offset_by("1y"),
        revenue_before="revenues",
        income_before="net_income",
        eps_before="eps_diluted",
    )
    both = frame.join(before, on=["symbol", "period_focus", "month"])
    shares = pl.col("net_income") / pl.col("eps_diluted")
    shares_before = pl.col("income_before") / pl.col("eps_before")
    return both.with_columns(
        growth=(pl.col("revenues") / pl.col("revenue_before")).log(),
        change=(pl.col("net_income") - pl.col("income_before")).abs()
        / (0.5 * (pl.col("net_income").abs() + pl.col("income_before").abs())),
        dilution=(shares / shares_before).log(),
        better=pl.col("eps_diluted") > pl.col("eps_before"),
    )


def valued(data: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Annual reports beside the close on the day they became known, with noise and sector."""
    dates, symbols, real = bars(data, "daily_unadjusted_2015_2016")
    returns = np.abs(np.diff(np.log(real["close"]), axis=0))
    returns[returns > 0.5] = np.nan
    with np.errstate(all="ignore"):
        noise = np.nanmean(returns, axis=0)
    close = pl.DataFrame(real["close"], schema=symbols).with_columns(collected=pl.Series(dates))
    close = close.unpivot(index="collected", variable_name="symbol", value_name="price").drop_nulls().drop_nans()
    size = pl.DataFrame({"symbol": symbols, "noise": noise})
    sector = grouped(screener(data).with_columns(etf=pl.lit("N"))).select("symbol", "sector")
    both = frame.filter(period_focus="FY").join(close.sort("collected"), on=["symbol", "collected"])
    both = both.join(size, on="symbol").join(sector, on="symbol", how="left")
    shares = pl.col("net_income") / pl.col("eps_diluted")
    cap = pl.when(pl.col("eps_diluted").abs() >= 0.02).then(shares * pl.col("price"))
    both = both.with_columns(market_cap=cap).filter(pl.col("market_cap") > 1e6)
    return both.with_columns(
        earnings=(pl.col("net_income") / pl.col("market_cap")).clip(-2, 0.5),
        sales=pl.when(pl.col("revenues") > 0).then(pl.col("revenues") / pl.col("market_cap")),
        assets=pl.when(pl.col("assets") > 0).then(pl.col("assets") / pl.col("market_cap")),
        debts=(1 - pl.col("equity") / pl.col("assets")).clip(0.01, 1.5),
        rest=((pl.col("assets") - pl.col("equity") - pl.col("cur_liab")) / (pl.col("assets") - pl.col("equity"))),
        cash=(pl.col("cash_flow_op") - pl.col("net_income")) / pl.col("assets"),
    )


def shifts(data: Path) -> dict[str, float]:
    """How far earnings and sales yields of the S&P 500 have moved since the reports: ratio of medians."""
    frame = pl.read_parquet(data / "fundamentals" / "sp500_valuation_snapshots.parquet")
    frame = frame.with_columns(year=pl.col("published").dt.year())
    result = {}
    for name, column in (("earnings", "price_earnings"), ("sales", "price_sales")):
        known = frame.filter(pl.col(column) > 0)
        now = known.filter(pl.col("year") == 2026)[column].median()
        then = known.filter(pl.col("year").is_between(2014, 2018))[column].median()
        result[name] = float(then / now)  # type: ignore[operator, arg-type]
    return result


def fit(data: Path) -> dict[str, Any]:
    """Sections filings, ratios."""
    every = reports(data)
    plain = every.filter(~pl.col("amend"))
    pairs = year_on_year(plain).filter(pl.col("growth").is_finite())
    annual = valued(data, plain)
    annual = annual.join(
        pairs.filter(period_focus="FY").select("symbol", "end_date", growth=pl.col("growth").clip(-1.5, 1.5)),
        on=["symbol", "end_date"],
        how="left",
    )
    shift = shifts(data)
    annual = annual.with_columns(
        earnings=pl.col("earnings") * pl.when(pl.col("earnings") > 0).then(shift["earnings"]).otherwise(1.0),
        sales=pl.col("sales") * shift["sales"],
        assets=pl.col("assets") * shift["sales"],
    )
    ratios: dict[str, Any] = {"levels": list(LEVELS)}
    cells = [s for s in annual["sector"].drop_nulls().unique().sort() if s and annual.filter(sector=s).height >= 40]
    for sector in ["", *cells]:  # growth of one year is the year's, not the sector's: only that of all is used
        part = annual.filter(sector=sector) if sector else annual
        ratios[sector] = {r: knots(part[r]) for r in RATIOS} | {"rest": knots(part["rest"].clip(0, 1))}
    ranked = annual.filter(pl.col("sector").is_in(cells)).partition_by("sector")
    names = ("market_cap", "noise", *RATIOS)
    table = np.vstack([np.stack([scores(p[m]) for m in names], axis=1) for p in ranked])
    known = np.vstack([np.stack([p[m].is_not_null().to_numpy() for m in names], axis=1) for p in ranked])
    size = len(names)
    correlation = np.eye(size)
    for i in range(size):
        for j in range(i):
            both = known[:, i] & known[:, j]
            correlation[i, j] = correlation[j, i] = np.corrcoef(table[both, i], table[both, j])[0, 1]
    ordered = pairs.sort("symbol", "month").with_columns(
        growth_next=pl.col("growth").shift(-1).over("symbol"),
        better_next=pl.col("better").shift(-1).over("symbol"),
        next=pl.col("month").shift(-1).over("symbol"),
    )
    follow = ordered.filter((pl.col("next") - pl.col("month")).dt.total_days().is_between(80, 100))
    tame = follow.filter(pl.col("growth").abs() < 1, pl.col("growth_next").abs() < 1)
    lag = {
        form: knots(plain.filter(pl.col("doc_type") == form, pl.col("lag").is_between(12, 200))["lag"])
        for form in ("10-Q", "10-K")
    }
    months = plain.filter(period_focus="FY")["end_date"].dt.month().value_counts(normalize=True)
    return {
        "ratios": ratios,
        "filings": {
            "correlation": [[float(x) for x in row] for row in correlation],
            "growth_persistence": float(np.corrcoef(tame["growth"], tame["growth_next"])[0, 1]),
            "growth_spread": float((tame["growth"].quantile(0.75) - tame["growth"].quantile(0.25)) / 1.349),  # type: ignore[operator]
            "change": float(pairs.filter(pl.col("period_focus") != "FY")["change"].median()),  # type: ignore[arg-type]
            "better": float(follow["better"].mean()),  # type: ignore[arg-type]
            "better_twice": float((follow["better"] & follow["better_next"]).mean()),  # type: ignore[arg-type]
            "dilution": knots(pairs.filter(pl.col("dilution").abs() < 1)["dilution"]),
            "cash": knots(annual["cash"]),
            "lag_10-Q": lag["10-Q"],
            "lag_10-K": lag["10-K"],
            "fiscal_year_end": {str(m): float(p) for m, p in sorted(months.rows())},
            "restated": float(every["amend"].sum() / len(every)),
            "losses": float((annual["earnings"] < 0).mean()),  # type: ignore[arg-type]
        },
    }
