"""Daily bars sorted by symbol and day, cut into pages and rendered by columns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from aitrader.domain.sessions import NEW_YORK

EPOCH: Final = date(1970, 1, 1)
Rows = npt.NDArray[np.int64]


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def midnight(day: date) -> datetime:
    """Midnight in New York as a UTC instant: how both vendors stamp a daily bar."""
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Consecutive bars: row numbers, how many rows each symbol has, and the last bar if more follow."""

    rows: Rows
    parts: list[tuple[str, int]]
    last: tuple[str, int] | None


class BarTable:
    """Every bar of the market, by symbol and day; ``splits`` are (symbol, day, new shares for one old)."""

    def __init__(self, bars: pl.DataFrame, splits: Sequence[tuple[str, int, float]]) -> None:
        frame = bars.sort("symbol", "date")
        runs = frame["symbol"].rle().struct.unnest()
        ends = np.cumsum(runs["len"].to_numpy().astype(np.int64))
        starts = ends - runs["len"].to_numpy()
        self.symbols: list[str] = runs["value"].to_list()
        self._span = {s: (int(a), int(b)) for s, a, b in zip(self.symbols, starts, ends, strict=True)}
        self.symbol = frame["symbol"]
        self.days: npt.NDArray[np.int32] = frame["date"].cast(pl.Int32).to_numpy().astype(np.int32)
        self._values = {c: frame[c].to_numpy() for c in ("open", "high", "low", "close", "volume")}
        self._by_day = np.argsort(self.days, kind="stable").astype(np.int64)
        self._sorted_days = self.days[self._by_day]
        self._known = np.unique(self.days)
        dates = [date.fromordinal(EPOCH.toordinal() + int(d)) for d in self._known]
        self._stamps = pl.Series([midnight(d).strftime("%Y-%m-%dT%H:%M:%SZ") for d in dates], dtype=pl.String)
        self._millis = np.array([int(midnight(d).timestamp() * 1000) for d in dates], dtype=np.int64)
        self._splits: dict[str, list[tuple[int, float]]] = {}
        for symbol, day, ratio in splits:
            self._splits.setdefault(symbol, []).append((day, ratio))

    def span(self, symbol: str, first: int, last: int) -> tuple[int, int]:
        """The rows of a symbol from one day to another, both included."""
        a, b = self._span.get(symbol, (0, 0))
        low, high = np.searchsorted(self.days[a:b], [first, last + 1])
        return a + int(low), a + max(int(high), int(low))

    def on(self, day: int) -> Rows:
        """The rows of a day, by symbol."""
        low, high = np.searchsorted(self._sorted_days, [day, day + 1])
        return self._by_day[low:high]

    def page(
        self,
        symbols: list[str],
        first: int,
        last: int,
        limit: int,
        *,
        after: tuple[str, int] | None = None,
        descending: bool = False,
    ) -> Page:
        """Up to ``limit`` bars over all symbols (sorted), from behind the bar ``after``."""
        at = 0 if after is None else bisect_left(symbols, after[0])
        pieces: list[Rows] = []
        parts: list[tuple[str, int]] = []
        left = limit
        for symbol in symbols[at:]:
            low, high = first, last
            if after is not None and symbol == after[0]:
                low, high = (low, min(high, after[1] - 1)) if descending else (max(low, after[1] + 1), high)
            a, b = self.span(symbol, low, high)
            if a == b:
                continue
            if not left:  # one more bar exists: the page is not the last
                return Page(rows=np.concatenate(pieces), parts=parts, last=self._last(pieces, parts))
            rows = np.arange(a, b)[::-1] if descending else np.arange(a, b)
            pieces.append(rows[:left])
            parts.append((symbol, min(left, b - a)))
            if b - a > left:
                return Page(rows=np.concatenate(pieces), parts=parts, last=self._last(pieces, parts))
            left -= b - a
        return Page(rows=np.concatenate(pieces) if pieces else np.arange(0), parts=parts, last=None)

    def _last(self, pieces: list[Rows], parts: list[tuple[str, int]]) -> tuple[str, int]:
        return parts[-1][0], int(self.days[pieces[-1][-1]])

    def columns(self, rows: Rows, *, split_adjusted: bool, known: int) -> pl.DataFrame:
        """Bars as columns with their stamps; adjusted for the splits up to day ``known``."""
        days = self.days[rows]
        at = np.searchsorted(self._known, days)
        values: dict[str, Any] = {name: column[rows] for name, column in self._values.items()}
        frame = pl.DataFrame(
            {
                "T": self.symbol.gather(rows),
                "t": self._stamps.gather(at),
                "ms": self._millis[at],
                **values,
            }
        )
        factor = self._factor(frame["T"], days, known) if split_adjusted else None
        if factor is not None:
            prices = pl.col("open", "high", "low", "close")
            frame = frame.with_columns(factor=factor).with_columns(
                (prices / pl.col("factor")).round(4), (pl.col("volume") * pl.col("factor")).round()
            )
        middle = (pl.sum_horizontal("open", "high", "low", "close") / 4).round(4)
        return frame.with_columns(  # the simulated market has neither; both vendors always tell them
            pl.col("volume").cast(pl.Int64),
            vwap=pl.min_horizontal(pl.max_horizontal(middle, "low"), "high"),
            trades=(pl.col("volume") / 100).ceil().cast(pl.Int64),
        )

    def _factor(self, symbol: pl.Series, days: npt.NDArray[np.int32], known: int) -> npt.NDArray[np.float64] | None:
        """New shares for one old from each bar's day to today; None where nothing was split."""
        hit = [s for s in symbol.unique().to_list() if s in self._splits]
        if not hit:
            return None
        factor = np.ones(len(days))
        for name in hit:
            own = (symbol == name).to_numpy()
            for day, ratio in self._splits[name]:
                if day <= known:
                    factor[own & (days < day)] *= ratio
        return factor
