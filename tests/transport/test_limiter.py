"""Never more than the limit in any sliding window, whoever sends and whatever befalls the file."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrader.domain.errors import SourceError
from aitrader.transport.limiter import Budget, SlidingWindow

Make = Callable[..., SlidingWindow]


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "limits" / "alpaca"


@pytest.fixture
def make(place: Path, fake: FakeTime) -> Make:
    def made(limit: int = 2, window: float = 10.0, **more: float) -> SlidingWindow:
        return SlidingWindow(place, limit, window, clock=fake, sleep=fake.sleep, **more)

    return made


def send(window: SlidingWindow, fake: FakeTime, seconds: float = 0.0) -> float:
    """One request that takes so long; the moment at which it was sent."""
    with window.request():
        sent = fake.now
        fake.now += seconds
    return sent


def densest(arrivals: list[float], window: float) -> int:
    """The most arrivals in any half-open window."""
    arrivals = sorted(arrivals)
    return max(sum(first <= other < first + window for other in arrivals[i:]) for i, first in enumerate(arrivals))


def test_the_window_counts_from_the_answer(make: Make, fake: FakeTime) -> None:
    window = make(limit=1)
    assert send(window, fake, seconds=3) == 1_000
    assert send(window, fake) == pytest.approx(1_013, abs=0.01)  # not 1_010: it may have arrived at 1_003


def test_two_objects_share_one_limit(make: Make, fake: FakeTime) -> None:
    first, second = make(), make()
    sent = [send(one, fake) for one in (first, second, first, second)]
    assert sent == pytest.approx([1_000, 1_000, 1_010, 1_010], abs=0.01)


@pytest.mark.parametrize("seed", range(10))
def test_random_times_never_exceed(make: Make, fake: FakeTime, seed: int) -> None:
    rng, window, arrivals = random.Random(seed), make(limit=5, window=7.3), []
    for _ in range(200):
        with window.request():
            fake.now += rng.expovariate(2)
            arrivals.append(fake.now)
            fake.now += rng.expovariate(2)
    assert densest(arrivals, 7.3) == 5 or max(arrivals) > 1_000 + 200  # slow requests never reach the limit
    assert densest(arrivals, 7.3) <= 5


def test_the_budget(make: Make, fake: FakeTime) -> None:
    window = make()
    assert window.budget() == Budget(left=2, next_seconds=0)
    send(window, fake)
    fake.now += 4
    assert window.budget() == Budget(left=1, next_seconds=0)
    send(window, fake)
    assert window.budget() == Budget(left=0, next_seconds=pytest.approx(6))


@pytest.mark.parametrize(("after", "left"), [(0, 1), (69.9, 1), (70, 2), (1_000, 2)])
def test_the_slot_of_a_killed_process_expires(make: Make, fake: FakeTime, after: float, left: int) -> None:
    make(timeout_seconds=60)._acquire(None, None)  # and never answered
    fake.now += after
    assert make(timeout_seconds=60).budget().left == left


def test_an_answer_after_its_time_counts_all_the_same(make: Make, fake: FakeTime) -> None:
    window = make(limit=1, timeout_seconds=5)
    with window.request():
        fake.now += 15
        assert send(make(limit=1, timeout_seconds=5), fake) == 1_015
    assert window.budget() == Budget(left=0, next_seconds=pytest.approx(10))


def test_a_hold_stops_everybody(make: Make, fake: FakeTime) -> None:
    make().hold(1_030)
    make().hold(1_020)  # the longer one stays
    other = make()
    assert other.budget() == Budget(left=0, next_seconds=30)
    assert send(other, fake) == pytest.approx(1_030, abs=0.01)


def test_no_hold_is_longer_than_an_hour(make: Make, fake: FakeTime) -> None:
    make().hold(float("inf"))
    assert make().budget().next_seconds == 3_600


@pytest.mark.parametrize(("told", "left"), [(1, 1), (0, 1), (2, 2), (50, 2)])
def test_the_source_may_lower_the_limit_only(make: Make, told: int, left: int) -> None:
    window = make()
    window.lower(told)
    assert window.budget().left == left


def test_each_wait_is_told(make: Make, fake: FakeTime) -> None:
    window, told = make(limit=1), list[float]()
    for _ in range(3):
        with window.request(told.append):
            pass
    assert told == pytest.approx([10, 10])


def test_a_wait_ends_when_it_is_not_wanted(make: Make, fake: FakeTime) -> None:
    window = make(limit=1)
    send(window, fake)
    with pytest.raises(SourceError, match="given up"), window.request(stopped=lambda: fake.now > 1_002):
        pytest.fail("it was sent")
    assert fake.now < 1_003


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\0" * 40, b"\xff" * 200, b"aitrlim1" + b"\xff" * 32, b"aitrlim1" + b"\0" * 31],
    ids=["empty", "short", "zeros", "ones", "absurd_head", "cut_head"],
)
def test_a_damaged_file_is_made_again(make: Make, place: Path, fake: FakeTime, content: bytes) -> None:
    window = make()
    send(window, fake)
    place.write_bytes(content)
    assert make().budget().left == 2  # nobody knows better
    place.write_bytes(content)
    assert window.budget().left == 1  # but who sent does


def test_a_file_that_others_made_again_is_joined(make: Make, place: Path, fake: FakeTime) -> None:
    window = make(limit=3)
    send(window, fake)
    place.unlink()
    send(make(limit=3), fake)
    assert window.budget().left == 1
    assert make(limit=3).budget().left == 1


def test_the_folder_may_go_at_any_time(make: Make, place: Path, fake: FakeTime) -> None:
    window = make(limit=1)
    with window.request():
        place.unlink()
        place.parent.rmdir()
        fake.now += 1
    assert window.budget() == Budget(left=0, next_seconds=pytest.approx(10))


def test_a_file_that_goes_while_its_lock_is_awaited(make: Make, place: Path, fake: FakeTime) -> None:
    first, second = make(limit=3), make(limit=3)
    with first._ring():  # holds the lock
        thread = threading.Thread(target=lambda: second._acquire(None, None))  # not yet answered
        thread.start()
        time.sleep(0.1)  # it waits for the lock of the file that goes now
        place.unlink()
        make(limit=3)._acquire(None, None)  # and is made again by another
    thread.join()
    assert make(limit=3).budget().left == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_flipped_byte_breaks_it(make: Make, place: Path, fake: FakeTime, seed: int) -> None:
    rng, window = random.Random(seed), make()
    send(window, fake)
    content = bytearray(place.read_bytes())
    for _ in range(4):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    place.write_bytes(content)
    make().budget()
    send(make(), fake)
    assert fake.now < 1_000 + 3_600 + 120 + 10 + 1


def test_what_was_sent_before_the_machine_started_counts_as_sent_then(
    place: Path, fake: FakeTime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make(limit=1)
    send(window, fake)
    window.hold(2_000)
    monkeypatch.setattr("aitrader.transport.limiter._boot", lambda: 7)
    fake.now = 4.0  # the clock begins anew
    assert make(limit=1).budget() == Budget(left=0, next_seconds=pytest.approx(6))
    fake.now = 10.0
    assert make(limit=1).budget().left == 1


def test_a_stamp_of_the_future_is_void(make: Make, fake: FakeTime) -> None:
    send(make(limit=1), fake)
    fake.now = 500.0
    assert make(limit=1).budget().left == 1


def test_a_higher_limit_makes_room(make: Make, fake: FakeTime) -> None:
    for _ in range(2):
        send(make(limit=2), fake)
    assert make(limit=5).budget().left == 3
    assert make(limit=2).budget().left == 0


def test_folder_and_file_are_private(make: Make, place: Path, fake: FakeTime) -> None:
    send(make(), fake)
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert place.stat().st_mode & 0o777 == 0o600


def test_nothing_is_sent_where_the_limit_cannot_be_kept(make: Make, place: Path) -> None:
    place.mkdir(parents=True)
    place.parent.chmod(0o700)
    with pytest.raises(SourceError, match="nothing is sent without it"), make().request():
        pytest.fail("it was sent")


def test_a_folder_of_others_is_refused(make: Make, place: Path) -> None:
    place.parent.mkdir(mode=0o755)
    with pytest.raises(SourceError, match="0700"):
        make().budget()


@pytest.mark.parametrize(("limit", "window"), [(0, 1), (-1, 1), (1, 0), (1, -1), (1, float("nan")), (10**7, 1)])
def test_no_limit(tmp_path: Path, limit: int, window: float) -> None:
    with pytest.raises(ValueError, match="no limit"):
        SlidingWindow(tmp_path / "x", limit, window)


def test_threads_share_one_object(place: Path) -> None:
    window, arrivals = SlidingWindow(place, 10, 0.2), list[float]()

    def work() -> None:
        for _ in range(5):
            with window.request():
                arrivals.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arrivals) == 40
    assert densest(arrivals, 0.2) <= 10


def process(path: str, seed: int, requests: int) -> list[float]:
    """The arrivals of the requests of one process; each takes its time on the way there and back."""
    rng, window, arrivals = random.Random(seed), SlidingWindow(Path(path), 20, 0.5), []
    for _ in range(requests):
        with window.request():
            time.sleep(rng.uniform(0, 0.02))
            arrivals.append(time.monotonic())
            time.sleep(rng.uniform(0, 0.02))
    return arrivals


def test_processes_share_one_file(place: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.starmap(process, [(os.fspath(place), seed, 60) for seed in range(2)], chunksize=1)
    arrivals = [at for result in results for at in result]
    assert len(arrivals) == 120
    assert densest(arrivals, 0.5) <= 20
    assert densest(arrivals, 0.5) >= 15  # and it is used
