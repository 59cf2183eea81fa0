"""A rate limit that holds in every sliding window, over all threads and processes of this machine."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import secrets
import struct
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aitrader.domain.errors import SourceError
from aitrader.transport.cache import private_folder

LONGEST: Final = 3_600.0  # seconds that a request or a hold may last; anything farther ahead is damage
_HEAD: Final = struct.Struct("<8sQQQd")  # mark, boot, generation, slots, held until; then stamps, then tokens
_MARK: Final = b"aitrlim1"
_MOST_SLOTS: Final = 1_000_000
_TRIES: Final = 20
_SLICE: Final = 0.5  # seconds slept at once: so soon a wait notices that it is not wanted any more
_BLINK: Final = 0.001  # seconds; a wait that rounding makes nothing must still end
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def pause(seconds: float, sleep: Callable[[float], None], stopped: Callable[[], bool] | None = None) -> None:
    """Sleep in short slices; a SourceError as soon as ``stopped`` says that the wait is not wanted any more."""
    while True:
        if stopped is not None and stopped():
            raise SourceError("the request was given up", why="another one failed")
        if seconds <= 0:
            return
        sleep(min(seconds, _SLICE))
        seconds -= _SLICE


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many requests may be sent now, and in how many seconds the next one may at the earliest."""

    left: int
    next_seconds: float


@dataclass
class _Ring:
    """The requests of the last window. A slot's stamp is the latest moment at which the source may have seen it."""

    generation: int
    stamps: array[float]
    tokens: array[int]  # 0: answered; else the request that is under way
    held_until: float = -math.inf

    def reserve(self, until: float, token: int, *, free_before: float) -> None:
        """Put a request into the oldest slot if it is free again, else into a new one."""
        oldest = min(self.stamps, default=math.inf)
        if oldest <= free_before:
            slot = self.stamps.index(oldest)
            self.stamps[slot], self.tokens[slot] = until, token
        else:
            self.extend(array("d", [until]), array("Q", [token]))

    def extend(self, stamps: array[float], tokens: array[int]) -> None:
        """More slots."""
        self.stamps.extend(stamps)
        self.tokens.extend(tokens)


class SlidingWindow:
    """Never lets more than ``limit`` requests arrive at the source in any window of ``window_seconds``.

    A slot is used again only a whole window after the ANSWER to its last request arrived, which is after the source
    saw that request: no margin for the way there has to be guessed. A request under way counts as seen
    ``timeout_seconds`` after its start, so a killed process costs slots for that time at most; no request may last
    longer. ``clock`` counts the seconds since the machine started, the same for all processes.
    """

    def __init__(
        self,
        path: Path,
        limit: int,
        window_seconds: float,
        *,
        timeout_seconds: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (1 <= limit <= _MOST_SLOTS and 0 < window_seconds < math.inf and 0 < timeout_seconds <= LONGEST):
            raise ValueError(f"no limit: {limit} in {window_seconds} s, at most {timeout_seconds} s each")
        self._path, self._limit, self.window_seconds = path, limit, window_seconds
        self._allowed, self._timeout = limit, timeout_seconds
        self._clock, self._sleep = clock, sleep
        self._boot = _boot()
        self._seen: _Ring | None = None  # what survives the file
        self._turn = threading.Lock()

    @contextmanager
    def request(
        self, on_wait: Callable[[float], None] | None = None, stopped: Callable[[], bool] | None = None
    ) -> Iterator[None]:
        """Wait for a slot, hold it while the request is under way, and date it when the answer is there.

        ``on_wait`` is told the seconds of each wait. Raises SourceError where the limit cannot be kept.
        """
        token = self._acquire(on_wait, stopped)
        try:
            yield
        finally:
            self._answered(token)

    def hold(self, until: float) -> None:
        """Nobody sends before ``until`` (on ``clock``), at most an hour ahead; a longer hold stays."""
        with self._ring() as ring:
            ring.held_until = max(ring.held_until, min(until, self._clock() + LONGEST))

    def held_for(self) -> float:
        """Seconds for which nobody sends, by a hold; 0: there is none."""
        with self._ring() as ring:
            return max(0.0, ring.held_until - self._clock())

    def lower(self, limit: int) -> None:
        """The source says that it grants ``limit`` requests: this process keeps to the lower number from now on."""
        self._allowed = max(1, min(self._limit, limit))

    def budget(self) -> Budget:
        """What may be sent now."""
        with self._ring() as ring:
            wait = self._wait(ring)
            return Budget(left=0 if wait > 0 else self._allowed - len(self._busy(ring)), next_seconds=wait)

    def _acquire(self, on_wait: Callable[[float], None] | None, stopped: Callable[[], bool] | None) -> int:
        token = secrets.randbits(63) + 1
        with self._turn:  # in a process one waits and the others queue: no crowd wakes for one slot
            while True:
                pause(0, self._sleep, stopped)
                with self._ring() as ring:
                    wait = self._wait(ring)
                    if wait <= 0:
                        now = self._clock()
                        ring.reserve(now + self._timeout, token, free_before=now - self.window_seconds)
                        return token
                if on_wait is not None:
                    on_wait(wait)
                pause(max(wait, _BLINK), self._sleep, stopped)

    def _answered(self, token: int) -> None:
        # Where the date cannot be written the slot stays taken for its time: an answer is not lost over it.
        with suppress(SourceError), self._ring() as ring:
            now = self._clock()
            if token in ring.tokens:
                slot = ring.tokens.index(token)
                ring.stamps[slot], ring.tokens[slot] = now, 0
            else:  # it took longer than it may and its slot is another's: it counts all the same
                ring.extend(array("d", [now]), array("Q", [0]))

    def _busy(self, ring: _Ring) -> list[float]:
        now = self._clock()
        return [stamp for stamp in ring.stamps if now - stamp < self.window_seconds]

    def _wait(self, ring: _Ring) -> float:
        """Seconds until a request may be sent at the earliest; 0: now."""
        busy, now = self._busy(ring), self._clock()
        wait = max(0.0, ring.held_until - now)
        if len(busy) >= self._allowed:
            # One that is under way may be answered in this moment: look again a window from now.
            seen = min(sorted(busy)[len(busy) - self._allowed], now)
            wait = max(wait, seen + self.window_seconds - now, _BLINK)
        return wait

    @contextmanager
    def _ring(self) -> Iterator[_Ring]:
        """The ring, locked against every other thread and process; what was changed is written."""
        try:
            descriptor = self._open()
            try:
                ring = self._read(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
                yield ring
                content = _HEAD.pack(_MARK, self._boot, ring.generation, len(ring.stamps), ring.held_until)
                content += ring.stamps.tobytes() + ring.tokens.tobytes()
                if os.pwrite(descriptor, content, 0) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.ftruncate(descriptor, len(content))
                self._seen = ring
            finally:
                os.close(descriptor)
        except OSError as fault:
            raise SourceError(
                f"the rate limit in {self._path} cannot be kept",
                why=fault.strerror or type(fault).__name__,
                do="nothing is sent without it; make room, or name another folder",
            ) from None

    def _open(self) -> int:
        """A descriptor of the file with the lock on it; the file may be removed at any moment."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError), private_folder(self._path.parent) as folder:
                descriptor = os.open(self._path.name, _FLAGS, 0o600, dir_fd=folder)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    now_there = os.stat(self._path.name, dir_fd=folder, follow_symlinks=False)
                    if os.path.samestat(os.fstat(descriptor), now_there):
                        return descriptor
                except BaseException:  # an interrupt too must leave no descriptor open; it is raised again
                    os.close(descriptor)
                    raise
                os.close(descriptor)
        raise OSError(errno.ENOENT, "it is removed again and again")

    def _read(self, content: bytes) -> _Ring:
        """The ring in the file, with what this process knows besides where the file was wiped or damaged meanwhile."""
        ring, known = self._parsed(content), self._seen
        if known is not None and known.generation != ring.generation:
            ring.extend(known.stamps, known.tokens)
            ring.held_until = max(ring.held_until, known.held_until)
            kept = [i for i, stamp in enumerate(ring.stamps) if self._clock() - stamp < self.window_seconds]
            ring.stamps, ring.tokens = (
                array("d", (ring.stamps[i] for i in kept)),
                array("Q", (ring.tokens[i] for i in kept)),
            )
        return ring

    def _parsed(self, content: bytes) -> _Ring:
        """The ring in the file; a new and empty one where the file holds none."""
        fresh = _Ring(secrets.randbits(63) + 1, array("d"), array("Q"))
        if len(content) < _HEAD.size:
            return fresh
        mark, boot, generation, slots, held_until = _HEAD.unpack_from(content)
        if mark != _MARK or slots > _MOST_SLOTS or len(content) != _HEAD.size + 16 * slots:
            return fresh
        now, middle = self._clock(), _HEAD.size + 8 * slots
        ring = _Ring(generation, array("d", content[_HEAD.size : middle]), array("Q", content[middle:]), held_until)
        for slot in [slot for slot, stamp in enumerate(ring.stamps) if boot != self._boot or not stamp <= now]:
            # What was sent before the machine started was seen before its clock stood at 0.
            if boot != self._boot or not ring.stamps[slot] <= now + (LONGEST if ring.tokens[slot] else 0):
                ring.stamps[slot], ring.tokens[slot] = min(0.0, now), 0
        if boot != self._boot or not held_until <= now + LONGEST:
            ring.held_until = -math.inf
        return ring


def _boot() -> int:
    """A number that changes when the machine starts anew; 0 where it cannot be told."""
    try:
        word = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        return int(word.strip().replace("-", "")[:16], 16)
    except (OSError, ValueError):
        return 0
