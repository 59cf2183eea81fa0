"""From the state to the numbers: the factors of one session, an array over securities each, NaN where unknown."""

from __future__ import annotations

import numpy as np

from aitrader.features.fold import MAX_GAP, SIGNAL, SLOW, TINY, WILDER
from aitrader.features.layout import (
    BOLLINGER,
    CLOSE_SESSIONS,
    NEWS_SESSIONS,
    OBSERVED_CLOSES,
    RETURNS,
    VOLUME_SESSIONS,
)
from aitrader.features.state import Array, FeatureState

MIN_KNOWN_VOLUMES = 15
MIN_HIGH_BARS = 60
MAX_FACT_DAYS = 400  # a share count, market cap or filing older than this is unknown (definition 21)
MAX_PERIOD_DAYS = 460  # fiscal figures are used until 15 months after their period (definition 22)
SUSPECT_SESSIONS = 60
TRADING_YEAR = 252.0


def measure(
    state: FeatureState, *, day: int, look_back: int, half_life: float, minimum_articles: float
) -> dict[str, Array]:
    """Factors that depend on one security alone, as of the last session folded in (``day``: days since 1970).

    The cross-sectional ones (market cap summed over an issuer's lines, relative strength) are added by the funnel.
    ``look_back`` and ``half_life`` are sessions, ``minimum_articles`` headlines.
    """
    assert state.ordinal is not None, "a state that has seen no session has no factors"
    with np.errstate(all="ignore"):
        out = _price(state, state.ordinal)
        out |= _volume(state, state.ordinal)
        out |= _facts(state, day, out["price"])
        out |= _news(state, state.ordinal, look_back, half_life, minimum_articles)
    return out


def basis(state: FeatureState, *, day: int) -> dict[str, Array]:
    """The few factors that a benchmark steps on: price, volume, 1-session return, shares, vendor's market cap."""
    assert state.ordinal is not None, "a state that has seen no session has no factors"
    with np.errstate(all="ignore"):
        age = state.ordinal - state["last_bar"]
        out = {"price": _where(age <= MAX_GAP, state["close"]), **_shares(state, day)}
        out["volume"] = _volume(state, state.ordinal)["volume"]
        out["return_1d_pct"] = _return(state, state.ordinal, 1)
    return out


def _return(state: FeatureState, ordinal: int, sessions: int) -> Array:
    """Price return in percent over exchange sessions, NaN without a bar today."""
    base = state["session_closes"][(ordinal - sessions) % CLOSE_SESSIONS]
    seen = (state["last_bar"] == ordinal) & (state["bars_seen"] > 1)
    return _where(seen, 100 * (state["close"] / base - 1))


def _shares(state: FeatureState, day: int) -> dict[str, Array]:
    """Share count and vendor's market cap, unknown after 400 days."""
    shares = _where(day - state["shares_known"] <= MAX_FACT_DAYS, state["shares"])
    vendor = _where(day - state["vendor_market_cap_day"] <= MAX_FACT_DAYS, state["vendor_market_cap"])
    return {"shares": shares, "vendor_market_cap": vendor}


def _where(condition: Array, values: Array) -> Array:
    return np.where(condition, values, np.nan)


def _price(state: FeatureState, ordinal: int) -> dict[str, Array]:
    close, bars = state["close"], state["bars"]
    age = ordinal - state["last_bar"]
    today = age == 0
    gain, loss = state["gain"], state["loss"]
    moved = gain + loss
    rsi = np.where(np.abs(moved) < TINY, 0.0, 100.0 * (gain / moved))
    mean20 = _mean(state["bollinger_closes"])
    spread = np.zeros(state.size)
    for row in state["bollinger_closes"]:
        spread += np.square(row - mean20)
    deviation = np.sqrt(spread / BOLLINGER)
    banded = today & (bars >= BOLLINGER)
    upper, lower = mean20 + 2 * deviation, mean20 - 2 * deviation
    sma50, sma200 = state["sum50"] / 50, state["sum200"] / OBSERVED_CLOSES
    macd_ready = today & (bars >= SLOW + SIGNAL - 1)
    ranged = today & (state["range_bars"] > WILDER)
    high = _where(today & (state["bars_seen"] >= MIN_HIGH_BARS) & np.isfinite(state["high_52w"]), state["high_52w"])
    out = {
        "price": _where(age <= MAX_GAP, close),
        "bar_age": age,
        "history": np.where(state["bars_seen"] > 0, state["bars_seen"], np.nan),
        "rsi": _where(today & (bars > WILDER), rsi),
        "sma20": _where(banded, mean20),
        "sma50": _where(today & (bars >= 50), sma50),
        "sma200": _where(today & (bars >= OBSERVED_CLOSES), sma200),
        "sma50_gap_pct": _where(today & (bars >= 50), 100 * (close / sma50 - 1)),
        "sma200_gap_pct": _where(today & (bars >= OBSERVED_CLOSES), 100 * (close / sma200 - 1)),
        "ema20": _where(today & (bars >= 20), state["ema20"]),
        "macd": _where(macd_ready, state["ema_fast"] - state["ema_slow"]),
        "macd_signal": _where(macd_ready, state["macd_signal"]),
        "macd_histogram": _where(macd_ready, state["macd_histogram"]),
        "macd_cross_age": _where(macd_ready, ordinal - state["crossed_at"]),
        "bollinger_upper": _where(banded, upper),
        "bollinger_lower": _where(banded, lower),
        "bollinger_position": _where(banded & (deviation > 0), (close - lower) / (upper - lower)),
        "atr": _where(ranged, state["atr"]),
        "atr_pct": _where(ranged, 100 * state["atr"] / close),
        "adx": _where(today & (state["range_bars"] >= 2 * WILDER), state["adx"]),
        "high_52w": high,
        "distance_from_high_pct": 100 * (close / high - 1),
        "volatility_pct": _where(today & (bars > RETURNS), _volatility(state["log_returns"])),
        "suspect": (ordinal - state["suspect_at"] < SUSPECT_SESSIONS).astype(float),
    }
    for sessions in (1, 5, 21, 63):
        out[f"return_{sessions}d_pct"] = _return(state, ordinal, sessions)
    return out


def _mean(ring: Array) -> Array:
    """Mean over the ring's rows, added in slot order so that the number of columns changes no bit."""
    total = np.zeros(ring.shape[1])
    for row in ring:
        total += row
    mean: Array = total / ring.shape[0]
    return mean


def _volatility(ring: Array) -> Array:
    mean = _mean(ring)
    total = np.zeros(ring.shape[1])
    for row in ring:
        total += np.square(row - mean)
    yearly: Array = 100 * np.sqrt(total / (RETURNS - 1)) * np.sqrt(TRADING_YEAR)
    return yearly


def _volume(state: FeatureState, ordinal: int) -> dict[str, Array]:
    total, known = np.zeros(state.size), np.zeros(state.size)
    for shares, counted in zip(state["volumes"], state["volume_known"], strict=True):
        total += shares
        known += counted
    mean = total / known
    enough = known >= MIN_KNOWN_VOLUMES
    recent, recent_known = np.zeros(state.size), np.zeros(state.size)
    for lag in range(3):
        slot = (ordinal - lag) % VOLUME_SESSIONS
        recent += state["volumes"][slot]
        recent_known += state["volume_known"][slot]
    today = state["last_bar"] == ordinal
    surge = _where(today & enough & (recent_known == 3) & (mean > 0), recent / 3 / mean)
    volume = _where(enough, mean)
    return {"volume": volume, "volume_surge": surge}


def _facts(state: FeatureState, day: int, price: Array) -> dict[str, Array]:
    filed = state["filed"]
    current = (day - state["period_end"] <= MAX_PERIOD_DAYS) & (day - filed <= MAX_FACT_DAYS)
    eps, equity = _where(current, state["eps_ttm"]), _where(current, state["equity"])
    counted = _shares(state, day)
    return {
        **counted,
        "pe": _where(eps > 0, price / eps),
        "earnings_yield_pct": 100 * eps / price,
        "eps_ttm": eps,
        "negative_earnings": (eps <= 0).astype(float),
        "negative_equity": (equity <= 0).astype(float),
        "pb": _where(equity > 0, price * counted["shares"] / equity),
        "debt_equity": _where(current & (equity > 0), state["debt_equity"]),
        "revenue_growth_pct": _where(current, 100 * state["revenue_growth"]),
        "net_margin_pct": _where(current, 100 * state["net_margin"]),
        "return_on_equity_pct": _where(current & (equity > 0), 100 * state["return_on_equity"]),
        "earnings_trend": _where(current, state["earnings_trend"]),
        "filing_age": day - filed,
        "filing_day": filed,
    }


def _news(
    state: FeatureState, ordinal: int, look_back: int, half_life: float, minimum_articles: float
) -> dict[str, Array]:
    weight, decayed, score = np.zeros(state.size), np.zeros(state.size), np.zeros(state.size)
    for lag in range(min(look_back, NEWS_SESSIONS)):
        slot = (ordinal - lag) % NEWS_SESSIONS
        decay = 0.5 ** (lag / half_life)
        weight += state["news_weight"][slot]
        decayed += decay * state["news_weight"][slot]
        score += decay * state["news_score"][slot]
    heard = (weight >= minimum_articles) & (weight > 0)
    return {
        "news_sentiment": _where(heard, score / decayed),
        "news_count": weight,
        "news_day": _where(heard, state["news_day"]),
    }
