"""How many shares a listing has today: from what its company filed, else from the details of the listing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, SECURITIES, Held
from aitrader.domain.report import Report
from aitrader.providers.bodies import Page
from aitrader.providers.fetching import ahead
from aitrader.providers.polygon_source import PolygonSource
from aitrader.providers.sec_source import SecSource, counted_since
from aitrader.providers.vendor import BarSource
from aitrader.transport.transport import Stopped

RESTATED: Final = timedelta(days=90)  # a count may be filed, or told of a split, so late
KINDS: Final = ("common", "reit")  # an ADR stands for some number of shares that no filing tells
MOST_DETAILS: Final = 10  # listings asked for one by one in one population: two minutes of the free plan


@dataclass(frozen=True)
class ShareCounts:
    """Shares outstanding of one population's listings."""

    sec: SecSource | None  # None: it cannot be asked
    polygon: PolygonSource | None
    splitters: Sequence[BarSource]  # who tells splits, in the order in which they are asked
    held: Held
    report: Report

    def filed(self, last: date, stopped: Stopped | None = None) -> Page | SourceError | None:
        """The counts of shares that companies filed; None where the SEC cannot be asked."""
        if self.sec is None:
            return None
        try:
            return self.sec.shares(last, stopped)
        except SourceError as fault:
            return fault

    def splits(self, last: date) -> pl.DataFrame | SourceError:
        """The splits since the oldest count that may be told: long before the sessions that are missing."""
        fault = SourceError("no source of splits can be asked")
        for source in self.splitters:
            try:
                return source.splits(counted_since(last), last).frame
            except SourceError as told:
                fault = told
        return fault

    def told(
        self,
        filed: Future[Page | SourceError | None],
        securities: pl.DataFrame,
        bars: pl.DataFrame,
        splits: pl.DataFrame | SourceError,
        last: date,
    ) -> pl.DataFrame | None:
        """Shares outstanding as they stand today: symbol, shares_outstanding, source. None: nobody can be asked."""
        # A vendor may be as late with a split's effect as a company is with its filing.
        lately = pl.DataFrame(schema=ACTIONS) if isinstance(splits, SourceError) else splits
        lately = lately.filter((pl.col("kind") == "split") & (pl.col("ex_date") > last - RESTATED))
        known = self.held.counted | frozenset(lately["symbol"])
        found = []
        with ahead(1, "details") as begin:
            details = None
            if self.held.counted:  # what only Polygon knows is known by now: the SEC need not be waited for
                details = begin(lambda stopped: self._details(known, securities, bars, last, stopped))
            counts = self._of_companies(filed.result(), securities, splits, last)
            if counts is not None:
                found.append(counts)
                known |= frozenset(counts["symbol"])
            if self.polygon is not None:
                found.append(self._details(known, securities, bars, last) if details is None else details.result())
        return pl.concat(found) if found else None

    def _of_companies(
        self,
        filed: Page | SourceError | None,
        securities: pl.DataFrame,
        splits: pl.DataFrame | SourceError,
        last: date,
    ) -> pl.DataFrame | None:
        if filed is None:
            return None
        if isinstance(filed, SourceError) or isinstance(splits, SourceError):
            fault = filed if isinstance(filed, SourceError) else splits
            self.report.warn(f"sec gave no counts of shares, the last ones stay: {fault}")
            return None
        counts = share_rows(securities, filed.frame, splits, last)
        self.report.step(f"sec: shares of {counts.height:,} listings")
        return counts

    def _details(
        self,
        known: frozenset[str],
        securities: pl.DataFrame,
        bars: pl.DataFrame,
        last: date,
        stopped: Stopped | None = None,
    ) -> pl.DataFrame:
        """Shares of the most traded companies whose count nobody else has, a few in each population."""
        schema = {"symbol": pl.String, "shares_outstanding": pl.Float64, "source": pl.String}
        traded = bars.filter(pl.col("date") == last).select("symbol", value=pl.col("close") * pl.col("volume"))
        wanted = (
            securities.filter(pl.col("security_type").is_in(["common", "reit"]) & ~pl.col("symbol").is_in(list(known)))
            .join(traded, on="symbol")
            .sort("value", descending=True)["symbol"]
            .head(MOST_DETAILS)
            .to_list()
        )
        if not wanted or self.polygon is None:
            return pl.DataFrame(schema=schema)
        try:
            rows = self.polygon.details(wanted, stopped=stopped).frame
        except SourceError as fault:
            self.report.warn(f"polygon gave no details of listings, the last ones stay: {fault}")
            return pl.DataFrame(schema=schema)
        counted = rows.filter(pl.col("shares_outstanding") > 0)
        return counted.select("symbol", "shares_outstanding", source=pl.lit("polygon"))

    def added(
        self, securities: pl.DataFrame, provenance: pl.DataFrame, counts: pl.DataFrame, last: date
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The listings with their shares, which are known from today on and not before."""
        counts = counts.unique("symbol", keep="first")
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


def share_rows(securities: pl.DataFrame, filed: pl.DataFrame, actions: pl.DataFrame, today: date) -> pl.DataFrame:
    """Symbol, shares_outstanding and source ``sec`` for each listing whose company filed one count.

    ``securities``: schema SECURITIES, one row a symbol; ``filed``: cik, end, shares. A count is scaled by the splits
    between its date and ``today``. One that may have been filed after a split, and restated for it, is left out, for
    the filing's day is not told: the last known one stays. A company with several such listings (share classes) filed
    the count of one class, or a sum: which cannot be told, so its listings have none.
    """
    lines = securities.filter(pl.col("security_type").is_in(KINDS) & pl.col("cik").is_not_null())
    lines = lines.filter(pl.len().over("cik") == 1).join(filed, on="cik")
    splits = actions.filter(
        pl.col("kind").is_in(["split", "stock_dividend"]) & (pl.col("ratio") > 0) & (pl.col("ex_date") <= today)
    )
    factors = (
        lines.select("symbol", "end")
        .join(splits.select("symbol", "ex_date", "ratio"), on="symbol")
        .filter(pl.col("ex_date") > pl.col("end"))
        .group_by("symbol")
        .agg(factor=pl.col("ratio").product())
    )
    late = pl.col("ex_date").is_between(pl.col("end") + pl.duration(days=1), pl.col("end") + pl.lit(RESTATED))
    unsure = lines.select("symbol", "end").join(splits.select("symbol", "ex_date"), on="symbol").filter(late)
    lines = lines.join(unsure, on="symbol", how="anti")
    scaled = lines.join(factors, on="symbol", how="left", maintain_order="left")
    return scaled.select(
        "symbol",
        shares_outstanding=pl.col("shares") * pl.col("factor").fill_null(1.0),
        source=pl.lit("sec"),
    )
