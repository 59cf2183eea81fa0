"""The members of a layer as the next layer judges them, a line each; over the whole layer at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from aitrader.domain.verdict import Verdict

_OPPOSITE: Final = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
LAST_LAYER: Final = 3
_DECIMALS: Final = 4
_WORDS: Final = {int(one): one.word for one in Verdict}


def judging_layer(content: Mapping[str, Any], layer: int) -> Mapping[str, Any]:
    """The layer whose criteria the members of ``layer`` are judged by: the next one, the last by itself."""
    wanted = min(layer + 1, LAST_LAYER)
    found: Mapping[str, Any] = next(one for one in content["layers"] if int(one["number"]) == wanted)
    return found


def judged(detail: pl.DataFrame, members: Sequence[int], judging: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of ``members`` in their order: symbol, verdict, criteria.

    ``verdict`` is passed, failed or unknown, ``criteria`` reads ``min_volume=981204<1000000;...``: the relation is the
    one that holds between value and threshold, so a broken criterion shows the opposite of what it asks.
    """
    number = int(judging["number"])
    parts = [_part(number, criterion, detail.schema) for criterion in judging["criteria"]]
    order = pl.DataFrame({"security": list(members)}, schema={"security": pl.UInt32})
    return order.join(detail, on="security", how="left", maintain_order="left").select(
        "symbol",
        pl.col(f"L{number}.verdict").replace_strict(_WORDS, return_dtype=pl.String).alias("verdict"),
        (pl.concat_str(parts, separator=";") if parts else pl.lit("")).alias("criteria"),
    )


def _part(number: int, criterion: Mapping[str, Any], schema: pl.Schema) -> pl.Expr:
    """``criterion=value<op>threshold``; the verdict's word where no comparison with one value decides."""
    name, op, threshold = str(criterion["name"]), str(criterion["op"]), criterion["value"]
    column = str(criterion["factors"][0])
    code = pl.col(f"L{number}.{name}")
    word = code.replace_strict(_WORDS, return_dtype=pl.String)
    head = pl.lit(f"{name}=")
    comparable = column in schema and isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if op not in _OPPOSITE or not comparable or not schema[column].is_numeric():
        return head + word
    value = pl.col(column)
    limit = pl.lit(plain_number(threshold))
    holds, rounded = _holds(value, op, threshold), value.round(_DECIMALS)
    relation = pl.when(holds.fill_null(True)).then(pl.lit(op)).otherwise(pl.lit(_OPPOSITE[op]))
    # Rounding never turns the relation that is printed into a false one.
    told = pl.when(_holds(rounded, op, threshold) == holds).then(rounded).otherwise(value)
    shown = told.cast(pl.String).str.strip_suffix(".0").fill_null(word)
    return head + shown + relation + limit


def _holds(value: pl.Expr, op: str, threshold: float) -> pl.Expr:
    """Whether the comparison holds, null where the value is not known."""
    return {">=": value >= threshold, ">": value > threshold, "<=": value <= threshold, "<": value < threshold}[op]


def plain_number(value: float) -> str:
    """A number without grouping, whole ones without decimals."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
