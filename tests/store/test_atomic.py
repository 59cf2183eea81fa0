"""A reader beside a writer never sees a mixture, and a writer killed at any moment leaves a whole state behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from aitrader.store.bars import digest_bars
from aitrader.store.home import Home
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.store import writer_process
from tests.store.builders import NOON, day, new_store

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = range(200 if os.environ.get("AITRADER_PROVE") else 5)


def writer(root: Path, mode: str, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(writer_process.__file__)), str(root), mode, str(first), str(last)]
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}, cwd=REPOSITORY
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def check_reader(reader: Reader) -> int:
    """One snapshot agrees with itself; the number of the run that it shows."""
    with reader.snapshot():
        run = reader.active_run()
        if run is None:
            return -1
        number = int(run.header["number"])
        assert run.session == day(number)
        first = list(range(1, 11 + number % 5))
        third = first[:6][number % 4 : number % 4 + 3]
        assert [m.security for m in reader.members(run.run_id, 1)] == first
        assert [m.security for m in reader.members(run.run_id, 3)] == third
        assert [layer.symbols for layer in reader.layers(run.run_id)] == [20, len(first), 6, 3]
        held = {c.id for c in reader.companies().values() if c.layer_qualification == 3}
        assert held == set(third)
        standing = reader.run_for_session(run.session)
        assert standing == run
    row = reader.detail_row(run, 7)
    assert row is not None
    assert row["bar_date"] == run.session
    return number


def check_store(home: Home) -> tuple[int, int]:
    """Everything the database refers to is there and whole, nothing else is; deliveries are in fully or not."""
    with Store.open(home, write=True) as store:
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        deliveries = store._connection.execute("SELECT count(*) FROM populations").fetchone()[0]
        if deliveries:
            assert store.sessions() == [day(n) for n in range(2 + deliveries)]
            for session in store.sessions():
                stored = store.bars(session)
                assert stored["close"].unique().to_list() == [9.0 + deliveries]
                assert digest_bars(stored) == store.bar_digests()[session]
            assert store.fundamentals()["revenue"].max() == deliveries - 1
            assert store.news().height == 20 * deliveries
            assert store.securities()["sector"].unique().to_list() == [f"sector {deliveries - 1}"]
        runs = [run for run, _ in store.reader.history()]
        for run in runs:
            assert store.detail(run.run_id).height == store.membership(run.run_id).shape[1]
            counts = [store.reader.qualifications(run.run_id, layer) for layer in (1, 2, 3)]
            assert len(counts[0]) == 20
            names = pl.DataFrame(
                store._connection.execute("SELECT name FROM events WHERE run_id = ?", (run.run_id,)).fetchall(),
                schema=["name"],
                orient="row",
            )["name"]
            assert (names == "layer.completed").sum() == 4
            assert (names == "universe.updated").sum() == 1
        files = {r.detail_file for r in runs} | {r.membership_file for r in runs}
        assert {path.name for path in home.runs.iterdir()} == files
        bar_files = {name for (name,) in store._connection.execute("SELECT file FROM bar_files")}
        assert {path.name for path in home.bars.iterdir()} == bar_files
        shown = check_reader(store.reader)
        assert shown == len(runs) - 1
        return deliveries, len(runs)


def test_a_reader_in_another_process_sees_one_run_or_the_next(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(writer_process.numbered_delivery(0), at=NOON)
    seen: list[int] = []
    with writer(tmp_path, "publish", 0, 60) as process, Reader.open(store.home) as reader:
        while process.poll() is None:
            seen.append(check_reader(reader))
    assert process.returncode == 0
    with Reader.open(store.home) as reader:
        assert check_reader(reader) == 59
    assert seen == sorted(seen)
    assert len(set(seen)) > 5, "the reader was too slow to watch the writer"


@pytest.mark.parametrize("seed", KILLS)
def test_a_writer_killed_at_any_moment_leaves_a_whole_state(tmp_path: Path, seed: int) -> None:
    with writer(tmp_path, "both", 0, 10_000) as process:
        time.sleep(random.Random(seed).uniform(0.0, 1.0))
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        told = [int(line) for line in process.stdout.read().split()]
    home = Home(tmp_path, "development", "dataset-test")
    deliveries, runs = check_store(home)
    done = len(told)
    assert done <= runs <= deliveries <= done + 1
    # The next writer takes the dead one's lock over and goes on where it stopped.
    with Store.open(home, write=True) as store:
        for number in range(runs, runs + 2):
            store.ingest(writer_process.numbered_delivery(number), at=NOON)
            store.publish([writer_process.numbered_run(number)], at=NOON)
    assert check_store(home)[1] == runs + 2
