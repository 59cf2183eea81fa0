"""Alpaca asked: listings in one answer, bars of many symbols page by page, corporate actions, headlines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import partial
from math import ceil
from typing import Final

import polars as pl

from aitrader.domain.frames import ACTIONS, BARS, NEWS, QUARANTINE, empty
from aitrader.domain.sessions import NEW_YORK
from aitrader.domain.symbols import spell
from aitrader.providers import alpaca
from aitrader.providers import alpaca_requests as ask_for
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.fetching import ask, gather, pages
from aitrader.providers.vendor import FRESH_FOR, LISTED_FOR, SETTLED_FOR, Progress, Share, Want, in_order_of
from aitrader.settings.models import Alpaca
from aitrader.transport.transport import RejectedError, Stopped, Transport
from aitrader.transport.wire import Request

SPLITS: Final = ("forward_split", "reverse_split", "stock_dividend")  # as the parameter types has them


@dataclass
class AlpacaSource:
    """Lister and bar source."""

    settings: Alpaca
    transport: Transport
    name: str = "alpaca"
    by_session: bool = False
    reread: int = 0  # rows that a lost page had, found by asking again

    @property
    def feed(self) -> str:
        """Whose trades the volumes count."""
        return self.settings.feed

    def listings(self) -> Page:
        """The active US equities of the scanner's exchanges (schema ASSETS)."""
        return ask(
            self.transport,
            ask_for.assets_request(self.settings.trading_url),
            alpaca.parse_assets,
            max_age=LISTED_FOR,
        )

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        """Those that the list has when it is read again."""
        page = ask(self.transport, ask_for.assets_request(self.settings.trading_url), alpaca.parse_assets)
        return frozenset(page.frame.filter(pl.col("symbol").is_in(list(symbols)))["symbol"])

    def requests(self, wants: Sequence[Want]) -> int:
        """Pages, if every symbol traded in every session; a few more for those that did not."""
        return sum(
            ceil(len(part) * len(want.sessions) / ask_for.PAGE_ROWS)
            for want in wants
            for part in _chunks(want.symbols, _at_once(want))
        )

    def bars(self, wants: Sequence[Want], progress: Progress, stopped: Stopped | None = None) -> Page:
        """The bars of all symbols, as many a request as fill a page, several requests at once.

        What seems to be missing at the end of a page or between two is asked for again, all of it together.
        """
        share = Share(progress, self.requests(wants))
        lists = [
            _List(self, part, want, share)
            for want in wants
            for part in _chunks(in_order_of(want.symbols, ask_for.SOURCE), _at_once(want))
        ]
        found = gather(lists, self.settings.limit.concurrency, stopped=stopped)
        asked = {(each.symbols, each.want) for each in lists}
        again = [
            _List(self, part, want, share, stored=(part, want) not in asked)
            for want, suspects in _by_want(lists).items()
            for part in _chunks(in_order_of(suspects, ask_for.SOURCE), _at_once(want))
        ]
        more = gather(again, self.settings.limit.concurrency, stopped=stopped)
        pages_read = [*found, *more]
        if not pages_read:
            return Page(frame=empty(BARS))
        quarantine = pl.concat([page.quarantine for page in pages_read])
        bars = pl.concat([page.frame for page in found])
        if again:
            told = bars.select("symbol", "date").join(
                pl.DataFrame({"symbol": [s for each in again for s in each.symbols]}), on="symbol", how="semi"
            )
            missed = pl.concat([page.frame for page in more]).join(told, on=["symbol", "date"], how="anti")
            self.reread += missed.height
            bars = pl.concat([bars, missed])
        return Page(frame=bars, quarantine=quarantine)

    def actions(self, start: date, end: date) -> Page:
        """Corporate actions of all symbols."""
        return self._actions(ask_for.corporate_actions_request(self.settings.data_url, start, end), FRESH_FOR)

    def splits(self, start: date, end: date) -> Page:
        """Splits and stock dividends of all symbols."""
        request = ask_for.corporate_actions_request(self.settings.data_url, start, end)
        request = replace(request, params=(*request.params, ("types", ",".join(SPLITS))))
        return self._actions(request, FRESH_FOR)

    def _actions(self, request: Request, max_age: float) -> Page:
        found = list(
            pages(self.transport, request, alpaca.parse_corporate_actions, ask_for.with_token, max_age=max_age)
        )
        frame = pl.concat([page.frame for page in found]).unique(maintain_order=True)
        return Page(frame=shaped(frame, ACTIONS), quarantine=pl.concat([page.quarantine for page in found]))

    def news(self, symbols: Sequence[str], start: datetime, end: datetime) -> Page:
        """Headlines about the symbols (schema NEWS), from ``start`` to ``end``."""
        asked = frozenset(symbols)

        def part_of(part: Sequence[str], stopped: Stopped) -> Page:
            request = ask_for.news_request(self.settings.data_url, start, end, part)
            found = list(
                pages(
                    self.transport, request, alpaca.parse_news, ask_for.with_token, max_age=FRESH_FOR, stopped=stopped
                )
            )
            return Page(
                frame=pl.concat([page.frame for page in found]),
                quarantine=pl.concat([page.quarantine for page in found]),
            )

        work = [partial(part_of, part) for part in _chunks(symbols, 50)]
        found = gather(work, self.settings.limit.concurrency)
        news = pl.concat([page.frame for page in found]) if found else empty(NEWS)
        kept = news.filter(pl.col("symbol").is_in(list(asked))).unique(
            ["symbol", "published_at", "headline"], keep="first", maintain_order=True
        )
        quarantine = pl.concat([page.quarantine for page in found]) if found else empty(QUARANTINE)
        return Page(frame=shaped(kept, NEWS), quarantine=quarantine)


def _chunks(symbols: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(symbols[at : at + size]) for at in range(0, len(symbols), size)]


def _at_once(want: Want) -> int:
    """So many symbols as fill a page, and no more than an address can hold."""
    return max(1, min(ask_for.SYMBOLS_A_REQUEST, ask_for.PAGE_ROWS // len(want.sessions)))


def _by_want(lists: Sequence[_List]) -> dict[Want, list[str]]:
    """The symbols that seem to be missing something, by what was wanted of them."""
    found: dict[Want, list[str]] = {}
    for each in lists:
        if each.suspects:
            found.setdefault(each.want, []).extend(each.suspects)
    return found


def _midnight(day: date) -> datetime:
    """The time stamp of a day's bar: as an end it takes that bar in, and needs no plan for live data."""
    return datetime.combine(day, time(), NEW_YORK)


@dataclass
class _List:
    """The bars of one request, page by page."""

    source: AlpacaSource
    symbols: tuple[str, ...]
    want: Want
    share: Share
    stored: bool = True  # an answer that is stored may be used
    suspects: set[str] = field(default_factory=set)  # symbols of which a page seems to be lost

    def __call__(self, stopped: Stopped) -> Page:
        """All of its bars; bars that nobody asked for, and symbols that the vendor refuses, are set aside."""
        refused: list[pl.DataFrame] = []
        while self.symbols:
            try:
                page = self._read(stopped)
            except RejectedError as fault:
                name = _refused(fault, self.symbols)
                if name is None:
                    raise
                self.symbols = tuple(symbol for symbol in self.symbols if symbol != name)
                refused.append(_set_aside([(name, None)], "refused_symbol", "the vendor does not know such a symbol"))
                continue
            return Page(frame=page.frame, quarantine=pl.concat([page.quarantine, *refused]))
        return Page(frame=empty(BARS), quarantine=pl.concat(refused))

    def _read(self, stopped: Stopped) -> Page:
        settings, want = self.source.settings, self.want
        first, end = _midnight(want.sessions[0]), _midnight(want.sessions[-1])
        request: Request = next(iter(ask_for.bars_requests(settings.data_url, self.symbols, first, end, settings.feed)))
        age = (SETTLED_FOR if want.settled else FRESH_FOR) if self.stored else None
        found, last = list[Page](), None
        for page in pages(
            self.source.transport, request, alpaca.parse_bars, ask_for.with_token, max_age=age, stopped=stopped
        ):
            found.append(page)
            self.share.one(stopped)
            if page.frame.height:
                self.suspects |= self._between(last, page.frame.row(0)[:2])
                last = page.frame.row(-1)[:2]
        self.suspects |= self._between(last, None)
        frame = pl.concat([page.frame for page in found]).unique(["symbol", "date"], keep="first", maintain_order=True)
        quarantine = pl.concat([page.quarantine for page in found])
        of_days = pl.col("date").is_between(want.sessions[0], want.sessions[-1])
        asked = pl.col("symbol").is_in(list(self.symbols)) & of_days
        strangers = frame.filter(~asked)
        if strangers.height:
            told = strangers.select("symbol", "date").rows()
            quarantine = pl.concat(
                [quarantine, _set_aside(told, "not_asked", "the answer is about another symbol or day")]
            )
            frame = frame.filter(asked)
        return Page(frame=frame, quarantine=quarantine)

    def _between(self, last: tuple[str, date] | None, first: tuple[str, date] | None) -> set[str]:
        """The symbols that should stand between the last bar of a page and the first of the next, if none is lost.

        A list has no count of its rows: a page that was lost shows as a jump alone. A symbol that did not trade looks
        the same, and is asked for once more.
        """
        order = {symbol: at for at, symbol in enumerate(self.symbols)}
        at = -1 if last is None else order.get(last[0], -1)
        until = len(self.symbols) if first is None else order.get(first[0], at)
        jumped = set(self.symbols[at + 1 : until])
        if last is not None and at >= 0:
            end = first[1] if first is not None and first[0] == last[0] else None
            rest = [s for s in self.want.sessions if s > last[1] and (end is None or s < end)]
            if rest:
                jumped.add(last[0])
        if first is not None and (last is None or first[0] != last[0]) and first[1] > self.want.sessions[0]:
            jumped.add(first[0])  # its first bars may have stood on the page that was lost
        return jumped


def _refused(fault: RejectedError, symbols: Sequence[str]) -> str | None:
    """The symbol that the vendor calls invalid, which costs the answer about all the others."""
    said = re.search(r"invalid symbols?:? *\W?([A-Za-z0-9./^_-]+)", fault.why) if fault.status == 400 else None
    return next((symbol for symbol in symbols if said and said[1] == spell(symbol, ask_for.SOURCE)), None)


def _set_aside(rows: Sequence[tuple[str, date | None]], reason: str, detail: str) -> pl.DataFrame:
    """Quarantine for symbols and days."""
    found = pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")
    return found.select(
        file=pl.lit("alpaca/bars"),
        row=pl.lit(None, dtype=pl.Int64),
        symbol=pl.col("symbol"),
        date=pl.col("date"),
        reason=pl.lit(reason),
        detail=pl.lit(detail),
    )
