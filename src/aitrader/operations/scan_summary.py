"""What a scan came to: the funnel, the picks with a plain reason each, and the nearest miss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from aitrader.domain.factors import FACTORS
from aitrader.domain.verdict import Verdict
from aitrader.operations.near_miss import nearest_misses
from aitrader.operations.published import content_of
from aitrader.operations.stats import stats
from aitrader.operations.wording import amount, clearest, factor_words, miss_sentence

if TYPE_CHECKING:
    from aitrader.store.reader import Member, Run
    from aitrader.store.store import Store

PICKED = 3


def scan_summary(store: Store, run: Run) -> dict[str, Any]:
    """The stats of a run with ``picks`` (the members of Layer 3) and ``near_miss`` (null where nobody missed alone)."""
    reader = store.reader
    content = content_of(reader, run)
    members = reader.members(run.run_id, PICKED)
    detail = store.detail(run.run_id)
    rows = _rows(detail, [member.security for member in members])
    strengths = _strengths(detail, content["layers"][PICKED], list(rows))
    misses = nearest_misses(detail, content)
    picks = [
        {
            "rank": member.rank,
            "symbol": member.symbol,
            "sector": member.sector,
            "score": member.score,
            "reason": _reason(member, rows[member.security], strengths, content["layers"]),
        }
        for member in members
    ]
    near = None if not misses else {**misses[0], "sentence": miss_sentence(misses[0])}
    said = {name: run.header.get(name, {}) for name in ("missing", "sector_cap_relaxed_by")}
    return {**stats(reader, run), "picks": picks, "near_miss": near, **said, "seconds": run.seconds}


def _reason(
    member: Member, row: Mapping[str, Any], strengths: Mapping[int, str], layers: Sequence[Mapping[str, Any]]
) -> str:
    """One plain reason for a pick: why it is held, else what it is strongest at, else what it passes most clearly."""
    if member.cause and member.cause != "passed":
        return member.cause
    return strengths.get(member.security) or clearest(row, layers)


def _strengths(detail: pl.DataFrame, layer: Mapping[str, Any], securities: list[int]) -> dict[int, str]:
    """By security, the ranking factor in which it stands highest among those that pass Layer 1, and how high."""
    weights = [component["factors"] for component in layer.get("ranking", {}).values() if component["weight"]]
    factors = [name for inside in weights for name, weight in inside.items() if weight and name in detail.columns]
    liquid = detail.filter(pl.col("L1.verdict") == int(Verdict.PASSED))
    below = {name: (pl.col(name).rank("min") - 1) / pl.col(name).count() for name in dict.fromkeys(factors)}
    placed = liquid.select("security", *below, *(share.alias(f"below {name}") for name, share in below.items()))
    found = {}
    for row in placed.filter(pl.col("security").is_in(securities)).iter_rows(named=True):
        known = [(row[f"below {name}"], name) for name in below if row[name] is not None]
        if known:
            share, name = max(known, key=lambda one: one[0])
            factor = FACTORS.get(name)
            unit, places = (factor.unit, factor.decimals) if factor else ("", 2)
            value = amount(row[name], unit=unit, decimals=min(places, 1))
            top = max(math.ceil((1 - share) * 100), 1)
            found[row["security"]] = f"{factor_words(name)} {value}, top {top} %"
    return found


def _rows(detail: pl.DataFrame, securities: list[int]) -> dict[int, Mapping[str, Any]]:
    """The detail rows of a few securities by id."""
    chosen = detail.filter(pl.col("security").is_in(securities))
    return {row["security"]: row for row in chosen.iter_rows(named=True)}
