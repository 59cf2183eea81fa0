"""Rate limits as the vendor counts them: over processes and threads, in time, and in what is told of the time left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from aitrader.providers.pace import Pace
from aitrader.settings.models import Limit
from tests.live.world import BEFORE, Desk, Listened, Seen, Watched, at

REQUESTS, SECONDS = 40, 1.0  # scaled down: as many in a second as the free plan has in some


def most_in_a_window(seen: Sequence[Seen], seconds: float) -> int:
    """The most requests that arrived in any ``seconds``."""
    times = sorted(each.at for each in seen)
    first, most = 0, 0
    for last, instant in enumerate(times):
        while times[first] <= instant - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def slow(requests: int, seconds: float, **more: str) -> dict[str, str]:
    return {
        "ALPACA__LIMIT__REQUESTS": str(requests),
        "ALPACA__LIMIT__SECONDS": str(seconds),
        "POLYGON__LIMIT__REQUESTS": str(requests),
        "POLYGON__LIMIT__SECONDS": str(seconds),
        **more,
    }


def limited() -> Watched:
    """An exchange with the same limit: one request too many is answered with 429 and seen here."""
    plan = {"requests": REQUESTS, "seconds": SECONDS}
    return Watched(at(BEFORE), limits={"alpaca": plan, "polygon": plan})


def test_two_processes_share_one_limit(desks: Callable[..., Desk]) -> None:
    desk = desks(exchange=limited())
    desk.exchange.pages["/v2/stocks/bars"] = 100
    # Each with a cache of its own: otherwise the second one would have little left to ask.
    both = [
        desk.command(
            desk.environ("alpaca", **slow(REQUESTS, SECONDS, LIVE__CACHE=str(desk.root / f"cache{i}"))),
            *("universe", "--populate", "--source", "alpaca"),
        )
        for i in range(2)
    ]
    told = [process.communicate(timeout=120)[1] for process in both]
    seen = desk.exchange.seen
    assert len(seen) > 3 * REQUESTS
    assert [each.status for each in seen if each.status == 429] == []
    assert most_in_a_window(seen, SECONDS) <= REQUESTS
    # One of the two may find the other one writing.
    assert sorted(process.returncode for process in both) in ([0, 0], [0, 4]), told


def test_the_limit_is_used_to_the_full(desk: Desk) -> None:
    """The free plan's arithmetic, scaled: pages over limit, within a tenth."""
    desk.exchange.pages["/v2/stocks/bars"] = 100
    desk.populate("alpaca", **slow(20, 1.0))
    seen = [each.at for each in desk.exchange.seen]
    windows = (len(seen) - 1) // 20  # whole windows that have to be waited for
    assert len(seen) > 80
    assert windows * 1.0 <= seen[-1] - seen[0] <= windows * 1.0 * 1.1 + 1.0


def test_a_population_by_polygon_takes_a_request_a_session(desk: Desk) -> None:
    desk.populate("polygon", **slow(10, 1.0))
    grouped = desk.exchange.asked("/v2/aggs/grouped/")
    assert len(grouped) == 30
    assert most_in_a_window(desk.exchange.seen, 1.0) <= 10
    (told,) = [step for step in desk.told.steps if "requests for bars" in step]
    assert "polygon: 30 requests for bars, at 10 in 1 s: at least 2 s" in told


def told_left(desk: Desk, label: str) -> list[tuple[float, float, float]]:
    """From 30 % of the way on: what a terminal shows as left, what is left, how long the whole takes (seconds)."""
    told = [(when, done, total) for when, name, done, total in desk.told.progressed if name.startswith(label)]
    began, end = told[0][0], told[-1][0]
    shown = []
    for when, done, total in told:
        if when - began >= 0.3 * (end - began) and 0 < done < total:
            shown.append(((total - done) / (done / (when - began)), end - when, end - began))
    return shown


@pytest.mark.parametrize(("requests", "seconds"), [(5, 1.0), (10, 2.0)], ids=["many windows", "few windows"])
def test_what_is_told_of_the_time_left_is_true(desk: Desk, requests: int, seconds: float) -> None:
    """Within a fifth of the whole, though the first requests pass in a burst and the last ones too."""
    desk.populate("polygon", **slow(requests, seconds, LIVE__LISTINGS="[polygon]"))
    shown = told_left(desk, "polygon")
    assert len(shown) >= 3
    for says, true, whole in shown:
        assert says == pytest.approx(true, abs=0.2 * whole), f"{whole:.1f} s"


def paced(total: int, requests: int, seconds: float, each: float) -> tuple[list[tuple[float, int, int]], list[float]]:
    """The progress of requests that take ``each`` one after another, under the limit, and when each is answered."""
    clock, answered, told = [0.0], list[float](), list[tuple[float, int, int]]()
    report = Listened()
    pace = Pace(report, "alpaca", Limit(requests=requests, seconds=seconds), clock=lambda: clock[0])
    for number in range(total):
        if number >= requests:
            clock[0] = max(clock[0], answered[number - requests] + seconds)
        clock[0] += each
        answered.append(clock[0])
        pace(number + 1, total)
        _, _, done, whole = report.progressed[-1]
        told.append((clock[0], done, whole))
    return told, answered


@pytest.mark.parametrize(
    ("total", "requests", "seconds", "each"),
    [
        (371, 200, 60, 0.05),  # Alpaca's free plan, 300 sessions
        (371, 200, 60, 0.4),  # on a slow line: the limit hardly binds
        (300, 5, 60, 0.2),  # Polygon's free plan
        (201, 200, 60, 0.1),
        (11, 5, 60, 0.1),
    ],
)
def test_the_time_left_by_the_limit(total: int, requests: int, seconds: float, each: float) -> None:
    told, answered = paced(total, requests, seconds, each)
    end = answered[-1]
    for when, done, whole in told:
        if when > 0.3 * end:
            assert whole - done == pytest.approx(end - when, abs=0.05 * end + 1)


def test_within_the_limit_requests_are_counted() -> None:
    report = Listened()
    pace = Pace(report, "alpaca", Limit(requests=200, seconds=60))
    for number in (1, 2, 3):
        pace(number, 3)
    assert [row[1:] for row in report.progressed] == [("alpaca requests", n, 3) for n in (1, 2, 3)]
