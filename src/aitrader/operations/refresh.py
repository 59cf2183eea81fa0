"""Reports, headlines and industries of a layer's members asked anew, and stored beside what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from logging import Logger
from typing import Any, Final

import polars as pl

from aitrader.domain.errors import RefusedError, ScannerError, StoreError
from aitrader.domain.frames import BARS, FUNDAMENTALS, NEWS, PROVENANCE, Delivery, empty
from aitrader.domain.report import Report
from aitrader.operations.log import LoggedReport, scanner_log
from aitrader.providers.choice import LIVE_SOURCES, guard, live_clock
from aitrader.providers.connection import connect
from aitrader.providers.reference import Reference, ReferenceSource
from aitrader.settings.load import Settings
from aitrader.store.home import Home
from aitrader.store.population import Population
from aitrader.store.store import Store

SIMULATED: Final = "simulated"
_REPORT: Final = ["security", "period_end", "fiscal_period", "form"]
_HEADLINE: Final = ["security", "published_at", "headline"]
_PLACE: Final = ("sector", "industry")


@dataclass(frozen=True, kw_only=True)
class RefreshResult:
    """What changed. ``reports_by`` and the others: who gave them, None where nobody did or nobody was asked."""

    home: Home
    layer: int
    members: int
    new_reports: int = 0
    revised_reports: int = 0
    headlines: int = 0
    sectors: int = 0
    reports_by: str | None = None
    news_by: str | None = None
    industries_by: str | None = None
    quarantined: dict[str, int]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The public form."""
        return {
            "layer": self.layer,
            "members": self.members,
            "new_reports": self.new_reports,
            "revised_reports": self.revised_reports,
            "headlines": self.headlines,
            "sectors": self.sectors,
            "sources": {"reports": self.reports_by, "news": self.news_by, "industries": self.industries_by},
            "quarantined": self.quarantined,
            "warnings": list(self.warnings),
        }


def refresh(
    home: Home,
    settings: Settings,
    *,
    layer: int,
    fallback: bool,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    report: Report,
) -> RefreshResult:
    """Ask the live sources about the members of ``layer`` in the last published run, and store what they say.

    The simulated market has all its reports: nothing is asked. RefusedError for a dataset, which is its files.
    """
    with scanner_log(settings.place, home.logs, environ) as log:
        try:
            told = LoggedReport(report, log)
            return _refreshed(home, settings, layer, environ, log, told, now, fallback=fallback)
        except ScannerError as fault:
            log.error("refresh: %s", fault)
            raise


def _refreshed(
    home: Home,
    settings: Settings,
    layer: int,
    environ: Mapping[str, str],
    log: Logger,
    report: Report,
    now: Callable[[], datetime],
    *,
    fallback: bool,
) -> RefreshResult:
    with Store.open(home, write=False) as store:
        population = store.population()
        run = store.reader.active_run()
        if population is None or run is None:
            raise StoreError("nothing is published yet", why="no layer has members", do="run: python ai_trader.py scan")
        members = _members(store, [member.security for member in store.reader.members(run.run_id, layer)])
    if population.source == SIMULATED:
        report.notice("the simulated market has all its reports and headlines: there is nothing to refresh")
        return RefreshResult(home=home, layer=layer, members=members.height, quarantined={})
    if population.source not in LIVE_SOURCES:
        raise RefusedError(
            f"market {home.market} cannot be refreshed",
            why="a dataset is what its files hold, and is never mixed with other sources",
            do="add the reports to its files and populate it again",
        )
    guard(settings, population.source, named=True)
    clock = live_clock(settings, now)
    if members.is_empty():
        report.notice(f"Layer {layer} has no members: there is nothing to ask for")
        return RefreshResult(home=home, layer=layer, members=0, quarantined={})
    connection = connect(settings.sources, environ, home.root, log=log)
    try:
        reference = ReferenceSource(
            settings=settings.sources,
            connection=connection,
            listings=list(members.select("symbol", "cik").iter_rows()),
            now=clock(),
            fallback=fallback,
            report=report,
        ).read()
    finally:
        connection.close()
    with Store.open(home, write=True) as store, store.writer_lock(now):
        return _stored(store, home, layer, members, reference, population, now())


def _members(store: Store, securities: list[int]) -> pl.DataFrame:
    """Those of the securities that are still listed: security, symbol, cik, provenance; in order of symbol."""
    known = store.securities().filter(pl.col("active") & pl.col("id").is_in(securities))
    return known.select(pl.col("id").alias("security"), "symbol", "cik", "provenance").sort("symbol")


def _stored(
    store: Store, home: Home, layer: int, members: pl.DataFrame, told: Reference, population: Population, at: datetime
) -> RefreshResult:
    """Store it, and compare the tables before and after."""
    ids = members["security"].to_list()
    reports, headlines, places = _tables(store, ids)
    offers = {f"fundamentals.{n}" for n in FUNDAMENTALS if told.fundamentals[n].null_count() < told.fundamentals.height}
    offers |= {f"news.{name}" for name in NEWS if told.news[name].null_count() < told.news.height}
    offers |= {f"securities.{name}" for name in _PLACE if told.securities[name].null_count() < told.securities.height}
    ingested = store.ingest(
        Delivery(
            source=population.source,
            adjustment=population.adjustment,
            offers=frozenset(offers),
            securities=told.securities,
            bars=empty(BARS),
            fundamentals=told.fundamentals,
            news=told.news,
            quarantine=told.quarantine,
            provenance=_provenance(members, told),
            notices=(f"reports of Layer {layer} from {told.reports_by}",),
            partial=True,
            cumulative=True,
        ),
        at=at,
    )
    reports_now, headlines_now, places_now = _tables(store, ids)
    added = reports_now.join(reports, on=reports.columns, how="anti", nulls_equal=True)
    fresh = added.join(reports, on=_REPORT, how="anti", nulls_equal=True).unique(_REPORT).height
    return RefreshResult(
        home=home,
        layer=layer,
        members=members.height,
        new_reports=fresh,
        revised_reports=added.unique(_REPORT).height - fresh,
        headlines=headlines_now.height - headlines.height,
        sectors=places_now.join(places, on=places.columns, how="anti", nulls_equal=True).height,
        reports_by=told.reports_by,
        news_by=told.news_by,
        industries_by=told.industries_by,
        quarantined=ingested.quarantined,
        warnings=told.warnings,
    )


def _tables(store: Store, ids: list[int]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Reports, headlines and places (security, sector, industry) of the members, as stored."""
    securities = store.securities().filter(pl.col("id").is_in(ids))
    return (
        store.fundamentals(securities=ids).select(*_REPORT, "known_at"),
        store.news(securities=ids).select(_HEADLINE),
        securities.select("id", *_PLACE),
    )


def _provenance(members: pl.DataFrame, told: Reference) -> pl.DataFrame:
    """The members' provenance with sector and industry in it, the rest as it stands."""
    if told.securities.is_empty():
        return empty(PROVENANCE)
    rows = told.securities.select("symbol", *_PLACE).join(members.select("symbol", "provenance"), on="symbol")
    found = []
    for symbol, sector, industry, stands in rows.iter_rows():
        says = {name: told.industries_by for name, value in zip(_PLACE, (sector, industry), strict=True) if value}
        kept = [word for word in (stands or "").split() if word.partition(":")[0] not in says]
        found.append((symbol, " ".join([*kept, *(f"{name}:{source}" for name, source in says.items())])))
    return pl.DataFrame(found, schema=PROVENANCE, orient="row")
