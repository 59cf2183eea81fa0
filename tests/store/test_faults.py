"""A full disk, a read-only folder, a failing device: one line, nothing half-published, and the next try works."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aitrader.domain.errors import RefusedError, StoreError
from aitrader.store.store import Store
from tests.store import writer_process
from tests.store.builders import NOON, day, new_store

REPOSITORY = Path(__file__).resolve().parents[2]


def fill(store: Store, number: int) -> None:
    store.ingest(writer_process.numbered_delivery(number), at=NOON)
    store.publish([writer_process.numbered_run(number)], at=NOON)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the folder is read-only"),
        (errno.EACCES, "the folder is read-only"),
        (errno.EIO, "input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_device_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, call: str
) -> None:
    store = new_store(tmp_path)
    fill(store, 0)
    shown = store.reader.active_run()

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreError, match=words) as ingesting:
            store.ingest(writer_process.numbered_delivery(1), at=NOON)
        with pytest.raises(StoreError, match=words):
            store.publish([writer_process.numbered_run(1)], at=NOON)
    assert "\n" not in str(ingesting.value)
    assert store.reader.active_run() == shown
    assert store.sessions() == [day(0), day(1), day(2)]
    assert not [path for path in store.home.path.rglob("*") if path.name.endswith(".tmp")]
    fill(store, 1)
    assert store.sessions()[-1] == day(3)


def test_a_database_that_cannot_grow_is_a_full_disk(tmp_path: Path) -> None:
    """The limit on file size stands for the disk: SQLite and the files meet it where they would meet the end."""
    store = new_store(tmp_path)
    fill(store, 0)
    shown = store.reader.active_run()
    home = store.home
    store.close()
    code = (
        "import resource, signal, sys; from pathlib import Path; from tests.store import writer_process as w; "
        "from tests.store.builders import NOON, new_store; from aitrader.domain.errors import StoreError; "
        f"store = new_store(Path({str(tmp_path)!r})); signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try:\n    store.ingest(w.numbered_delivery(1), at=NOON); store.publish([w.numbered_run(1)], at=NOON)\n"
        "except StoreError as error:\n    print(error); sys.exit(5)\n"
    )
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 5, done.stderr
    assert done.stdout.count("\n") == 1
    with Store.open(home, write=True) as again:
        assert again.reader.active_run() == shown
        fill(again, 1)


def test_a_folder_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "development").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot open the store"):
        new_store(tmp_path)


def test_a_store_that_another_process_writes_to_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aitrader.store.database.BUSY_MILLISECONDS", 50)
    store = new_store(tmp_path)
    other = Store.open(store.home, write=True)
    try:
        store._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(RefusedError, match="another process is writing"):
            other.audit("x", actor="me", detail={}, at=NOON)
        store._connection.execute("ROLLBACK")
        assert other.audit("x", actor="me", detail={}, at=NOON) == 1
    finally:
        other.close()
