"""Every technical factor of one symbol a second time, with TA-Lib and plain NumPy, independent of the product.

Arrays are float64 on the axis of exchange sessions, NaN where the symbol has no bar; prices are dollars, volumes
shares. Prices are raw, and each answer at session t is in the basis of t: only actions with an ex-date up to t count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import talib

Floats = npt.NDArray[np.float64]

RESET_GAP = 20  # sessions without a bar after which the price indicators start anew
RUN_FACTORS = (
    "rsi_14",
    "atr_14",
    "adx_14",
    "ema_20",
    "macd",
    "macd_signal",
    "bollinger_upper",
    "bollinger_lower",
    "sma_20",
    "sma_50",
    "sma_200",
    "realised_volatility",
)


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One symbol's raw bars on the session axis: five arrays of one length, NaN where there is no bar."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        """The number of sessions on the axis."""
        return len(self.close)


@dataclass(frozen=True, kw_only=True)
class Action:
    """What happens on an ex-date: earlier prices are multiplied by ``price``, earlier volumes by ``volume``."""

    session: int  # position of the ex-date on the session axis
    price: float
    volume: float


def split(session: int, ratio: float) -> Action:
    """A split into ``ratio`` = new shares / old shares with its ex-date at ``session``."""
    return Action(session=session, price=1.0 / ratio, volume=ratio)


def distribution(session: int, cash: float, previous_close: float) -> Action:
    """A spin-off or special dividend worth ``cash`` dollars a share: prices scale by (P - D) / P, volumes stay."""
    return Action(session=session, price=(previous_close - cash) / previous_close, volume=1.0)


# --- price indicators, on one contiguous run of observed bars ---


def run_indicators(high: Floats, low: Floats, close: Floats) -> dict[str, Floats]:
    """TA-Lib's values bar by bar, with TA-Lib's seeding, NaN before the first valid bar.

    A bar without a high or a low ends the run of ATR and ADX; they start anew at the next bar that has both.
    """
    high, low, close = (np.ascontiguousarray(x, dtype=np.float64) for x in (high, low, close))
    if not len(close):
        return {name: np.empty(0) for name in RUN_FACTORS}
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    atr, adx = np.full(len(close), np.nan), np.full(len(close), np.nan)
    ranged = np.flatnonzero(~np.isnan(high) & ~np.isnan(low))
    for part in np.split(ranged, np.flatnonzero(np.diff(ranged) > 1) + 1):
        if len(part):
            atr[part] = talib.ATR(high[part], low[part], close[part], 14)
            adx[part] = talib.ADX(high[part], low[part], close[part], 14)
    return {
        "rsi_14": talib.RSI(close, 14),
        "atr_14": atr,
        "adx_14": adx,
        "ema_20": talib.EMA(close, 20),
        "macd": line,
        "macd_signal": signal,
        "bollinger_upper": upper,
        "bollinger_lower": lower,
        "sma_20": talib.SMA(close, 20),
        "sma_50": talib.SMA(close, 50),
        "sma_200": talib.SMA(close, 200),
        "realised_volatility": _realised_volatility(close),
    }


def _realised_volatility(close: Floats) -> Floats:
    """Percent a year: the sample deviation of the last 20 log returns times the root of 252."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.diff(np.log(close), prepend=np.nan)
    return np.asarray(trailing(logs, 20).std(axis=1, ddof=1) * np.sqrt(252.0) * 100.0)


def runs(close: Floats, reset_gap: int = RESET_GAP) -> list[npt.NDArray[np.intp]]:
    """Positions of the observed bars, cut wherever more than ``reset_gap`` sessions in a row have no bar."""
    observed = np.flatnonzero(~np.isnan(close))
    cuts = np.flatnonzero(np.diff(observed) - 1 > reset_gap) + 1
    return [run for run in np.split(observed, cuts) if len(run)]


def cross_age(line: Floats, signal: Floats, sessions: npt.NDArray[np.intp]) -> Floats:
    """Sessions since line - signal went from <= 0 to > 0, 0 on the day itself; NaN unless it is still > 0.

    The arrays step on observed bars; ``sessions`` are the bars' positions on the session axis, which count the age.
    """
    ages = np.full(len(line), np.nan)
    crossed_at: int | None = None
    for i in range(1, len(line)):
        now, before = line[i] - signal[i], line[i - 1] - signal[i - 1]
        if not now > 0:
            crossed_at = None
        elif before <= 0:
            crossed_at = int(sessions[i])
        if crossed_at is not None:
            ages[i] = sessions[i] - crossed_at
    return ages


# --- volumes, returns and highs, on the axis of exchange sessions ---


def trailing(values: Floats, length: int) -> Floats:
    """Row t holds the ``length`` values ending with t inclusive, NaN before the start: shape (n, length)."""
    padded = np.concatenate([np.full(length - 1, np.nan), values])
    return np.lib.stride_tricks.sliding_window_view(padded, length)


def traded_volume(close: Floats, volume: Floats) -> Floats:
    """Volume with 0 where a vendor repeats itself: the same close and the same volume as the session before."""
    repeats = np.zeros(len(close), dtype=bool)
    repeats[1:] = (close[1:] == close[:-1]) & (volume[1:] == volume[:-1])
    return np.where(repeats, 0.0, volume)


def window_mean(values: Floats, length: int, at_least: int) -> Floats:
    """Mean of the known values among the last ``length`` sessions, NaN with fewer than ``at_least`` of them."""
    window = trailing(values, length)
    known = (~np.isnan(window)).sum(axis=1)
    sums = np.nansum(window, axis=1)
    return np.where(known >= at_least, sums / np.maximum(known, 1), np.nan)


def session_return(close: Floats, sessions: int, carry: int | None = None) -> Floats:
    """Close / (last observed close at or before ``sessions`` sessions ago) - 1; NaN where t has no bar.

    With ``carry`` a close stands in for at most that many sessions without a bar.
    """
    last = forward_fill(close, carry)
    before = np.full(len(close), np.nan)
    before[sessions:] = last[: max(len(close) - sessions, 0)]
    return np.asarray(close / before - 1.0)


def forward_fill(values: Floats, limit: int | None = None) -> Floats:
    """Each NaN takes the last value before it, at most ``limit`` positions away."""
    here = np.arange(len(values))
    latest = np.maximum.accumulate(np.where(np.isnan(values), -1, here))
    usable = (latest >= 0) & (here - latest <= (len(values) if limit is None else limit))
    return np.where(usable, values[np.maximum(latest, 0)], np.nan)


def highest(high: Floats, close: Floats, length: int = 252, at_least: int = 1) -> Floats:
    """Highest high of the last ``length`` sessions, the close where a high is missing."""
    window = trailing(np.where(np.isnan(high), close, high), length)
    known = (~np.isnan(window)).sum(axis=1)
    top = np.where(np.isnan(window), -np.inf, window).max(axis=1)
    return np.where(known >= at_least, top, np.nan)


def relative_strength(own: Floats, benchmark: Floats) -> Floats:
    """Percent by which a 63-session return beats the benchmark's: ((1 + own) / (1 + benchmark) - 1) x 100."""
    return ((1.0 + own) / (1.0 + benchmark) - 1.0) * 100.0


# --- both together, each session in its own basis ---


def as_of(bars: Bars, actions: Sequence[Action], t: int) -> Bars:
    """The bars up to session ``t`` inclusive, adjusted for the actions with an ex-date up to ``t``; repeats are 0."""
    end = t + 1
    price, volume = np.ones(end), np.ones(end)
    for action in actions:
        if action.session <= t:
            price[: action.session] *= action.price
            volume[: action.session] *= action.volume
    return Bars(
        open=bars.open[:end] * price,
        high=bars.high[:end] * price,
        low=bars.low[:end] * price,
        close=bars.close[:end] * price,
        volume=traded_volume(bars.close[:end], bars.volume[:end]) * volume,
    )


def factors(
    bars: Bars,
    actions: Sequence[Action] = (),
    *,
    benchmark_return: Floats | None = None,
    surge_known: int = 3,
    high_known: int = 1,
    carry: int | None = RESET_GAP,
) -> dict[str, Floats]:
    """Every factor at every session, each in the basis of its own session; compare where the session has a bar.

    ``surge_known`` of the last 3 volumes must be known, ``high_known`` of the last 252 highs; a close stands in
    for at most ``carry`` sessions without a bar (None: for any number).
    """
    bases = sorted({0, *(a.session for a in actions if 0 < a.session < len(bars))})
    out: dict[str, Floats] = {}
    for begin, end in zip(bases, [*bases[1:], len(bars)], strict=True):
        part = _in_one_basis(as_of(bars, actions, end - 1), surge_known=surge_known, high_known=high_known, carry=carry)
        for name, values in part.items():
            out.setdefault(name, np.full(len(bars), np.nan))[begin:end] = values[begin:end]
    if benchmark_return is not None:
        out["relative_strength"] = relative_strength(out["return_63"], benchmark_return)
    return out


def _in_one_basis(bars: Bars, *, surge_known: int, high_known: int, carry: int | None) -> dict[str, Floats]:
    """Factors of bars that are all in one basis."""
    out = {name: np.full(len(bars), np.nan) for name in (*RUN_FACTORS, "macd_cross_age")}
    for run in runs(bars.close):
        values = run_indicators(bars.high[run], bars.low[run], bars.close[run])
        values["macd_cross_age"] = cross_age(values["macd"], values["macd_signal"], run)
        for name, column in values.items():
            out[name][run] = column
    mean = window_mean(bars.volume, 20, 15)
    top = highest(bars.high, bars.close, 252, high_known)
    with np.errstate(divide="ignore", invalid="ignore"):
        out["volume_surge"] = np.where(mean > 0, window_mean(bars.volume, 3, surge_known) / mean, np.nan)
    out |= {"volume_mean_20": mean, "high_252": top, "high_distance_pct": (1.0 - bars.close / top) * 100.0}
    out |= {f"return_{n}": session_return(bars.close, n, carry) for n in (1, 5, 21, 63)}
    return out


def mismatches(mine: Floats, theirs: Floats, scale: Floats, tolerance: float = 1e-9) -> npt.NDArray[np.intp]:
    """Positions where one is known and the other not, or both differ by over tolerance x max(|theirs|, scale)."""
    one_sided = np.isnan(mine) != np.isnan(theirs)
    bound = tolerance * np.maximum(np.abs(theirs), np.abs(scale))
    return np.flatnonzero(one_sided | (np.abs(mine - theirs) > bound))
