"""Closed, open, half-open: by failures in a row, for each source."""

from __future__ import annotations

import pytest

from aitrader.domain.errors import SourceError
from aitrader.transport.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def played(events: str) -> tuple[str, int]:
    """State at the end and refusals on the way: f fails, s succeeds, e asks to enter, . waits one second."""
    clock = Clock()
    breaker, refused = Breaker(failures=3, cool_down_seconds=5, clock=clock), 0
    for event in events:
        match event:
            case "f":
                breaker.failed("sec")
            case "s":
                breaker.succeeded("sec")
            case ".":
                clock.now += 1
            case "e":
                try:
                    breaker.enter("sec")
                except SourceError:
                    refused += 1
    assert breaker.state("alpaca") == "closed"
    return breaker.state("sec"), refused


@pytest.mark.parametrize(
    ("events", "state", "refused"),
    [
        ("", "closed", 0),
        ("ff", "closed", 0),
        ("ffe", "closed", 0),
        ("fff", "open", 0),
        ("ffsff", "closed", 0),  # in a row
        ("fffee", "open", 2),
        ("fff....e", "open", 1),
        ("fff.....", "half_open", 0),
        ("fff.....e", "half_open", 0),
        ("fff.....eee", "half_open", 2),  # one probe
        ("fff.....es", "closed", 0),
        ("fff.....esff", "closed", 0),
        ("fff.....ef", "open", 0),
        ("fff.....ef....e", "open", 1),  # the cool-down begins anew
        ("fff.....ef.....e", "half_open", 0),
        ("fff..ff...e", "half_open", 0),  # late failures of requests under way do not prolong it
        ("fff.....e....e", "half_open", 1),
        ("fff.....e.....e", "half_open", 0),  # a probe that never reports
        ("fff..s", "closed", 0),
    ],
)
def test_the_circuit(events: str, state: str, refused: int) -> None:
    assert played(events) == (state, refused)


def test_the_refusal_says_when_to_come_again() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, cool_down_seconds=30, clock=clock)
    breaker.failed("polygon")
    clock.now = 12
    with pytest.raises(SourceError) as refusal:
        breaker.enter("polygon")
    told = "polygon is left alone: it failed 1 times in a row (circuit open); it is tried again in 18 s"
    assert str(refusal.value) == told


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1.0), (1, -1.0), (1, float("nan"))])
def test_no_breaker(failures: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="no breaker"):
        Breaker(failures=failures, cool_down_seconds=seconds)


def test_how_long_a_circuit_is_open_is_known_of_those_that_were_asked() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, cool_down_seconds=5, clock=clock)
    breaker.failed("sec")
    breaker.succeeded("alpaca")
    clock.now = 2.5
    assert breaker.open_for() == {"sec": 2.5, "alpaca": None}
    clock.now = 6.0
    breaker.enter("sec")  # the probe is under way: it is open still
    assert breaker.open_for()["sec"] == 6.0
    breaker.succeeded("sec")
    assert breaker.open_for() == {"sec": None, "alpaca": None}
