"""How factors and criteria are named and valued in sentences: ``revenue growth 23.1 %``, ``P/E 14.2``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

_ABBREVIATIONS: Final = {
    "pe": "P/E",
    "pb": "P/B",
    "rsi": "RSI",
    "adx": "ADX",
    "atr": "ATR",
    "macd": "MACD",
    "sma20": "SMA20",
    "sma50": "SMA50",
    "sma200": "SMA200",
    "5d": "5-session",
    "1d": "1-session",
    "21d": "21-session",
    "63d": "63-session",
    "52w": "52-week",
}
_WHOLE: Final = {
    "debt_equity": "debt/equity",
    "return_5d_pct": "5-session return",
    "macd_cross_age": "MACD cross",
    "sma50_gap_pct": "above SMA50 by",
    "sma200_gap_pct": "above SMA200 by",
    "distance_from_high_pct": "distance to 52-week high",
    "inside_bollinger": "inside the Bollinger bands",
}


def factor_words(name: str) -> str:
    """A factor's or criterion's name as words."""
    if name in _WHOLE:
        return _WHOLE[name]
    return " ".join(_ABBREVIATIONS.get(part, part) for part in name.removesuffix("_pct").split("_"))


def amount(value: Any, *, unit: str = "", decimals: int | None = None) -> str:
    """A value with its unit; text and truth values as words, ``unknown`` for null, a list as its words."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "unknown"
    return f"{grouped(value, decimals)} %" if unit == "%" else grouped(value, decimals)


def grouped(value: float, decimals: int | None = None, *, sign: bool = False) -> str:
    """Thousands apart; whole values without decimals, others with ``decimals``, or as many as they need."""
    places = (2 if abs(value) >= 0.1 else 4) if decimals is None else decimals
    return f"{value:{'+' if sign else ''},.{0 if float(value).is_integer() else places}f}"


def exact(value: Any, *, unit: str = "") -> str:
    """A threshold as it was set, to its last decimal: a rounded one would be another."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return amount(value)
    shown = f"{value:,}".removesuffix(".0")
    return f"{shown} %" if unit == "%" else shown


def apart(value: float, threshold: float, decimals: int = 2) -> tuple[str, str]:
    """Value and threshold, the value with as many decimals (from ``decimals`` on) as it takes to tell them apart."""
    limit = exact(threshold)
    shown = grouped(value, decimals)
    for places in range(decimals, 12):
        shown = grouped(value, places)
        if round(value, places) != threshold or value == threshold:
            break
    return shown, limit


def miss_sentence(miss: Mapping[str, Any]) -> str:
    """``XYZ missed by min_volume: 981,204 < 1,000,000``."""
    value, threshold = apart(miss["value"], miss["threshold"], miss.get("decimals", 2))
    return f"{miss['symbol']} missed by {miss['name']}: {value} {miss['relation']} {threshold}"


def clearest(detail: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> str:
    """The criterion that a symbol passes most clearly, of the highest layer that has one.

    The clearest is the one that holds with the largest share of its threshold to spare.
    """
    for layer in sorted(layers, key=lambda one: -int(one["number"])):
        met = [one for one in layer["criteria"] if detail.get(f"L{layer['number']}.{one['name']}") == 1]
        clear = [(spare, one) for one in met if (spare := _spare(detail, one)) is not None]
        if clear:
            best = max(clear, key=lambda pair: pair[0])[1]
            unit, places = str(best.get("unit", "")), best.get("decimals", 2)
            factor = best["factors"][0]
            value, limit = amount(detail[factor], unit=unit, decimals=places), exact(best["value"], unit=unit)
            return f"{factor_words(factor)} {value} ({best['op']} {limit})"
    return "passed"


def _spare(detail: Mapping[str, Any], criterion: Mapping[str, Any]) -> float | None:
    """By what share of its threshold a criterion holds, null where it is no comparison of numbers."""
    value, threshold = detail.get(criterion["factors"][0]), criterion["value"]
    if criterion["op"] not in (">=", ">", "<=", "<") or isinstance(threshold, bool) or isinstance(value, bool):
        return None
    if not isinstance(value, int | float) or not isinstance(threshold, int | float) or not threshold:
        return None
    distance = value - threshold if criterion["op"] in (">=", ">") else threshold - value
    return distance / abs(threshold)
