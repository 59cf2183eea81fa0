"""What several sources say of the same listings made one: for each attribute the best that knows it, conflicts kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from aitrader.domain.frames import PROVENANCE, QUARANTINE, SECURITIES, empty
from aitrader.providers.bodies import shaped

ADDS_NONE: Final = frozenset({"sec"})  # it lists companies, with or without a listing on an exchange
# Who is believed first where it knows an attribute; of the others the order of asking counts. Alpaca has no types (ours
# are told from its names), and the SEC's NYSE stands for its sister exchanges too.
BEST: Final = {
    "security_type": ("polygon", "nasdaq_trader", "alpaca", "sec"),
    "exchange": ("alpaca", "polygon", "nasdaq_trader", "sec"),
    "cik": ("sec", "polygon"),
}
COMPARED: Final = {
    "security_type": frozenset({"polygon", "nasdaq_trader"}),
    "exchange": frozenset({"alpaca", "polygon", "nasdaq_trader"}),
    "cik": frozenset({"sec", "polygon"}),
}
_ATTRIBUTES: Final = tuple(name for name in SECURITIES if name not in ("symbol", "known_on"))


@dataclass(frozen=True, kw_only=True)
class Merged:
    """One row a symbol (schema SECURITIES), who said what (PROVENANCE), and what they contradict each other in."""

    securities: pl.DataFrame
    provenance: pl.DataFrame
    conflicts: pl.DataFrame  # schema QUARANTINE, reason conflict


def merge(told: Sequence[tuple[str, pl.DataFrame]]) -> Merged:
    """The listings of sources in the order in which they are believed; each frame has one row a symbol.

    A symbol is listed where any source but the SEC says so (the SEC where it is the only one). ``unknown`` is no type.
    """
    if not told:
        return Merged(securities=empty(SECURITIES), provenance=empty(PROVENANCE), conflicts=empty(QUARANTINE))
    frames = {name: shaped(frame, SECURITIES).unique("symbol", keep="first") for name, frame in told}
    listing = [frame for name, frame in frames.items() if name not in ADDS_NONE] or list(frames.values())
    rows = pl.concat([frame.select("symbol") for frame in listing]).unique().sort("symbol")
    for name, frame in frames.items():
        rows = rows.join(
            frame.select("symbol", *(_said(column).alias(f"{column}:{name}") for column in _ATTRIBUTES)),
            on="symbol",
            how="left",
            maintain_order="left",
        )
    values, origins, conflicts = [], [], []
    for column in _ATTRIBUTES:
        order = _order(column, list(frames))
        values.append(pl.coalesce(f"{column}:{name}" for name in order).alias(column))
        said = pl.coalesce(pl.when(pl.col(f"{column}:{name}").is_not_null()).then(pl.lit(name)) for name in order)
        origins.append(pl.lit(f"{column}:") + said)
        compared = [name for name in order if name in COMPARED.get(column, ())]
        if len(compared) > 1:
            conflicts.append(_conflicts(rows, column, compared))
    # No source knows the type: the union keeps it visible.
    securities = rows.select("symbol", *values).with_columns(pl.col("security_type").fill_null("unknown"))
    provenance = rows.select("symbol", provenance=pl.concat_str(origins, separator=" ", ignore_nulls=True))
    return Merged(
        securities=shaped(securities, SECURITIES),
        provenance=shaped(provenance, PROVENANCE),
        conflicts=pl.concat(conflicts) if conflicts else empty(QUARANTINE),
    )


def _said(column: str) -> pl.Expr:
    value = pl.col(column)
    return pl.when(value != "unknown").then(value) if column == "security_type" else value


def _order(column: str, asked: list[str]) -> list[str]:
    best = [name for name in BEST.get(column, ()) if name in asked]
    return best + [name for name in asked if name not in best]


def _conflicts(rows: pl.DataFrame, column: str, names: list[str]) -> pl.DataFrame:
    """One row for each symbol of which two sources say different things."""
    cells = [pl.col(f"{column}:{name}") for name in names]
    least, most = pl.min_horizontal(cells), pl.max_horizontal(cells)
    words = [pl.lit(f"{name} ") + cell for name, cell in zip(names, cells, strict=True)]
    return rows.filter(least != most).select(
        file=pl.lit("merge"),
        row=pl.lit(None, dtype=pl.Int64),
        symbol=pl.col("symbol"),
        date=pl.lit(None, dtype=pl.Date),
        reason=pl.lit("conflict"),
        detail=pl.lit(f"{column}: ") + pl.concat_str(words, separator=", ", ignore_nulls=True),
    )
