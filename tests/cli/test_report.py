"""Step lines carry the time since the start; progress is drawn on a terminal only, with rate and time left."""

from __future__ import annotations

import io

import pytest

from aitrader.cli.report import TerminalReport, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_step_lines_are_led_by_the_seconds_since_the_start() -> None:
    err, watch = io.StringIO(), Watch()
    report = TerminalReport(err, seconds=watch)
    watch.now += 1.26
    report.step("read")
    report.notice("fact")
    report.warn("two\nlines")
    assert err.getvalue() == "[   1.3 s] read\nnotice: fact\nwarning: two lines\n"


def test_progress_is_silent_off_a_terminal() -> None:
    err = io.StringIO()
    TerminalReport(err).progress("sessions", 1, 10)
    assert err.getvalue() == ""


def test_progress_is_redrawn_on_a_terminal_and_taken_away_by_the_next_line() -> None:
    err, watch = Terminal(), Watch()
    report = TerminalReport(err, seconds=watch)
    report.progress("sessions", 0, 300)
    watch.now += 2
    report.progress("sessions", 120, 300)
    watch.now += 0.01
    report.progress("sessions", 121, 300)
    report.step("judged")
    drawn = err.getvalue().split("\r\x1b[K")
    assert drawn[-2].strip() == "sessions 120 of 300, 40%, 60 a second, 3 s left"
    assert drawn[-1] == "[   2.0 s] judged\n"


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (0, 10, 0.0, "x 0 of 10, 0%"),
        (0, 0, 1.0, "x 0 of 0, 100%"),
        (10, 10, 5.0, "x 10 of 10, 100%, 2 a second"),
        (2, 1_000, 10.0, "x 2 of 1,000, 0%, 5.0 s each, 83 min 10 s left"),
        (1_000, 10_000, 0.5, "x 1,000 of 10,000, 10%, 2,000 a second, 4 s left"),
    ],
)
def test_progress_lines(done: int, total: int, seconds: float, line: str) -> None:
    assert progress_line("x", done, total, seconds) == line
