"""One writer: a live one is named, a dead or silent one is taken over, and what it still writes is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from aitrader.domain.errors import RefusedError
from aitrader.store.lock import boot_id, read_lock, writer_lock
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, day, delivery, listing, new_store, scan_run

MEMBERS = {1: [1], 2: [1], 3: [1]}


def occupy(store: Store, *, pid: int, host: str, boot: str = "another boot", beat: timedelta = timedelta(0)) -> None:
    """A lock row as another writer leaves it, its last beat ``beat`` before noon."""
    at = (NOON - beat).isoformat().replace("+00:00", "Z")
    store._connection.execute(
        "INSERT INTO locks (name, host, boot_id, pid, started_at, heartbeat_at, token) VALUES (?, ?, ?, ?, ?, ?, 7)",
        ("writer", host, boot, pid, "2025-07-01T11:58:00Z", at),
    )


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.writer_lock(lambda: NOON), Store.open(store.home, write=True) as other:
        named = f"process {os.getpid()} on {socket.gethostname()}, for 20 s"
        with pytest.raises(RefusedError, match=named), other.writer_lock(lambda: NOON + timedelta(seconds=20)):
            pass
        with pytest.raises(RefusedError, match="another writer"):
            other.ingest(delivery([listing("S001")], bars("S001", range(2))), at=NOON)


@pytest.mark.parametrize(
    ("host", "boot", "alive", "silent", "taken"),
    [
        ("elsewhere", "b", True, 30, False),  # three beats of ten seconds
        ("elsewhere", "b", True, 31, True),
        (socket.gethostname(), "another boot", True, 30, False),
        (socket.gethostname(), boot_id(), True, 30, False),
        (socket.gethostname(), boot_id(), True, 31, True),
        (socket.gethostname(), boot_id(), False, 0, True),  # its process is gone
        ("elsewhere", boot_id(), False, 0, False),  # a pid says nothing about another host
    ],
)
def test_a_lock_is_taken_over_when_its_owner_is_silent_or_gone(
    tmp_path: Path, host: str, boot: str, alive: bool, silent: int, taken: bool
) -> None:
    store = new_store(tmp_path)
    pid = os.getpid() if alive else dead_pid()
    occupy(store, pid=pid, host=host, boot=boot, beat=timedelta(seconds=silent))
    if taken:
        with store.writer_lock(lambda: NOON) as token:
            assert token == 8
    else:
        with pytest.raises(RefusedError, match=f"process {pid} on {host}"), store.writer_lock(lambda: NOON):
            pass


def test_tokens_only_grow_and_a_lock_given_back_is_free(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    tokens = []
    for _ in range(3):
        with store.writer_lock(lambda: NOON) as token:
            tokens.append(token)
    assert tokens == [1, 2, 3]
    row = read_lock(store._connection)
    assert row is not None
    assert not row.live(NOON)


def test_a_writer_that_lost_its_lock_publishes_nothing(tmp_path: Path) -> None:
    slow = new_store(tmp_path)
    slow.ingest(delivery([listing("S001")], bars("S001", range(3))), at=NOON)
    with Store.open(slow.home, write=True) as fast, slow.writer_lock(lambda: NOON) as old:
        with fast.writer_lock(lambda: NOON + timedelta(minutes=5)) as new:
            assert new == old + 1
            fast.publish([scan_run("r2", day(2), MEMBERS)], at=NOON, token=new)
            for late in (
                lambda: slow.publish([scan_run("r1", day(2), MEMBERS)], at=NOON, token=old),
                lambda: slow.ingest(delivery([listing("S001")], bars("S001", range(4))), at=NOON),
            ):
                with pytest.raises(RefusedError, match=r"another writer took over.*nothing was changed"):
                    late()
        with pytest.raises(RefusedError, match="given back"):
            slow.publish([scan_run("r1", day(2), MEMBERS)], at=NOON, token=old)
        found = fast.reader.active_run()
        assert found is not None
        assert found.run_id == "r2"
        assert fast.sessions() == [day(0), day(1), day(2)]


def test_the_owner_is_heard_of_while_it_works(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    moments = iter(NOON + timedelta(seconds=n) for n in range(1000))
    with writer_lock(store.home, store._connection, lambda: next(moments), beat_seconds=0.02):
        before = read_lock(store._connection)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            now = read_lock(store._connection)
            assert before is not None
            assert now is not None
            if now.heartbeat_at > before.heartbeat_at + timedelta(seconds=2):
                break
            time.sleep(0.02)
        else:
            pytest.fail("no heartbeat was written")
        assert now.started_at == before.started_at


def test_another_live_writers_files_are_not_swept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    stray = store.home.runs / "being-written.tmp"
    with store.writer_lock(lambda: NOON):
        stray.write_bytes(b"x")
        with Store.open(store.home, write=True):
            assert stray.exists()
    with Store.open(store.home, write=True):
        assert not stray.exists()
