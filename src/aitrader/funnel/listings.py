"""What was known of each listing on a session: symbol, exchange, type, sector, issuer, whether it was listed."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import defaultdict
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

FINANCIAL = re.compile(
    r"\b(banks?|banking|insurance|insurers?|savings institutions?|reit|real estate investment trusts?)\b", re.IGNORECASE
)
UNKNOWN = "unknown"
BENCHMARK_SYMBOL = "SPY"
Change = tuple[str, int, str | bool]
ATTRIBUTES = ("exchange", "security_type", "sector", "industry")
FUNDS = ("etf", "fund")


class ListingView:
    """The listings as known on one session; arrays over securities in order of id.

    What did not change since ``before`` is taken from there.
    """

    def __init__(
        self,
        *,
        security: np.ndarray,
        text: dict[str, np.ndarray],
        listed: np.ndarray,
        inferred: np.ndarray,
        issuer: np.ndarray,
        before: ListingView | None,
        changed: frozenset[str],
    ) -> None:
        self.security = security
        self.listed = listed  # within the listing interval
        self.inferred = inferred  # the interval is read off the bars
        self.issuer = issuer  # dense code: lines of one CIK share it
        self._text = text
        if before is not None:
            for name, needs in _MADE_OF.items():
                if name in before.__dict__ and not needs & changed:
                    self.__dict__[name] = before.__dict__[name]

    @cached_property
    def symbol(self) -> pl.Series:
        """Canonical symbols."""
        return pl.Series("symbol", self._text["symbol"].tolist(), dtype=pl.String)

    @cached_property
    def exchange(self) -> pl.Series:
        """Exchanges, null where unknown."""
        return pl.Series("exchange", self._text["exchange"].tolist(), dtype=pl.String)

    @cached_property
    def security_type(self) -> pl.Series:
        """Security types, "unknown" where the source tells none."""
        return pl.Series("security_type", self._text["security_type"].tolist(), dtype=pl.String).fill_null(UNKNOWN)

    @cached_property
    def sector(self) -> pl.Series:
        """Sectors, "unknown" where the source tells none."""
        return pl.Series("sector", self._text["sector"].tolist(), dtype=pl.String).fill_null(UNKNOWN)

    @cached_property
    def sector_code(self) -> np.ndarray:
        """Dense codes of the sectors, unknown included."""
        return self.sector.rank("dense").to_numpy().astype(np.intp)

    @cached_property
    def fund(self) -> pl.Series:
        """An exchange-traded or closed-end fund."""
        return self.security_type.is_in(list(FUNDS)).alias("fund")

    @cached_property
    def financial(self) -> np.ndarray:
        """Bank, insurer or REIT, by industry or type."""
        industries = pl.Series(self._text["industry"].tolist(), dtype=pl.String)
        money = {name for name in industries.unique().drop_nulls() if FINANCIAL.search(name)}
        by_industry = industries.is_in(list(money)).fill_null(value=False)
        return (by_industry | (self.security_type == "reit")).to_numpy()

    @cached_property
    def benchmark(self) -> int | None:
        """The column of SPY while it is listed, None without one."""
        found = np.flatnonzero((self._text["symbol"] == BENCHMARK_SYMBOL) & self.listed)
        return int(found[0]) if found.size else None


_MADE_OF = {
    "symbol": frozenset({"symbol"}),
    "exchange": frozenset({"exchange"}),
    "security_type": frozenset({"security_type"}),
    "fund": frozenset({"security_type"}),
    "sector": frozenset({"sector"}),
    "sector_code": frozenset({"sector"}),
    "financial": frozenset({"industry", "security_type"}),
    "benchmark": frozenset({"symbol", BENCHMARK_SYMBOL}),
}


class Listings:
    """Listing history as stored. :meth:`at` gives the view of a session from what was known by then only.

    What was known by ``base`` is taken at once, later changes are applied as the sessions pass; a session before the
    last one asked for, or before ``base``, starts over.
    """

    def __init__(
        self,
        securities: pl.DataFrame,
        attributes: pl.DataFrame,
        intervals: pl.DataFrame,
        *,
        base: date | None = None,
    ) -> None:
        self._rows = securities.sort("id")
        self._attributes = attributes.sort("known_on", "security", maintain_order=True)
        self._intervals = intervals.sort("from_date", "security", maintain_order=True)
        self.ids = self._rows["id"].to_numpy().astype(np.uint32)
        self._inferred = self._rows["interval_inferred"].cast(pl.Boolean).fill_null(value=False).to_numpy()
        key = pl.coalesce(pl.lit("cik:") + pl.col("cik"), pl.lit("id:") + pl.col("id").cast(pl.String))
        self._issuer = self._rows.select(key.rank("dense")).to_series().to_numpy().astype(np.intp)
        self._start_over(base or date.min)

    def _start_over(self, base: date) -> None:
        """The listings as known on ``base``, and every later change by its day."""
        known = (pl.col("known_on") <= base) | pl.col("known_on").is_null()
        told = (
            self._attributes.filter(known).group_by("security").agg(pl.col(n).drop_nulls().last() for n in ATTRIBUTES)
        )
        named = (
            self._intervals.filter(pl.col("from_date") <= base)
            .group_by("security")
            .agg(pl.col("symbol").last().alias("symbol_now"))
        )
        rows = self._rows.select("id", "symbol", "listed_on", "delisted_on")
        for part in (told, named):
            rows = rows.join(part, left_on="id", right_on="security", how="left", maintain_order="left")
        begun = pl.col("listed_on").is_null() | (pl.col("listed_on") <= base)
        ended = (pl.col("delisted_on") <= base).fill_null(value=False)
        rows = rows.with_columns(pl.coalesce("symbol_now", "symbol").alias("symbol"), (begun & ~ended).alias("listed"))
        self._text = {name: np.array(rows[name].to_list(), dtype=object) for name in (*ATTRIBUTES, "symbol")}
        self._listed = rows["listed"].to_numpy().copy()
        self._base, self._applied = base, 0
        self._view: ListingView | None = None
        self._load_changes(base)

    def _load_changes(self, base: date) -> None:
        column = {int(one): at for at, one in enumerate(self.ids)}
        changes: dict[date, list[Change]] = defaultdict(list)
        for name, value in (("listed_on", True), ("delisted_on", False)):
            for security, day in self._rows.filter(pl.col(name) > base).select("id", name).iter_rows():
                changes[day].append(("listed", column[security], value))
        later = self._attributes.filter(
            (pl.col("known_on") > base) & pl.col("security").is_in(self._rows["id"].implode())
        )
        for day, security, *values in later.select("known_on", "security", *ATTRIBUTES).iter_rows():
            told = zip(ATTRIBUTES, values, strict=True)
            changes[day].extend((name, column[security], value) for name, value in told if value is not None)
        renamed = self._intervals.filter(
            (pl.col("from_date") > base) & pl.col("security").is_in(self._rows["id"].implode())
        )
        for day, security, symbol in renamed.select("from_date", "security", "symbol").iter_rows():
            changes[day].append(("symbol", column[security], symbol))
        self._changes = changes
        self._days = sorted(changes)

    def at(self, session: date) -> ListingView:
        """The view of ``session``; the same object while nothing changes."""
        if session < self._base or (self._applied and self._days[self._applied - 1] > session):
            self._start_over(date.min)
        changed: set[str] = set()
        first = self._applied
        while self._applied < len(self._days) and self._days[self._applied] <= session:
            changed |= self._apply(self._changes[self._days[self._applied]])
            self._applied += 1
        if self._view is None or self._applied > first:
            self._view = ListingView(
                security=self.ids,
                text=dict(self._text),
                listed=self._listed.copy(),
                inferred=self._inferred,
                issuer=self._issuer,
                before=self._view,
                changed=frozenset(changed),
            )
        return self._view

    def digest(self, after: date | None, until: date) -> str:
        """Of the changes that came in (``after``, ``until``]; of all known by ``until`` where ``after`` is None."""
        if after is None:
            self.at(until)
            listed = self.ids[self._listed].tolist()
            told = [[values[at] for at in np.flatnonzero(self._listed)] for values in self._text.values()]
            return hashlib.sha256(repr((listed, told)).encode()).hexdigest()
        news = [
            (name, int(self.ids[at]), value)
            for day in self._days[bisect_right(self._days, after) : bisect_right(self._days, until)]
            for name, at, value in self._changes[day]
        ]
        return hashlib.sha256(repr(news).encode()).hexdigest()

    def _apply(self, changes: list[Change]) -> set[str]:
        """Apply one day's changes; the names of what really changed."""
        changed = set()
        for name, at, value in changes:
            if name == "listed":
                self._listed[at] = value
                if self._text["symbol"][at] == BENCHMARK_SYMBOL:
                    changed.add(BENCHMARK_SYMBOL)
            elif self._text[name][at] != value:
                if name not in changed:  # views share what has not changed
                    self._text[name] = self._text[name].copy()
                    changed.add(name)
                self._text[name][at] = value
        return changed
