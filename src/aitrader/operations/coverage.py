"""Data coverage: the share of (member, session) pairs of the last sessions that have a valid bar."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aitrader.store.store import Store

SESSIONS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """``share`` of ``pairs`` that have a bar with a close, null where there is no pair at all."""

    share: float | None
    pairs: int
    missing: int
    sessions: int


def coverage(store: Store, securities: Collection[int], *, sessions: int = SESSIONS) -> Coverage:
    """Coverage of ``securities`` over the last ``sessions`` stored; a security counts from its first session on.

    Sessions before a security's own symbol interval are not expected to have a bar.
    """
    import polars as pl

    wanted = pl.DataFrame({"security": sorted(securities)}, schema={"security": pl.UInt32})
    days = store.sessions()[-sessions:]
    intervals = store.symbol_intervals().join(wanted, on="security", how="semi")
    first = intervals.group_by("security").agg(pl.col("from_date").min())
    expected = found = 0
    for day in days:
        due = first.filter(pl.col("from_date") <= day).select("security")
        bars = store.bars(day).filter(pl.col("close").is_not_null()).select("security")
        expected += due.height
        found += due.join(bars, on="security", how="semi").height
    share = found / expected if expected else None
    return Coverage(share=share, pairs=expected, missing=expected - found, sessions=len(days))
