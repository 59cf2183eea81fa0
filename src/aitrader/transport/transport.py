"""How a question becomes an answer: from the cache, or sent within the limits, and again where that may help."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from aitrader.domain.errors import SourceError
from aitrader.transport.breaker import Breaker
from aitrader.transport.cache import AnswerCache
from aitrader.transport.counters import Counters, merged, read_counters
from aitrader.transport.http_sender import NEVER_SENT, WORTH_A_RETRY
from aitrader.transport.limiter import SlidingWindow, pause
from aitrader.transport.redaction import Redactor
from aitrader.transport.wire import Request, Response, Sender

Check = Callable[[Response], None]  # raises SourceError for an answer that is broken
Stopped = Callable[[], bool]
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "alpaca": ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    "polygon": ("POLYGON_API_KEY",),
    "sec": ("SEC_USER_AGENT",),
}
BLOCKED_SECONDS: Final = 600.0  # the SEC lets nobody in until he has been below its limit for ten minutes
_EXCERPT: Final = 200  # characters of a body that an error may quote


class RejectedError(SourceError):
    """A request that the source answers with a status that no repetition changes; ``status`` is that status."""

    def __init__(self, fault: SourceError, status: int) -> None:
        super().__init__(fault.what, why=fault.why, do=fault.do)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often and how soon a request is repeated; seconds."""

    attempts: int = 5
    first: float = 0.5  # the longest wait before the second attempt; doubled for each further one
    longest: float = 30.0
    longest_demand: float = 900.0  # a source that asks for more patience than this is given up


@dataclass(frozen=True, kw_only=True)
class _Again:
    """An attempt that failed in a way that the next one may not."""

    why: str
    demand: float | None = None  # seconds that the source asks to wait
    of_limit: bool = False  # everybody waits, not this request alone


@dataclass(kw_only=True)
class Transport:
    """Answers requests; safe to share between threads. Raises SourceError, and nothing else, where there is no answer.

    ``clock`` is the limiters' (seconds since the machine started), ``wall`` is epoch seconds.
    """

    sender: Sender
    limits: Mapping[str, SlidingWindow] = field(default_factory=dict)  # by source; none: as fast as it goes
    breaker: Breaker = field(default_factory=Breaker)
    cache: AnswerCache | None = None
    redactor: Redactor = field(default_factory=lambda: Redactor(()))
    retries: Retries = field(default_factory=Retries)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: VARIABLES)
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger(__name__))
    counted: Mapping[str, Counters] = field(default_factory=dict)  # by an earlier process: the counting goes on

    def __post_init__(self) -> None:
        """Start counting."""
        self._counters, self._lock = dict(self.counted), threading.Lock()

    def counters(self) -> dict[str, Counters]:
        """The counters of each source, with its circuit as it stands."""
        circuits, wall = self.breaker.open_for(), self.wall()
        with self._lock:
            return {
                source: replace(told, open_since=_since(wall, circuits[source])) if source in circuits else told
                for source, told in self._counters.items()
            }

    def save_counters(self, path: Path) -> None:
        """Add what was counted since the last time to the file's JSON, whole or not at all. Raises OSError."""
        now = self.counters()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        with path.with_name(f"{path.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may add its own counts at the same instant
            temporary.write_bytes(msgspec.json.encode(merged(read_counters(path), self.counted, now)))
            temporary.replace(path)
        self.counted = now

    def fetch(
        self,
        request: Request,
        *,
        max_age: float | None = None,
        check: Check | None = None,
        stopped: Stopped | None = None,
        absent: bool = False,
    ) -> Response:
        """The answer, with a status of 2xx and passed by ``check``; at most ``max_age`` seconds old if one is stored.

        Without ``max_age`` it is neither looked for in the cache nor stored there. A wait ends with a SourceError as
        soon as ``stopped`` says that the answer is not wanted any more. ``absent``: that there is no such thing (HTTP
        404, raised as ever) is an answer too and counts as one.
        """
        return self._fetch(request, max_age, check, stopped, absent=absent)

    def _fetch(
        self,
        request: Request,
        max_age: float | None,
        check: Check | None,
        stopped: Stopped | None,
        *,
        absent: bool = False,
    ) -> Response:
        if max_age is not None and self.cache is not None:
            stored = self.cache.get(request, self.wall(), max_age=max_age)
            if stored is not None and _broken(stored, check) is None:
                self._count(request.source, cache_hits=1)
                return stored
        try:
            response = self._asked(request, check, stopped)
        except SourceError as fault:
            if absent and isinstance(fault, RejectedError) and fault.status == 404:
                self._count(request.source, last_success=datetime.fromtimestamp(self.wall(), UTC))
            elif stopped is None or not stopped():
                failed = datetime.fromtimestamp(self.wall(), UTC)
                self._count(request.source, failures=1, last_error=str(fault), last_failure=failed)
            raise
        self._count(request.source, last_success=datetime.fromtimestamp(self.wall(), UTC))
        if max_age is not None and self.cache is not None and response.status == 200:
            self.cache.put(request, response, self.wall(), max_age)
        return response

    def _asked(self, request: Request, check: Check | None, stopped: Stopped | None) -> Response:
        """The answer of the source, asked as often as it may help."""
        why = ""
        for attempt in range(1, self.retries.attempts + 1):
            self._refuse_long_hold(request)
            try:
                self.breaker.enter(request.source)
            except SourceError as fault:
                raise SourceError(fault.what, why="; ".join(filter(None, (fault.why, why))), do=fault.do) from None
            found = self._attempt(request, attempt, check, stopped)
            if isinstance(found, Response):
                return found
            why = found.why
            most = min(self.retries.longest, self.retries.first * 2.0 ** min(attempt - 1, 60))
            seconds = self.rng.uniform(0, most) if found.demand is None else found.demand  # full jitter
            window = self.limits.get(request.source) if found.of_limit else None
            if window is not None:  # nobody gets a slot before, in any process, even if this was the last attempt
                window.hold(self.clock() + seconds)
            if seconds > max(self.retries.longest_demand, most):
                raise self._error(request, why, do=f"it asks to be left alone for {seconds:.0f} s")
            if attempt < self.retries.attempts:
                path, told = _parts(request.url).path, f"attempt {attempt + 1} of {self.retries.attempts}"
                self.log.warning("retry: %s %s again, %s, after %s", request.source, path, told, why)
            if attempt < self.retries.attempts and window is None:
                if found.of_limit:
                    self._log_wait(request.source, seconds)
                pause(seconds, self.sleep, stopped)
        raise self._error(request, f"{why}, {self.retries.attempts} attempts", do="try again later")

    def _refuse_long_hold(self, request: Request) -> None:
        """A source that asked for more patience than anybody has is not waited for."""
        window = self.limits.get(request.source)
        held = 0.0 if window is None else window.held_for()
        if held > self.retries.longest_demand:
            raise self._error(request, "it asked to be left alone", do=f"it may be asked again in {held:.0f} s")

    def _attempt(
        self, request: Request, attempt: int, check: Check | None, stopped: Stopped | None
    ) -> Response | _Again:
        source = request.source
        with self._slot(source, stopped):
            self._count(source, requests=1, retries=int(attempt > 1))
            try:
                response = self.sender.send(request)
            except SourceError as fault:
                reason, told = getattr(fault, "reason", "connect"), fault
                response = None
        if response is None:
            if reason not in NEVER_SENT:
                self.breaker.failed(source)
            if reason not in WORTH_A_RETRY:
                raise self._error(request, told.why or told.what, do=told.do)
            return _Again(why=self._clean(told.why or told.what))
        self._read_limits(source, response)
        return self._judged(request, response, check)

    def _judged(self, request: Request, response: Response, check: Check | None) -> Response | _Again:
        """The answer, what may help against it, or the error that it is."""
        source, status = request.source, response.status
        if 200 <= status < 300:
            broken = _broken(response, check)
            if broken is None:
                self.breaker.succeeded(source)
                return response
            self.breaker.failed(source)
            return _Again(why=f"HTTP {status}, but {self._clean(broken)}")
        if status == 429 or status >= 500:
            if status == 429:
                self.breaker.succeeded(source)  # it is there, and says so
            else:
                self.breaker.failed(source)
            demand = _retry_after(response, self.wall())
            return _Again(why=self._said(response), demand=demand, of_limit=status == 429 or demand is not None)
        self.breaker.succeeded(source)
        if status == 403 and b"request rate" in response.body.lower():  # the SEC's word for too many requests
            return _Again(why=self._said(response), demand=BLOCKED_SECONDS, of_limit=True)
        if status in (401, 403):
            names = " and ".join(self.variables.get(source, ()))
            do = f"check {names}" if names else "check the access"
            raise RejectedError(self._error(request, self._said(response), do=do), status)
        if 300 <= status < 400:
            host = _parts(response.headers.get("location", "")).hostname or "another address"
            raise self._error(request, f"redirect refused: HTTP {status} to {self._clean(host)}")
        raise RejectedError(self._error(request, self._said(response)), status)

    def _slot(self, source: str, stopped: Stopped | None) -> AbstractContextManager[None]:
        window = self.limits.get(source)
        if window is None:
            pause(0, self.sleep, stopped)
            return nullcontext()
        return window.request(lambda seconds: self._log_wait(source, seconds), stopped)

    def _read_limits(self, source: str, response: Response) -> None:
        """Take over what the source says of its limit."""
        window = self.limits.get(source)
        if window is None:
            return
        limit, remaining, reset = (
            _number(response.headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
        )
        if limit is not None and limit >= 1:
            window.lower(int(limit))
        if remaining is not None and remaining < 1 and reset is not None:
            # By the source's own clock where it tells it. A window later everything is free again, whatever it says.
            wait = reset - (_instant(response.headers.get("date")) or self.wall())
            if wait > 0:
                window.hold(self.clock() + min(wait, window.window_seconds))

    def _log_wait(self, source: str, seconds: float) -> None:
        self.log.info("rate_limit: %s waits %.3f s", source, seconds)

    def _error(self, request: Request, why: str, *, do: str = "") -> SourceError:
        endpoint = _parts(request.url).path or "/"
        return SourceError(self._clean(f"{request.source} {endpoint}"), why=self._clean(why), do=self._clean(do))

    def _said(self, response: Response) -> str:
        """Status and beginning of an answer."""
        body = self._clean(response.body.decode("utf-8", "replace"))
        return f"HTTP {response.status}" + (f": {body}" if body else "")

    def _clean(self, text: str) -> str:
        """Redacted first and cut then, else the part of a key before the cut would stay."""
        return re.sub(r"[\s\x00-\x1f\x7f]+", " ", self.redactor.text(text)).strip()[:_EXCERPT]

    def _count(
        self,
        source: str,
        *,
        requests: int = 0,
        retries: int = 0,
        failures: int = 0,
        cache_hits: int = 0,
        last_success: datetime | None = None,
        last_error: str | None = None,
        last_failure: datetime | None = None,
    ) -> None:
        with self._lock:
            old = self._counters.get(source, Counters())
            self._counters[source] = replace(
                old,
                requests=old.requests + requests,
                retries=old.retries + retries,
                failures=old.failures + failures,
                cache_hits=old.cache_hits + cache_hits,
                last_success=last_success or old.last_success,
                last_error=last_error or old.last_error,
                last_failure=last_failure or old.last_failure,
            )


def _since(wall: float, seconds: float | None) -> datetime | None:
    """The instant so many seconds ago."""
    return None if seconds is None else datetime.fromtimestamp(wall - seconds, UTC)


def _broken(response: Response, check: Check | None) -> str | None:
    """What is wrong with an answer."""
    try:
        if check is not None:
            check(response)
    except SourceError as fault:
        return fault.why or fault.what
    return None


def _parts(url: str) -> SplitResult:
    """The parts of a URL, all of them empty where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _number(told: str | None) -> float | None:
    """A number of a header that is a number."""
    return float(told) if told is not None and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", told.strip()) else None


def _instant(told: str | None) -> float | None:
    """Epoch seconds of an HTTP date."""
    try:
        found = parsedate_to_datetime(told or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _retry_after(response: Response, wall: float) -> float | None:
    """Seconds that the answer asks to wait."""
    told = response.headers.get("retry-after")
    seconds = _number(told)
    if seconds is None and (at := _instant(told)) is not None:
        seconds = at - (_instant(response.headers.get("date")) or wall)
    return None if seconds is None else max(0.0, seconds)
