"""How long requests under a limit take, told while they are under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise

from aitrader.domain.report import Report
from aitrader.settings.models import Limit


class Pace:
    """The progress of requests to one source, for a report.

    Where they fit into the limit it counts requests. Else the first ones pass in a burst and the others wait, and a
    rate would promise far too much: then it counts the seconds of the whole, which the limit tells.
    """

    def __init__(self, report: Report, name: str, limit: Limit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._name, self._limit, self._clock = report, name, limit, clock
        self._lock = threading.Lock()
        self._began = clock()
        self._answered: list[float] = []  # when each request was
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` requests are answered; from any thread."""
        with self._lock:
            now = self._clock()
            self._answered += [now] * (done - len(self._answered))
            if total <= self._limit.requests:
                self._report.progress(f"{self._name} requests", done, total)
                return
            label = f"{self._name}, {total:,} requests, seconds"
            if not self._told:  # the rate of seconds counts from the beginning
                self._report.progress(label, 0, max(1, round(self._end(now, done, total) - self._began)))
            self._told = max(self._told, 1, round(now - self._began))
            whole = self._told if done >= total else max(self._told, round(self._end(now, done, total) - self._began))
            self._report.progress(label, self._told, whole)

    def _end(self, now: float, done: int, total: int) -> float:
        """When the last one will be answered.

        A request can be sent a window after the one that is ``limit`` before it was answered; so can that one.
        """
        most, window = self._limit.requests, self._limit.seconds
        burst = [self._began, *self._answered[:most]]
        gaps = [after - before for before, after in pairwise(burst)]
        # Where others used some of the limit just before, one gap in the burst is the wait for it.
        each = (sum(gaps) - max(gaps)) / (len(gaps) - 1) if len(gaps) > 1 else sum(gaps)
        left = total - done
        windows = -(-left // most)
        before = total - 1 - windows * most  # the answered one that the last one waits for, window by window
        if before >= 0:
            by_limit = self._answered[before] + windows * window
        else:
            by_limit = now + (before + most - done + 1) * each + (windows - 1) * window
        return max(by_limit, now + left * each)
