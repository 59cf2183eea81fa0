"""The publish protocol: run detail and membership as files, then one transaction that moves the active-run pointer.

A reader follows the pointer, so it sees the run before or the run after, never a mixture. Files that no row
refers to are left by a crash at most, and swept when the store is next opened for writing.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from aitrader.domain.errors import RefusedError, StoreError
from aitrader.domain.run import ScanRun
from aitrader.store.database import transaction
from aitrader.store.events import PROVISIONAL, Event, change_events, layer_events, members, stored_members, write_events
from aitrader.store.files import digest_of, sync_folder, write_file
from aitrader.store.frames import rows_of
from aitrader.store.home import Home
from aitrader.store.instants import rfc3339

ACTIVE = "active"
ROW_GROUP = 1_024
COMPRESSION_LEVEL = 3
LEAST_SHARE = 0.5  # of the last published layer; Layers 2 and 3 move with the market and are refused only when empty
STEADY_LAYERS = (0, 1)
_QUALIFICATION_COLUMNS = ("layer", "security", "symbol", "verdict", "member", "score", "rank", "cause")


@dataclass(frozen=True, kw_only=True)
class Published:
    """What readers see now, and how much was written."""

    active_run: str
    runs: int
    events: int


@dataclass(frozen=True, kw_only=True)
class _Files:
    detail: str
    detail_digest: str
    membership: str
    membership_digest: str


def publish(
    connection: sqlite3.Connection,
    home: Home,
    runs: Sequence[ScanRun],
    *,
    at: datetime,
    force: bool,
    fence: Callable[[], None],
) -> Published:
    """Publish runs in order of session, all in one transaction; ``fence`` raises where the lock was lost.

    A run that is published already with the same result only stands again; with another result it is an error.
    The pointer follows the newest session: an older session's run is kept, and read by its date.
    """
    if not runs:
        raise StoreError("nothing to publish", why="no run was given")
    active = active_run(connection)
    fresh = [run for run in runs if not _published(connection, run)]
    ordered = sorted(runs, key=lambda run: run.session)
    newest = ordered[-1]
    moves = active is None or newest.session.isoformat() >= active[1]
    if active is not None and moves and not force:
        _check_layers(connection, newest, active[0])
    with ThreadPoolExecutor(2) as pool:
        files = dict(
            zip((run.run_id for run in fresh), pool.map(lambda run: _write_files(home, run), fresh), strict=True)
        )
    if files:
        sync_folder(home.runs)
    events = _events(connection, sorted(fresh, key=lambda run: run.session), active, at)
    with transaction(connection):
        fence()
        for run in fresh:
            _insert_run(connection, run, files[run.run_id], at)
        connection.executemany(
            "INSERT INTO session_runs (session, run_id) VALUES (?, ?) "
            "ON CONFLICT (session) DO UPDATE SET run_id = excluded.run_id",
            [(run.session.isoformat(), run.run_id) for run in ordered],
        )
        if moves:
            _update_companies(connection, newest)
            connection.execute(
                "INSERT INTO active_run (name, run_id) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET run_id = excluded.run_id",
                (ACTIVE, newest.run_id),
            )
        written = write_events(connection, events)
    standing = newest.run_id if moves or active is None else active[0]
    return Published(active_run=standing, runs=len(fresh), events=written)


def active_run(connection: sqlite3.Connection) -> tuple[str, str] | None:
    """The run that readers see and its session, None before the first publication."""
    row = connection.execute(
        "SELECT r.run_id, r.session FROM active_run a JOIN scan_runs r ON r.run_id = a.run_id WHERE a.name = ?",
        (ACTIVE,),
    ).fetchone()
    return (row[0], row[1]) if row else None


def _published(connection: sqlite3.Connection, run: ScanRun) -> bool:
    row = connection.execute("SELECT result_digest FROM scan_runs WHERE run_id = ?", (run.run_id,)).fetchone()
    if row is not None and row[0] != run.result_digest:
        raise StoreError(
            f"run {run.run_id} is published already",
            why="with another result, and published history is never rewritten",
            do="publish it under a run id of its own",
        )
    return row is not None


def _check_layers(connection: sqlite3.Connection, run: ScanRun, active: str) -> None:
    """Refuse a layer that came out empty, and a Layer 0 or 1 under half of the last published one."""
    before = dict(connection.execute("SELECT layer, symbols FROM run_layers WHERE run_id = ?", (active,)))
    for layer in run.layers:
        last = before.get(layer.layer, 0)
        least = LEAST_SHARE * last if layer.layer in STEADY_LAYERS else 1
        if last and layer.symbols < least:
            raise RefusedError(
                f"layer {layer.layer} of {run.session} has {layer.symbols:,} symbols, the published one {last:,}",
                why="an empty or collapsed layer never replaces the last good one",
                do="check the data, or publish it with --force",
            )


def _write_files(home: Home, run: ScanRun) -> _Files:
    detail = run.detail if run.detail["security"].is_sorted() else run.detail.sort("security")
    buffer = io.BytesIO()
    detail.write_parquet(
        buffer,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        row_group_size=ROW_GROUP,
        statistics=True,
    )
    matrix = io.BytesIO()
    np.save(matrix, np.ascontiguousarray(run.membership), allow_pickle=False)
    names = []
    for kind, content, suffix in (("detail", buffer, "parquet"), ("membership", matrix, "npy")):
        digest = digest_of(content.getbuffer())
        name = f"{run.session}.{kind}.{digest[:32]}.{suffix}"
        write_file(home.runs / name, [content.getbuffer()])
        names += [name, digest]
    return _Files(detail=names[0], detail_digest=names[1], membership=names[2], membership_digest=names[3])


def _insert_run(connection: sqlite3.Connection, run: ScanRun, files: _Files, at: datetime) -> None:
    session = run.session.isoformat()
    connection.execute(
        "INSERT INTO scan_runs (run_id, session, kind, as_of, published_at, config_version, previous_run, "
        "input_digest, result_digest, source, environment, detail_file, detail_digest, membership_file, "
        "membership_digest, header, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run_id,
            session,
            run.kind,
            rfc3339(run.as_of),
            rfc3339(at),
            run.config_version,
            run.previous_run,
            run.input_digest,
            run.result_digest,
            run.source,
            run.environment,
            files.detail,
            files.detail_digest,
            files.membership,
            files.membership_digest,
            json.dumps(run.header, sort_keys=True),
            json.dumps(run.seconds, sort_keys=True),
        ),
    )
    connection.executemany(
        "INSERT INTO run_layers (run_id, layer, symbols, counted, reached, failed, unknown, qualification_rate, "
        "change_rate, added, removed, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run.run_id,
                layer.layer,
                layer.symbols,
                layer.counted,
                layer.reached,
                layer.failed,
                layer.unknown,
                layer.qualification_rate,
                layer.change_rate,
                layer.added,
                layer.removed,
                layer.seconds,
            )
            for layer in run.layers
        ],
    )
    rows = rows_of(run.qualifications.select(_QUALIFICATION_COLUMNS).sort("layer", "security"))
    # The three values that all rows of a run share are bound once, as literals of the prepared statement.
    constants = [_quoted(value) for value in (run.run_id, session, run.config_version)]
    connection.executemany(
        "INSERT INTO layer_qualifications (run_id, session, config_version, layer, security, symbol, verdict, member, "
        f'score, "rank", cause) VALUES ({", ".join(constants)}, ?, ?, ?, ?, ?, ?, ?, ?)',
        rows,
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _events(
    connection: sqlite3.Connection, fresh: list[ScanRun], active: tuple[str, str] | None, at: datetime
) -> list[Event]:
    """A first publication tells its newest final run only; later ones tell each session's changes as they followed.

    Changes are those since the last final run: of a provisional one nobody was told by symbol.
    """
    events: list[Event] = []
    if not fresh:
        return events
    known = tentative = None
    if active is not None:
        kind, before = connection.execute(
            "SELECT kind, previous_run FROM scan_runs WHERE run_id = ?", (active[0],)
        ).fetchone()
        final = before if kind == PROVISIONAL else active[0]
        known = None if final is None else stored_members(connection, final)
        tentative = stored_members(connection, active[0]) if kind == PROVISIONAL else None
    first = known is None
    newest = next((run for run in reversed(fresh) if run.kind != PROVISIONAL), None)
    for run in fresh:
        events += layer_events(run, at)
        if active is not None and run.session.isoformat() < active[1]:
            continue
        if run.kind == PROVISIONAL or not first or run is newest:
            same = active is not None and run.session.isoformat() == active[1]
            events += change_events(run, known, at, tentative=tentative if same else None)
        if run.kind != PROVISIONAL and not first:
            known = members(run.qualifications)
    return events


def _update_companies(connection: sqlite3.Connection, run: ScanRun) -> None:
    """The highest layer each security now holds, and whether it is listed; only rows that change are written."""
    held = (
        run.qualifications.filter("member")
        .group_by("security")
        .agg(held=pl.col("layer").max().cast(pl.Int64))
        .with_columns(pl.col("security").cast(pl.Int64))
    )
    rows = connection.execute("SELECT id, active, layer_qualification, delisted_on FROM companies").fetchall()
    schema = {"security": pl.Int64, "active": pl.Int64, "layer": pl.Int64, "delisted_on": pl.String}
    table = pl.DataFrame(rows, schema=schema, orient="row").join(held, on="security", how="left")
    listed = pl.col("delisted_on").is_null() | (pl.col("delisted_on") > run.session.isoformat())
    table = table.with_columns(
        now_active=listed.cast(pl.Int64), now_layer=pl.when(listed).then(pl.col("held").fill_null(0))
    )
    changed = table.filter(
        pl.col("now_active").ne_missing(pl.col("active")) | pl.col("now_layer").ne_missing(pl.col("layer"))
    )
    connection.executemany(
        "UPDATE companies SET active = ?, layer_qualification = ? WHERE id = ?",
        changed.select("now_active", "now_layer", "security").rows(),
    )
