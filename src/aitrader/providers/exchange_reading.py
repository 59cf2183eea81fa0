"""The whole past of a market, asked of the vendors' interfaces in bulk: everything that a first scan reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final, TypeVar

import polars as pl

from aitrader.domain.frames import BARS, FUNDAMENTALS, Schema, empty
from aitrader.domain.report import Report
from aitrader.domain.sessions import NEW_YORK
from aitrader.providers import polygon, polygon_requests, sec
from aitrader.providers.alpaca_source import AlpacaSource
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.fetching import ask, ask_known, gather, pages
from aitrader.providers.polygon_details import first_days, read_ticker_details
from aitrader.providers.polygon_news import articles_page, read_articles
from aitrader.providers.polygon_source import PolygonSource
from aitrader.providers.sec_bulk import facts_page, read_company_facts
from aitrader.providers.sec_facts import fundamentals_of_all
from aitrader.settings.models import Alpaca, Polygon, Sec
from aitrader.transport.transport import Stopped, Transport
from aitrader.transport.wire import Request

T = TypeVar("T")
U = TypeVar("U")
TOGETHER: Final = 512  # companies whose figures are made columns at once: more take more memory and no less time
NEWS_SESSIONS: Final = 75  # whose headlines are one list
AT_ONCE: Final = 2  # lists under way: an exchange in this process writes one while another is read
NAMES: Final[Schema] = {"listing": pl.UInt32, "symbol": pl.String, "since": pl.Date}


class MarketReading:
    """Asks Alpaca, Polygon and the SEC for everything about ``sessions``.

    ``recounts``: the days on which the shares of receipts are asked for again: no filing tells how many there are.
    """

    def __init__(
        self, transport: Transport, sessions: Sequence[date], *, recounts: Sequence[date], report: Report
    ) -> None:
        self._transport, self._sessions, self._recounts, self._report = transport, sessions, recounts, report
        self._polygon, self._sec = Polygon(), Sec()
        self._quarantine: list[pl.DataFrame] = []

    def actions(self) -> pl.DataFrame:
        """Corporate actions of all kinds, by ex-date, symbol and kind (schema ACTIONS)."""
        page = AlpacaSource(Alpaca(), self._transport).actions(self._sessions[0], self._sessions[-1])
        self._quarantine.append(page.quarantine)
        self._report.step(f"alpaca: {page.frame.height:,} corporate actions")
        return page.frame.sort("ex_date", "symbol", "kind")

    def listings(self, actions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What is or was listed, with its present symbol and ``listing`` (a number), and the symbols it had (NAMES)."""
        source = PolygonSource(self._polygon, self._transport)
        found = [source.listings(), source.delisted(self._sessions[0])]
        self._quarantine += [page.quarantine for page in found]
        listed = pl.concat([page.frame for page in found]).with_row_index("listing")
        self._report.step(f"polygon: {listed.height:,} listings, {found[1].frame.height:,} of them ended")
        return listed, _names(listed, actions)

    def bars(self, symbols: pl.Series) -> pl.DataFrame:
        """The bars of the symbols by session and symbol (schema BARS), without what the vendors make of them."""
        own = symbols.unique().implode()

        def one(day: date, _: Stopped) -> Page:
            request = polygon_requests.grouped_daily_request(self._polygon.url, day)
            page = ask(self._transport, request, polygon.parse_grouped_daily)
            kept = page.frame.filter(pl.col("symbol").is_in(own)).drop("vwap", "trades")
            return Page(frame=kept, quarantine=page.quarantine)

        count = len(self._sessions)
        found = gather(
            [partial(one, day) for day in self._sessions],
            AT_ONCE,
            lambda done: self._report.progress("sessions of bars", done, count),
        )
        self._quarantine += [page.quarantine for page in found]
        bars = pl.concat([page.frame for page in found])
        self._report.step(f"polygon: {bars.height:,} bars")
        return shaped(bars, BARS)

    def first_days(
        self, listed: pl.DataFrame, names: pl.DataFrame, bars: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The first day of each listing and its shares then (listing and FIRST), and its first close (listing, close).

        Asked as of its first bar, for whoever has the symbol now may be another company.
        """
        rows = _asked_on(listed, names, bars)
        found = self._details(rows["symbol"].to_list(), rows["day"].to_list(), "details of listings")
        closes = bars.select("symbol", "close", day="date").join(rows, on=["symbol", "day"])
        known = pl.concat([rows.select("listing"), found.drop("symbol")], how="horizontal")
        return known, closes.select("listing", "close")

    def _details(self, symbols: Sequence[str], days: Sequence[date | None], label: str) -> pl.DataFrame:
        """Schema FIRST, a row of nulls for what is not known."""

        def of(asked: tuple[str, date | None]) -> Request:
            return polygon_requests.ticker_details_request(self._polygon.url, asked[0], day=asked[1])

        rows = self._each(list(zip(symbols, days, strict=True)), of, read_ticker_details, label)
        return first_days([row or {} for row in rows])

    def recounted(self, receipts: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
        """The shares of receipts (rows of SECURITIES with ``listing``) as told anew on each of the days."""
        found = []
        for day in self._recounts:
            there = receipts.filter(
                (pl.col("listed_on") < day) & (pl.col("delisted_on").is_null() | (pl.col("delisted_on") > day))
            )
            then = symbols_on(there.select("listing", day=pl.lit(day)), names)
            told = self._details(then["symbol"].to_list(), [day] * there.height, f"receipts counted on {day}")
            known = pl.when(told["figi"] == there["figi"]).then(told["shares_outstanding"])
            found.append(there.with_columns(symbol=then["symbol"], shares_outstanding=known, known_on=pl.lit(day)))
        rows = pl.concat([receipts, *found]).filter(pl.col("shares_outstanding").is_not_null())
        rows = rows.sort("listing", "known_on", nulls_last=False)
        again = pl.col("shares_outstanding") == pl.col("shares_outstanding").shift(1).over("listing")
        return rows.filter(pl.col("known_on").is_not_null() & ~again.fill_null(False))

    def companies(self, ciks: Sequence[str], owners: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The industries of the companies (schema INDUSTRIES) and their reports under ``owners`` (cik, symbol)."""
        url = self._sec.data_url

        def filings(cik: str) -> Request:
            return sec.submissions_request(url, cik)

        def facts(cik: str) -> Request:
            return sec.company_facts_request(url, cik)

        def one(some: Sequence[str], _: Stopped) -> tuple[pl.DataFrame, Page]:
            filers = [each for each in self._each(some, filings, sec.read_filer) if each is not None]
            branches, accepted = sec.filers(filers)
            told = facts_page([each for each in self._each(some, facts, read_company_facts) if each is not None])
            return branches, Page(frame=fundamentals_of_all(told.frame, owners, accepted), quarantine=told.quarantine)

        parts = [ciks[at : at + TOGETHER] for at in range(0, len(ciks), TOGETHER)]
        found = gather(
            [partial(one, part) for part in parts],
            AT_ONCE,
            lambda done: self._report.progress("companies", min(done * TOGETHER, len(ciks)), len(ciks)),
        )
        self._quarantine += [page.quarantine for _, page in found]
        reports = pl.concat([empty(FUNDAMENTALS), *(page.frame for _, page in found)])
        self._report.step(f"sec: {reports.height:,} reports of {len(ciks):,} companies")
        return pl.concat([empty(sec.INDUSTRIES), *(branches for branches, _ in found)]), reports

    def news(self, symbols: pl.Series) -> pl.DataFrame:
        """Headlines about the symbols (schema NEWS) in the order of their publication."""
        own = symbols.implode()
        spans = [self._sessions[at : at + NEWS_SESSIONS] for at in range(0, len(self._sessions), NEWS_SESSIONS)]
        ends = [*(part[0] - timedelta(days=1) for part in spans[1:]), self._sessions[-1]]

        def one(first: date, last: date, _: Stopped) -> Page:
            start, end = datetime.combine(first, time(), NEW_YORK), datetime.combine(last, time.max, NEW_YORK)
            request = polygon_requests.news_request(self._polygon.url, first, last + timedelta(days=1))
            read = pages(self._transport, request, read_articles, polygon_requests.with_token)
            page = articles_page(list(read))
            during = pl.col("published_at").is_between(start.astimezone(UTC), end.astimezone(UTC))
            return Page(frame=page.frame.filter(during & pl.col("symbol").is_in(own)), quarantine=page.quarantine)

        found = gather(
            [partial(one, part[0], last) for part, last in zip(spans, ends, strict=True)],
            AT_ONCE,
            lambda done: self._report.progress("spans of headlines", done, len(spans)),
        )
        self._quarantine += [page.quarantine for page in found]
        news = pl.concat([page.frame for page in found])
        self._report.step(f"polygon: {news.height:,} headlines")
        return news

    def quarantine(self) -> pl.DataFrame:
        """What could not be believed in any answer."""
        return pl.concat(self._quarantine)

    def _each(
        self,
        asked: Sequence[T],
        request: Callable[[T], Request],
        parse: Callable[[bytes], U],
        label: str | None = None,
    ) -> list[U | None]:
        """The answers in order; None for what the source does not know."""
        found = []
        for at, one in enumerate(asked):
            found.append(ask_known(self._transport, request(one), parse))
            if label is not None:
                self._report.progress(label, at + 1, len(asked))
        return found


def _names(listed: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The symbols that each listing had (NAMES), from the present one back; ``since`` is null for its first."""
    changes: dict[str, list[tuple[date, str]]] = {}
    told = actions.filter(pl.col("kind") == "symbol_change").sort("ex_date")
    for old, new, day in told.select("symbol", "new_symbol", "ex_date").iter_rows():
        changes.setdefault(new, []).append((day, old))
    rows: list[tuple[int, str, date | None]] = []
    for listing, now, until in listed.select("listing", "symbol", "delisted_on").iter_rows():
        symbol, before = now, until or date.max
        while (change := max((one for one in changes.get(symbol, ()) if one[0] < before), default=None)) is not None:
            rows.append((listing, symbol, change[0]))
            before, symbol = change
        rows.append((listing, symbol, None))
    return pl.DataFrame(rows, schema=NAMES, orient="row").sort("listing", "since", nulls_last=False)


def symbols_on(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """The rows (with ``listing`` and ``day``) with the ``symbol`` that the listing had on the day; in their order."""
    first = names.filter(pl.col("since").is_null()).select("listing", first="symbol")
    later = names.filter(pl.col("since").is_not_null()).rename({"symbol": "later"}).sort("since")
    found = rows.drop("symbol", strict=False).with_row_index("place").join(first, on="listing", how="left")
    found = found.sort("day").join_asof(later, left_on="day", right_on="since", by="listing", check_sortedness=False)
    return (
        found.sort("place").with_columns(symbol=pl.coalesce("later", "first")).drop("place", "first", "later", "since")
    )


def _asked_on(listed: pl.DataFrame, names: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """For each listing the symbol and the day to ask for its details: its first bar, else the last it was listed."""
    first = names.filter(pl.col("since").is_null()).select("listing", "symbol")
    ends = listed.select("listing", "delisted_on", now="symbol")
    rows = first.join(ends, on="listing", how="left", maintain_order="left")
    # One symbol after another company's: what traded before that one ended was not this one.
    rows = rows.sort("symbol", "delisted_on", nulls_last=True)
    rows = rows.with_columns(begun=pl.col("delisted_on").shift(1).over("symbol"))
    several = rows.filter(pl.len().over("symbol") > 1)["symbol"].unique()
    shared = bars.filter(pl.col("symbol").is_in(several.implode())).select("symbol", "date")
    own = rows.join(shared, on="symbol").filter(
        (pl.col("begun").is_null() | (pl.col("date") >= pl.col("begun")))
        & (pl.col("delisted_on").is_null() | (pl.col("date") < pl.col("delisted_on")))
    )
    alone = bars.group_by("symbol").agg(alone=pl.col("date").min()).filter(~pl.col("symbol").is_in(several.implode()))
    rows = rows.join(own.group_by("listing").agg(shared=pl.col("date").min()), on="listing", how="left")
    rows = rows.join(alone, on="symbol", how="left").with_columns(traded=pl.coalesce("shared", "alone"))
    last = pl.col("delisted_on") - pl.duration(days=1)
    return rows.select(
        "listing",
        symbol=pl.when(pl.col("traded").is_null()).then(pl.col("now")).otherwise(pl.col("symbol")),
        day=pl.coalesce("traded", last),
    ).sort("listing")
