"""Between Polars frames and SQL rows: whole columns at a time, dates and instants as sortable text."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from aitrader.store.instants import SORTABLE

Types = Mapping[str, pl.DataType | type[pl.DataType]]
_POLARS_SORTABLE = "%Y-%m-%dT%H:%M:%S%.6fZ"


def read_frame(connection: sqlite3.Connection, sql: str, types: Types, parameters: Sequence[Any] = ()) -> pl.DataFrame:
    """The rows of ``sql`` as a frame with the columns and dtypes of ``types``, in that order."""
    rows = connection.execute(sql, parameters).fetchall()
    stored = {name: _stored_type(kind) for name, kind in types.items()}
    frame = pl.DataFrame(rows, schema=stored, orient="row")
    return frame.with_columns(
        pl.col(name).str.to_date("%Y-%m-%d")
        if kind == pl.Date
        else pl.col(name).str.to_datetime(SORTABLE.replace(".%f", "%.f"), time_unit="us").dt.replace_time_zone("UTC")
        for name, kind in types.items()
        if isinstance(kind, pl.Datetime) or kind == pl.Date
    ).cast({name: pl.Boolean for name, kind in types.items() if kind == pl.Boolean})


def _stored_type(kind: pl.DataType | type[pl.DataType]) -> pl.DataType | type[pl.DataType]:
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return pl.String
    return pl.Int64 if kind == pl.Boolean else kind


def rows_of(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows as SQL parameters: dates and instants as text, booleans as 0 and 1, NaN as NULL."""
    changes = []
    for name, kind in frame.schema.items():
        if kind == pl.Date:
            changes.append(pl.col(name).dt.to_string("%Y-%m-%d"))
        elif isinstance(kind, pl.Datetime):
            changes.append(pl.col(name).dt.convert_time_zone("UTC").dt.to_string(_POLARS_SORTABLE))
        elif kind == pl.Boolean:
            changes.append(pl.col(name).cast(pl.Int8))
        elif kind.is_float():
            changes.append(pl.col(name).fill_nan(None))
    return frame.with_columns(changes).rows()


def insert(connection: sqlite3.Connection, table: str, frame: pl.DataFrame, *, conflict: str = "") -> int:
    """Insert the frame's rows by column name; ``conflict`` is an ON CONFLICT clause. The number of rows changed."""
    if frame.is_empty():
        return 0
    before = connection.total_changes
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    marks = ", ".join("?" * frame.width)
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks}) {conflict}", rows_of(frame))
    return connection.total_changes - before


def text(day: date | None) -> str | None:
    """An ISO date, or NULL."""
    return None if day is None else day.isoformat()
