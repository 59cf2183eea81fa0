"""A circuit breaker: a source that keeps failing is left alone for a while, then tried once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aitrader.domain.errors import SourceError

State = Literal["closed", "open", "half_open"]


@dataclass
class _Circuit:
    """What is known of one source."""

    failures: int = 0  # one after another
    opened_at: float | None = None
    probed_at: float | None = None


class Breaker:
    """Opens after ``failures`` failures in a row of a source; after ``cool_down_seconds`` one probe may pass.

    Its success closes the circuit, its failure opens it again. Safe to share between threads.
    """

    def __init__(
        self, *, failures: int = 5, cool_down_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if failures < 1 or not cool_down_seconds >= 0:
            raise ValueError(f"no breaker: {failures} failures, {cool_down_seconds} s")
        self._most, self._cool_down, self._clock = failures, cool_down_seconds, clock
        self._circuits: dict[str, _Circuit] = {}
        self._lock = threading.Lock()

    def state(self, source: str) -> State:
        """closed: requests pass; open: none does; half_open: one does, or is under way."""
        with self._lock:
            return self._state(self._circuits.get(source, _Circuit()))

    def open_for(self) -> dict[str, float | None]:
        """For each source that was asked, the seconds since its circuit opened; None where it is closed."""
        with self._lock:
            now = self._clock()
            return {
                source: None if circuit.opened_at is None else now - circuit.opened_at
                for source, circuit in self._circuits.items()
            }

    def enter(self, source: str) -> None:
        """Let a request pass, or raise a SourceError that says when the next one may."""
        with self._lock:
            circuit = self._circuits.setdefault(source, _Circuit())
            state, now = self._state(circuit), self._clock()
            if state == "closed":
                return
            # A probe that never reported (its thread died, it never reached the source) must not bar the way for ever.
            since = circuit.opened_at if circuit.probed_at is None else circuit.probed_at
            wait = self._cool_down if since is None else since + self._cool_down - now
            if wait <= 0:
                circuit.probed_at = now
                return
        raise SourceError(
            f"{source} is left alone",
            why=f"it failed {self._most} times in a row (circuit {state})",
            do=f"it is tried again in {wait:.0f} s",
        )

    def succeeded(self, source: str) -> None:
        """The source answered: the circuit is closed."""
        with self._lock:
            self._circuits[source] = _Circuit()

    def failed(self, source: str) -> None:
        """The source did not answer, or not in a way that can be used."""
        with self._lock:
            circuit = self._circuits.setdefault(source, _Circuit())
            circuit.failures += 1
            if circuit.opened_at is None:
                if circuit.failures >= self._most:
                    circuit.opened_at = self._clock()
            elif circuit.probed_at is not None:
                circuit.opened_at, circuit.probed_at = self._clock(), None

    def _state(self, circuit: _Circuit) -> State:
        if circuit.opened_at is None:
            return "closed"
        waited = self._clock() - circuit.opened_at
        return "open" if circuit.probed_at is None and waited < self._cool_down else "half_open"
