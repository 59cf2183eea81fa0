"""The bars that a market lacks, from the first source that has them; of known symbols before the lists are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import Held
from aitrader.domain.report import Report
from aitrader.providers.bodies import Page
from aitrader.providers.coverage import check_coverage
from aitrader.providers.fetching import Begin
from aitrader.providers.pace import Pace
from aitrader.providers.vendor import BarSource, Want
from aitrader.settings.models import Limit, Sources


@dataclass
class BarReading:
    """One population's reading of bars: ``sessions`` are those that are missing, in ascending order."""

    sources: Sequence[BarSource]  # in the order in which they are asked
    settings: Sources
    held: Held
    report: Report
    sessions: tuple[date, ...]
    provisional: frozenset[date]
    named: str  # the source that was named: no other one stands in for it
    _early: Future[Page] | None = field(default=None, init=False)

    def begin(self, begin: Callable[[Begin[Page]], Future[Page]]) -> Future[Page] | None:
        """Ask for the bars of the symbols that were listed and traded before: a list will hardly say otherwise.

        A source that is asked for whole sessions has them in a few requests, and is not asked before.
        """
        if not self.sources or self.sources[0].by_session:
            return None
        wants = self._wants(self._before(), set())
        if wants:
            source = self.sources[0]
            self._tell(source, wants)
            self._early = begin(lambda stopped: source.bars(wants, self._pace(source), stopped))
        return self._early

    def read(self, listed: set[str]) -> tuple[Page, str | None, str]:
        """The bars, whose trades they count and which source they are from.

        ``listed``: the symbols of all listings. Raises SourceError where no source has them all.
        """
        known = (listed & self.held.symbols) | (self.held.listed - listed)
        fresh = listed - self.held.symbols
        for at, source in enumerate(self.sources):
            early = self._early if at == 0 else None
            wants = self._wants(known if early is None else known - self._before(), fresh)
            if not self.sessions and source.by_session:
                wants = []  # it would read every session again for listings that never traded
            try:
                page = self._page(source, wants, early)
                check_coverage(
                    page.frame, self.sessions, self.held, least=self.settings.live.least_coverage, name=source.name
                )
            except SourceError as fault:
                if at + 1 == len(self.sources) or source.name == self.named:
                    raise
                self.report.warn(f"{source.name} gave no bars, {self.sources[at + 1].name} is asked instead: {fault}")
                continue
            if (reread := getattr(source, "reread", 0)) > 0:
                self.report.warn(f"{source.name} lost a page: {reread:,} bars were had by asking again")
            self.report.step(f"{source.name}: {page.frame.height:,} bars, {page.quarantine.height:,} set aside")
            return page, source.feed, source.name
        raise AssertionError("there is a source of bars")  # pragma: no cover - the caller looked

    def _before(self) -> set[str]:
        return set(self.held.listed & self.held.symbols)

    def _wants(self, known: set[str], fresh: set[str]) -> list[Want]:
        """The missing sessions of what is known, and every session of what is new."""
        settled = not self.provisional
        whole = tuple(sorted({*self.held.sessions, *self.sessions}))
        wants = []
        if self.sessions and known:
            wants.append(Want(symbols=tuple(sorted(known)), sessions=self.sessions, settled=settled))
        if fresh and whole:
            wants.append(Want(symbols=tuple(sorted(fresh)), sessions=whole, settled=settled))
        return wants

    def _page(self, source: BarSource, wants: Sequence[Want], early: Future[Page] | None) -> Page:
        first = None if early is None else early.result()
        if first is None or wants:
            self._tell(source, wants)
            rest = source.bars(wants, self._pace(source))
            if first is None:
                return rest
            frame = pl.concat([first.frame, rest.frame])
            return Page(frame=frame, quarantine=pl.concat([first.quarantine, rest.quarantine]))
        return first

    def _tell(self, source: BarSource, wants: Sequence[Want]) -> None:
        requests = source.requests(wants)
        self.report.step(f"{source.name}: {requests:,} requests for bars, {_at_least(requests, self._limit(source))}")

    def _pace(self, source: BarSource) -> Pace:
        return Pace(self.report, source.name, self._limit(source))

    def _limit(self, source: BarSource) -> Limit:
        limit: Limit = getattr(self.settings, source.name).limit
        return limit


def _at_least(requests: int, limit: Limit) -> str:
    """How long the limit makes them take, if none of it was used before."""
    windows = max(0, -(-requests // limit.requests) - 1)
    seconds = windows * limit.seconds
    told = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"at {limit.requests:,} in {limit.seconds:g} s: " + (f"at least {told}" if windows else "no wait")
