"""The rows of the feature state: one float64 matrix, a row a number, a column a security.

A row belongs to a *scale*: what a split (r = new shares / old shares) on its ex-date does to it. ``price`` and
``per_share`` rows are divided by r, ``shares`` rows multiplied by r, ``plain`` rows (RSI, ADX, log returns, counters)
stay. Cash that leaves the company moves ``price`` rows alone: it is no part of what a share has earned.
A row belongs to a *life*: ``indicator`` rows restart after a gap of over 20 sessions, ``window`` rows also restart at
a possible split, ``keep`` rows outlive both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

OBSERVED_CLOSES = 200
HIGH_SESSIONS = 252
CLOSE_SESSIONS = 64
VOLUME_SESSIONS = 20
RETURNS = 20
BOLLINGER = 20
NEWS_SESSIONS = 30


@dataclass(frozen=True, kw_only=True)
class Row:
    """A named block of ``size`` rows with its scale, its life and the value of a fresh column."""

    name: str
    size: int = 1
    scale: str = "plain"
    life: str = "indicator"
    fresh: float = float("nan")


ROWS: tuple[Row, ...] = (
    # Observed bars: price indicators step on these, as TA-Lib does.
    Row(name="closes", size=OBSERVED_CLOSES, scale="price"),
    Row(name="bollinger_closes", size=BOLLINGER, scale="price"),
    Row(name="log_returns", size=RETURNS),
    Row(name="bars", fresh=0.0),
    Row(name="range_bars", fresh=0.0),
    Row(name="previous_high", scale="price"),
    Row(name="previous_low", scale="price"),
    Row(name="sum50", scale="price", fresh=0.0),
    Row(name="sum200", scale="price", fresh=0.0),
    Row(name="gain", scale="price", fresh=0.0),
    Row(name="loss", scale="price", fresh=0.0),
    Row(name="atr", scale="price", fresh=0.0),
    Row(name="plus_dm", scale="price", fresh=0.0),
    Row(name="minus_dm", scale="price", fresh=0.0),
    Row(name="true_range", scale="price", fresh=0.0),
    Row(name="adx", fresh=0.0),
    Row(name="ema20", scale="price", fresh=0.0),
    Row(name="ema_fast", scale="price", fresh=0.0),
    Row(name="ema_slow", scale="price", fresh=0.0),
    Row(name="macd_signal", scale="price", fresh=0.0),
    Row(name="macd_histogram", scale="price"),
    Row(name="crossed_at"),
    # Exchange sessions: slot = ordinal modulo size.
    Row(name="session_closes", size=CLOSE_SESSIONS, scale="price", life="window"),
    Row(name="session_highs", size=HIGH_SESSIONS, scale="price", life="window", fresh=float("-inf")),
    Row(name="high_52w", scale="price", life="window", fresh=float("-inf")),
    Row(name="volumes", size=VOLUME_SESSIONS, scale="shares", life="keep", fresh=0.0),
    Row(name="volume_known", size=VOLUME_SESSIONS, life="keep", fresh=0.0),
    # The last bar, whenever it was.
    Row(name="close", scale="price", life="keep"),
    Row(name="last_volume", scale="shares", life="keep"),
    Row(name="last_bar", life="keep"),
    Row(name="bars_seen", life="keep", fresh=0.0),
    Row(name="suspect_at", life="keep"),
    Row(name="vendor_market_cap", life="keep"),
    Row(name="vendor_market_cap_day", life="keep"),
    # Facts as last filed (dates are days since 1970-01-01).
    Row(name="eps_ttm", scale="per_share", life="keep"),
    Row(name="shares", scale="shares", life="keep"),
    Row(name="shares_known", life="keep"),
    Row(name="revenue_ttm", life="keep"),
    Row(name="revenue_growth", life="keep"),
    Row(name="net_margin", life="keep"),
    Row(name="return_on_equity", life="keep"),
    Row(name="debt_equity", life="keep"),
    Row(name="equity", life="keep"),
    Row(name="earnings_trend", life="keep"),
    Row(name="period_end", life="keep"),
    Row(name="filed", life="keep"),
    # Headlines: summed weight and weighted score a session.
    Row(name="news_weight", size=NEWS_SESSIONS, life="keep", fresh=0.0),
    Row(name="news_score", size=NEWS_SESSIONS, life="keep", fresh=0.0),
    Row(name="news_day", life="keep"),
)

FACTS = (
    "eps_ttm",
    "revenue_ttm",
    "revenue_growth",
    "net_margin",
    "return_on_equity",
    "debt_equity",
    "equity",
    "earnings_trend",
    "period_end",
    "filed",
)


def _slices() -> dict[str, slice]:
    at, out = 0, {}
    for row in ROWS:
        out[row.name] = slice(at, at + row.size)
        at += row.size
    return out


SLICES = _slices()
HEIGHT = sum(row.size for row in ROWS)
FRESH = np.concatenate([np.full(row.size, row.fresh) for row in ROWS])


def rows_where(**wanted: str) -> np.ndarray:
    """Indices of the matrix rows whose Row has the given attributes, e.g. ``rows_where(scale="price")``."""
    picked = [
        np.arange(SLICES[row.name].start, SLICES[row.name].stop)
        for row in ROWS
        if all(getattr(row, key) == value for key, value in wanted.items())
    ]
    return np.concatenate(picked)


PRICE_ROWS = rows_where(scale="price")
PER_SHARE_ROWS = np.concatenate([PRICE_ROWS, rows_where(scale="per_share")])
SHARE_ROWS = rows_where(scale="shares")
INDICATOR_ROWS = rows_where(life="indicator")
WINDOW_ROWS = np.concatenate([INDICATOR_ROWS, rows_where(life="window")])

# A change of meaning that leaves the layout alone bumps this number by hand.
_MEANING = 1
VERSION = hashlib.sha256(repr((_MEANING, ROWS)).encode()).hexdigest()[:12]
