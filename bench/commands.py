"""Whole commands on a home of its own: the simulated market at full size, one session stored and not yet scanned."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from aitrader.providers.simulated import SimulatedSource
from aitrader.settings.load import load_settings
from aitrader.store.home import Home
from aitrader.store.store import Store
from bench.timing import ROOT, Figure, UnmeasuredError, of_processes, process, spawn

FOLDER = ROOT / "build" / "bench"
LAUNCHER = str(ROOT / "ai_trader.py")
UNTIL = (date(2025, 8, 20), date(2025, 8, 21))  # the last session scanned before, and the new one
DONE = (0, 1, 2)  # health may be a warning; anything from 3 on is a failure


def figures(repeats: int) -> dict[str, Figure | UnmeasuredError]:
    """`scan` of a new session, and the commands that only read, each as a whole process."""
    scanned, waiting = FOLDER / "home", FOLDER / "home-waiting"
    for home in (scanned, waiting):
        shutil.rmtree(home, ignore_errors=True)
    try:
        _run(scanned, UNTIL[0], "universe", "--populate", "--source", "simulated")
        _store(scanned)
        scanned.rename(waiting)
        out: dict[str, Figure | UnmeasuredError] = {"ours.scan.process": _scan(waiting, scanned, repeats)}
        env = environment(scanned, UNTIL[1])
        for name, words in READS.items():
            out[f"ours.{name}.process"] = process(command(*words), repeats=max(repeats, 5), env=env, codes=DONE)
    except UnmeasuredError as reason:
        return {"ours.commands": reason}
    finally:
        for home in (scanned, waiting):
            shutil.rmtree(home, ignore_errors=True)
    return out


READS = {
    "universe": ("universe", "--layer", "3"),
    "stats": ("universe", "--stats"),
    "explain": ("universe", "--explain", "AAPL"),
    "help": ("--help",),
}


def _scan(waiting: Path, home: Path, repeats: int) -> Figure:
    """A copy of the home a run, so that each scan finds the same new session."""
    ended = []
    for _ in range(repeats):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(waiting, home)
        ended.append(spawn(command("scan"), env=environment(home, UNTIL[1])))
        if ended[-1].code not in DONE:
            raise UnmeasuredError(f"`scan` ended with code {ended[-1].code}")
        if _published(waiting) != UNTIL[0].isoformat() or _published(home) != UNTIL[1].isoformat():
            raise UnmeasuredError("`scan` did not publish exactly the new session")
    return of_processes(ended)


def _store(home: Path) -> None:
    """Store the new session without scanning it, which ``--populate`` would do as well."""
    settings = load_settings(ROOT / "config", {**os.environ, **environment(home, UNTIL[1])})
    delivery = SimulatedSource(settings.sources.simulated).deliver(until=None)
    with Store.open(_home(home), write=True) as store, store.writer_lock(_now):
        store.ingest(delivery, at=_now())


def _published(home: Path) -> str:
    """The session, as ISO text, of the run that readers see."""
    with Store.open(_home(home), write=False) as store:
        run = store.reader.active_run()
        return "none" if run is None else run.session.isoformat()


def _home(root: Path) -> Home:
    return Home(root, "development", "simulated")


def _now() -> datetime:
    return datetime.now(UTC)


def _run(home: Path, until: date, *words: str) -> None:
    code = spawn(command(*words), env=environment(home, until)).code
    if code not in DONE:
        raise UnmeasuredError(f"`{' '.join(words)}` ended with code {code}")


def command(*words: str) -> list[str]:
    """The launcher with these words in this interpreter."""
    return [sys.executable, LAUNCHER, *words]


def environment(home: Path, until: date) -> dict[str, str]:
    """Settings of the bench's home: simulated, up to a session, at an instant the evening after it."""
    return {
        "AI_TRADER_HOME": str(home),
        "AI_TRADER_ENV": "development",
        "AI_TRADER__SOURCES__SIMULATED__UNTIL": until.isoformat(),
    }
