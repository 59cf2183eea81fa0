"""How many shares a listing has today, from the counts that its company filed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

RESTATED: Final = timedelta(days=90)  # a count may be filed, or told of a split, so late
KINDS: Final = ("common", "reit")  # an ADR stands for some number of shares that no filing tells


def share_rows(securities: pl.DataFrame, filed: pl.DataFrame, actions: pl.DataFrame, today: date) -> pl.DataFrame:
    """Symbol, shares_outstanding and source ``sec`` for each listing whose company filed one count.

    ``securities``: schema SECURITIES, one row a symbol; ``filed``: cik, end, shares. A count is scaled by the splits
    between its date and ``today``. One that may have been filed after a split, and restated for it, is left out, for
    the filing's day is not told: the last known one stays. A company with several such listings (share classes) filed
    the count of one class, or a sum: which cannot be told, so its listings have none.
    """
    lines = securities.filter(pl.col("security_type").is_in(KINDS) & pl.col("cik").is_not_null())
    lines = lines.filter(pl.len().over("cik") == 1).join(filed, on="cik")
    splits = actions.filter(
        pl.col("kind").is_in(["split", "stock_dividend"]) & (pl.col("ratio") > 0) & (pl.col("ex_date") <= today)
    )
    factors = (
        lines.select("symbol", "end")
        .join(splits.select("symbol", "ex_date", "ratio"), on="symbol")
        .filter(pl.col("ex_date") > pl.col("end"))
        .group_by("symbol")
        .agg(factor=pl.col("ratio").product())
    )
    late = pl.col("ex_date").is_between(pl.col("end") + pl.duration(days=1), pl.col("end") + pl.lit(RESTATED))
    unsure = lines.select("symbol", "end").join(splits.select("symbol", "ex_date"), on="symbol").filter(late)
    lines = lines.join(unsure, on="symbol", how="anti")
    scaled = lines.join(factors, on="symbol", how="left", maintain_order="left")
    return scaled.select(
        "symbol",
        shares_outstanding=pl.col("shares") * pl.col("factor").fill_null(1.0),
        source=pl.lit("sec"),
    )
