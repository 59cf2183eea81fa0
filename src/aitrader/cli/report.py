"""The report on a terminal or in a log: step lines with the time since the start, progress with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_REDRAW_SECONDS = 0.1


class TerminalReport:
    """Writes to stderr; progress is drawn on a terminal only, steps, notices and warnings always."""

    def __init__(self, err: TextIO, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._err, self._seconds = err, seconds
        self._terminal = err.isatty()
        self._began = seconds()
        self._label, self._label_began, self._drawn = "", 0.0, 0.0
        self._open = False

    def step(self, text: str) -> None:
        """One line, led by the seconds since the start."""
        self._line(f"[{self._seconds() - self._began:6.1f} s] {text}")

    def progress(self, label: str, done: int, total: int) -> None:
        """Redraw one line: share done, units a second, time left."""
        now = self._seconds()
        if label != self._label:
            self._label, self._label_began, self._drawn = label, now, 0.0
        if not self._terminal or (now - self._drawn < _REDRAW_SECONDS and done < total):
            return
        self._drawn, self._open = now, True
        self._err.write(f"\r\x1b[K           {progress_line(label, done, total, now - self._label_began)}")
        self._err.flush()

    def notice(self, text: str) -> None:
        """One line that is no fault."""
        self._line(f"notice: {text}")

    def warn(self, text: str) -> None:
        """One line that is a fault the work goes on with."""
        self._line(f"warning: {text}")

    def _line(self, text: str) -> None:
        """A whole line; a progress line that is still open is taken away first."""
        self._err.write(("\r\x1b[K" if self._open else "") + " ".join(text.split("\n")) + "\n")
        self._err.flush()
        self._open = False


def progress_line(label: str, done: int, total: int, seconds: float) -> str:
    """``sessions 120 of 300, 40 %, 60 a second, 3 s left``; rate and time left need a moment to be known."""
    share = f"{done / total:.0%}" if total else "100%"
    line = f"{label} {done:,} of {total:,}, {share}"
    if done and seconds > 0:
        rate = done / seconds
        line += f", {rate:,.0f} a second" if rate >= 1 else f", {seconds / done:,.1f} s each"
        if done < total:
            line += f", {_left((total - done) / rate)} left"
    return line


def _left(seconds: float) -> str:
    """A duration to the second, in minutes from two minutes on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
