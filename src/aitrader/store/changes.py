"""What has arrived since a population: the securities whose stored past changed, so that only they are folded again."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from aitrader.store.bars import read_bars
from aitrader.store.instants import instant, rfc3339, sortable

# The plus keeps the planner to the index on population: few rows have arrived, most speak of the past.
# Each table's rows carry the population they came with; a row counts where it speaks of the past of ``session``.
_TABLES = (
    ("corporate_actions", "+ex_date <= ?", "day"),
    ("company_attributes", "known_on <= ?", "day"),
    ("fundamentals", "+known_at <= ?", "instant"),
    ("news", "+published_at <= ?", "instant"),
)


def changed_since(
    connection: sqlite3.Connection, bars: Path, *, population: int, session: date, as_of: datetime
) -> np.ndarray:
    """Security ids (sorted u32) with rows on or before ``session`` that arrived after ``population``.

    Bars count where the file that now stands for a session differs from the one known at that population.
    """
    changed: set[int] = set()
    bounds = {"day": session.isoformat(), "instant": rfc3339(as_of)}
    for table, where, bound in _TABLES:
        rows = connection.execute(
            f"SELECT security FROM {table} WHERE population > ? AND {where}", (population, bounds[bound])
        )
        changed.update(row[0] for row in rows)
    found = connection.execute("SELECT seen_at FROM populations WHERE id = ?", (population,)).fetchone()
    if found is not None:
        changed.update(_corrected_bars(connection, bars, sortable(instant(found[0])), session))
    return np.array(sorted(changed), dtype=np.uint32)


def _corrected_bars(connection: sqlite3.Connection, bars: Path, seen_at: str, session: date) -> set[int]:
    corrected: set[int] = set()
    sql = """SELECT new.session, new.file,
                (SELECT old.file FROM bar_files old WHERE old.session = new.session AND old.known_at <= ?
                 ORDER BY old.known_at DESC LIMIT 1)
             FROM bar_files new
             WHERE new.known_at > ? AND new.session <= ?
               AND new.known_at = (SELECT max(known_at) FROM bar_files last WHERE last.session = new.session)"""
    for _, new, old in connection.execute(sql, (seen_at, seen_at, session.isoformat())).fetchall():
        after = read_bars(bars / new)
        if old is None:
            corrected.update(after["security"].to_list())
            continue
        corrected.update(_differing(read_bars(bars / old), after))
    return corrected


def _differing(before: pl.DataFrame, after: pl.DataFrame) -> list[int]:
    """Securities whose rows differ, are new or are gone."""
    values = [name for name in after.columns if name != "security"]
    both = before.join(after, on="security", how="full", suffix="_after", coalesce=True)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_after")) for name in values)
    return both.filter(~same)["security"].to_list()


def runs_of(connection: sqlite3.Connection, session: date) -> int:
    """How many runs of a session have been published."""
    found = connection.execute("SELECT count(*) FROM scan_runs WHERE session = ?", (session.isoformat(),)).fetchone()
    return int(found[0])
