"""Reports, headlines and industries of some listings, each from the first source that gives all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import FUNDAMENTALS, NEWS, QUARANTINE, SECURITIES, empty
from aitrader.domain.report import Report
from aitrader.domain.sessions import NEW_YORK
from aitrader.domain.sic import sector_of_sic_expr
from aitrader.providers.alpaca_source import AlpacaSource
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.connection import Connection, lacking
from aitrader.providers.polygon_source import PolygonSource
from aitrader.providers.sec_source import SecSource
from aitrader.settings.keys import wanted
from aitrader.settings.models import Sources

NEWS_DAYS: Final = 30
REPORT_DAYS: Final = 3 * 365  # twelve quarters: a year, the year before it, and what was filed late
_PART: Final = 20  # companies between two words of progress


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What was had, and from whom (None: nobody gave it). ``securities`` has symbol, sector and industry alone."""

    fundamentals: pl.DataFrame  # schema FUNDAMENTALS
    news: pl.DataFrame  # schema NEWS
    securities: pl.DataFrame  # schema SECURITIES
    quarantine: pl.DataFrame
    reports_by: str
    news_by: str | None
    industries_by: str | None
    warnings: tuple[str, ...]


@dataclass(kw_only=True)
class ReferenceSource:
    """Asks about ``listings``, pairs of symbol and CIK (None where it is not known); ``fallback``: the second first."""

    settings: Sources
    connection: Connection
    listings: Sequence[tuple[str, str | None]]
    now: datetime
    fallback: bool
    report: Report

    def __post_init__(self) -> None:
        """Make the sources."""
        transport = self.connection.transport
        self.alpaca = AlpacaSource(self.settings.alpaca, transport)
        self.polygon = PolygonSource(self.settings.polygon, transport)
        self.sec = SecSource(self.settings.sec, transport)
        self._warnings: list[str] = []

    def read(self) -> Reference:
        """All of it. A source that fails half-way gives nothing, and the next one is asked.

        Raises SourceError where no source gives the reports, RefusedError where none of them has its keys. Headlines
        and industries that nobody gives are a warning.
        """
        live = self.settings.live
        reports, reports_by = self._reports(self._order(live.fundamentals))
        news, news_by = self._news([name for name in live.news if self._keyed(name)])
        securities, industries_by = self._industries()
        return Reference(
            fundamentals=reports.frame,
            news=news.frame,
            securities=securities,
            quarantine=pl.concat([reports.quarantine, news.quarantine]),
            reports_by=reports_by,
            news_by=news_by,
            industries_by=industries_by,
            warnings=tuple(self._warnings),
        )

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self.report.warn(text)

    def _keyed(self, name: str) -> bool:
        """Whether a source can be asked; says so where not."""
        if self.connection.keys.has(name):
            return True
        self._warn(f"{name} is not asked: set {wanted(name)}")
        return False

    def _order(self, told: Sequence[str]) -> list[str]:
        """The sources of reports that can be asked, in the order in which they are."""
        turned = [*told[1:], *told[:1]] if self.fallback else list(told)
        if self.fallback and len(told) < 2:
            self._warn("sources.live.fundamentals names no second source of reports: the first one is asked")
        found = [name for name in turned if self._keyed(name)]
        if not found:
            raise lacking(turned[0] if turned else "sec")
        return found

    def _reports(self, order: Sequence[str]) -> tuple[Page, str]:
        asks: dict[str, Callable[[], Page]] = {"sec": self._sec_reports, "polygon": self._polygon_reports}
        for at, name in enumerate(order):
            limit = getattr(self.settings, name).limit
            pace = f"{limit.requests:,} requests in {limit.seconds:g} s"
            self.report.step(f"{name}: reports of {len(self.listings):,} listings, one request each, at most {pace}")
            try:
                page = asks[name]()
            except SourceError as fault:
                if at + 1 == len(order):
                    raise
                self._warn(f"{name} gave no reports, {order[at + 1]} is asked instead: {fault}")
                continue
            have = page.frame["symbol"].n_unique()
            self.report.step(f"{name}: {page.frame.height:,} reports of {have:,} of {len(self.listings):,} listings")
            return page, name
        raise AssertionError("there is a source of reports")  # pragma: no cover - the caller looked

    def _sec_reports(self) -> Page:
        companies = [(symbol, cik) for symbol, cik in self.listings if cik is not None]
        if without := len(self.listings) - len(companies):
            self.report.notice(f"{without:,} listings have no company at the SEC (funds, some foreign ones)")
        return self.sec.reports(companies, self._progress("sec reports"))

    def _polygon_reports(self) -> Page:
        today = self._today
        step, tell = self.settings.polygon.limit.concurrency, self._progress("polygon reports")
        found = []
        for at in range(0, len(self.listings), step):
            part = [symbol for symbol, _ in self.listings[at : at + step]]
            found.append(self.polygon.reports(part, today - timedelta(days=REPORT_DAYS), today))
            tell(at + len(part), len(self.listings))
        return _joined(found)

    def _news(self, order: Sequence[str]) -> tuple[Page, str | None]:
        symbols = [symbol for symbol, _ in self.listings]
        asks = {"alpaca": self.alpaca.news, "polygon": self.polygon.news}
        for name in order:
            try:
                page = asks[name](symbols, self.now - timedelta(days=NEWS_DAYS), self.now)
            except SourceError as fault:
                self._warn(f"{name} gave no headlines: {fault}")
                continue
            self.report.step(f"{name}: {page.frame.height:,} headlines of the last {NEWS_DAYS} days")
            return page, name
        self._warn("no source gave headlines: those that are stored stay")
        return Page(frame=empty(NEWS)), None

    def _industries(self) -> tuple[pl.DataFrame, str | None]:
        """Sector and industry of the listings whose company the SEC knows."""
        companies = pl.DataFrame(
            [(symbol, cik) for symbol, cik in self.listings if cik is not None],
            schema={"symbol": pl.String, "cik": pl.String},
            orient="row",
        )
        if not self.connection.keys.has("sec"):
            if "sec" not in self.settings.live.fundamentals:  # else it was said before
                self._warn(f"sec is not asked for industries: set {wanted('sec')}")
            return empty(SECURITIES), None
        ciks, tell = companies["cik"].unique().sort().to_list(), self._progress("sec industries")
        found = [pl.DataFrame(schema={"cik": pl.String, "sic": pl.String, "industry": pl.String})]
        try:
            for at in range(0, len(ciks), _PART):
                part = ciks[at : at + _PART]
                found.append(self.sec.industries(part))
                tell(at + len(part), len(ciks))
        except SourceError as fault:
            self._warn(f"sec gave no industries, those that are stored stay: {fault}")
            return empty(SECURITIES), None
        told = pl.concat(found).with_columns(sector=sector_of_sic_expr(pl.col("sic")))
        rows = companies.join(told, on="cik").filter(pl.col("sector").is_not_null() | pl.col("industry").is_not_null())
        self.report.step(f"sec: industries of {rows.height:,} of {len(self.listings):,} listings")
        return shaped(rows.select("symbol", "sector", "industry").sort("symbol"), SECURITIES), "sec"

    def _progress(self, label: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report.progress(label, done, total)

    @property
    def _today(self) -> date:
        return self.now.astimezone(NEW_YORK).date()


def _joined(found: Sequence[Page]) -> Page:
    if not found:
        return Page(frame=empty(FUNDAMENTALS), quarantine=empty(QUARANTINE))
    return Page(
        frame=pl.concat([page.frame for page in found]), quarantine=pl.concat([page.quarantine for page in found])
    )
