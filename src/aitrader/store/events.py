"""The outbox: what a publication says to the world, written in its transaction.

``layer.completed`` for each layer of each run; ``symbol.qualified`` and ``symbol.disqualified`` with their cause for
the changes of a final run against the one that consumers know; ``universe.updated``, of a provisional run alone and
marked so. The first publication tells the whole Layer 3 instead of changes. Event ids derive from run, name, layer and
security: a repeat is the same event.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from aitrader.domain.run import ScanRun
from aitrader.store.instants import rfc3339

SCHEMA_VERSION = 1
SYMBOL_LAYERS = (1, 2, 3)
GONE = "not listed"
PROVISIONAL = "provisional"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the outbox, the envelope that every consumer gets."""

    event_id: str
    name: str
    occurred_at: datetime
    run_id: str | None
    session: str | None
    environment: str
    source: str
    symbol: str | None = None
    layer: int | None = None
    cause: str | None = None
    data: Mapping[str, Any]


def members(qualifications: pl.DataFrame) -> pl.DataFrame:
    """Layer, security and symbol of a run's members in Layers 1 to 3."""
    return qualifications.filter(pl.col("member") & pl.col("layer").is_in(SYMBOL_LAYERS)).select(
        pl.col("layer").cast(pl.UInt8), pl.col("security").cast(pl.UInt32), "symbol"
    )


def stored_members(connection: sqlite3.Connection, run_id: str) -> pl.DataFrame:
    """The same of a published run."""
    rows = connection.execute(
        "SELECT layer, security, symbol FROM layer_qualifications WHERE run_id = ? AND member = 1 AND layer >= 1",
        (run_id,),
    ).fetchall()
    schema = {"layer": pl.UInt8, "security": pl.UInt32, "symbol": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def layer_events(run: ScanRun, at: datetime) -> list[Event]:
    """One ``layer.completed`` a layer, with its counts."""
    return [
        _event(
            run,
            at,
            "layer.completed",
            layer=layer.layer,
            data={
                "symbols": layer.symbols,
                "reached": layer.reached,
                "failed": layer.failed,
                "unknown": layer.unknown,
                "added": layer.added,
                "removed": layer.removed,
                "qualification_rate": layer.qualification_rate,
                "change_rate": layer.change_rate,
            },
        )
        for layer in run.layers
    ]


def change_events(
    run: ScanRun, previous: pl.DataFrame | None, at: datetime, *, tentative: pl.DataFrame | None = None
) -> list[Event]:
    """Who entered and who left since ``previous`` (see :func:`members`); with None the Layer 3 entries alone.

    ``tentative`` are the members of the session's provisional run, which was told as a count only.
    """
    key = ["layer", "security"]
    now = members(run.qualifications)
    if previous is None:
        entered, left = now.filter(pl.col("layer") == SYMBOL_LAYERS[-1]), now.clear()
    else:
        entered = now.join(previous, on=key, how="anti")
        left = previous.join(now, on=key, how="anti")
    counts = {str(layer.layer): layer.symbols for layer in run.layers}
    data = {"layers": counts, "entered": entered.height, "left": left.height, "previous_run": run.previous_run}
    if run.kind == PROVISIONAL:
        return [_event(run, at, "universe.updated", data={**data, "provisional": True})]
    if tentative is not None:
        data["revised"] = (
            now.join(tentative, on=key, how="anti").height + tentative.join(now, on=key, how="anti").height
        )
    events = [
        _event(run, at, "symbol.qualified", symbol=symbol, layer=layer, cause=cause, security=security)
        for layer, security, symbol, cause in _with_causes(entered, run.qualifications)
    ]
    events += [
        _event(run, at, "symbol.disqualified", symbol=symbol, layer=layer, cause=cause, security=security)
        for layer, security, symbol, cause in _with_causes(left, run.qualifications)
    ]
    return [*events, _event(run, at, "universe.updated", data=data)]


def _with_causes(changes: pl.DataFrame, qualifications: pl.DataFrame) -> list[tuple[int, int, str, str]]:
    """Each change with the cause at its layer, else at the highest layer below that judged the security."""
    causes = qualifications.select(
        pl.col("security").cast(pl.UInt32), pl.col("layer").cast(pl.UInt8).alias("judged"), "cause"
    )
    joined = (
        changes.join(causes, on="security", how="left")
        .filter(pl.col("judged").is_null() | (pl.col("judged") <= pl.col("layer")))
        .sort("layer", "security", "judged")
        .unique(["layer", "security"], keep="last", maintain_order=True)
        .with_columns(
            cause=pl.when(pl.col("judged") < pl.col("layer"))
            .then(pl.format("layer {}: {}", "judged", pl.col("cause").fill_null("not a member")))
            .otherwise(pl.col("cause"))
        )
    )
    # A security that no layer judged any more has left the listings.
    all_changes = changes.join(joined.select("layer", "security", "cause"), on=["layer", "security"], how="left")
    return [
        (layer, security, symbol, cause if cause is not None else GONE)
        for layer, security, symbol, cause in all_changes.sort("layer", "security")
        .select("layer", "security", "symbol", "cause")
        .iter_rows()
    ]


def _event(
    run: ScanRun,
    at: datetime,
    name: str,
    *,
    symbol: str | None = None,
    layer: int | None = None,
    cause: str | None = None,
    security: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    identity = json.dumps([run.run_id, name, layer, security])
    return Event(
        event_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        name=name,
        occurred_at=at,
        run_id=run.run_id,
        session=run.session.isoformat(),
        environment=run.environment,
        source=run.source,
        symbol=symbol,
        layer=layer,
        cause=cause,
        data=data if data is not None else {"security": security},
    )


def write_events(connection: sqlite3.Connection, events: list[Event]) -> int:
    """Append to the outbox in the caller's transaction; an event that is there already is not repeated."""
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO events (event_id, name, schema_version, occurred_at, run_id, session, environment, source, "
        "symbol, layer, cause, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
        [
            (
                e.event_id,
                e.name,
                SCHEMA_VERSION,
                rfc3339(e.occurred_at),
                e.run_id,
                e.session,
                e.environment,
                e.source,
                e.symbol,
                e.layer,
                e.cause,
                json.dumps(e.data, sort_keys=True),
            )
            for e in events
        ],
    )
    return connection.total_changes - before
