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
from aitrader.domain.symbols import spell_expr

EPOCH: Final = date(1970, 1, 1)
Rows = npt.NDArray[np.int64]


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def _small(codes: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Codes below ``count`` in the type that is sorted fastest."""
    return codes.astype(np.uint16 if count <= 1 << 16 else np.uint32)


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
        names = bars["symbol"].unique().sort()
        code = _small(bars["symbol"].cast(pl.Enum(names)).to_physical().to_numpy(), len(names))
        days = bars["date"].cast(pl.Int32).to_numpy()
        self._known, at = np.unique(days, return_inverse=True)
        order = np.argsort(_small(at, len(self._known)), kind="stable")
        order = order[np.argsort(code[order], kind="stable")]
        self._code = code[order].astype(np.uint32)
        self.symbols: list[str] = names.to_list()
        ends = np.cumsum(np.bincount(self._code, minlength=len(names)))
        starts = np.concatenate(([0], ends[:-1]))
        self._span = {s: (int(a), int(b)) for s, a, b in zip(self.symbols, starts, ends, strict=True)}
        self._spelled: dict[str, pl.Series] = {}
        self._reading: dict[str, dict[str, str]] = {}
        self.days: npt.NDArray[np.int32] = days[order].astype(np.int32)
        self._values = {c: bars[c].to_numpy()[order] for c in ("open", "high", "low", "close", "volume")}
        self._by_day = np.argsort(_small(at, len(self._known))[order], kind="stable").astype(np.int64)
        self._sorted_days = self.days[self._by_day]
        dates = [date.fromordinal(EPOCH.toordinal() + int(d)) for d in self._known]
        self._stamps = pl.Series([midnight(d).strftime("%Y-%m-%dT%H:%M:%SZ") for d in dates], dtype=pl.String)
        self._millis = np.array([int(midnight(d).timestamp() * 1000) for d in dates], dtype=np.int64)
        self._splits = tuple(splits)
        self._factors: tuple[int, npt.NDArray[np.float64]] | None = None

    def span(self, symbol: str, first: int, last: int) -> tuple[int, int]:
        """The rows of a symbol from one day to another, both included."""
        a, b = self._span.get(symbol, (0, 0))
        low, high = np.searchsorted(self.days[a:b], [first, last + 1])
        return a + int(low), a + max(int(high), int(low))

    def on(self, day: int) -> Rows:
        """The rows of a day, by symbol."""
        low, high = np.searchsorted(self._sorted_days, np.array([day, day + 1], dtype=np.int32))
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

    def columns(self, rows: Rows, *, split_adjusted: bool, known: int, vendor: str | None = None) -> pl.DataFrame:
        """Bars as columns with their stamps, and their symbols as ``vendor`` spells them.

        Adjusted for the splits up to day ``known``.
        """
        at = np.searchsorted(self._known, self.days[rows])
        values: dict[str, Any] = {name: column[rows] for name, column in self._values.items()}
        named = {} if vendor is None else {"T": self._names(vendor).gather(self._code[rows])}
        frame = pl.DataFrame({**named, "t": self._stamps.gather(at), "ms": self._millis[at], **values})
        factor = self._factor(known)[rows] if split_adjusted and self._splits else None
        if factor is not None and (factor != 1).any():
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

    def close(self, symbol: str, first: int, last: int) -> float | None:
        """The last close of a symbol from one day to another; None where it has none."""
        a, b = self.span(symbol, first, last)
        return float(self._values["close"][b - 1]) if b > a else None

    def _names(self, vendor: str) -> pl.Series:
        """The symbols in order, as a vendor spells them."""
        if vendor not in self._spelled:
            plain = pl.DataFrame({"symbol": self.symbols}, schema={"symbol": pl.String})
            self._spelled[vendor] = plain.select(spell_expr(pl.col("symbol"), vendor)).to_series()
        return self._spelled[vendor]

    def reading(self, vendor: str) -> dict[str, str]:
        """The symbols by a vendor's spelling."""
        if vendor not in self._reading:
            self._reading[vendor] = dict(zip(self._names(vendor).to_list(), self.symbols, strict=True))
        return self._reading[vendor]

    def _factor(self, known: int) -> npt.NDArray[np.float64]:
        """New shares for one old from each bar's day to day ``known``, for all bars; kept for the day asked last."""
        if self._factors is None or self._factors[0] != known:
            factor = np.ones(len(self.days))
            for symbol, day, ratio in self._splits:
                if day <= known:
                    a, b = self.span(symbol, 0, day - 1)
                    factor[a:b] *= ratio
            self._factors = (known, factor)
        return self._factors[1]
