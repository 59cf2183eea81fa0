"""What a source of the live market can be asked, each source as much of it as it knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import polars as pl

from aitrader.domain.symbols import spell_expr
from aitrader.providers.bodies import Page
from aitrader.transport.transport import Stopped

Progress = Callable[[int, int], None]  # requests done, of how many
HOUR: Final = 3_600.0
LISTED_FOR: Final = 600.0  # seconds for which a list of listings may be used again: a run that goes on after a crash
FRESH_FOR: Final = 900.0  # an answer about today
SETTLED_FOR: Final = 24 * HOUR  # an answer about days that are over
SETTLING: Final = timedelta(minutes=16)  # after the close a session's bars are out, without a plan for live data too


@dataclass(frozen=True, kw_only=True)
class Want:
    """Bars to be had: of these symbols in these sessions, both in ascending order and not empty."""

    symbols: tuple[str, ...]
    sessions: tuple[date, ...]
    settled: bool = True  # all these sessions are final


class Lister(Protocol):
    """A source that knows what is listed."""

    @property
    def name(self) -> str:
        """How it is called."""

    def listings(self) -> Page:
        """What is listed now (columns of SECURITIES at least)."""

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        """Those of the symbols that are listed after all: asked again, past the cache."""


class BarSource(Protocol):
    """A source that has daily bars and corporate actions."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def feed(self) -> str | None:
        """Whose trades its volumes count: sip, iex."""

    @property
    def by_session(self) -> bool:
        """Whether it is asked for whole sessions, whatever the symbols."""

    def requests(self, wants: Sequence[Want]) -> int:
        """How many requests the bars will take, as far as can be told before."""

    def bars(self, wants: Sequence[Want], progress: Progress, stopped: Stopped | None = None) -> Page:
        """The bars (schema BARS), each symbol and session once, in no order: a sort would need all the memory again.

        Ends with a SourceError as soon as ``stopped`` says that they are not wanted any more.
        """

    def actions(self, start: date, end: date) -> Page:
        """Corporate actions (schema ACTIONS) with ex-dates from ``start`` to ``end``."""

    def splits(self, start: date, end: date) -> Page:
        """The splits and stock dividends among them alone: few, however far back."""


def in_order_of(symbols: Sequence[str], vendor: str) -> list[str]:
    """The symbols in the order in which a vendor lists them: that of its own spelling."""
    return (
        pl.DataFrame({"symbol": symbols}, schema={"symbol": pl.String})
        .sort(spell_expr(pl.col("symbol"), vendor))["symbol"]
        .to_list()
    )


class Share:
    """Counts the requests of many threads for one progress."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def one(self, stopped: Stopped | None = None) -> None:
        """One more is answered; the total grows where it was guessed too low."""
        with self._lock:
            self._done += 1
            self._total = max(self._total, self._done)
            if stopped is None or not stopped():
                self._progress(self._done, self._total)
