"""One writer at a time: a lock row with owner, heartbeat and fencing token. Standard library only.

A writer that misses three beats, or whose process is gone from the same boot of the same host, is taken over; its
token is then older than the row's, and what it still tries to publish is refused.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aitrader.domain.errors import RefusedError
from aitrader.store.database import connect, store_errors, transaction
from aitrader.store.home import Home
from aitrader.store.instants import instant, rfc3339

WRITER = "writer"
BEAT_SECONDS = 10.0
MISSED_BEATS = 3
_FREE = 0  # the pid of a lock that nobody holds


@dataclass(frozen=True, kw_only=True)
class LockRow:
    """Who writes, since when, and when it was last heard of."""

    host: str
    boot_id: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    token: int

    def live(self, now: datetime | None) -> bool:
        """Held by a process that exists as far as can be seen, and heard of within three beats of ``now``."""
        if self.pid == _FREE:
            return False
        if self.host == socket.gethostname() and self.boot_id == boot_id() and not _running(self.pid):
            return False
        if now is None:
            return True
        return (now - self.heartbeat_at).total_seconds() <= MISSED_BEATS * BEAT_SECONDS


def boot_id() -> str:
    """This boot of this machine: a pid means something only within it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
    return True


def read_lock(connection: sqlite3.Connection) -> LockRow | None:
    """The writer's row, None where nobody ever wrote."""
    row = connection.execute(
        "SELECT host, boot_id, pid, started_at, heartbeat_at, token FROM locks WHERE name = ?", (WRITER,)
    ).fetchone()
    if row is None:
        return None
    return LockRow(
        host=row[0],
        boot_id=row[1],
        pid=row[2],
        started_at=instant(row[3]),
        heartbeat_at=instant(row[4]),
        token=row[5],
    )


def check_token(connection: sqlite3.Connection, token: int | None) -> None:
    """Refuse, inside the caller's transaction, a writer that does not hold the lock any more."""
    row = read_lock(connection)
    if token is None or row is None or row.token != token or row.pid == _FREE:
        raise RefusedError(
            "this process does not hold the writer's lock any more",
            why="another writer took over" if row is not None and row.pid != _FREE else "the lock was given back",
            do="nothing was changed; run it again",
        )


@contextmanager
def writer_lock(
    home: Home, connection: sqlite3.Connection, at_fn: Callable[[], datetime], *, beat_seconds: float = BEAT_SECONDS
) -> Iterator[int]:
    """Hold the writer's lock; yields the fencing token. A live owner is named in the refusal."""
    token = _acquire(home, connection, at_fn())
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(home, token, at_fn, stop, beat_seconds), daemon=True, name="heartbeat")
    beat.start()
    try:
        yield token
    finally:
        stop.set()
        beat.join(timeout=beat_seconds)
        with suppress(sqlite3.Error):
            connection.execute("UPDATE locks SET pid = ? WHERE name = ? AND token = ?", (_FREE, WRITER, token))


def _acquire(home: Home, connection: sqlite3.Connection, now: datetime) -> int:
    with store_errors(f"cannot lock the store {home.path}"), transaction(connection):
        row = read_lock(connection)
        if row is not None and row.live(now):
            age = int((now - row.started_at).total_seconds())
            raise RefusedError(
                f"another writer holds {home.path}",
                why=f"process {row.pid} on {row.host}, for {age} s",
                do="wait for it to finish; a dead one is taken over after three missed beats",
            )
        token = (row.token if row is not None else 0) + 1
        connection.execute(
            "INSERT INTO locks (name, host, boot_id, pid, started_at, heartbeat_at, token) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET host = excluded.host, "
            "boot_id = excluded.boot_id, pid = excluded.pid, started_at = excluded.started_at, "
            "heartbeat_at = excluded.heartbeat_at, token = excluded.token",
            (WRITER, socket.gethostname(), boot_id(), os.getpid(), rfc3339(now), rfc3339(now), token),
        )
    return token


def _beat(home: Home, token: int, at_fn: Callable[[], datetime], stop: threading.Event, seconds: float) -> None:
    """Tell every few seconds that the writer lives; a beat that cannot be written is missed, not an error."""
    if stop.wait(seconds):
        return
    with suppress(Exception), closing(connect(home, write=True)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        while True:
            with suppress(sqlite3.Error):
                connection.execute(
                    "UPDATE locks SET heartbeat_at = ? WHERE name = ? AND token = ?",
                    (rfc3339(at_fn()), WRITER, token),
                )
            if stop.wait(seconds):
                return
