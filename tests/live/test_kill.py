"""A populate that is killed at any moment: the universe is the old or the new one, and nothing is read twice."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aitrader.store.home import Home
from aitrader.store.store import Store
from tests.live.world import NEXT, Desk, Watched, at, keys
from tests.support.size import more

KILLS = more(3, 20)
CONCURRENCY = 4
COMMAND = ("universe", "--populate", "--source", "alpaca")
SLOW = {"LIVE__SESSIONS": "30", "ALPACA__LIMIT__CONCURRENCY": str(CONCURRENCY)}


@dataclass(frozen=True, kw_only=True)
class Universe:
    """What a reader sees in one moment."""

    run: tuple[Any, ...]
    members: tuple[Any, ...]
    companies: tuple[Any, ...]
    bars: tuple[Any, ...]


def universe(home: Home) -> Universe:
    """Everything in one snapshot, and every file that it names is there and whole."""
    with closing(sqlite3.connect(f"file:{home.database}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")

        def rows(sql: str) -> tuple[Any, ...]:
            return tuple(connection.execute(sql).fetchall())

        (active,) = rows("SELECT run_id FROM active_run")[0]
        found = Universe(
            run=rows(f"SELECT session, kind, result_digest FROM scan_runs WHERE run_id = '{active}'"),
            members=rows(
                "SELECT layer, security, verdict, member FROM layer_qualifications "
                f"WHERE run_id = '{active}' ORDER BY layer, security"
            ),
            companies=rows("SELECT id, symbol, active, name, security_type FROM companies ORDER BY id"),
            bars=rows("SELECT session, digest, provisional FROM bar_files ORDER BY session"),
        )
    with Store.open(home, write=False) as store:
        assert store.detail(active).height > 0
        assert store.bars(store.sessions()[-1]).height > 0
    return found


@dataclass(frozen=True, kw_only=True)
class Course:
    """How it goes without a kill."""

    folder: Path
    old: Universe
    new: Universe
    seconds: float
    requests: int


def prepared(desk: Desk, folder: Path) -> Desk:
    """The desk with the old universe, before the new one."""
    shutil.rmtree(desk.home.root, ignore_errors=True)
    shutil.copytree(folder, desk.home.root)
    desk.moved(at(NEXT, 18))
    desk.exchange.pages["/v2/stocks/bars"] = 400
    desk.exchange.latency = 0.03
    return desk


@pytest.fixture
def course(desks: Callable[..., Desk], tmp_path: Path) -> tuple[Desk, Course]:
    desk = desks(exchange=Watched(at(NEXT, 7)))
    desk.populate("alpaca", LIVE__SESSIONS="5")
    folder = tmp_path / "old"
    shutil.copytree(desk.home.root, folder)
    old = universe(desk.home)
    prepared(desk, folder)
    started = time.monotonic()
    with desk.command(desk.environ("alpaca", **SLOW), *COMMAND) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    seconds = time.monotonic() - started
    new = universe(desk.home)
    assert all(getattr(old, part) != getattr(new, part) for part in ("run", "bars"))
    return desk, Course(folder=folder, old=old, new=new, seconds=seconds, requests=len(desk.exchange.seen))


def test_killed_at_any_moment(course: tuple[Desk, Course]) -> None:
    desk, right = course
    rng, seen = random.Random(20260609), set[str]()
    for number in range(KILLS):
        prepared(desk, right.folder)
        # Some late, where the store is written; most anywhere.
        instant = rng.uniform(0.85, 1.0) if number % 3 == 1 else rng.uniform(0.1, 1.0)
        with desk.command(desk.environ("alpaca", **SLOW), *COMMAND) as process:
            end = time.monotonic() + instant * right.seconds
            while time.monotonic() < end and process.poll() is None:
                seen.add(_checked(universe(desk.home), right))
            process.kill()
            process.communicate()
        seen.add(_checked(universe(desk.home), right))
        left = b"".join(path.read_bytes() for path in desk.root.rglob("*") if path.is_file())
        assert all(key.encode() not in left for key in keys("alpaca").values())
        read = len(desk.exchange.seen)
        with desk.command(desk.environ("alpaca", **SLOW), *COMMAND, "--format", "json") as process:
            while process.poll() is None:
                seen.add(_checked(universe(desk.home), right))
            out, err = process.communicate()
        assert process.returncode == 0, f"killed after {instant:.0%}: {err}"
        assert json.loads(out)["last_session"] == str(NEXT)
        seen.add(_checked(universe(desk.home), right))
        assert universe(desk.home) == right.new, f"killed after {instant:.0%}"
        assert len(desk.exchange.seen) <= right.requests + CONCURRENCY, (
            f"killed after {instant:.0%}: {read} at the kill"
        )
        assert not list(desk.home.path.rglob("*.tmp"))
    assert seen >= {"old", "new"}


def _checked(found: Universe, right: Course) -> str:
    """old or new, part by part; a list is never of bars that are not there yet."""
    for part in ("companies", "bars"):
        assert getattr(found, part) in (getattr(right.old, part), getattr(right.new, part)), part
    published = (found.run, found.members)
    assert published in ((right.old.run, right.old.members), (right.new.run, right.new.members))
    if found.run == right.new.run:
        assert found.bars == right.new.bars
    return "new" if found.run == right.new.run else "old"
