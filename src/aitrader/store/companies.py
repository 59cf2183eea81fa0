"""The table of securities: what a resolved delivery changes in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from aitrader.domain.frames import SECURITIES
from aitrader.domain.sessions import Calendar
from aitrader.store.frames import Types, insert, read_frame, rows_of, text
from aitrader.store.identity import STORED_SCHEMA, Resolution

FACTS = ("name", "exchange", "security_type", "sector", "industry", "cik", "figi")
COMPANY_TYPES: Types = {
    "id": pl.UInt32,
    "symbol": pl.String,
    **dict.fromkeys(FACTS, pl.String),
    "listed_on": pl.Date,
    "delisted_on": pl.Date,
    "closed_by": pl.String,
    "interval_inferred": pl.Boolean,
    "declared": pl.Boolean,
    "active": pl.Boolean,
    "layer_qualification": pl.Int64,
    "source": pl.String,
    "first_bar": pl.Date,
    "last_bar": pl.Date,
    "provenance": pl.String,  # which source told which attribute, as last told
}
INTERVAL_TYPES: Types = {"security": pl.UInt32, "symbol": pl.String, "from_date": pl.Date, "to_date": pl.Date}


@dataclass(frozen=True, kw_only=True)
class CompanyChanges:
    """Rows to write, and what they mean: ``closed`` (security, symbol, delisted_on, reason), ``renamed``."""

    companies: pl.DataFrame
    traded: pl.DataFrame  # id, last_bar of those companies that have a newer bar and nothing else new
    intervals_gone: pl.DataFrame
    intervals: pl.DataFrame
    closed: pl.DataFrame
    renamed: pl.DataFrame  # security, old_symbol, new_symbol, on


def companies(connection: sqlite3.Connection) -> pl.DataFrame:
    """Every security ever stored, in order of id."""
    return read_frame(connection, f"SELECT {', '.join(COMPANY_TYPES)} FROM companies ORDER BY id", COMPANY_TYPES)


def symbol_intervals(connection: sqlite3.Connection) -> pl.DataFrame:
    """Which security held which symbol from when until when (exclusive; null: still)."""
    sql = "SELECT security, symbol, from_date, to_date FROM symbol_intervals ORDER BY security, from_date, symbol"
    return read_frame(connection, sql, INTERVAL_TYPES)


def stored_evidence(
    known: pl.DataFrame, intervals: pl.DataFrame, attributes: pl.DataFrame, calendar: Calendar
) -> pl.DataFrame:
    """The stored intervals as evidence for the identity of a delivery's rows, named as they were when they ended."""
    facts = known.select(
        pl.col("id").alias("security"),
        "figi",
        "cik",
        pl.when(~pl.col("interval_inferred")).then(pl.col("listed_on")).alias("listed_on"),
        "delisted_on",
        "closed_by",
        "last_bar",
        "first_bar",
    )
    names = attributes.select("security", "known_on", "name").sort("known_on")
    last_day = (pl.col("to_date") - pl.duration(days=1)).fill_null(date.max)
    named = intervals.with_columns(last_day.alias("last_day")).sort("last_day")
    named = named.join_asof(names, left_on="last_day", right_on="known_on", by="security", check_sortedness=False)
    joined = named.sort("security", "from_date").join(facts, on="security", how="left", maintain_order="left")
    until = pl.col("to_date").fill_null(date.max)
    latest = until == until.max().over("security")
    earliest = pl.col("from_date") == pl.col("from_date").min().over("security")
    ends = {
        day: calendar.last_on_or_before(day - timedelta(days=1))
        for day in joined["to_date"].drop_nulls().unique()
        if day > calendar.sessions[0]
    }
    end = pl.col("to_date").replace_strict(ends, default=None, return_dtype=pl.Date)
    joined = joined.with_columns(
        pl.when(latest).then(pl.col("delisted_on")).alias("delisted_on"),
        pl.when(latest).then(pl.col("closed_by")).alias("closed_by"),
        pl.when(earliest).then(pl.col("listed_on")).alias("listed_on"),
        pl.min_horizontal("last_bar", end).alias("last_bar"),
    )
    traded = pl.col("last_bar") >= pl.max_horizontal("first_bar", "from_date")
    joined = joined.with_columns(pl.when(traded).then(pl.col(n)).alias(n) for n in ("first_bar", "last_bar"))
    return joined.select(list(STORED_SCHEMA))


def company_changes(
    *,
    known: pl.DataFrame,
    intervals: pl.DataFrame,
    resolution: Resolution,
    attributes: pl.DataFrame,
    listings: pl.DataFrame,
    traded: pl.DataFrame,
    provenance: pl.DataFrame,
    last_session: date,
    authoritative: bool,
    source: str,
) -> CompanyChanges:
    """What the tables must say after a delivery.

    ``attributes``: latest attributes a security; ``listings``: security, listed_on of its delivered rows; ``traded``:
    security, first_bar, last_bar of the delivered bars; ``provenance``: security, provenance. ``authoritative``: a
    security that is not listed any more is closed.
    """
    segments = resolution.segments
    if authoritative:
        segments = _without_absent(segments, known, listings, traded, last_session)
    latest = segments.unique("security", keep="last", maintain_order=True).select(
        pl.col("security").alias("id"), "symbol", pl.col("to_date").alias("delisted_on"), "closed_by"
    )
    declared = listings.group_by("security").agg(pl.col("listed_on").min(), told=pl.lit(value=True))
    old = known.select(
        "id",
        "first_bar",
        "last_bar",
        "declared",
        "layer_qualification",
        "interval_inferred",
        "listed_on",
        "source",
        "provenance",
    ).rename({"listed_on": "old_listed_on", "source": "old_source", "provenance": "old_provenance"})
    table = (
        latest.join(old, on="id", how="left")
        .join(attributes.rename({"security": "id"}).select("id", *FACTS), on="id", how="left")
        .join(traded.rename({"security": "id", "first_bar": "new_first", "last_bar": "new_last"}), on="id", how="left")
        .join(declared.rename({"security": "id"}), on="id", how="left")
        .join(provenance.rename({"security": "id"}), on="id", how="left")
        .with_columns(
            first_bar=pl.min_horizontal("first_bar", "new_first"),
            last_bar=pl.max_horizontal("last_bar", "new_last"),
            declared=pl.col("declared").fill_null(value=False) | pl.col("told").fill_null(value=False),
            source=pl.coalesce("old_source", pl.lit(source)),
            provenance=_told_by(pl.col("provenance"), pl.col("old_provenance")),
        )
    )
    said = pl.min_horizontal("listed_on", pl.when(~pl.col("interval_inferred")).then(pl.col("old_listed_on")))
    table = (
        table.with_columns(listed_on=pl.coalesce(said, "first_bar"), interval_inferred=said.is_null())
        .with_columns(active=pl.col("delisted_on").is_null() | (pl.col("delisted_on") > last_session))
        .select(pl.col(name).cast(kind) for name, kind in COMPANY_TYPES.items())
        .sort("id")
    )
    changed = table.join(known, on=list(COMPANY_TYPES), how="anti", nulls_equal=True, maintain_order="left")
    rest = [name for name in COMPANY_TYPES if name != "last_bar"]
    traded_on = changed.join(known, on=rest, how="semi", nulls_equal=True, maintain_order="left")
    wanted = segments.select(list(INTERVAL_TYPES))
    keys = list(INTERVAL_TYPES)
    return CompanyChanges(
        companies=changed,
        traded=traded_on.select("id", "last_bar"),
        intervals_gone=intervals.join(wanted, on=keys, how="anti", nulls_equal=True),
        intervals=wanted.join(intervals, on=keys, how="anti", nulls_equal=True),
        closed=_closed(changed, known),
        renamed=_renamed(changed, known, segments),
    )


def _told_by(new: pl.Expr, old: pl.Expr) -> pl.Expr:
    """The sources of each attribute: as told now, those of attributes that nobody tells now as told before."""
    names = [name for name in SECURITIES if name not in ("symbol", "known_on")]
    words = [rf"\b{name}:\S+" for name in names]
    both = pl.concat_str(
        [pl.coalesce(new.str.extract(f"({word})"), old.str.extract(f"({word})")) for word in words],
        separator=" ",
        ignore_nulls=True,
    )
    return pl.when(new.is_not_null()).then(both).otherwise(old)


def _without_absent(
    segments: pl.DataFrame, known: pl.DataFrame, listings: pl.DataFrame, traded: pl.DataFrame, last_session: date
) -> pl.DataFrame:
    """Close what was listed, is not any more, and did not trade in the last session; its interval ends there."""
    absent = (
        known.filter(pl.col("declared") & pl.col("delisted_on").is_null())
        .select(pl.col("id").alias("security"), "last_bar")
        .join(listings, on="security", how="anti")
        .join(traded.select("security", new_last="last_bar"), on="security", how="left")
        .filter(pl.max_horizontal("last_bar", "new_last").fill_null(date.min) < last_session)
        .select("security", absent=pl.lit(value=True))
    )
    open_end = pl.col("absent").fill_null(value=False) & pl.col("to_date").is_null()
    return (
        segments.join(absent, on="security", how="left", maintain_order="left")
        .with_columns(
            closed_by=pl.when(open_end).then(pl.lit("absence")).otherwise(pl.col("closed_by")),
            to_date=pl.when(open_end).then(pl.lit(last_session)).otherwise(pl.col("to_date")),
        )
        .drop("absent")
    )


def _closed(changed: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    open_before = known.filter(pl.col("delisted_on").is_null()).select("id")
    return (
        changed.filter(pl.col("delisted_on").is_not_null())
        .join(open_before, on="id", how="semi", maintain_order="left")
        .select(pl.col("id").alias("security"), "symbol", "delisted_on", pl.col("closed_by").alias("reason"))
    )


def _renamed(changed: pl.DataFrame, known: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    start = segments.unique("security", keep="last", maintain_order=True).select(
        pl.col("security").alias("id"), on=pl.col("from_date")
    )
    return (
        changed.select("id", new_symbol="symbol")
        .join(known.select("id", old_symbol="symbol"), on="id", maintain_order="left")
        .filter(pl.col("old_symbol") != pl.col("new_symbol"))
        .join(start, on="id", maintain_order="left")
        .select(pl.col("id").alias("security"), "old_symbol", "new_symbol", "on")
    )


def write_company_changes(connection: sqlite3.Connection, changes: CompanyChanges) -> None:
    """Write the changes; the caller holds the transaction. Securities are never deleted."""
    updates = ", ".join(f"{name} = excluded.{name}" for name in COMPANY_TYPES if name != "id")
    rows = changes.companies.join(changes.traded, on="id", how="anti", maintain_order="left")
    insert(connection, "companies", rows, conflict=f"ON CONFLICT (id) DO UPDATE SET {updates}")
    for (day,), those in changes.traded.group_by("last_bar"):  # nearly all of a session: no index changes with it
        ids = json.dumps(those["id"].to_list())
        sql = "UPDATE companies SET last_bar = ? WHERE id IN (SELECT value FROM json_each(?))"
        connection.execute(sql, (text(day), ids))
    gone: Iterable[tuple[object, ...]] = rows_of(changes.intervals_gone.select("symbol", "from_date", "security"))
    connection.executemany("DELETE FROM symbol_intervals WHERE symbol = ? AND from_date = ? AND security = ?", gone)
    insert(connection, "symbol_intervals", changes.intervals)
