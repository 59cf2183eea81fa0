"""The nearest misses of a run: symbols that one required criterion kept out of a layer, by little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from aitrader.domain.verdict import Verdict

_AT_LEAST: Final = (">=", ">")
_AT_MOST: Final = ("<=", "<")


def nearest_misses(detail: pl.DataFrame, content: Mapping[str, Any], *, count: int = 1) -> list[dict[str, Any]]:
    """Up to ``count`` symbols that reached a layer and failed there by a single required criterion, nearest first.

    A miss is measured as a share of the threshold; each has symbol, layer, name, value, relation, threshold, share
    and decimals. The value of a failed comparison is beyond the threshold by definition, so its relation is known.
    """
    found = [miss for layer in content["layers"] for miss in _of_layer(detail, layer, count)]
    return sorted(found, key=lambda miss: (miss["share"], -miss["layer"], miss["symbol"]))[:count]


def _of_layer(detail: pl.DataFrame, layer: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    number = int(layer["number"])
    required = [criterion for criterion in layer["criteria"] if criterion["role"] == "required"]
    if not required or f"L{number}.verdict" not in detail.columns:
        return []
    codes = [pl.col(f"L{number}.{criterion['name']}") for criterion in required]
    broken = pl.sum_horizontal(
        pl.when(code.is_in([int(Verdict.FAILED), int(Verdict.UNKNOWN)])).then(1).otherwise(0) for code in codes
    )
    alone = detail.filter((pl.col(f"L{number}.verdict") == int(Verdict.FAILED)) & (broken == 1))
    return [miss for criterion in required for miss in _by(alone, number, criterion, count)]


def _by(alone: pl.DataFrame, number: int, criterion: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The nearest of those that this criterion failed."""
    op, threshold, column = criterion["op"], criterion["value"], criterion["factors"][0]
    if op not in (*_AT_LEAST, *_AT_MOST) or isinstance(threshold, bool) or not threshold or column not in alone.columns:
        return []
    short = pl.lit(threshold) - pl.col(column) if op in _AT_LEAST else pl.col(column) - pl.lit(threshold)
    nearest = (
        alone.filter((pl.col(f"L{number}.{criterion['name']}") == int(Verdict.FAILED)) & (short >= 0))
        .select("security", "symbol", pl.col(column).alias("value"), (short / abs(threshold)).alias("share"))
        .filter(pl.col("share").is_finite())
        .sort("share", "security")
        .head(count)
    )
    return [
        {
            "symbol": row["symbol"],
            "layer": number,
            "name": criterion["name"],
            "value": row["value"],
            "relation": {">=": "<", ">": "<=", "<=": ">", "<": ">="}[op],
            "threshold": threshold,
            "share": row["share"],
            "decimals": criterion.get("decimals", 2),
        }
        for row in nearest.iter_rows(named=True)
    ]
