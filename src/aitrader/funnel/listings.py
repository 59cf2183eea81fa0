"""What was known of each listing on a session: symbol, exchange, type, sector, issuer, whether it was listed."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

FINANCIAL = re.compile(
    r"\b(banks?|banking|insurance|insurers?|savings institutions?|reit|real estate investment trusts?)\b", re.IGNORECASE
)
UNKNOWN = "unknown"
BENCHMARK_SYMBOL = "SPY"
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
        digest: str,
        before: ListingView | None,
        changed: frozenset[str],
    ) -> None:
        self.security = security
        self.listed = listed  # within the listing interval
        self.inferred = inferred  # the interval is read off the bars
        self.issuer = issuer  # dense code: lines of one CIK share it
        self.digest = digest  # of all changes that led here
        self._text = text
        if before is not None:
            for name, needs in _MADE_OF.items():
                if name in before.__dict__ and not needs & changed:
                    self.__dict__[name] = before.__dict__[name]

    @cached_property
    def symbol(self) -> pl.Series:
        """Canonical symbols."""
        return pl.Series("symbol", self._text["symbol"], dtype=pl.String)

    @cached_property
    def exchange(self) -> pl.Series:
        """Exchanges, null where unknown."""
        return pl.Series("exchange", self._text["exchange"], dtype=pl.String)

    @cached_property
    def security_type(self) -> pl.Series:
        """Security types, "unknown" where the source tells none."""
        return pl.Series("security_type", self._text["security_type"], dtype=pl.String).fill_null(UNKNOWN)

    @cached_property
    def sector(self) -> pl.Series:
        """Sectors, "unknown" where the source tells none."""
        return pl.Series("sector", self._text["sector"], dtype=pl.String).fill_null(UNKNOWN)

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
        industries = pl.Series(self._text["industry"], dtype=pl.String)
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

    Changes are applied as the sessions pass; going back in time starts over.
    """

    def __init__(self, securities: pl.DataFrame, attributes: pl.DataFrame, intervals: pl.DataFrame) -> None:
        rows = securities.sort("id")
        self.ids = rows["id"].to_numpy().astype(np.uint32)
        self._symbols = rows["symbol"].to_list()
        self._inferred = rows["interval_inferred"].cast(pl.Boolean).fill_null(value=False).to_numpy()
        key = pl.coalesce(pl.lit("cik:") + pl.col("cik"), pl.lit("id:") + pl.col("id").cast(pl.String))
        self._issuer = rows.select(key.rank("dense")).to_series().to_numpy().astype(np.intp)
        self._changes: dict[date, list[tuple[str, int, object]]] = defaultdict(list)
        column = dict(zip(self.ids.tolist(), range(self.ids.size), strict=True))
        self._load_intervals(rows)
        told = attributes.sort("known_on", "security", maintain_order=True).select("known_on", "security", *ATTRIBUTES)
        for known_on, security, *values in told.iter_rows():
            if security in column:
                self._add(
                    known_on, ((name, column[security], value) for name, value in zip(ATTRIBUTES, values, strict=True))
                )
        named = intervals.sort("from_date", "security", maintain_order=True).select("from_date", "security", "symbol")
        for from_date, security, symbol in named.iter_rows():
            if security in column:
                self._add(from_date, [("symbol", column[security], symbol)])
        self._days = sorted(self._changes)
        self._start_over()

    def _load_intervals(self, rows: pl.DataFrame) -> None:
        for at, (listed_on, delisted_on) in enumerate(rows.select("listed_on", "delisted_on").iter_rows()):
            self._add(listed_on, [("listed", at, True)])
            if delisted_on is not None:
                self._add(delisted_on, [("listed", at, False)])

    def _add(self, day: date | None, changes: Iterable[tuple[str, int, object]]) -> None:
        self._changes[day or date.min].extend(one for one in changes if one[2] is not None)

    def _start_over(self) -> None:
        self._text = {name: np.full(self.ids.size, None, dtype=object) for name in ATTRIBUTES}
        self._text["symbol"] = np.array(self._symbols, dtype=object)
        self._listed = np.zeros(self.ids.size, dtype=bool)
        self._digest = ""
        self._applied = 0
        self._view: ListingView | None = None

    def at(self, session: date) -> ListingView:
        """The view of ``session``; the same object while nothing changes."""
        if self._applied and self._days[self._applied - 1] > session:
            self._start_over()
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
                digest=self._digest,
                before=self._view,
                changed=frozenset(changed),
            )
        return self._view

    def _apply(self, changes: list[tuple[str, int, object]]) -> set[str]:
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
        self._digest = hashlib.sha256((self._digest + repr(changes)).encode()).hexdigest()
        return changed
