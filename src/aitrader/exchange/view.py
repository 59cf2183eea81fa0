"""What of the market is public at an instant: finished sessions, listings, actions, reports and headlines so far."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property

import polars as pl

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK, Calendar, xnys
from aitrader.domain.symbols import spell_expr
from aitrader.exchange.bars import BarTable, day_number


class View:
    """The market at ``now``; nothing later is in it. Everything costly is made once and kept."""

    def __init__(self, market: Delivery, table: BarTable, now: datetime) -> None:
        self._market, self.table, self.now = market, table, now.astimezone(UTC)
        self.calendar: Calendar = xnys()
        self.today: date = now.astimezone(NEW_YORK).date()
        session = self.calendar.last_on_or_before(self.today)
        self.session = session if self.calendar.close(session) <= self.now else self.calendar.previous(session)
        self.last_day = day_number(self.session)
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
        """Fundamentals known by now, with the filer's number and name."""
        told = self._market.fundamentals.filter(pl.col("known_at") <= self.now)
        filer = self.listings.filter(pl.col("cik").is_not_null())
        first = pl.col("first_symbol").alias("symbol")
        both = pl.concat([filer.select("symbol", "cik", "name"), filer.select(first, "cik", "name")])
        told = told.with_columns(filed=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date())
        return told.join(both.unique("symbol", keep="first"), on="symbol", how="inner").sort("cik", "known_at")

    @cached_property
    def listings(self) -> pl.DataFrame:
        """One row a listing under today's symbol, with its last count of shares and whether it still trades."""
        known = self._market.securities.filter(
            (pl.col("listed_on") <= self.today) & (pl.col("known_on").is_null() | (pl.col("known_on") <= self.today))
        ).sort("figi", "known_on", nulls_last=False)
        rows = known.group_by("figi", maintain_order=True).agg(
            pl.all().exclude("shares_outstanding", "known_on").first(), pl.col("shares_outstanding").last()
        )
        renames = self.actions.filter(pl.col("kind") == "symbol_change").sort("ex_date")
        name = pl.col("symbol")
        rows = rows.with_columns(first_symbol=name)
        for old, new, day in renames.select("symbol", "new_symbol", "ex_date").iter_rows():
            mine = (name == old) & (pl.col("listed_on") <= day)
            mine &= pl.col("delisted_on").is_null() | (pl.col("delisted_on") >= day)
            rows = rows.with_columns(symbol=pl.when(mine).then(pl.lit(new)).otherwise(name))
        gone = (pl.col("delisted_on") <= self.today).fill_null(False)
        spelled = {vendor: spell_expr(name, vendor) for vendor in ("alpaca", "polygon", "sec")}
        return rows.with_columns(active=~gone, **spelled).sort("symbol", "listed_on")
