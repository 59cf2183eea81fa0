"""Annual reports beside the market's value of the company on the day they became known, real and simulated."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from aitrader.domain.frames import Delivery
from tools.fitting.filings import reports, shifts, valued, year_on_year


def real_companies(data: Path) -> pl.DataFrame:
    """2015-2016, with prices raised to the valuations of 2026 (the S&P 500's medians)."""
    plain = reports(data).filter(~pl.col("amend"))
    pairs = year_on_year(plain).filter(pl.col("growth").is_finite())
    growth = pairs.filter(period_focus="FY").select("symbol", "end_date", growth=pl.col("growth").exp() - 1)
    shift = shifts(data)
    annual = valued(data, plain).join(growth, on=["symbol", "end_date"], how="left")
    annual = annual.with_columns(
        pe=pl.when(pl.col("earnings") > 0).then(1 / (pl.col("earnings") * shift["earnings"])),
        sales=pl.col("sales") * shift["sales"],
        assets=pl.col("assets") * shift["sales"],
        loss=(pl.col("earnings") < 0).cast(pl.Float64),
    )
    quarters = pairs.sort("symbol", "month").with_columns(
        later=pl.col("better").shift(-1).over("symbol"), then=pl.col("month").shift(-1).over("symbol")
    )
    quarters = quarters.filter((pl.col("then") - pl.col("month")).dt.total_days().is_between(80, 100)).select(
        better=pl.col("better").cast(pl.Float64), twice=(pl.col("better") & pl.col("later")).cast(pl.Float64)
    )
    lag = plain.filter(pl.col("doc_type") == "10-K", pl.col("lag").is_between(12, 200)).select(
        pl.col("lag").cast(pl.Float64)
    )
    wanted = ["pe", "sales", "assets", "debts", "growth", "loss"]
    return pl.concat([annual.select(wanted), quarters, lag], how="diagonal")


def simulated_companies(delivery: Delivery) -> pl.DataFrame:
    """The same of the reports that became known while the market traded."""
    own = delivery.fundamentals.filter(pl.col("form").is_in(["10-K", "10-Q", "20-F", "6-K"]), pl.col("revenue") > 0)
    own = own.with_columns(day=pl.col("known_at").dt.date()).sort("symbol", "period_end")
    close = delivery.bars.select("symbol", "close", day="date").sort("day")
    annual = own.filter(pl.col("fiscal_period") == "FY").with_columns(
        growth=pl.col("revenue") / pl.col("revenue").shift().over("symbol") - 1,
        lag=(pl.col("day") - pl.col("period_end")).dt.total_days().cast(pl.Float64),
    )
    both = annual.sort("day").join_asof(close, on="day", by="symbol", tolerance="5d", check_sortedness=False)
    both = both.drop_nulls("close").with_columns(cap=pl.col("close") * pl.col("shares_outstanding"))
    both = both.select(
        "growth",
        "lag",
        pe=pl.when(pl.col("eps_diluted") > 0).then(pl.col("close") / pl.col("eps_diluted")),
        sales=pl.col("revenue") / pl.col("cap"),
        assets=pl.col("assets") / pl.col("cap"),
        debts=(pl.col("liabilities") / pl.col("assets")).clip(0.01, 1.5),
        leverage=pl.when(pl.col("equity") > 0).then(pl.col("total_debt") / pl.col("equity")),
        loss=(pl.col("net_income") < 0).cast(pl.Float64),
    )
    quarters = own.filter(pl.col("fiscal_period") != "FY").with_columns(
        better=pl.col("eps_diluted") > pl.col("eps_diluted").shift(3).over("symbol"),
        gap=(pl.col("period_end") - pl.col("period_end").shift(3).over("symbol")).dt.total_days(),
    )
    quarters = quarters.filter(pl.col("gap").is_between(360, 370)).with_columns(
        later=pl.col("better").shift(-1).over("symbol")
    )
    quarters = quarters.select(
        better=pl.col("better").cast(pl.Float64), twice=(pl.col("better") & pl.col("later")).cast(pl.Float64)
    )
    return pl.concat([both, quarters], how="diagonal")
