"""Questions put together: a list page by page, many lists at once, each answer parsed as part of being believed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from aitrader.domain.errors import SourceError
from aitrader.transport.transport import RejectedError, Stopped, Transport
from aitrader.transport.wire import Request, Response


class Paged(Protocol):
    """A page of a list."""

    @property
    def next_token(self) -> str | None:
        """What leads to the next page; None where it is the last."""


T = TypeVar("T")
P = TypeVar("P", bound=Paged)
Parse = Callable[[bytes], T]
Begin = Callable[[Stopped], T]  # work that ends early where its result is wanted no more
MOST_PAGES: Final = 100_000  # of one list; more is a list that leads back to itself


def ask(
    transport: Transport,
    request: Request,
    parse: Parse[T],
    *,
    max_age: float | None = None,
    stopped: Stopped | None = None,
    absent: bool = False,
) -> T:
    """The answer as ``parse`` reads it; one that it cannot read is asked for again, as the transport's retries say."""
    read: list[T] = []

    def check(response: Response) -> None:
        read.append(parse(response.body))

    transport.fetch(request, max_age=max_age, check=check, stopped=stopped, absent=absent)
    return read[-1]


def ask_known(
    transport: Transport,
    request: Request,
    parse: Parse[T],
    *,
    max_age: float | None = None,
    stopped: Stopped | None = None,
) -> T | None:
    """Like :func:`ask`; None where the source says that it has no such thing."""
    try:
        return ask(transport, request, parse, max_age=max_age, stopped=stopped, absent=True)
    except RejectedError as fault:
        if fault.status == 404:
            return None
        raise


def pages(
    transport: Transport,
    request: Request,
    parse: Parse[P],
    onward: Callable[[Request, str], Request],
    *,
    max_age: float | None = None,
    stopped: Stopped | None = None,
) -> Iterator[P]:
    """Every page of a list, in order. A SourceError where a page leads back to one that was read."""
    seen: set[str] = set()
    at = request
    for _ in range(MOST_PAGES):
        page = ask(transport, at, parse, max_age=max_age, stopped=stopped)
        yield page
        if page.next_token is None:
            return
        if page.next_token in seen:
            break
        seen.add(page.next_token)
        at = onward(request, page.next_token)
    raise SourceError(
        f"{request.source}: the list leads back to a page that was read",
        why=f"after {len(seen)} pages the same token came again",
        do="nothing of it was taken; try again later",
    )


@contextmanager
def ahead(most: int, name: str) -> Iterator[Callable[[Begin[T]], Future[T]]]:
    """A way to begin work whose result is wanted later; what still runs at the end of the block is told to stop."""
    stop = threading.Event()
    with ThreadPoolExecutor(most, thread_name_prefix=name) as pool:
        try:
            yield lambda work: pool.submit(work, stop.is_set)
        finally:
            stop.set()


def gather(
    work: Sequence[Callable[[Stopped], T]],
    concurrency: int,
    done: Callable[[int], None] | None = None,
    *,
    stopped: Stopped | None = None,
) -> list[T]:
    """The results in the order of ``work``; the first error ends the others and is raised.

    ``done`` is told how many are finished, from whichever thread finished one. ``stopped`` ends all of it.
    """
    stop, lock = threading.Event(), threading.Lock()

    def ended() -> bool:
        return stop.is_set() or (stopped is not None and stopped())

    first: list[BaseException] = []
    finished = 0

    def one(task: Callable[[Stopped], T]) -> T:
        nonlocal finished
        try:
            result = task(ended)
        except BaseException as fault:
            with lock:
                first.append(fault)
            stop.set()
            raise
        with lock:
            finished += 1
            if done is not None:
                done(finished)
        return result

    with ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="gather") as pool:
        futures = [pool.submit(one, task) for task in work]
        try:
            return [future.result() for future in futures]
        except BaseException as fault:  # an interrupt of the waiting thread too ends the work
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if first and isinstance(fault, Exception):
                raise first[0] from None
            raise
