"""The SEC asked: companies by symbol, shares of all filers at once, and the reports of single companies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import FUNDAMENTALS, QUARANTINE, Schema, empty
from aitrader.providers import sec
from aitrader.providers.bodies import Page
from aitrader.providers.fetching import ask, ask_known, gather
from aitrader.providers.sec_facts import fundamentals_of
from aitrader.providers.vendor import HOUR, Progress
from aitrader.settings.models import Sec
from aitrader.transport.transport import Stopped, Transport

SHARES: Final[Schema] = {"cik": pl.String, "end": pl.Date, "shares": pl.Float64}
QUARTERS: Final = 5  # of shares: a filer that reports once a year is among them
_TAGS: Final = (("dei", "EntityCommonStockSharesOutstanding"), ("us-gaap", "CommonStockSharesOutstanding"))


@dataclass
class SecSource:
    """Lister (of companies; no fund is in it) and source of reports."""

    settings: Sec
    transport: Transport
    name: str = "sec"

    def listings(self) -> Page:
        """Every symbol with its company (schema TICKERS)."""
        request = sec.company_tickers_exchange_request(self.settings.www_url)
        return ask(self.transport, request, sec.parse_company_tickers_exchange, max_age=HOUR)

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        """Those that the list has when it is read again."""
        request = sec.company_tickers_exchange_request(self.settings.www_url)
        page = ask(self.transport, request, sec.parse_company_tickers_exchange)
        return frozenset(page.frame.filter(pl.col("symbol").is_in(list(symbols)))["symbol"])

    def shares(self, today: date, stopped: Stopped | None = None) -> Page:
        """The newest count of shares of each filer (schema SHARES), of the last ``QUARTERS`` quarters.

        The cover's count comes before the balance sheet's of the same date. A quarter or a tag that the SEC does not
        have (yet) is left out; nothing at all is a SourceError.
        """
        asked = [(taxonomy, tag, period) for taxonomy, tag in _TAGS for period in _quarters(today)]

        def one(question: tuple[str, str, str], stopped: Stopped) -> Page | None:
            taxonomy, tag, period = question
            request = sec.frames_request(self.settings.data_url, tag, "shares", period, taxonomy=taxonomy)
            return ask_known(self.transport, request, sec.parse_frames, max_age=12 * HOUR, stopped=stopped)

        work = [partial(one, question) for question in asked]
        answers = gather(work, self.settings.limit.concurrency, stopped=stopped)
        found = [page for page in answers if page is not None]
        if not found:
            raise SourceError("sec: no count of shares", why="none of the frames of the last quarters is there")
        rows = pl.concat(
            [page.frame.select("cik", "end", shares="value", order=pl.lit(at)) for at, page in enumerate(found)]
        )
        rows = rows.filter((pl.col("shares") > 0) & (pl.col("end") <= today)).sort("cik", "end", -pl.col("order"))
        newest = rows.unique("cik", keep="last", maintain_order=True).select(list(SHARES))
        return Page(frame=newest, quarantine=pl.concat([page.quarantine for page in found]))

    def reports(self, companies: Sequence[tuple[str, str]], progress: Progress) -> Page:
        """The reports (schema FUNDAMENTALS) of companies given as (symbol, cik); one without facts has none."""
        done = 0

        def one(symbol: str, cik: str, stopped: Stopped) -> Page:
            nonlocal done
            request = sec.company_facts_request(self.settings.data_url, cik)
            page = ask_known(self.transport, request, sec.parse_company_facts, max_age=12 * HOUR, stopped=stopped)
            done += 1
            progress(done, len(companies))
            if page is None:
                return Page(frame=empty(FUNDAMENTALS))
            return Page(frame=fundamentals_of(page.frame, symbol), quarantine=page.quarantine)

        work = [partial(one, symbol, cik) for symbol, cik in companies]
        found = gather(work, self.settings.limit.concurrency)
        return Page(
            frame=pl.concat([page.frame for page in found]) if found else empty(FUNDAMENTALS),
            quarantine=pl.concat([page.quarantine for page in found]) if found else empty(QUARANTINE),
        )

    def industries(self, ciks: Sequence[str]) -> pl.DataFrame:
        """The SIC code and its words for each company that has one: cik, sic, industry."""

        def one(cik: str, stopped: Stopped) -> sec.Submissions | None:
            request = sec.submissions_request(self.settings.data_url, cik)
            return ask_known(self.transport, request, sec.parse_submissions, max_age=24 * HOUR, stopped=stopped)

        work = [partial(one, cik) for cik in ciks]
        found = [each for each in gather(work, self.settings.limit.concurrency) if each is not None]
        return pl.DataFrame(
            [(each.cik, each.sic, each.industry) for each in found if each.sic],
            schema={"cik": pl.String, "sic": pl.String, "industry": pl.String},
            orient="row",
        )


def counted_since(today: date) -> date:
    """The first day of the oldest quarter of which :meth:`SecSource.shares` asks for counts."""
    year, quarter = _last_quarters(today)[-1]
    return date(year, 3 * quarter + 1, 1)


def _last_quarters(today: date) -> list[tuple[int, int]]:
    """Years and quarters, newest first."""
    newest = 4 * today.year + (today.month - 1) // 3
    return [divmod(at, 4) for at in range(newest, newest - QUARTERS, -1)]


def _quarters(today: date) -> list[str]:
    """The frames of the last quarters, newest first: CY2026Q2I ..."""
    return [f"CY{year}Q{quarter + 1}I" for year, quarter in _last_quarters(today)]
