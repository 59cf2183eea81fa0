"""Whether a source's bars are all there: every session, with about as many as its neighbours have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import Held

NEIGHBOURS: Final = 5  # sessions on each side


def check_coverage(bars: pl.DataFrame, sessions: Sequence[date], held: Held, *, least: float, name: str) -> None:
    """Raise SourceError where a session has no bar, or under ``least`` of what is usual around it.

    ``sessions`` ascending. Usual is the median of the neighbours that were asked for; after the last session held,
    that session's number of bars is a neighbour too.
    """
    counts = dict(bars.group_by("date").len().iter_rows())
    without = [day for day in sessions if not counts.get(day)]
    if without:
        raise SourceError(
            f"{name}: no bars of {without[-1]}",
            why=f"{len(without)} of {len(sessions)} sessions have none",
            do="the source may be late: try again later; nothing was stored",
        )
    newest = max(held.sessions, default=None)
    numbers = [counts[day] for day in sessions]
    for at, day in enumerate(sessions):
        around = numbers[max(0, at - NEIGHBOURS) : at] + numbers[at + 1 : at + 1 + NEIGHBOURS]
        if held.rows is not None and newest is not None and day > newest and at < NEIGHBOURS:
            around.append(held.rows)
        usual = median(around) if around else 0
        if counts[day] < least * usual:
            raise SourceError(
                f"{name}: too few bars of {day}",
                why=f"{counts[day]:,}, usually {usual:,.0f}",
                do="try again later, or lower sources.live.least_coverage; nothing was stored",
            )


def ended_after_last_bar(gone: pl.DataFrame, bars: pl.DataFrame, listed: frozenset[str]) -> pl.DataFrame:
    """The listings that ended (schema SECURITIES), none of them before its last bar.

    Vendors tell the last day of trading or the first without it, and not which. A bar up to a week after the day told
    is the listing's own, unless its symbol is listed again.
    """
    ends = gone.filter(~pl.col("symbol").is_in(list(listed))).select("symbol", told="delisted_on").unique()
    late = (
        bars.join(ends, on="symbol")
        .filter(pl.col("date").is_between(pl.col("told"), pl.col("told") + pl.duration(days=7)))
        .group_by("symbol", delisted_on=pl.col("told"))
        .agg(last=pl.col("date").max())
    )
    return (
        gone.join(late, on=["symbol", "delisted_on"], how="left", maintain_order="left")
        .with_columns(delisted_on=pl.coalesce(pl.col("last") + pl.duration(days=1), "delisted_on"))
        .drop("last")
    )
