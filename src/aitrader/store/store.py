"""The store of one market: what was delivered, what was published, who wrote it. The funnel's only memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from aitrader.domain.errors import StoreError
from aitrader.domain.frames import Delivery, Held
from aitrader.domain.run import ScanRun
from aitrader.domain.sessions import Calendar, xnys
from aitrader.store import checkpoints, companies, config, reference
from aitrader.store.audit import AuditReport, append_audit, verify_audit
from aitrader.store.bars import BAR_SCHEMA, Progress, read_bars
from aitrader.store.changes import changed_since, runs_of
from aitrader.store.checkpoints import Checkpoint, CheckpointHeader
from aitrader.store.database import connect, store_errors, transaction
from aitrader.store.files import digest_of, sweep
from aitrader.store.home import Home
from aitrader.store.ingest import Ingested, ingest, latest_bar_files
from aitrader.store.instants import sortable
from aitrader.store.lock import check_token, read_lock, writer_lock
from aitrader.store.population import Population, main_source, populations
from aitrader.store.publish import Published, publish
from aitrader.store.reader import Reader


class Store:
    """Opened by :meth:`open`; a context manager. Frames come back sorted by security or as documented."""

    def __init__(self, home: Home, connection: sqlite3.Connection, *, write: bool, calendar: Calendar) -> None:
        self.home, self._connection, self._write, self._calendar = home, connection, write, calendar
        self._token: int | None = None
        self._frames: dict[str, tuple[tuple[int, int], pl.DataFrame]] = {}

    @classmethod
    def open(cls, home: Home, *, write: bool, create: bool = False) -> Self:
        """Open a market's store; ``create`` makes it where it is missing, ``write`` migrates and sweeps it."""
        store = cls(home, connect(home, write=write, create=create), write=write, calendar=xnys())
        if write:
            try:
                store._sweep()
            except BaseException:  # an interrupt too must leave nothing half done; it is raised again
                store.close()
                raise
        return store

    def close(self) -> None:
        """Close the connection; the store cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def reader(self) -> Reader:
        """The read paths over published runs, on this connection."""
        return Reader(self.home, self._connection)

    # -- writing ------------------------------------------------------------------------------------------------

    @contextmanager
    def writer_lock(self, at_fn: Callable[[], datetime]) -> Iterator[int]:
        """Hold the one writer's lock; yields its fencing token. RefusedError names a live owner."""
        with writer_lock(self.home, self._connection, at_fn) as token:
            self._token = token
            try:
                yield token
            finally:
                self._token = None

    @contextmanager
    def _locked(self, at: datetime) -> Iterator[None]:
        if self._token is not None:
            yield
            return
        with self.writer_lock(lambda: at):
            yield

    def ingest(
        self,
        delivery: Delivery,
        *,
        at: datetime,
        accept_shrink: bool = False,
        force_refresh: bool = False,
        progress: Progress | None = None,
    ) -> Ingested:
        """Store a delivery, all of it or nothing; the same delivery twice writes nothing new.

        ``force_refresh`` reads stored bar files back, writes damaged ones again, and lets the delivery of a
        complete source remove stored rows of its sessions. RefusedError where discovery shrank under 90 %.
        """
        with self._locked(at), store_errors(f"cannot store the delivery of {delivery.source}"):
            return ingest(
                self._connection,
                self.home,
                self._calendar,
                delivery,
                at=at,
                accept_shrink=accept_shrink,
                force_refresh=force_refresh,
                progress=progress,
                fence=self._fence,
            )

    def publish(
        self, runs: Sequence[ScanRun], *, at: datetime, token: int | None = None, force: bool = False
    ) -> Published:
        """Publish runs atomically. ``token`` is that of :meth:`writer_lock`; without one the lock is taken here."""
        with store_errors("cannot publish the scan"):
            if token is not None:
                return publish(
                    self._connection,
                    self.home,
                    runs,
                    at=at,
                    force=force,
                    fence=lambda: check_token(self._connection, token),
                )
            with self._locked(at):
                return publish(self._connection, self.home, runs, at=at, force=force, fence=self._fence)

    def _fence(self) -> None:
        check_token(self._connection, self._token)

    def _sweep(self) -> None:
        """Remove files that no row refers to, unless another writer lives: then they may be its own."""
        with store_errors(f"cannot sweep {self.home.path}"), transaction(self._connection) as connection:
            # Whoever wants to write takes the lock row first, and cannot while this transaction is open.
            row = read_lock(connection)
            if row is not None and row.live(None):
                return
            sweep(self.home.bars, (name for (name,) in connection.execute("SELECT file FROM bar_files")))
            runs = connection.execute("SELECT detail_file, membership_file FROM scan_runs")
            sweep(self.home.runs, (name for pair in runs for name in pair))

    # -- bars ---------------------------------------------------------------------------------------------------

    def sessions(self) -> list[date]:
        """The sessions with bars, in order."""
        rows = self._connection.execute("SELECT DISTINCT session FROM bar_files ORDER BY session")
        return [date.fromisoformat(session) for (session,) in rows]

    def bars(self, session: date, *, known_until: datetime | None = None) -> pl.DataFrame:
        """A session's bars sorted by security: security, open, high, low, close, volume, market_cap.

        Empty where there are none; ``known_until`` gives those that were stored by then.
        """
        where = "" if known_until is None else "AND known_at <= ?"
        parameters = [session.isoformat()]
        if known_until is not None:
            parameters.append(sortable(known_until))
        row = self._connection.execute(
            f"SELECT file FROM bar_files WHERE session = ? {where} ORDER BY known_at DESC LIMIT 1", parameters
        ).fetchone()
        return pl.DataFrame(schema=BAR_SCHEMA) if row is None else read_bars(self.home.bars / row[0])

    def bar_digests(self, *, known_until: datetime | None = None) -> dict[date, str]:
        """The digest of the bars that stand for each session, in order of session."""
        return {day: file.digest for day, file in latest_bar_files(self._connection, known_until).items()}

    def held(self) -> Held:
        """What a source need not deliver again: final sessions, listings, those with bars or a late count of shares."""
        files = latest_bar_files(self._connection)
        final = [file for file in files.values() if not file.provisional]
        renewed = max(files, default=date.max) - reference.RENEWED
        rows = self._connection.execute(
            "SELECT symbol, first_bar IS NOT NULL, EXISTS (SELECT 1 FROM company_attributes AS told "
            "WHERE told.security = companies.id AND told.shares_outstanding IS NOT NULL AND told.known_on > ?) "
            "FROM companies WHERE active = 1",
            (renewed.isoformat(),),
        ).fetchall()
        return Held(
            sessions=frozenset(file.session for file in final),
            symbols=frozenset(symbol for symbol, traded, _ in rows if traded),
            listed=frozenset(symbol for symbol, _, _ in rows),
            counted=frozenset(symbol for symbol, _, counted in rows if counted),
            rows=final[-1].rows if final else None,
        )

    def provisional_sessions(self) -> frozenset[date]:
        """The sessions whose bars may still change."""
        files = latest_bar_files(self._connection).values()
        return frozenset(file.session for file in files if file.provisional)

    def feeds(self, last: int) -> frozenset[str | None]:
        """Whose trades the volumes of the newest ``last`` sessions count; None: those of every exchange."""
        files = list(latest_bar_files(self._connection).values())
        return frozenset(file.feed for file in files[-last:]) if last > 0 else frozenset()

    # -- reference data -----------------------------------------------------------------------------------------

    def _once(self, name: str, read: Callable[[sqlite3.Connection], pl.DataFrame]) -> pl.DataFrame:
        """A whole table, read again only where this connection or another has written since."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        stamp = (int(version), self._connection.total_changes)
        held = self._frames.get(name)
        if held is None or held[0] != stamp:
            held = self._frames[name] = (stamp, read(self._connection))
        return held[1]

    def securities(self) -> pl.DataFrame:
        """The table of securities in order of id, one row an id ever given."""
        return self._once("securities", companies.companies)

    def symbol_intervals(self) -> pl.DataFrame:
        """security, symbol, from_date, to_date (exclusive, null: still), sorted by security and date."""
        return companies.symbol_intervals(self._connection)

    def attributes(self) -> pl.DataFrame:
        """Attributes by security with the date from which each row counts (0001-01-01: always)."""
        return self._once("attributes", reference.attributes)

    def actions(
        self,
        *,
        after: date | None = None,
        always: tuple[str, ...] = (),
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Corporate actions as now known, sorted by ex-date and security; cash in dollars a share.

        With ``after`` those whose ex-date or day of being known is later, and those of the kinds ``always`` whenever.
        """
        chosen = None if securities is None else list(securities)
        return reference.actions(self._connection, after=after, always=always, securities=chosen)

    def fundamentals(
        self,
        *,
        known_after: datetime | None = None,
        known_until: datetime | None = None,
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Filings with ``known_after`` < known_at <= ``known_until``, in order of known_at."""
        chosen = None if securities is None else list(securities)
        return reference.fundamentals(
            self._connection, known_after=known_after, known_until=known_until, securities=chosen
        )

    def news(
        self,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Headlines with ``after`` < published_at <= ``until``, in order of published_at."""
        chosen = None if securities is None else list(securities)
        return reference.news(self._connection, after=after, until=until, securities=chosen)

    def population(self) -> Population | None:
        """What was last populated, None before the first."""
        found = populations(self._connection, last=1)
        return found[0] if found else None

    def source(self) -> str | None:
        """Whose market it is: the last complete source's; a list kept by hand beside it does not change that."""
        return main_source(populations(self._connection))

    # -- checkpoints --------------------------------------------------------------------------------------------

    def save_checkpoint(
        self, *, session: date, version: str, input_digest: str, matrix: np.ndarray, meta: dict[str, Any]
    ) -> None:
        """Save the state after a session and prune: the newest three and one of each 60 sessions stay."""
        with store_errors(f"cannot write the checkpoint of {session}"):
            checkpoints.save_checkpoint(
                self.home.checkpoints,
                session=session,
                version=version,
                input_digest=input_digest,
                matrix=matrix,
                meta=meta,
            )
            checkpoints.prune_checkpoints(self.home.checkpoints, version, self._calendar.ordinal)

    def load_checkpoint(self, *, version: str, on_or_before: date) -> Checkpoint | None:
        """The newest whole checkpoint up to a session; a damaged one is never returned."""
        with store_errors("cannot read the checkpoints"):
            return checkpoints.load_checkpoint(self.home.checkpoints, version=version, on_or_before=on_or_before)

    def checkpoint_sessions(self, version: str) -> list[date]:
        """The sessions that have a checkpoint of this feature version, in order."""
        return checkpoints.checkpoint_sessions(self.home.checkpoints, version)

    def checkpoint_headers(self, version: str) -> list[CheckpointHeader]:
        """Session, input digest, shape and meta of each checkpoint, without its matrix."""
        return checkpoints.checkpoint_headers(self.home.checkpoints, version)

    # -- published runs -----------------------------------------------------------------------------------------

    def changed_since(self, *, population: int, session: date) -> np.ndarray:
        """Security ids (sorted u32) whose data on or before ``session`` arrived after ``population``."""
        as_of = self._calendar.scheduled_as_of(session)
        return changed_since(self._connection, self.home.bars, population=population, session=session, as_of=as_of)

    def runs_of(self, session: date) -> int:
        """How many runs of a session have been published."""
        return runs_of(self._connection, session)

    def membership(self, run_id: str) -> np.ndarray:
        """The membership state (rows, securities) that a run left; checked against its digest."""
        path = self._run_file(run_id, "membership")
        try:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise _damaged(path) from error

    def detail(self, run_id: str) -> pl.DataFrame:
        """Every value, input date and verdict of a run, one row a security."""
        path = self._run_file(run_id, "detail")
        try:
            return pl.read_parquet(path, memory_map=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(path) from error

    def _run_file(self, run_id: str, kind: str) -> Path:
        row = self._connection.execute(
            f"SELECT {kind}_file, {kind}_digest FROM scan_runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        if row is None:
            raise StoreError(f"no run {run_id}", why="it was never published here")
        path = self.home.runs / str(row[0])
        try:
            whole = digest_of(path.read_bytes()) == row[1]
        except OSError:
            whole = False
        if not whole:
            raise _damaged(path)
        return path

    # -- configuration and audit --------------------------------------------------------------------------------

    def save_config_version(
        self,
        version: str,
        content: Mapping[str, Any],
        *,
        author: str,
        at: datetime,
        cause: str,
        state: str = "active",
    ) -> None:
        """Keep a config version; ``active`` retires the one before. Audited in the same transaction."""
        with store_errors("cannot store the configuration"), transaction(self._connection) as connection:
            config.save(connection, version, content, author=author, at=at, cause=cause, state=state)
            append_audit(
                connection,
                action=f"config.{state}",
                actor=author,
                detail={"version": version, "cause": cause},
                at=at,
            )

    def active_config(self) -> config.ConfigVersion | None:
        """The configuration that scans use, None before the first was adopted."""
        return config.active(self._connection)

    def audit(self, action: str, *, actor: str, detail: Mapping[str, Any], at: datetime) -> int:
        """Append an entry to the audit log; its sequence number."""
        with store_errors("cannot write the audit log"), transaction(self._connection) as connection:
            return append_audit(connection, action=action, actor=actor, detail=detail, at=at)

    def verify_audit(self) -> AuditReport:
        """Recompute the hash chain of the audit log."""
        with store_errors("cannot read the audit log"):
            return verify_audit(self._connection)


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"the run file {path.name} cannot be used",
        why="it is missing or not what was published",
        do="restore a backup, or run the session again with `scan --as-of`",
    )
