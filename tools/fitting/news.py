"""How often there is a headline, how it reads, and how far a provider's score goes for good and bad news."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tools.fitting.real_sets import LEVELS


def fit(data: Path) -> dict[str, Any]:
    """Section news; only the sets whose licence allows use are read."""
    by_symbol = pl.read_parquet(data / "news" / "headlines_by_symbol.parquet").with_columns(
        day=pl.col("published_at").str.slice(0, 10).str.to_date(),
        hour=pl.col("published_at").str.slice(11, 2).cast(pl.Int64),
    )
    span = by_symbol.group_by("symbol").agg(
        rate=pl.len() / ((pl.col("day").max() - pl.col("day").min()).dt.total_days() * 252 / 365 + 1), n=pl.len()
    )
    rates = span.filter(pl.col("n") >= 20)["rate"]
    labels = pl.read_parquet(data / "news" / "twitter_financial_news.parquet")["label"]
    fiqa = pl.read_parquet(data / "news" / "fiqa.parquet")["sentiment_score"]
    hours = by_symbol["hour"].value_counts(normalize=True).sort("hour")
    scores = fiqa.to_numpy()
    return {
        "news": {
            "rate": [float(x) for x in np.quantile(rates.to_numpy(), LEVELS)],
            "negative": float((labels == 0).mean()),  # type: ignore[arg-type]
            "positive": float((labels == 1).mean()),  # type: ignore[arg-type]
            "score_negative": [float(x) for x in np.quantile(scores[scores < -0.05], LEVELS)],
            "score_positive": [float(x) for x in np.quantile(scores[scores > 0.05], LEVELS)],
            "hours": {str(h): float(p) for h, p in hours.rows()},
        }
    }
