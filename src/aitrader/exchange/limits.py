"""Rate limits of each vendor, by a sliding window for each key."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Limit:
    """So many requests in so many seconds."""

    requests: int
    seconds: float


DEFAULTS = {"alpaca": Limit(200, 60), "polygon": Limit(5, 60), "sec": Limit(10, 1), "nasdaq_trader": Limit(10, 1)}


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left of a limit after a request; ``wait`` is None where the request may pass."""

    limit: int
    remaining: int
    reset_in: float
    wait: int | None


class Limits:
    """Counts requests; safe to share between the server's threads."""

    def __init__(self, limits: dict[str, Limit], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = {**DEFAULTS, **limits}, clock
        self._seen: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, vendor: str, key: str) -> Room:
        """Count one request of ``key`` against the vendor's limit; a refused one is not counted."""
        limit, now = self._limits[vendor], self._clock()
        with self._lock:
            seen = self._seen.setdefault((vendor, key), deque())
            while seen and seen[0] <= now - limit.seconds:
                seen.popleft()
            passes = len(seen) < limit.requests
            if passes:
                seen.append(now)
            reset_in = seen[0] + limit.seconds - now
            return Room(
                limit=limit.requests,
                remaining=limit.requests - len(seen),
                reset_in=reset_in,
                wait=None if passes else max(1, ceil(reset_in)),
            )
