"""What of the market is public at an instant: finished sessions, listings, actions, reports and headlines so far."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import polars as pl

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK, Calendar, xnys
from aitrader.domain.symbols import spell_expr
from aitrader.exchange.bars import BarTable, day_number
from aitrader.exchange.filings import Filings
from aitrader.exchange.industry import sic

_CODE = {"sic": pl.String, "sic_description": pl.String}


class View:
    """The market at ``now``; nothing later is in it. Everything costly is made once and kept."""

    def __init__(self, market: Delivery, table: BarTable, now: datetime) -> None:
        self._market, self.table, self.now = market, table, now.astimezone(UTC)
        self.calendar: Calendar = xnys()
        self.today: date = now.astimezone(NEW_YORK).date()
        session = self.calendar.last_on_or_before(self.today)
        self.session = session if self.calendar.close(session) <= self.now else self.calendar.previous(session)
        self.last_day = day_number(self.session)
        self._names: dict[str, list[tuple[date, str]]] = {}  # figi -> its symbols and since when, with the listings
        self.bodies: dict[str, bytes] = {}  # whole answers that the routers keep between requests

    @cached_property
    def actions(self) -> pl.DataFrame:
        """Corporate actions up to today."""
        return self._market.actions.filter(pl.col("ex_date") <= self.today).with_row_index("id")

    @cached_property
    def news(self) -> pl.DataFrame:
        """Headlines up to now, one row an article, newest last."""
        told = self._market.news.filter(pl.col("published_at") <= self.now)
        keys = ["published_at", "headline", "source"]
        return (
            told.group_by(keys, maintain_order=True)
            .agg("symbol", "sentiment")
            .sort("published_at", "headline")
            .with_row_index("id", offset=1)
        )

    @cached_property
    def reports(self) -> pl.DataFrame:
        """Fundamentals known by now, with the filer's number and name, the filing's number and the period's first day.

        A filer's report is there for each class of his shares; the class with the most shares is the last.
        """
        told = self._market.fundamentals.filter(pl.col("known_at") <= self.now)
        filer = self.listings.filter(pl.col("cik").is_not_null())
        at, months = pl.col("known_at"), pl.when(pl.col("fiscal_period") == "FY").then(pl.lit("-12mo"))
        minute = (at.dt.ordinal_day().cast(pl.Int64) - 1) * 1440 + at.dt.hour().cast(pl.Int64) * 60 + at.dt.minute()
        told = told.with_columns(
            filed=at.dt.convert_time_zone("America/New_York").dt.date(),
            begun=pl.col("period_end").dt.offset_by("1d").dt.offset_by(months.otherwise(pl.lit("-3mo"))),
            of_year=pl.format("{}-{}", at.dt.strftime("%y"), minute.cast(pl.String).str.zfill(6)),
        )
        rows = _of_filers(told, filer, self._names).with_columns(
            accession=pl.format("{}-{}", "cik", "of_year")
        )  # the minute of the year is its own
        return rows.sort("cik", "known_at", "shares_outstanding", "symbol", nulls_last=False)

    @cached_property
    def filings(self) -> Filings:
        """The same as the SEC tells it."""
        return Filings(self.reports, self.listings)

    @cached_property
    def by_period(self) -> pl.DataFrame:
        """The same as :attr:`reports`, by the end of their periods."""
        return self.reports.sort("period_end", "symbol", "known_at", maintain_order=True)

    @cached_property
    def listings(self) -> pl.DataFrame:
        """One row a listing under today's symbol, with its last count of shares and whether it still trades.

        Filers have the code of their industry; the others have none.
        """
        known = self._market.securities.filter(
            (pl.col("listed_on") <= self.today) & (pl.col("known_on").is_null() | (pl.col("known_on") <= self.today))
        ).sort("figi", "known_on", nulls_last=False)
        rows = known.group_by("figi", maintain_order=True).agg(
            pl.all().exclude("shares_outstanding", "known_on").first(), pl.col("shares_outstanding").last()
        )
        self._names = _names(rows, self.actions.filter(pl.col("kind") == "symbol_change").sort("ex_date"))
        now = pl.Series([self._names[figi][-1][1] for figi in rows["figi"]], dtype=pl.String)
        rows, name = rows.with_columns(first_symbol="symbol", symbol=now), pl.col("symbol")
        gone = (pl.col("delisted_on") <= self.today).fill_null(False)
        spelled = {vendor: spell_expr(name, vendor) for vendor in ("alpaca", "polygon", "sec")}
        filer = pl.col("cik").is_not_null()
        codes = rows.filter(filer).select("sector", "industry").unique()
        told = pl.DataFrame([sic(*pair) for pair in codes.iter_rows()], schema=_CODE, orient="row")
        rows = rows.join(codes.hstack(told), on=["sector", "industry"], how="left", nulls_equal=True)
        rows = rows.with_columns(pl.when(filer).then(pl.col(*_CODE)))
        return rows.with_columns(active=~gone, **spelled).sort("symbol", "listed_on")

    def _symbol_on(self, figi: str, day: date) -> str:
        """The symbol of a listing on a day; its first one before."""
        names = self._names[figi]
        return names[max(bisect_right(names, day, key=lambda name: name[0]) - 1, 0)][1]

    def listing_on(self, symbol: str, day: date) -> dict[str, Any] | None:
        """The listing under a symbol on a day, as it was then: of several the one that traded, or was last to."""
        found = []
        for figi in self._index.of_symbol.get(symbol, ()):
            row = self._index.rows[figi]
            if row["listed_on"] <= day and self._symbol_on(figi, day) == symbol:
                found.append(self._as_of(row, day))
        return max(found, key=lambda row: (row["active"], row["delisted_on"] or date.max), default=None)

    def classes_on(self, cik: str, day: date) -> list[dict[str, Any]]:
        """The listings of a filer that traded on a day, as they were then."""
        rows = (self._index.rows[figi] for figi in self._index.of_filer.get(cik, ()))
        return [one for row in rows if row["listed_on"] <= day and (one := self._as_of(row, day))["active"]]

    def _as_of(self, row: dict[str, Any], day: date) -> dict[str, Any]:
        counts = [shares for known, shares in self._index.counts[row["figi"]] if known is None or known <= day]
        active = row["delisted_on"] is None or row["delisted_on"] > day
        shares = counts[-1] if counts else None
        return {**row, "symbol": self._symbol_on(row["figi"], day), "active": active, "shares_outstanding": shares}

    @cached_property
    def _index(self) -> _Index:
        figis = self.listings["figi"].to_list()
        of_symbol: dict[str, list[str]] = {}
        for figi in figis:
            for symbol in {name for _, name in self._names[figi]}:
                of_symbol.setdefault(symbol, []).append(figi)
        of_filer: dict[str, list[str]] = {}
        for figi, cik in self.listings.filter(pl.col("cik").is_not_null()).select("figi", "cik").iter_rows():
            of_filer.setdefault(cik, []).append(figi)
        counts: dict[str, list[tuple[date | None, float | None]]] = {figi: [] for figi in figis}
        told = self._market.securities.sort("known_on", nulls_last=False)
        for figi, known, shares in told.select("figi", "known_on", "shares_outstanding").iter_rows():
            if figi in counts:
                counts[figi].append((known, shares))
        rows = {row["figi"]: row for row in self.listings.iter_rows(named=True)}
        return _Index(rows=rows, of_symbol=of_symbol, of_filer=of_filer, counts=counts)


def _of_filers(told: pl.DataFrame, filers: pl.DataFrame, names: dict[str, list[tuple[date, str]]]) -> pl.DataFrame:
    """Reports with cik and name of the filer who had the symbol on the day they were filed, or was the first to."""
    held = [(figi, symbol, since) for figi, own in names.items() for since, symbol in own]
    schema = {"figi": pl.String, "symbol": pl.String, "since": pl.Date}
    holders = pl.DataFrame(held, schema=schema, orient="row").join(filers.select("figi", "cik", "name"), on="figi")
    holders = holders.sort("since", "figi").drop("figi")
    first = holders.unique("symbol", keep="first", maintain_order=True).drop("since")
    rows = told.join(first, on="symbol", maintain_order="left")
    shared = holders.filter(pl.len().over("symbol") > 1)
    if shared.is_empty():
        return rows
    found = (
        rows.with_row_index("place")
        .sort("filed")
        .join_asof(shared, left_on="filed", right_on="since", by="symbol", suffix="_then", check_sortedness=False)
    )
    then = [pl.coalesce(f"{name}_then", name).alias(name) for name in ("cik", "name")]
    return found.sort("place").with_columns(then).select(rows.columns)


@dataclass(frozen=True, kw_only=True)
class _Index:
    """Where to find listings, all by FIGI: their rows, who had a symbol, a filer's, their counts of shares by day."""

    rows: dict[str, dict[str, Any]]
    of_symbol: dict[str, list[str]]
    of_filer: dict[str, list[str]]
    counts: dict[str, list[tuple[date | None, float | None]]]


def _names(rows: pl.DataFrame, renames: pl.DataFrame) -> dict[str, list[tuple[date, str]]]:
    """The symbols of each listing (figi) and since when it had them, after its changes of symbol by day."""
    names: dict[str, list[tuple[date, str]]] = {}
    lives: dict[str, tuple[date, date | None]] = {}
    holders: dict[str, set[str]] = {}
    for figi, symbol, begun, ended in rows.select("figi", "symbol", "listed_on", "delisted_on").iter_rows():
        names[figi], lives[figi] = [(begun, symbol)], (begun, ended)
        holders.setdefault(symbol, set()).add(figi)
    for old, new, day in renames.select("symbol", "new_symbol", "ex_date").iter_rows():
        for figi in sorted(holders.get(old, ())):
            begun, ended = lives[figi]
            if begun <= day and (ended is None or ended >= day):
                names[figi].append((day, new))
                holders[old].discard(figi)
                holders.setdefault(new, set()).add(figi)
    return names
