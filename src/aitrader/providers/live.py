"""The live market as a source: what is listed, the bars that are missing, what happened to the shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.domain.errors import RefusedError, SourceError
from aitrader.domain.frames import ACTIONS, BARS, SECURITIES, Delivery, Held, empty
from aitrader.domain.report import Report
from aitrader.domain.sessions import NEW_YORK, Calendar, xnys
from aitrader.providers import LIVE, Source
from aitrader.providers.alpaca_source import AlpacaSource
from aitrader.providers.bar_reading import BarReading
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.connection import Connection, lacking
from aitrader.providers.coverage import ended_after_last_bar
from aitrader.providers.discovery import Discovery, confirm_absent, discover
from aitrader.providers.fetching import ahead
from aitrader.providers.nasdaq_source import NasdaqTraderSource
from aitrader.providers.polygon_source import PolygonSource
from aitrader.providers.sec_source import SecSource
from aitrader.providers.share_counts import ShareCounts
from aitrader.providers.vendor import SETTLING, BarSource, Lister
from aitrader.settings.keys import wanted
from aitrader.settings.models import Sources
from aitrader.transport.transport import Stopped

LOOK_BACK: Final = timedelta(days=30)  # for corporate actions that are told late
LEAST_PART: Final = 2_000  # listings that are worth a part of their own when a list is read in parts
Events = tuple[Page, pl.DataFrame | SourceError]  # actions of late, and splits since the oldest counts of shares
NO_EVENTS: Final[Events] = (Page(frame=empty(ACTIONS)), empty(ACTIONS))
TOLD: Final = {"polygon": frozenset({"split", "dividend", "special_dividend"})}  # who tells these kinds alone


@dataclass(kw_only=True)
class LiveSource:
    """One population of the market ``live``; ``name`` is the source that was named, or ``live``.

    ``held`` is what the market has already; ``manual`` stands in where no source of listings answers.
    """

    name: str
    settings: Sources
    connection: Connection
    held: Held
    now: Callable[[], datetime]
    report: Report
    manual: Source | None = None
    files: Mapping[date, Path] = field(default_factory=dict)  # Polygon's day aggregates that are here already

    def __post_init__(self) -> None:
        """Make the sources that have their keys."""
        transport, own = self.connection.transport, self.settings
        self.alpaca = AlpacaSource(own.alpaca, transport)
        cuts = _cuts(self.held.listed, own.polygon.limit.concurrency)
        self.polygon = PolygonSource(own.polygon, transport, files=self.files, cuts=cuts)
        self.sec = SecSource(own.sec, transport)
        listers: dict[str, Lister] = {
            "alpaca": self.alpaca,
            "polygon": self.polygon,
            "sec": self.sec,
            "nasdaq_trader": NasdaqTraderSource(own.nasdaq_trader, transport),
        }
        bars: dict[str, BarSource] = {"alpaca": self.alpaca, "polygon": self.polygon}
        named = None if self.name == LIVE else self.name
        if named is not None and not self.connection.keys.has(named):
            raise lacking(named)
        live = own.live
        self._listers = [listers[name] for name in self._order(live.listings, named)]
        # An empty list of sources of bars means no bars, whoever was named.
        self._bars = [bars[name] for name in self._order(live.bars, named if live.bars else None) if name in bars]
        self._actions = [bars[name] for name in self._order(live.actions, named) if name in bars]
        self._counts = ShareCounts(
            self.sec if self.connection.keys.has("sec") else None,
            self.polygon if self.connection.keys.has("polygon") else None,
            self._actions,
            self.held,
            self.report,
        )
        self._calendar: Calendar = xnys()

    def _order(self, told: Sequence[str], named: str | None) -> list[str]:
        """The sources of a list that can be asked, the named one first."""
        first = [] if named is None else [named]
        return [*first, *(name for name in told if name != named and self.connection.keys.has(name))]

    @property
    def market(self) -> str:
        """The market of real, present listings."""
        return LIVE

    def deliver(self, *, until: date | None = None) -> Delivery:
        """What is new since ``held``, up to the last session that is over (or ``until``).

        Raises SourceError where the answer is not whole; RefusedError where no source has its keys.
        """
        live, keys = self.settings.live, self.connection.keys
        if not self._listers or (live.bars and not self._bars and self.name == LIVE):
            raise lacking((live.bars or live.listings)[0])
        for name in sorted({*live.listings, *live.bars, *live.actions}):
            if not keys.has(name):
                self.report.notice(f"{name} is not asked: {wanted(name)} not set")
        now = self.now()
        last = self._last_settled(now, until)
        sessions = self._missing(last)
        provisional = frozenset(day for day in sessions if now < self._final_from(day))
        reading = BarReading(self._bars, self.settings, self.held, self.report, sessions, provisional, named=self.name)
        with ahead(3, "ahead") as begin:  # what needs no list of listings is asked for while the lists are read
            filed = begin(lambda stopped: self._counts.filed(last, stopped))
            events = None
            if (bars := reading.begin(begin)) is not None:
                # After the bars, for both are of one source: answers to one would hide its faults with the other.
                events = begin(lambda stopped: self._after(bars, stopped, sessions, last, now))
            found = discover(self._listers, required=self.name != LIVE, report=self.report, listed=self.held.listed)
            if found is None:
                return self._last_resort(until)
            return self._delivered(found, reading, filed, events, last=last, now=now)

    def _delivered(
        self,
        found: Discovery,
        reading: BarReading,
        filed: Future[Page | SourceError | None],
        events: Future[Events] | None,
        *,
        last: date,
        now: datetime,
    ) -> Delivery:
        """The delivery, once it is known what is listed."""
        securities, gone = found.merged.securities, self._delisted(reading.sessions)
        notices = [f"listings merged from {', '.join(found.answered)}"]
        if found.merged.conflicts.height:
            notices.append(f"{found.merged.conflicts.height:,} attributes on which sources disagree")
        bars, feed = Page(frame=empty(BARS)), None
        actions, splits = NO_EVENTS
        if self._bars:
            bars, feed, by = reading.read({*securities["symbol"], *gone["symbol"]})
            gone = ended_after_last_bar(gone, bars.frame, frozenset(securities["symbol"]))
            actions, splits = events.result() if events else self._read_events(reading.sessions, last, now)
            notices.append(f"bars from {by}" + (f", feed {feed}" if feed else ""))
        with ahead(1, "absent") as begin:
            absent = self._absent(found, bars.frame, last) if found.authority is not None else []
            confirmed = begin(lambda _: confirm_absent(self._listers[0], absent))
            counts = self._counts.told(filed, securities, bars.frame, splits, last)
            confirmed.result()
        provenance = found.merged.provenance
        if counts is not None:
            securities, provenance = self._counts.added(securities, provenance, counts, last)
        securities = pl.concat([securities, gone])
        return Delivery(
            source=self.name,
            adjustment="raw",
            offers=_offers(securities, bars.frame, actions=bool(self._bars and self._actions)),
            securities=securities,
            bars=bars.frame,
            actions=actions.frame,
            quarantine=pl.concat([found.quarantine, bars.quarantine, actions.quarantine]),
            provenance=provenance,
            notices=tuple(notices),
            partial=found.authority is None,
            cumulative=True,
            feed=feed,
            provisional=reading.provisional,
        )

    def _last_resort(self, until: date | None) -> Delivery:
        if self.manual is None:
            raise SourceError(
                "no source of listings answered",
                why=", ".join(lister.name for lister in self._listers),
                do="see status --component external-apis; the stored universe was kept",
            )
        self.report.warn("no source of listings answered: the manual list keeps or adds what it names")
        return self.manual.deliver(until=until)

    def _last_settled(self, now: datetime, until: date | None) -> date:
        """The last session whose bars are out."""
        day = now.astimezone(NEW_YORK).date()
        session = self._calendar.last_on_or_before(day if until is None else min(day, until))
        if self._calendar.close(session) + SETTLING > now:
            session = self._calendar.previous(session)
        return session

    def _final_from(self, session: date) -> datetime:
        """The instant from which a session's bars are final."""
        at = time.fromisoformat(self.settings.live.final_at)
        return datetime.combine(session + timedelta(days=1), at, NEW_YORK)

    def _window(self, last: date) -> list[date]:
        """The sessions that a population reads where it holds none."""
        end = self._calendar.ordinal(last)
        return [self._calendar.session_at(at) for at in range(end - self.settings.live.sessions + 1, end + 1)]

    def _missing(self, last: date) -> tuple[date, ...]:
        first = min([*self.held.sessions, self._window(last)[0]])  # a gap is closed however long ago it began
        return tuple(day for day in self._calendar.between(first, last) if day not in self.held.sessions)

    def _delisted(self, sessions: tuple[date, ...]) -> pl.DataFrame:
        """What was listed in the sessions to be read and is listed no more: without it the past has survivors only."""
        if self.held.symbols or not sessions or not self._bars or not self.connection.keys.has("polygon"):
            return empty(SECURITIES)
        try:
            page = self.polygon.delisted(sessions[0])
        except SourceError as fault:
            self.report.warn(f"polygon gave no delisted symbols, the past has survivors only: {fault}")
            return empty(SECURITIES)
        self.report.step(f"polygon: {page.frame.height:,} listings that ended since {sessions[0]}")
        return shaped(page.frame, SECURITIES)

    def _after(
        self, bars: Future[Page], stopped: Stopped, sessions: tuple[date, ...], last: date, now: datetime
    ) -> Events:
        """The corporate actions, once the bars are there, or are not to be had from that source."""
        wait([bars])
        return NO_EVENTS if stopped() else self._read_events(sessions, last, now)

    def _read_events(self, sessions: tuple[date, ...], last: date, now: datetime) -> Events:
        return self._read_actions(sessions, now), self._counts.splits(last)

    def _read_actions(self, sessions: tuple[date, ...], now: datetime) -> Page:
        """What happened to shares since the first missing session, and in the month before."""
        today = now.astimezone(NEW_YORK).date()
        first = min(sessions, default=today)
        start = first - LOOK_BACK if self.held.sessions else first
        for at, source in enumerate(self._actions):
            try:
                page = source.actions(start, today)
            except SourceError as fault:
                if at + 1 == len(self._actions) or source.name == self.name:
                    raise
                self.report.warn(f"{source.name} gave no corporate actions, the next source is asked: {fault}")
                continue
            self.report.step(f"{source.name}: {page.frame.height:,} corporate actions")
            return self._with_other_kinds(page, source.name, start, today)
        raise RefusedError(
            "no source of corporate actions can be asked",
            why="bars without splits are wrong",
            do="name one with its keys under sources.live.actions",
        )

    def _with_other_kinds(self, page: Page, name: str, start: date, today: date) -> Page:
        """The actions of one source, and of the others the kinds that it never tells: renames, mergers, spin-offs."""
        told = TOLD.get(name)
        if told is None:
            return page
        for source in self._actions:
            if source.name in TOLD:
                continue
            try:
                more = source.actions(start, today)
            except SourceError as fault:
                self.report.warn(f"{source.name} gave no renames, mergers and spin-offs, which {name} lacks: {fault}")
                continue
            other = more.frame.filter(~pl.col("kind").is_in(list(told)))
            self.report.step(f"{source.name}: {other.height:,} corporate actions of other kinds")
            return Page(frame=pl.concat([page.frame, other]), quarantine=pl.concat([page.quarantine, more.quarantine]))
        return page

    def _absent(self, found: Discovery, bars: pl.DataFrame, last: date) -> list[str]:
        """What was listed, is in no list now, and has no bar in the last session."""
        traded = set(bars.filter(pl.col("date") == last)["symbol"])
        return sorted(self.held.listed - set(found.merged.securities["symbol"]) - traded)


def _cuts(listed: frozenset[str], parts: int) -> list[str]:
    """Symbols that cut a list of so many listings into parts of some pages each; spelled alike by everybody."""
    plain = sorted(symbol for symbol in listed if symbol.isalpha())
    parts = min(parts, len(listed) // LEAST_PART)
    return [plain[len(plain) * at // parts] for at in range(1, parts)]


def _offers(securities: pl.DataFrame, bars: pl.DataFrame, *, actions: bool) -> frozenset[str]:
    """The columns that hold anything."""
    found = {f"securities.{name}" for name in SECURITIES if securities[name].null_count() < securities.height}
    found |= {f"bars.{name}" for name in BARS if bars[name].null_count() < bars.height}
    return frozenset(found | ({f"actions.{name}" for name in ACTIONS} if actions else set()))
