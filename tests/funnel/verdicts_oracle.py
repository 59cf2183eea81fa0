"""Verdicts of the set of 2015-2016 a second time: NumPy and plain Python from the raw files.

A symbol's bars are cleaned, its actions told from the factors, its indicators computed with TA-Lib and its trailing
figures added up, each in the plainest way; nothing here comes from the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.oracles import indicators_oracle as indicators

Floats = indicators.Floats

COLUMNS = ("open", "high", "low", "close", "volume")
BOGUS = 100  # a date with fewer rows in the whole market is a holiday
FORWARD = (5 / 4, 4 / 3, 3 / 2, 5 / 3, 5 / 2, *range(2, 101))  # new shares for an old one, as splits are done
JUMPS = (2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 75, 80, 100)
REMEMBERED, STANDS_IN = 60, 20  # sessions
QUARTER, YEAR = (70, 115), (340, 392)  # days between the ends of neighbouring periods
OLD_PERIOD, OLD_FILING = 460, 400  # days
FACTORS = {
    "rsi": "rsi_14",
    "sma20": "sma_20",
    "sma50": "sma_50",
    "macd_cross_age": "macd_cross_age",
    "macd": "macd",
    "macd_signal": "macd_signal",
    "bollinger_lower": "bollinger_lower",
    "bollinger_upper": "bollinger_upper",
    "volume_surge": "volume_surge",
    "volume": "volume_mean_20",
    "high_52w": "high_252",
}


@dataclass(frozen=True, kw_only=True)
class Corporate:
    """What happens to a symbol: a split's ratio, or the share of the price that is left, or nothing but a date."""

    session: int
    ratio: float | None = None
    left: float | None = None


class RawSet:
    """The raw files up to one session; :meth:`values` gives a symbol's numbers of that session."""

    def __init__(self, data: Path, session: date) -> None:
        bars = pl.read_parquet(data / "bars" / "daily_unadjusted_2015_2016.parquet").filter(pl.col("date") <= session)
        busy = bars.group_by("date").len().filter(pl.col("len") >= BOGUS)
        self.sessions = sorted(busy["date"].to_list())
        self.session, self._at = session, {day: at for at, day in enumerate(self.sessions)}
        believed = bars.join(busy, on="date", how="semi").filter((pl.col("close") > 0) & (pl.col("volume") >= 0))
        once = believed.unique(["symbol", "date"], keep="first", maintain_order=True)
        self._bars = self._by_symbol(once.with_columns(pl.col(COLUMNS).cast(pl.Float64).fill_null(np.nan)))
        self._known_bars: dict[str, indicators.Bars] = {}
        self._known_actions: dict[str, list[Corporate]] = {}
        factors = pl.read_parquet(data / "bars" / "adjustments_2015_2016.parquet")
        self._factors = self._by_symbol(factors.filter(pl.col("ex_date") <= session))
        reports = pl.read_parquet(data / "fundamentals" / "reports_10k_10q_2015_2017.parquet")
        self._reports = self._by_symbol(reports.filter(pl.col("collected") < session))

    @staticmethod
    def _by_symbol(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
        return {str(key[0]): part for key, part in rows.partition_by("symbol", as_dict=True).items()}

    @property
    def symbols(self) -> list[str]:
        """Symbols with bars."""
        return sorted(self._bars)

    def bars(self, symbol: str) -> indicators.Bars:
        """The symbol's bars on the axis of sessions, with what cannot be believed left out."""
        if symbol not in self._known_bars:
            self._known_bars[symbol] = self._clean_bars(symbol)
        return self._known_bars[symbol]

    def _clean_bars(self, symbol: str) -> indicators.Bars:
        rows = self._bars[symbol]
        at = [self._at[day] for day in rows["date"]]
        columns = {}
        for name in COLUMNS:
            columns[name] = np.full(len(self.sessions), np.nan)
            columns[name][at] = rows[name].to_numpy()
        for name in ("open", "high", "low"):
            columns[name][columns[name] <= 0] = np.nan
        high, low, close, opened = (columns[name] for name in ("high", "low", "close", "open"))
        with np.errstate(invalid="ignore"):
            bad_high = (high < close) | (high < low)
            bad_low, bad_open = low > close, (opened > high) | (opened < low)
        high[bad_high], low[bad_low], opened[bad_open] = np.nan, np.nan, np.nan
        return indicators.Bars(**columns)

    def actions(self, symbol: str) -> list[Corporate]:
        """What the symbol's factors say, in order of session."""
        if symbol not in self._known_actions:
            self._known_actions[symbol] = self._told_actions(symbol) if symbol in self._factors else []
        return self._known_actions[symbol]

    def _told_actions(self, symbol: str) -> list[Corporate]:
        out = []
        last = np.concatenate([[np.nan], indicators.forward_fill(self.bars(symbol).close)[:-1]])
        rows = self._factors[symbol].sort("ex_date").select("ex_date", "adj_ratio", "prev_close")
        for day, factor, before in rows.iter_rows():
            if day not in self._at or factor == 1:
                continue
            split = factor > 1.25 or (factor < 0.8 and any(abs(factor * new - 1) < 0.003 for new in FORWARD))
            at = self._at[day]
            # The factor is of the vendor's close, the cash is what is paid on the close of the bars.
            left = None if split or factor >= 0.95 else float(1 - before * (1 - factor) / last[at])
            out.append(Corporate(session=at, ratio=1 / factor if split else None, left=left))
        return out

    def doubtful(self, symbol: str) -> bool:
        """Whether telling the symbol's actions needs more judgement than is used here: two near each other, or one
        that its prices deny."""
        moving = [one for one in self.actions(symbol) if one.ratio is not None or one.left is not None]
        close = indicators.forward_fill(self.bars(symbol).close)
        near = any(b.session - a.session <= 2 for a, b in pairwise(moving))
        denied = False
        for one in moving:
            if one.session:
                move = close[one.session] / close[one.session - 1]
                denied |= bool(abs(np.log(move * one.ratio if one.ratio else move / (one.left or 1.0))) > 0.25)
        return near or denied or any(one.session == 0 for one in moving)

    def _factors_of(self, symbol: str) -> dict[str, Floats]:
        known = []
        for one in self.actions(symbol):
            if one.ratio is not None:
                known.append(indicators.split(one.session, one.ratio))
            elif one.left is not None:
                known.append(indicators.Action(session=one.session, price=one.left, volume=1.0))
        bars = self.bars(symbol)
        whole = indicators.factors(bars, known)
        unexplained = self._unexplained(bars, self.actions(symbol))
        if not unexplained:
            return whole
        # Prices before a possible split say nothing of those after it; shares traded are shares traded.
        prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
        for values in prices.values():
            values[: unexplained[-1]] = np.nan
        since = indicators.factors(indicators.Bars(volume=bars.volume, **prices), known)
        return since | {name: whole[name] for name in ("volume_mean_20", "volume_surge")}

    def values(self, symbol: str) -> dict[str, float | None]:
        """The factors of the last session, None where unknown, and ``suspect``."""
        bars, found = self.bars(symbol), self._factors_of(symbol)
        last = float(indicators.forward_fill(bars.close, STANDS_IN)[-1])
        out = {mine: float(found[theirs][-1]) for mine, theirs in FACTORS.items()}
        if int(np.sum(~np.isnan(bars.close))) < 60:
            out["high_52w"] = np.nan
        out |= {f"return_{n}d_pct": 100 * float(found[f"return_{n}"][-1]) for n in (1, 5, 63)}
        out["macd_histogram"] = out["macd"] - out["macd_signal"]
        out["price"], out["history"] = last, float(np.sum(~np.isnan(bars.close)))
        out["distance_from_high_pct"] = 100 * (last / out["high_52w"] - 1)
        out["sma50_gap_pct"] = 100 * (last / out["sma50"] - 1)
        out |= self._figures(symbol, last)
        jumps = self._unexplained(bars, self.actions(symbol))
        out["suspect"] = float(bool(jumps) and len(bars) - 1 - jumps[-1] < REMEMBERED)
        told = {name: None if np.isnan(value) else value for name, value in out.items()}
        if np.isnan(bars.close[-1]):
            silent = (*FACTORS, "macd_histogram", "distance_from_high_pct", "sma50_gap_pct")
            told |= dict.fromkeys(silent, None) | {"volume": told["volume"]}
        return told

    @staticmethod
    def _unexplained(bars: indicators.Bars, actions: Sequence[Corporate]) -> list[int]:
        """Sessions that open at a simple fraction of the last close, or a multiple of it, for no known reason."""
        explained = {one.session for one in actions if one.ratio is not None or one.left is not None}
        before = np.concatenate([[np.nan], indicators.forward_fill(bars.close)[:-1]])
        ratio = np.where(np.isnan(bars.open), bars.close, bars.open) / before
        out = []
        for t in np.flatnonzero((ratio < 0.55) | (ratio > 1.8)):
            times = max(ratio[t], 1 / ratio[t])
            if t not in explained and any(abs(times / n - 1) <= 0.03 for n in JUMPS):
                out.append(int(t))
        return out

    # --- trailing figures ---

    def _figures(self, symbol: str, price: float) -> dict[str, float]:
        unknown = dict.fromkeys(("pe", "eps", "revenue_growth_pct", "earnings_trend"), np.nan)
        if symbol not in self._reports:
            return unknown
        found = self._reports[symbol].sort("collected", "end_date", maintain_order=True)
        # Each report stands twice, and some symbols carry another filer's as well: the first one counts.
        found = found.unique(["end_date", "period_focus", "doc_type", "amend"], keep="first", maintain_order=True)
        rows = [row for row in found.rows(named=True) if row["end_date"] <= row["collected"]]
        if not rows or (self.session - rows[-1]["collected"]).days > OLD_FILING:
            return unknown
        quarters = self._periods(symbol, [row for row in rows if row["period_focus"] != "FY"])
        years = self._periods(symbol, [row for row in rows if row["period_focus"] == "FY"])
        for end, year in years.items():
            inside = [q for e, q in quarters.items() if e < end and (end - e).days <= 300]
            if len(inside) == 3 and end not in quarters:
                quarters[end] = {n: year[n] - sum(q[n] for q in inside) for n in ("eps", "revenue")}
        chain = _chain(quarters)
        ends = sorted(years, reverse=True)
        eps = sum(q["eps"] for _, q in chain[:4]) if len(chain) >= 4 else np.nan
        revenue = sum(q["revenue"] for _, q in chain[:4]) if len(chain) >= 4 else np.nan
        last_year = years[ends[0]] if ends else {"eps": np.nan, "revenue": np.nan}
        current = not ends or (bool(chain) and chain[0][0] >= ends[0])  # no fiscal year is newer than the quarters
        newest = max(row["end_date"] for row in rows)
        for quarterly, annual in ((revenue, last_year["revenue"]), (eps, last_year["eps"])):
            if not np.isnan(_chosen(quarterly, annual, current)):
                by_quarter = (current and not np.isnan(quarterly)) or np.isnan(annual)
                newest = chain[0][0] if by_quarter else ends[0]
        if (self.session - newest).days > OLD_PERIOD:
            return unknown
        before = sum(q["revenue"] for _, q in chain[4:8]) if len(chain) >= 8 else np.nan
        by_year = np.nan
        if len(ends) > 1 and YEAR[0] <= (ends[0] - ends[1]).days <= YEAR[1]:
            by_year = _growth(years[ends[0]]["revenue"], years[ends[1]]["revenue"])
        growth = _chosen(_growth(revenue, before), by_year, current)
        eps = _chosen(eps, last_year["eps"], current)
        jumps = self._unexplained(self.bars(symbol), self.actions(symbol))
        if jumps and rows[-1]["collected"] < self.sessions[jumps[-1] - 1]:
            eps = np.nan  # of an unknown share basis until a report is filed on the new one
        trend = np.nan
        if len(chain) >= 6 and not any(np.isnan(chain[at][1]["eps"]) for at in (0, 1, 4, 5)):
            trend = float(sum(chain[at][1]["eps"] > chain[at + 4][1]["eps"] for at in (0, 1)))
        pe = price / eps if eps > 0 else np.nan
        return {"pe": pe, "eps": eps, "revenue_growth_pct": 100 * growth, "earnings_trend": trend}

    def _periods(self, symbol: str, rows: Sequence[Mapping[str, Any]]) -> dict[date, dict[str, float]]:
        """By the end of each period the latest known figures, earnings on today's share basis."""
        out: dict[date, dict[str, float]] = {}
        for row in rows:
            found = out.setdefault(row["end_date"], {"eps": np.nan, "revenue": np.nan})
            if row["eps_diluted"] is not None:
                found["eps"] = float(row["eps_diluted"]) / self._became(symbol, row["collected"])
            if row["revenues"] is not None:
                found["revenue"] = float(row["revenues"])
        return out

    def _became(self, symbol: str, since: date) -> float:
        shares = 1.0
        for one in self.actions(symbol):
            if one.ratio is not None and self.sessions[one.session] > since:
                shares *= one.ratio
        return shares


def _chain(quarters: Mapping[date, dict[str, float]]) -> list[tuple[date, dict[str, float]]]:
    """Neighbouring quarters from the newest back."""
    chain: list[tuple[date, dict[str, float]]] = []
    for end in sorted(quarters, reverse=True):
        if chain and not QUARTER[0] <= (chain[-1][0] - end).days <= QUARTER[1]:
            break
        chain.append((end, quarters[end]))
    return chain


def _chosen(quarterly: float, annual: float, current: bool) -> float:
    """Quarters unless a fiscal year is newer; either where the other is unknown."""
    first, second = (quarterly, annual) if current else (annual, quarterly)
    return second if np.isnan(first) else first


def _growth(now: float, before: float) -> float:
    return now / before - 1 if before > 0 else np.nan


def verdict(criterion: str, threshold: Any, values: Mapping[str, float | None]) -> int:
    """0 failed, 1 passed, 2 unknown."""
    factor = criterion[4:]
    value = values.get(factor)
    if criterion == "explained_jumps":
        return 2 if values["suspect"] else 1
    if criterion == "uptrend":
        price, short, long = values["price"], values["sma20"], values["sma50"]
        return 2 if None in (price, short, long) else int(price > short > long)  # type: ignore[operator]
    if criterion == "inside_bollinger":
        price, low, high = values["price"], values["bollinger_lower"], values["bollinger_upper"]
        return 2 if None in (price, low, high) else int(low <= price <= high)  # type: ignore[operator]
    if criterion == "macd_cross":
        above, age = values["macd_histogram"], values["macd_cross_age"]
        return 2 if above is None else int(above > 0 and age is not None and age < threshold)
    if factor == "pe" and (values["eps"] or 1.0) <= 0:
        return 0
    if value is None:
        return 2
    return int(value >= threshold) if criterion.startswith("min_") else int(value <= threshold)
