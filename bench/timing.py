"""Clocks: medians of calls in this process and of whole processes with their peak memory."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement: seconds (median, fastest, slowest), repeats, median CPU seconds, peak memory in MB.

    On a machine that others use as well, the CPU seconds of all threads say more than the clock's.
    """

    seconds: float
    fastest: float
    slowest: float
    repeats: int
    cpu: float | None = None
    peak_mb: float | None = None
    note: str = ""

    def divided(self, by: float, note: str = "") -> Figure:
        """The same per unit, e.g. per session of a run over many."""
        return Figure(
            seconds=self.seconds / by,
            fastest=self.fastest / by,
            slowest=self.slowest / by,
            repeats=self.repeats,
            cpu=None if self.cpu is None else self.cpu / by,
            peak_mb=self.peak_mb,
            note=note or self.note,
        )


class UnmeasuredError(Exception):
    """A contestant that cannot run here; the message is the reason that the report prints."""


def figure(
    seconds: Sequence[float], *, cpu: Sequence[float] = (), peak_mb: float | None = None, note: str = ""
) -> Figure:
    """The median, fastest and slowest of some runs."""
    return Figure(
        seconds=statistics.median(seconds),
        fastest=min(seconds),
        slowest=max(seconds),
        repeats=len(seconds),
        cpu=statistics.median(cpu) if cpu else None,
        peak_mb=peak_mb,
        note=note,
    )


def warm(call: Callable[[], Any], *, repeats: int, note: str = "") -> Figure:
    """Seconds of ``call`` in this process, after one unmeasured call."""
    call()
    times, cpu = [], []
    for _ in range(repeats):
        begin, worked = time.perf_counter(), time.process_time()
        call()
        times.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - worked)
    return figure(times, cpu=cpu, note=note)


def process(
    argv: Sequence[str], *, repeats: int, env: dict[str, str] | None = None, note: str = "", codes: Sequence[int] = (0,)
) -> Figure:
    """Seconds and peak memory of whole processes, from before the start until the exit, output thrown away.

    Raises UnmeasuredError when one ends with a code outside ``codes``.
    """
    ended = [spawn(argv, env=env) for _ in range(repeats)]
    for end in ended:
        if end.code not in codes:
            raise UnmeasuredError(f"`{' '.join(argv[-4:])}` ended with code {end.code}")
    return of_processes(ended, note)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What one process took: seconds by the clock, CPU seconds, peak memory in MB, exit code."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int


def of_processes(ended: Sequence[Ended], note: str = "") -> Figure:
    """The figure of some runs of one command."""
    peak = max(end.peak_mb for end in ended)
    return figure([end.seconds for end in ended], cpu=[end.cpu for end in ended], peak_mb=peak, note=note)


def spawn(argv: Sequence[str], *, env: dict[str, str] | None = None) -> Ended:
    """Run one process in the project's folder to its end.

    The kernel's own peak for a child starts at its parent's size, so the child's mark is read while it runs.
    """
    environment = {**os.environ, **(env or {})}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        begin = time.perf_counter()
        pid = os.posix_spawnp(argv[0], list(argv), environment, file_actions=quiet)
        with _Watch(pid) as watch:
            _, status, usage = os.wait4(pid, 0)
            seconds = time.perf_counter() - begin
    finally:
        os.chdir(before)
    return Ended(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mb=watch.peak_mb,
        code=os.waitstatus_to_exitcode(status),
    )


class _Watch(threading.Thread):
    """Reads a process's peak memory every 10 ms until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_mb, self.ended = pid, 0.0, threading.Event()

    def run(self) -> None:
        """Until the process or the measurement ends."""
        while not self.ended.wait(0.01):
            self.peak_mb = max(self.peak_mb, peak_mb(self.pid))

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


def peak_mb(pid: int | str = "self") -> float:
    """The largest resident size of a process since it began its program, in MB; 0 where it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(marks[0]) / 1024.0 if marks else 0.0


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a module of this package in this interpreter."""
    return [sys.executable, "-m", name, *arguments]


def machine() -> dict[str, str]:
    """What the figures depend on: processor, cores, memory, load, interpreter and libraries."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "polars", "pandas", "TA-Lib")},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
