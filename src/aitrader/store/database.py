"""SQLite connections, transactions and the translation of their failures. Standard library only.

WAL, so that readers never wait for the writer; ``BEGIN IMMEDIATE``, so that a writer waits at the start and not
in the middle. ``synchronous=FULL``: a published run survives a power cut, at one fsync a transaction; heartbeats,
whose loss costs nothing, run with NORMAL.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aitrader.domain.errors import RefusedError, StoreError
from aitrader.store.home import Home
from aitrader.store.schema import LATEST, migrate, schema_version

BUSY_MILLISECONDS = 15_000


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn the failures of SQLite and of the file system into one line: ``what`` could not be done, and why."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(what, str(error)) from error
    except OSError as error:
        raise _translated(what, error.strerror or type(error).__name__, error.errno) from error


def _translated(what: str, text: str, number: int | None = None) -> StoreError | RefusedError:
    text = text.lower()
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "disk is full" in text:
        return StoreError(what, why="the disk is full", do="free some space and run it again; nothing was changed")
    if "locked" in text or "busy" in text:
        return RefusedError(what, why="another process is writing to the store", do="try again when it has finished")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or "readonly" in text or "read-only" in text:
        return StoreError(what, why="the folder is read-only", do="check its permissions; nothing was changed")
    if "unable to open" in text:
        return StoreError(what, why="its file cannot be opened", do="check the folder and its permissions")
    if "malformed" in text or "not a database" in text:
        return StoreError(what, why="the database is damaged", do="restore a backup, or populate an empty home")
    return StoreError(what, why=text)


def connect(home: Home, *, write: bool, create: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; a missing store, a newer or an older schema are errors that say what to do."""
    if not home.database.exists() and not (write and create):
        raise StoreError(
            f"no store for market {home.market!r} in {home.root / home.environment}",
            why="nothing was populated there",
            do="run `universe --populate` first",
        )
    with store_errors(f"cannot open the store {home.database}"):
        if write:
            if create:
                for folder in (home.path, home.bars, home.runs, home.checkpoints, home.logs):
                    folder.mkdir(parents=True, exist_ok=True)
            connection = _open(home.database, "rwc" if create else "rw")
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA journal_size_limit = 67108864")
                migrate(connection)
            except BaseException:  # an interrupt too must leave nothing half done; it is raised again
                connection.close()
                raise
            return connection
        return _open_for_reading(home)


def _open_for_reading(home: Home) -> sqlite3.Connection:
    connection = _open(home.database, "ro")
    try:
        version = schema_version(connection)
    except sqlite3.OperationalError:
        connection.close()
        if os.access(home.path, os.W_OK) or home.database.with_name("aitrader.db-wal").exists():
            raise
        # A folder that cannot be written holds no shared memory file; without a log the file alone is the truth.
        connection = _open(home.database, "ro&immutable=1")
        version = schema_version(connection)
    except BaseException:  # an interrupt too must leave nothing half done; it is raised again
        connection.close()
        raise
    if version < LATEST:
        connection.close()
        raise StoreError(
            f"the store has schema version {version}",
            why=f"this program needs {LATEST}",
            do="run `universe --populate` once, it migrates the store",
        )
    return connection


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing: the write lock is taken at once, any failure rolls everything back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:  # an interrupt too must leave nothing half done; it is raised again
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One consistent view for several reads; nested uses share the outermost one's."""
    if connection.in_transaction:
        yield connection
        return
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")
