"""Keys that a run holds: not in its arguments, not in a core; and the search would find them where they are."""

from __future__ import annotations

import base64
import gzip
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.faults import world
from tests.faults.canary import KEYS, found_below, found_in
from tests.faults.catalogue import ROWS
from tests.faults.conftest import Fresh
from tests.faults.launch import VARIABLE, Setting
from tests.faults.ours import POPULATE, VENDORS
from tests.faults.stage import staged

KEY = KEYS["ALPACA_SECRET_KEY"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain", f"x{KEY}y".encode()),
        ("quoted", quote(KEY, safe="").encode()),
        ("base64", base64.b64encode(KEY.encode())),
        ("base64_inside", base64.b64encode(f"id:{KEY}".encode())),
        ("gzip", gzip.compress(KEY.encode(), mtime=0)),
    ],
)
def test_the_search_finds_a_key(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert [key for _, key in found_below(tmp_path)] == ["ALPACA_SECRET_KEY"]


def test_the_search_finds_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PKCANARY")
    assert not list(found_below(tmp_path))


def test_arguments_and_core_of_a_run_hold_no_key(certified: Path, fresh: Fresh) -> None:
    """Ended by SIGABRT in the middle of a request, with cores allowed as far as the machine allows them."""
    place = fresh("alpaca", beside=True)
    row = next(row for row in ROWS if row.id == "time-out_(list)")
    with staged(row, "alpaca", certified) as stage:
        urls = {**dict.fromkeys((*VENDORS, "sec"), stage.sound), "alpaca": stage.marred}
        environ = place.environ(urls, "alpaca", beside=True, now=world.NEW, patience=30.0)
        words = [sys.executable, "-m", "tests.faults.launch", *POPULATE.format("live").split()]
        run = subprocess.Popen(
            words,
            env={**environ, VARIABLE: Setting().text},
            cwd=place.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_cores_allowed,
        )
        try:
            until = time.monotonic() + 30
            while not stage.vendor.seen and time.monotonic() < until:
                time.sleep(0.05)
            assert stage.vendor.seen, "it never asked"
            proc = Path(f"/proc/{run.pid}")
            arguments, limits = (proc / "cmdline").read_bytes(), (proc / "limits").read_text()
        finally:
            run.send_signal(signal.SIGABRT)
            run.wait(timeout=30)
    assert not found_in(arguments)
    soft = next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4]
    assert soft in ("0", "1"), "a core could be written"
    assert run.returncode == -signal.SIGABRT
    assert not place.leaks()


def _cores_allowed() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
