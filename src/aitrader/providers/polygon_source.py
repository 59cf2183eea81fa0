"""Polygon asked: listings with their types, bars of whole sessions, splits and dividends, reports, headlines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, NEWS, QUARANTINE, empty
from aitrader.providers import polygon
from aitrader.providers import polygon_requests as ask_for
from aitrader.providers.bodies import Page, Row, shaped
from aitrader.providers.fetching import ask, ask_known, gather, pages
from aitrader.providers.polygon_details import read_ticker_details
from aitrader.providers.polygon_flat_files import read_flat_file
from aitrader.providers.vendor import FRESH_FOR, HOUR, LISTED_FOR, SETTLED_FOR, Progress, Share, Want
from aitrader.settings.models import Polygon
from aitrader.transport.transport import Stopped, Transport
from aitrader.transport.wire import Request


@dataclass
class PolygonSource:
    """Lister and bar source; of details of single listings too."""

    settings: Polygon
    transport: Transport
    name: str = "polygon"
    by_session: bool = True
    feed: str | None = "sip"
    files: Mapping[date, Path] = field(default_factory=dict)  # day aggregates that are here already
    cuts: Sequence[str] = ()  # symbols, ascending, at which the list of listings is cut to be read in parts at once

    def listings(self) -> Page:
        """What is listed now (schema TICKERS)."""

        def part(first: str | None, end: str | None, stopped: Stopped) -> Page:
            request = ask_for.tickers_request(self.settings.url, first=first, end=end)
            return self._tickers(request, LISTED_FOR, stopped)

        work = [partial(part, *edges) for edges in pairwise((None, *self.cuts, None))]
        page = _together(gather(work, self.settings.limit.concurrency), None)
        # A vendor that does not look at the cuts tells every listing in each part.
        return Page(
            frame=page.frame.unique(maintain_order=True), quarantine=page.quarantine.unique(maintain_order=True)
        )

    def delisted(self, since: date) -> Page:
        """What was listed and ended from ``since`` on (schema TICKERS)."""
        page = self._tickers(ask_for.tickers_request(self.settings.url, active=False), SETTLED_FOR, active=False)
        return Page(frame=page.frame.filter(pl.col("delisted_on") >= since), quarantine=page.quarantine)

    def _tickers(
        self, request: Request, max_age: float, stopped: Stopped | None = None, *, active: bool = True
    ) -> Page:
        found = pages(
            self.transport, request, polygon.read_tickers, ask_for.with_token, max_age=max_age, stopped=stopped
        )
        return polygon.tickers([row for page in found for row in page.rows], active=active)

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        """Those whose details say so."""
        return frozenset(self.details(symbols, max_age=None).frame.filter(pl.col("active"))["symbol"])

    def details(
        self, symbols: Sequence[str], *, max_age: float | None = SETTLED_FOR, stopped: Stopped | None = None
    ) -> Page:
        """The details (schema DETAILS) of the symbols that the source knows."""

        def one(symbol: str, stopped: Stopped) -> Row | None:
            request = ask_for.ticker_details_request(self.settings.url, symbol)
            return ask_known(self.transport, request, read_ticker_details, max_age=max_age, stopped=stopped)

        work = [partial(one, symbol) for symbol in symbols]
        rows = gather(work, self.settings.limit.concurrency, stopped=stopped)
        return polygon.details([row for row in rows if row is not None])

    def requests(self, wants: Sequence[Want]) -> int:
        """One for each session of the whole market; what is new to it and trades takes one more."""
        return sum(day not in self.files for day in _split(wants)[0])

    def bars(self, wants: Sequence[Want], progress: Progress, stopped: Stopped | None = None) -> Page:
        """The whole market session by session, from the files where there are any; new symbols' past one by one."""
        grouped, single = _split(wants)
        share = Share(progress, self.requests(wants))
        settled = all(want.settled for want in wants)
        last = max((want.sessions[-1] for want in wants), default=None)
        asked: set[str] = {symbol for want in wants for symbol in want.symbols}

        def session(day: date, stopped: Stopped) -> Page:
            if day in self.files:
                return _of_the_day(read_flat_file(self.files[day]), day)
            age = FRESH_FOR if day == last and not settled else SETTLED_FOR
            request = ask_for.grouped_daily_request(self.settings.url, day)
            page = ask(self.transport, request, polygon.parse_grouped_daily, max_age=age, stopped=stopped)
            share.one(stopped)
            return _of_the_day(page, day)

        def past(symbol: str, want: Want, stopped: Stopped) -> Page:
            request = ask_for.aggregates_request(self.settings.url, symbol, want.sessions[0], want.sessions[-1])
            page = self._list(request, polygon.parse_aggregates, FRESH_FOR, stopped)
            share.one(stopped)
            return page

        concurrency = self.settings.limit.concurrency
        whole = gather([partial(session, day) for day in grouped], concurrency, stopped=stopped)
        # A listing that never traded has no past to ask for: most of those that are always new.
        traded = set(pl.concat([page.frame["symbol"] for page in whole]).unique()) if whole else set()
        work = [partial(past, symbol, want) for want in single for symbol in want.symbols if symbol in traded]
        page = _together([*whole, *gather(work, concurrency, stopped=stopped)], BARS)
        known = pl.col("symbol").is_in(list(asked))
        others = page.frame.filter(~known).group_by("date").agg(n=pl.len(), symbol=pl.col("symbol").first())
        strangers = others.sort("date").select(
            file=pl.lit("polygon/grouped_daily"),
            row=pl.lit(None, dtype=pl.Int64),
            symbol=pl.lit(None, dtype=pl.String),
            date=pl.col("date"),
            reason=pl.lit("not_listed"),
            detail=pl.col("n").cast(pl.String) + pl.lit(" rows, such as ") + pl.col("symbol"),
        )
        bars = page.frame.filter(known).unique(["symbol", "date"], keep="first", maintain_order=True)
        return Page(frame=bars, quarantine=pl.concat([page.quarantine, strangers]))

    def actions(self, start: date, end: date) -> Page:
        """Splits and dividends."""
        dividends = ask_for.dividends_request(self.settings.url, start, end)
        found = [self.splits(start, end), self._list(dividends, polygon.parse_dividends, FRESH_FOR)]
        return _together(found, ACTIONS)

    def splits(self, start: date, end: date) -> Page:
        """Splits alone; it knows no stock dividends."""
        request = ask_for.splits_request(self.settings.url, start, end)
        return _together([self._list(request, polygon.parse_splits, FRESH_FOR)], ACTIONS)

    def reports(self, symbols: Sequence[str], start: date, end: date) -> Page:
        """The reports of the symbols filed from ``start`` to ``end`` (schema FUNDAMENTALS)."""

        def one(symbol: str, stopped: Stopped) -> Page:
            request = ask_for.financials_request(self.settings.url, start, end, symbol=symbol)

            def parse(body: bytes) -> Page:
                return polygon.parse_financials(body, symbol=symbol)

            return self._list(request, parse, 12 * HOUR, stopped)

        work = [partial(one, symbol) for symbol in symbols]
        return _together(gather(work, self.settings.limit.concurrency), FUNDAMENTALS)

    def news(self, symbols: Sequence[str], start: datetime, end: datetime) -> Page:
        """Headlines about the symbols (schema NEWS): all of the market's, read once, those of others left out."""
        request = ask_for.news_request(self.settings.url, start.date(), end.date() + timedelta(days=1))
        page = self._list(request, polygon.parse_news, FRESH_FOR)
        kept = page.frame.filter(
            pl.col("symbol").is_in(list(symbols)) & pl.col("published_at").is_between(start, end)
        ).unique(["symbol", "published_at", "headline"], keep="first", maintain_order=True)
        return Page(frame=shaped(kept, NEWS), quarantine=page.quarantine)

    def _list(
        self, request: Request, parse: Callable[[bytes], Page], max_age: float, stopped: Stopped | None = None
    ) -> Page:
        found = list(pages(self.transport, request, parse, ask_for.with_token, max_age=max_age, stopped=stopped))
        return _together(found, None)


def _split(wants: Sequence[Want]) -> tuple[list[date], list[Want]]:
    """The sessions to read whole, and the wants of few symbols that reach back beyond them."""
    if not wants:
        return [], []
    most = max(wants, key=lambda want: len(want.symbols))
    grouped = set(most.sessions)
    single = [
        Want(symbols=want.symbols, sessions=rest, settled=want.settled)
        for want in wants
        if want is not most and (rest := tuple(day for day in want.sessions if day not in grouped))
    ]
    return sorted(grouped), single


def _of_the_day(page: Page, day: date) -> Page:
    """The bars of the session that was asked for; an answer about another one is refused."""
    others = page.frame.filter(pl.col("date") != day)
    if others.height:
        raise SourceError(
            f"polygon/grouped_daily: asked for {day}",
            why=f"{others.height} of {page.frame.height} bars are of another day, such as {others['date'][0]}",
            do="try again later; nothing of it was taken",
        )
    return page


def _together(found: Sequence[Page], schema: dict[str, pl.DataType | type[pl.DataType]] | None) -> Page:
    if not found:
        return Page(frame=empty(schema or {}))
    frame = pl.concat([page.frame for page in found])
    quarantine = pl.concat([page.quarantine for page in found]) if found else empty(QUARANTINE)
    return Page(frame=frame if schema is None else shaped(frame, schema), quarantine=quarantine)
