"""The command line as a process: what it imports, how it ends, what it costs."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("polars", "numpy", "msgspec", "ruamel", "pydantic", "pandas", "rich", "pyarrow")


def environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AI_TRADER")}
    return {**kept, "AI_TRADER_HOME": str(home), "PYTHONPATH": str(ROOT / "src")}


def script(line: str, after: str) -> list[str]:
    code = f"import sys\nfrom aitrader.cli.main import main\ncode = main({line.split()!r})\n{after}\nsys.exit(code)"
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    "line",
    [
        "universe --layer 3",
        "universe --layer 3 --verbose",
        "universe --layer 3 --as-of 2025-08-20 --format json",
        "universe --stats --compare-previous",
        "universe --symbol AAPL --layer-details",
        "universe --qualification-history --days 30 --symbol brk-b",
        "universe --export-qualification-history --days 30",
        "universe --help",
    ],
)
def test_reading_imports_the_standard_library_alone(published: Path, line: str) -> None:
    after = f"sys.stderr.write('imported: ' + ' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run(script(line, after), env=environ(published), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("imported: ")[2] == ""


def test_explain_adds_only_what_reads_one_row_of_parquet(published: Path) -> None:
    after = f"sys.stderr.write('imported: ' + ' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    line = script("universe --explain AAPL", after)
    done = subprocess.run(line, env=environ(published), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stderr.rpartition("imported: ")[2].split()) <= {"pyarrow", "numpy"}


@pytest.mark.parametrize("line", ["universe --layer 0", "universe --export-qualification-history --days 90", "--help"])
def test_a_closed_pipe_ends_quietly_with_0(published: Path, line: str) -> None:
    command = [sys.executable, "-m", "aitrader.cli.main", *line.split()]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, env=environ(published), stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    assert all(told.startswith("notice: ") for told in done.stderr.splitlines())


def test_a_full_disk_behind_stdout_is_one_line(published: Path) -> None:
    command = [sys.executable, "-m", "aitrader.cli.main", "universe", "--layer", "0"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=environ(published), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1] == "error: cannot read or write: no space left on device"


def test_ctrl_c_ends_with_130_and_one_line(published: Path) -> None:
    code = (
        "import sys, time\n"
        "from types import SimpleNamespace\n"
        "from aitrader.cli.main import main\n"
        "def scan(**given):\n"
        "    given['report'].step('working')\n"
        "    time.sleep(30)\n"
        "sys.exit(main(['scan'], facade=lambda: SimpleNamespace(scan=scan)))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ(published), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "working" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")


@pytest.mark.parametrize(("line", "seconds"), [("universe --layer 3", 0.2), ("universe --explain AAPL", 0.3)])
def test_a_question_is_answered_at_once(published: Path, line: str, seconds: float) -> None:
    """The whole process, the best of a few: elapsed, or on a busy machine the processor's time."""
    command = [sys.executable, "-m", "aitrader.cli.main", *line.split()]
    spent: list[float] = []
    while len(spent) < 12 and (not spent or min(spent) >= seconds):
        spent.append(cost(command, published))
    assert min(spent) < seconds


def cost(command: list[str], home: Path) -> float:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environ(home), capture_output=True, check=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return min(ended - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
