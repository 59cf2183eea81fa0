"""The fold's step: one session's bars, actions, filings and headlines advance the state, all securities at once.

Seeding and recursion are TA-Lib's (Wilder's averages seeded with the mean of the first 14 values, exponential
averages by the simple mean, MACD with both averages seeded at the same bar), stepped on observed bars; volume
windows, n-session returns and the age of a cross count exchange sessions. Every operation is elementwise over
securities in a fixed order, so partitions and chunk sizes change no bit. No line here can see a later session.
"""

from __future__ import annotations

import numpy as np

from aitrader.features.layout import (
    BOLLINGER,
    CLOSE_SESSIONS,
    FACTS,
    FRESH,
    HIGH_SESSIONS,
    INDICATOR_ROWS,
    NEWS_SESSIONS,
    OBSERVED_CLOSES,
    RETURNS,
    VOLUME_SESSIONS,
    WINDOW_ROWS,
)
from aitrader.features.state import Array, FeatureState, SessionData

MAX_GAP = 20  # sessions without a bar after which indicators restart (definition 13)
WILDER = 14
FAST, SLOW, SIGNAL = 12, 26, 9
EMA = 20
RESUM_EVERY = 256  # running sums are recomputed from their ring at ordinals divisible by this (definition 5)
SPECIAL_SHARE = 0.05  # of the price; a special dividend up to it is an ordinary one (definition 17)
SPLIT_BELOW, SPLIT_ABOVE = 0.55, 1.8  # overnight ratios outside are a possible split (definition 18)
SPLIT_FACTORS = np.array([2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 75, 80, 100], dtype=float)
SPLIT_TOLERANCE = 0.03
TINY = 1e-14  # TA-Lib's zero


def advance(state: FeatureState, data: SessionData) -> None:
    """Fold one session into ``state`` in place. Sessions come in calendar order, each exactly once.

    Raises ValueError when ``data`` does not follow the last session folded in.
    """
    if state.ordinal is not None and data.ordinal != state.ordinal + 1:
        raise ValueError(f"session ordinal {data.ordinal} does not follow {state.ordinal}")
    state.ordinal = data.ordinal
    with np.errstate(all="ignore"):
        _apply_actions(state, data)
        has = data.close == data.close
        _restart(state, data, has)
        _step_volume(state, data, has)
        _step_session_rings(state, data, has)
        _step_momentum(state, data, has)
        _step_range(state, data, has)
        _step_last_bar(state, data, has)
        _step_facts(state, data)
        _step_news(state, data)


def _apply_actions(state: FeatureState, data: SessionData) -> None:
    """Ex-date morning: bring the past to today's share basis before today's bar is seen."""
    if data.scale_columns.size:
        state.rescale(data.scale_columns, data.scale_price, data.scale_shares)
    for columns, cash, least in (
        (data.cash_columns, data.cash, 0.0),
        (data.special_columns, data.special, SPECIAL_SHARE),
    ):
        if columns.size:
            close = state["close"][columns]
            factor = (close - cash) / close
            factor = np.where((factor > 0) & (cash > least * close), factor, 1.0)
            state.reprice(columns, factor)


def _restart(state: FeatureState, data: SessionData, has: Array) -> None:
    """A gap of over 20 sessions restarts the indicators; a possible split restarts the price windows as well."""
    missed = data.ordinal - state["last_bar"] - 1
    late = np.flatnonzero(has & (missed > MAX_GAP))
    if late.size:
        state.matrix[np.ix_(INDICATOR_ROWS, late)] = FRESH[INDICATOR_ROWS, None]
    first = np.where(data.open == data.open, data.open, data.close)
    ratio = first / state["close"]
    jumped = np.flatnonzero(has & ((ratio < SPLIT_BELOW) | (ratio > SPLIT_ABOVE)))
    jumped = jumped[~np.isin(jumped, data.action_columns)]
    if jumped.size:
        times = np.where(ratio[jumped] < 1, 1 / ratio[jumped], ratio[jumped])
        near = (np.abs(times[:, None] / SPLIT_FACTORS - 1) <= SPLIT_TOLERANCE).any(axis=1)
        suspects = jumped[near]
        state.matrix[np.ix_(WINDOW_ROWS, suspects)] = FRESH[WINDOW_ROWS, None]
        state["suspect_at"][suspects] = data.ordinal
        for name in ("eps_ttm", "shares", "shares_known"):  # of an unknown basis until told again
            state[name][suspects] = np.nan


def _step_volume(state: FeatureState, data: SessionData, has: Array) -> None:
    """Shares traded; the repeat of yesterday's close and volume is a vendor's way of saying no trade."""
    known = has & (data.volume == data.volume)
    repeated = (
        (data.volume == state["last_volume"]) & (data.close == state["close"]) & (state["last_bar"] == data.ordinal - 1)
    )
    slot = data.ordinal % VOLUME_SESSIONS
    state["volumes"][slot] = np.where(known & ~repeated, data.volume, 0.0)
    state["volume_known"][slot] = known
    np.copyto(state["last_volume"], data.volume, where=has)


def _step_session_rings(state: FeatureState, data: SessionData, has: Array) -> None:
    """Closes and highs by exchange session; a close is carried over at most 20 sessions without a bar."""
    carried = np.where(data.ordinal - state["last_bar"] <= MAX_GAP, state["close"], np.nan)
    state["session_closes"][data.ordinal % CLOSE_SESSIONS] = np.where(has, data.close, carried)
    ring, top = state["session_highs"], state["high_52w"]
    slot = data.ordinal % HIGH_SESSIONS
    expiring = ring[slot].copy()
    high = np.where(data.high == data.high, data.high, data.close)
    ring[slot] = np.where(has, high, -np.inf)
    lost = np.flatnonzero((expiring >= top) & (expiring > ring[slot]))
    np.maximum(top, ring[slot], out=top)
    if lost.size:
        top[lost] = ring[:, lost].max(axis=0)


def _wilder(row: Array, value: Array, at: Array, where: Array) -> None:
    """Wilder's average: the mean of the first 14 values, then (13 x previous + value) / 14."""
    steady = (row * (WILDER - 1) + value) / WILDER
    if (where & (at <= WILDER)).any():
        seeding = row + value
        steady = np.where(at > WILDER, steady, np.where(at == WILDER, seeding / WILDER, seeding))
    np.copyto(row, steady, where=where)


def _ema(row: Array, value: Array, at: Array, seeded_at: int, period: int, where: Array) -> None:
    """Exponential average seeded at bar ``seeded_at`` with the simple mean of the ``period`` values up to it."""
    following = (value - row) * (2.0 / (period + 1)) + row
    if (where & (at <= seeded_at)).any():
        sums = row + value
        following = np.where(at > seeded_at, following, np.where(at == seeded_at, sums / period, sums))
        where = where & (at > seeded_at - period)
    np.copyto(row, following, where=where)


def _step_momentum(state: FeatureState, data: SessionData, has: Array) -> None:
    """Closes only: RSI's averages, exponential averages, MACD and its cross, moving sums, log returns."""
    close, previous = data.close, state["close"]
    at = state["bars"].copy()  # index of today's bar in its run
    state["bars"][:] += has
    stepped = has & (at >= 1)
    change = close - previous
    _wilder(state["gain"], np.maximum(change, 0.0), at, stepped)
    _wilder(state["loss"], np.maximum(-change, 0.0), at, stepped)
    _ema(state["ema20"], close, at, EMA - 1, EMA, has)
    _ema(state["ema_fast"], close, at, SLOW - 1, FAST, has)
    _ema(state["ema_slow"], close, at, SLOW - 1, SLOW, has)
    line = state["ema_fast"] - state["ema_slow"]
    signal_at = SLOW - 1 + SIGNAL - 1
    _ema(state["macd_signal"], line, at, signal_at, SIGNAL, has & (at >= SLOW - 1))
    ready = has & (at >= signal_at)
    histogram = line - state["macd_signal"]
    crossed, below = state["crossed_at"], ready & ~(histogram > 0)
    np.copyto(crossed, data.ordinal, where=ready & (state["macd_histogram"] <= 0) & (histogram > 0))
    np.copyto(crossed, np.nan, where=below)
    np.copyto(state["macd_histogram"], histogram, where=ready)
    _step_closes(state, data, has, at)
    written = np.flatnonzero(stepped)
    before = (at[written] - 1).astype(np.intp)
    slots = before - before // RETURNS * RETURNS
    state["log_returns"].reshape(-1)[slots * state.size + written] = np.log(close / previous)[written]


def _step_closes(state: FeatureState, data: SessionData, has: Array, at: Array) -> None:
    """Rings of observed closes and the sums over the last 50 and 200 of them."""
    columns = np.flatnonzero(has)
    bar, close = at[columns].astype(np.intp), data.close[columns]
    ring = state["closes"].reshape(-1)  # a flat view: taking by one index is several times faster than by two
    slot = bar - bar // OBSERVED_CLOSES * OBSERVED_CLOSES  # a division by a constant is faster than a remainder
    here = slot * state.size + columns
    for name, window in (("sum50", 50), ("sum200", OBSERVED_CLOSES)):
        leaving = ring.take(here - window * state.size, mode="wrap")  # the ring wraps as the flat view does
        state[name][columns] += close - np.where(bar >= window, leaving, 0.0)
    ring[here] = close
    state["bollinger_closes"].reshape(-1)[(slot - slot // BOLLINGER * BOLLINGER) * state.size + columns] = close
    if data.ordinal % RESUM_EVERY == 0:
        last = state["bars"].astype(np.intp) - 1
        every = np.arange(state.size)
        for name, window in (("sum50", 50), ("sum200", OBSERVED_CLOSES)):
            total = np.zeros(state.size)
            for lag in range(window):
                held = ring.take((last - lag) % OBSERVED_CLOSES * state.size + every)
                total += np.where(lag <= last, held, 0.0)
            state[name][:] = total


def _step_range(state: FeatureState, data: SessionData, has: Array) -> None:
    """Highs and lows: ATR and ADX, restarted by a bar that lacks either."""
    high, low, previous = data.high, data.low, state["close"]
    ranged = has & (high == high) & (low == low)
    broken = np.flatnonzero(has & ~ranged)
    if broken.size:
        for name in ("range_bars", "atr", "plus_dm", "minus_dm", "true_range", "adx"):
            state[name][broken] = 0.0
    at = state["range_bars"].copy()
    state["range_bars"][:] += ranged
    stepped = ranged & (at >= 1)
    true_range = np.maximum(high - low, np.maximum(np.abs(high - previous), np.abs(low - previous)))
    _wilder(state["atr"], true_range, at, stepped)
    up, down = high - state["previous_high"], state["previous_low"] - low
    plus = np.where((up > 0) & (up > down), up, 0.0)
    minus = np.where((down > 0) & (up < down), down, 0.0)
    seeding = (stepped & (at < WILDER)).any()
    for name, value in (("plus_dm", plus), ("minus_dm", minus), ("true_range", true_range)):
        row = state[name]
        following = row - row / WILDER + value
        np.copyto(row, np.where(at < WILDER, row + value, following) if seeding else following, where=stepped)
    _step_adx(state, at, stepped)
    np.copyto(state["previous_high"], high, where=ranged)
    np.copyto(state["previous_low"], low, where=ranged)


def _step_adx(state: FeatureState, at: Array, stepped: Array) -> None:
    """ADX: the mean of the first 14 directional indices, then Wilder's average; no movement leaves it as it is."""
    span = state["true_range"]
    minus, plus = 100.0 * (state["minus_dm"] / span), 100.0 * (state["plus_dm"] / span)
    moving = stepped & (at >= WILDER) & (np.abs(span) >= TINY) & (np.abs(plus + minus) >= TINY)
    index = 100.0 * (np.abs(minus - plus) / (minus + plus))
    row, seeded_at = state["adx"], 2 * WILDER - 1
    value = np.where(moving, index, 0.0)
    seeding = stepped & (at >= WILDER) & (at <= seeded_at)
    if seeding.any():
        np.copyto(row, row + value, where=seeding)
        np.copyto(row, row / WILDER, where=seeding & (at == seeded_at))
    np.copyto(row, (row * (WILDER - 1) + value) / WILDER, where=moving & (at > seeded_at))


def _step_last_bar(state: FeatureState, data: SessionData, has: Array) -> None:
    np.copyto(state["close"], data.close, where=has)
    np.copyto(state["last_bar"], data.ordinal, where=has)
    state["bars_seen"][:] += has
    known = data.market_cap > 0  # 0 is a vendor's way of saying missing; the last good value stays
    np.copyto(state["vendor_market_cap"], data.market_cap, where=known)
    np.copyto(state["vendor_market_cap_day"], data.day, where=known)


def _step_facts(state: FeatureState, data: SessionData) -> None:
    """Filings that became known by this session replace the facts; the newest share count stays."""
    if data.fact_columns.size:
        for name, values in zip(FACTS, data.fact_values, strict=True):
            state[name][data.fact_columns] = values
    if data.share_columns.size:
        known = state["shares_known"][data.share_columns]
        newer = ~(known > data.share_days)
        columns = data.share_columns[newer]
        state["shares"][columns] = data.share_values[newer]
        state["shares_known"][columns] = data.share_days[newer]


def _step_news(state: FeatureState, data: SessionData) -> None:
    slot = data.ordinal % NEWS_SESSIONS
    state["news_weight"][slot] = 0.0
    state["news_score"][slot] = 0.0
    if data.news_columns.size:
        state["news_weight"][slot, data.news_columns] = data.news_weight
        state["news_score"][slot, data.news_columns] = data.news_score
        state["news_day"][data.news_columns] = data.news_days
