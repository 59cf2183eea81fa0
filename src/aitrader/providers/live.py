"""The live market as a source: what is listed, the bars that are missing, what happened to the shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.connection import Connection, lacking
from aitrader.providers.coverage import check_coverage, ended_after_last_bar
from aitrader.providers.discovery import Discovery, confirm_absent, discover
from aitrader.providers.nasdaq_source import NasdaqTraderSource
from aitrader.providers.pace import Pace
from aitrader.providers.polygon_source import PolygonSource
from aitrader.providers.sec_source import SecSource
from aitrader.providers.shares import RESTATED, share_rows
from aitrader.providers.vendor import SETTLING, BarSource, Lister, Want
from aitrader.settings.keys import wanted
from aitrader.settings.models import Limit, Sources

LOOK_BACK: Final = timedelta(days=30)  # for corporate actions that are told late
TOLD: Final = {"polygon": frozenset({"split", "dividend", "special_dividend"})}  # who tells these kinds alone
MOST_DETAILS: Final = 25  # listings asked for one by one in one population


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
        self.polygon = PolygonSource(own.polygon, transport, files=self.files)
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
        found = discover(self._listers, required=self.name != LIVE, report=self.report, listed=self.held.listed)
        if found is None:
            return self._last_resort(until)
        sessions = self._missing(last)
        provisional = frozenset(day for day in sessions if now < self._final_from(day))
        securities, gone = found.merged.securities, self._delisted(sessions)
        notices = [f"listings merged from {', '.join(found.answered)}"]
        if found.merged.conflicts.height:
            notices.append(f"{found.merged.conflicts.height:,} attributes on which sources disagree")
        bars, feed = Page(frame=empty(BARS)), None
        actions = Page(frame=empty(ACTIONS))
        with ThreadPoolExecutor(1, thread_name_prefix="shares") as pool:  # the SEC has a limit of its own
            filed = pool.submit(self._filed, last)
            if self._bars:
                listed = {*securities["symbol"], *gone["symbol"]}
                bars, feed, by = self._read_bars(listed, sessions, provisional)
                gone = ended_after_last_bar(gone, bars.frame, frozenset(securities["symbol"]))
                actions = self._read_actions(sessions, now)
                notices.append(f"bars from {by}" + (f", feed {feed}" if feed else ""))
        if found.authority is not None:
            confirm_absent(self._listers[0], self._absent(found, bars.frame, last))
        shares = self._shares(filed.result(), securities, bars.frame, actions.frame, last)
        provenance = found.merged.provenance
        if shares is not None:
            securities, provenance = self._with_shares(securities, provenance, shares, last)
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
            provisional=provisional,
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

    def _read_bars(
        self, listed: set[str], sessions: tuple[date, ...], provisional: frozenset[date]
    ) -> tuple[Page, str | None, str]:
        """The bars that are missing, from the first source that has them."""
        known = (listed & self.held.symbols) | (self.held.listed - listed)
        fresh = listed - self.held.symbols
        whole = tuple(sorted({*self.held.sessions, *sessions}))
        wants = []
        if sessions and known:
            wants.append(Want(symbols=tuple(sorted(known)), sessions=sessions, settled=not provisional))
        if fresh and whole:
            wants.append(Want(symbols=tuple(sorted(fresh)), sessions=whole, settled=not provisional))
        for at, source in enumerate(self._bars):
            limit = getattr(self.settings, source.name).limit
            if not sessions and source.by_session:
                wants = []  # it would read every session again for listings that never traded
            requests = source.requests(wants)
            self.report.step(f"{source.name}: {requests:,} requests for bars, {_at_least(requests, limit)}")
            try:
                page = source.bars(wants, Pace(self.report, source.name, limit))
                check_coverage(
                    page.frame, sessions, self.held, least=self.settings.live.least_coverage, name=source.name
                )
            except SourceError as fault:
                if at + 1 == len(self._bars) or source.name == self.name:
                    raise
                self.report.warn(f"{source.name} gave no bars, {self._bars[at + 1].name} is asked instead: {fault}")
                continue
            if (reread := getattr(source, "reread", 0)) > 0:
                self.report.warn(f"{source.name} lost a page: {reread:,} bars were had by asking again")
            self.report.step(f"{source.name}: {page.frame.height:,} bars, {page.quarantine.height:,} set aside")
            return page, source.feed, source.name
        raise AssertionError("there is a source of bars")  # pragma: no cover - the caller looked

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

    def _filed(self, last: date) -> Page | SourceError | None:
        """The counts of shares that companies filed; None where the SEC cannot be asked."""
        if not self.connection.keys.has("sec"):
            return None
        try:
            return self.sec.shares(last)
        except SourceError as fault:
            return fault

    def _shares(
        self,
        filed: Page | SourceError | None,
        securities: pl.DataFrame,
        bars: pl.DataFrame,
        actions: pl.DataFrame,
        last: date,
    ) -> pl.DataFrame | None:
        """Shares outstanding as they stand today: symbol, shares_outstanding, source. None: nobody can be asked."""
        told = []
        if filed is not None:
            try:
                if isinstance(filed, SourceError):
                    raise filed
                splits = self._splits(filed.frame["end"], actions, last)
                told.append(share_rows(securities, filed.frame, splits, last))
                actions = splits
                self.report.step(f"sec: shares of {told[-1].height:,} listings")
            except SourceError as fault:
                self.report.warn(f"sec gave no counts of shares, the last ones stay: {fault}")
        if self.connection.keys.has("polygon"):
            # A vendor may be as late with a split's effect as a company is with its filing.
            lately = actions.filter((pl.col("kind") == "split") & (pl.col("ex_date") > last - RESTATED))
            told.append(self._details(securities, bars, told, last, leave=frozenset(lately["symbol"])))
        return pl.concat(told) if told else None

    def _splits(self, counted: pl.Series, actions: pl.DataFrame, last: date) -> pl.DataFrame:
        """The splits since the oldest count: long before the sessions that are missing, whose actions are at hand."""
        oldest = counted.min()
        if not isinstance(oldest, date) or not self._actions:
            return actions
        for source in self._actions[:-1]:
            with suppress(SourceError):
                return source.splits(oldest, last).frame
        return self._actions[-1].splits(oldest, last).frame

    def _details(
        self,
        securities: pl.DataFrame,
        bars: pl.DataFrame,
        told: list[pl.DataFrame],
        last: date,
        *,
        leave: frozenset[str],
    ) -> pl.DataFrame:
        """Shares of the most traded companies whose count nobody else has, a few in each population."""
        schema = {"symbol": pl.String, "shares_outstanding": pl.Float64, "source": pl.String}
        known = {symbol for frame in told for symbol in frame["symbol"]} | self.held.counted | leave
        traded = bars.filter(pl.col("date") == last).select("symbol", value=pl.col("close") * pl.col("volume"))
        wanted = (
            securities.filter(pl.col("security_type").is_in(["common", "reit"]) & ~pl.col("symbol").is_in(list(known)))
            .join(traded, on="symbol")
            .sort("value", descending=True)["symbol"]
            .head(MOST_DETAILS)
            .to_list()
        )
        if not wanted:
            return pl.DataFrame(schema=schema)
        try:
            pages = self.polygon.details(wanted)
        except SourceError as fault:
            self.report.warn(f"polygon gave no details of listings, the last ones stay: {fault}")
            return pl.DataFrame(schema=schema)
        rows = pl.concat([page.frame.select("symbol", "shares_outstanding") for page in pages]) if pages else None
        if rows is None:
            return pl.DataFrame(schema=schema)
        return rows.filter(pl.col("shares_outstanding") > 0).with_columns(source=pl.lit("polygon"))

    def _with_shares(
        self, securities: pl.DataFrame, provenance: pl.DataFrame, shares: pl.DataFrame, last: date
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The listings with their shares, which are known from today on and not before."""
        counts = shares.unique("symbol", keep="first")
        both = securities.drop("shares_outstanding").join(counts, on="symbol", how="left", maintain_order="left")
        says = pl.when(pl.col("source").is_not_null()).then(pl.lit("shares_outstanding:") + pl.col("source"))
        told = provenance.join(counts.select("symbol", "source"), on="symbol", how="left", maintain_order="left")
        told = told.select(
            "symbol", pl.concat_str(pl.col("provenance"), says, separator=" ", ignore_nulls=True).alias("provenance")
        )
        if self.held.symbols:
            # An undated row counts from the last session for what is known, and always for what is new: a new listing's
            # count waits for the next population.
            known = pl.col("symbol").is_in(list(self.held.listed))
            counted = pl.when(known).then(pl.col("shares_outstanding")).alias("shares_outstanding")
            return both.with_columns(counted).select(list(SECURITIES)), told
        dated = both.filter(pl.col("shares_outstanding").is_not_null()).with_columns(known_on=pl.lit(last))
        return pl.concat([securities, dated.select(list(SECURITIES))]), told


def _at_least(requests: int, limit: Limit) -> str:
    """How long the limit makes them take, if none of it was used before."""
    windows = max(0, -(-requests // limit.requests) - 1)
    seconds = windows * limit.seconds
    told = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"at {limit.requests:,} in {limit.seconds:g} s: " + (f"at least {told}" if windows else "no wait")


def _offers(securities: pl.DataFrame, bars: pl.DataFrame, *, actions: bool) -> frozenset[str]:
    """The columns that hold anything."""
    found = {f"securities.{name}" for name in SECURITIES if securities[name].null_count() < securities.height}
    found |= {f"bars.{name}" for name in BARS if bars[name].null_count() < bars.height}
    return frozenset(found | ({f"actions.{name}" for name in ACTIONS} if actions else set()))
