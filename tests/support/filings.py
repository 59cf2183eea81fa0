"""Filings row by row: what was reported, for which period, and when it became known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS
from aitrader.domain.sessions import xnys
from aitrader.features.facts import facts

CALENDAR = xnys()
SPLITS = {"security": pl.UInt32, "ex_date": pl.Date, "ratio": pl.Float64, "seen": pl.Date}


def known_at(day: date | datetime) -> datetime:
    """An instant as it is; a bare date is the end of that day in New York."""
    if isinstance(day, datetime):
        return day.astimezone(UTC)
    return datetime.combine(day, time(23, 59, 59), ZoneInfo("America/New_York")).astimezone(UTC)


def report(end: date, period: str, known: date | datetime, *, security: int = 1, **values: float | None) -> Any:
    """One filing; what is not given is null."""
    row = dict.fromkeys(FUNDAMENTALS) | {"symbol": f"S{security}", "form": "10-K" if period == "FY" else "10-Q"}
    return {**row, "security": security, "period_end": end, "fiscal_period": period, "known_at": known_at(known)} | (
        values
    )


def splits(*rows: tuple[date, float] | tuple[date, float, date], security: int = 1) -> pl.DataFrame:
    """Splits (ex-date, ratio, known from, the ex-date where not told)."""
    table = [(security, row[0], row[1], row[2] if len(row) > 2 else row[0]) for row in rows]
    return pl.DataFrame(table, schema=SPLITS, orient="row")


def frame(rows: Iterable[Any]) -> pl.DataFrame:
    """Filings as the facts take them: with security and the session from which each counts."""
    table = pl.DataFrame(list(rows), schema={"security": pl.UInt32, **FUNDAMENTALS})
    sessions = [CALENDAR.effective_session(at) for at in table["known_at"]]
    return table.with_columns(pl.Series("session", sessions, dtype=pl.Date))


def worked_out(rows: Iterable[Any], acted: pl.DataFrame | None = None) -> pl.DataFrame:
    """The facts after each filing, in order of security and time."""
    return facts(frame(rows), splits() if acted is None else acted).sort("security", "known_at")


def last(rows: Iterable[Any], acted: pl.DataFrame | None = None) -> dict[str, Any]:
    """The facts after the last filing."""
    return worked_out(rows, acted).row(-1, named=True)
