"""The gather: one frame of a session, a row per security in order of id, every factor a column, null where unknown.

Here, and only here, NaN becomes null: in Polars ``NaN >= x`` is true, a null stays unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from aitrader.features.layout import CLOSE_SESSIONS
from aitrader.funnel.listings import ListingView

RELATIVE_SESSIONS = 63
COVERED = 0.5  # share of the dollar volume whose market cap must be known for caps to be the weights


@dataclass
class Benchmark:
    """The level of the weighted universe, for sets without SPY: the last 64 levels, slot = ordinal modulo 64.

    Weights are yesterday's market caps, or dollar volumes where the source knows no market cap.
    """

    levels: list[float] = field(default_factory=lambda: [math.nan] * CLOSE_SESSIONS)
    level: float = 1.0
    weights: np.ndarray | None = None
    ordinal: int | None = None  # of the last session stepped

    def advance(self, *, ordinal: int, returns: np.ndarray, weights: np.ndarray) -> None:
        """Step with 1-session returns (fractions) and today's weights; sums are exact, whatever the order.

        A session that was stepped already changes nothing: it may be looked at again under other rules.
        """
        if ordinal == self.ordinal:
            return
        self.ordinal = ordinal
        if self.weights is not None:
            before = np.concatenate([self.weights, np.full(returns.size - self.weights.size, np.nan)])
            both = np.flatnonzero((before > 0) & np.isfinite(returns))
            total = math.fsum(before[both].tolist())
            if total > 0:
                self.level *= 1 + math.fsum((before[both] * returns[both]).tolist()) / total
        self.levels[ordinal % CLOSE_SESSIONS] = self.level
        self.weights = weights

    def return_over(self, *, ordinal: int, sessions: int) -> float:
        """Return of the universe over ``sessions``, NaN before that many are known."""
        return self.level / self.levels[(ordinal - sessions) % CLOSE_SESSIONS] - 1

    def copy(self) -> Benchmark:
        """An independent copy."""
        weights = None if self.weights is None else self.weights.copy()
        return Benchmark(list(self.levels), self.level, weights, self.ordinal)


def complete(factors: dict[str, np.ndarray], view: ListingView, benchmark: Benchmark, ordinal: int) -> None:
    """Add the cross-sectional factors in place and step the benchmark: market cap, dollar volume, relative strength."""
    with np.errstate(all="ignore"):
        step_benchmark(factors, view, benchmark, ordinal)
        if view.benchmark is None:
            index_return = benchmark.return_over(ordinal=ordinal, sessions=RELATIVE_SESSIONS)
        else:
            index_return = float(factors["return_63d_pct"][view.benchmark]) / 100
        own = factors["return_63d_pct"] / 100
        factors["relative_strength_pct"] = 100 * ((1 + own) / (1 + index_return) - 1)


def step_benchmark(factors: dict[str, np.ndarray], view: ListingView, benchmark: Benchmark, ordinal: int) -> None:
    """Add market cap and dollar volume, and step the weighted universe where no SPY is listed.

    Needs the factors of :func:`aitrader.features.measure.basis` only.
    """
    with np.errstate(all="ignore"):
        factors["market_cap"] = _market_cap(factors, view)
        factors["dollar_volume"] = factors["volume"] * factors["price"]
        if view.benchmark is None:
            cap, traded = factors["market_cap"], np.nan_to_num(factors["dollar_volume"])
            covered = math.fsum(traded[np.isfinite(cap)].tolist()) >= COVERED * math.fsum(traded.tolist())
            weights = cap if covered and np.isfinite(cap).any() else factors["dollar_volume"]
            benchmark.advance(ordinal=ordinal, returns=factors["return_1d_pct"] / 100, weights=weights)


def _market_cap(factors: dict[str, np.ndarray], view: ListingView) -> np.ndarray:
    """Issuer's market cap (definition 21): lines with shares summed by issuer, the vendor's figure where none has."""
    line = factors["shares"] * factors["price"]
    known = np.isfinite(line) & view.listed
    total = np.bincount(view.issuer, weights=np.where(known, line, 0.0), minlength=int(view.issuer.max(initial=0)) + 1)
    summed = np.where(known, total[view.issuer], np.nan)
    cap = np.where(np.isfinite(summed), summed, factors["vendor_market_cap"])
    return np.where(cap > 0, cap, np.nan)


FLAGS = ("negative_earnings", "negative_equity", "suspect")


def frame(factors: dict[str, np.ndarray], view: ListingView) -> pl.DataFrame:
    """The session's cross-section, sorted by security id: factors as Float64, flags as Boolean, listing attributes."""
    known = {name: values for name, values in factors.items() if name not in FLAGS}
    columns = {name: np.where(np.isfinite(values), values, np.nan) for name, values in known.items()}
    out = pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))
    active = view.listed & ~(view.inferred & ~(factors["bar_age"] <= 20))
    return out.with_columns(
        pl.Series("security", view.security),
        view.symbol.alias("symbol"),
        view.exchange.alias("exchange"),
        view.security_type.alias("security_type"),
        view.sector.alias("sector"),
        pl.Series("financial", view.financial),
        view.fund,
        pl.Series("active", active),
        *(pl.Series(name, factors[name] > 0) for name in FLAGS),
    )
