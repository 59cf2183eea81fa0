"""Folding a few securities by hand: bars as columns of numbers, session after session, factors of each session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from aitrader.domain.sessions import xnys
from aitrader.features.fold import advance
from aitrader.features.measure import measure
from aitrader.features.state import FeatureState, SessionData

Floats = npt.NDArray[np.float64]
NAN = float("nan")
CALENDAR = xnys()
START = CALENDAR.ordinal(date(2014, 1, 2))
PRICES = ("open", "high", "low", "close")


@dataclass(kw_only=True)
class Folded:
    """The state after the last session and the factors of every session."""

    state: FeatureState
    factors: list[dict[str, Floats]]

    def series(self, name: str, column: int = 0) -> Floats:
        """A factor of one security, session by session."""
        return np.array([one[name][column] for one in self.factors])

    def last(self, name: str, column: int = 0) -> float:
        """A factor of one security at the last session."""
        return float(self.factors[-1][name][column])


def table(values: Any) -> Floats:
    """Numbers of shape (sessions, securities); a flat list is one security; None is NaN."""
    out = np.array(values, dtype=float)
    return out[:, None] if out.ndim == 1 else out


def session(t: int, bars: Mapping[str, Floats], *, start: int = START, **events: Any) -> SessionData:
    """Session ``t`` of ``bars`` as the fold takes it; what ``bars`` lacks is missing."""
    size = bars["close"].shape[1]
    missing = np.full(size, NAN)
    names = (*PRICES, "volume", "market_cap")
    day = (CALENDAR.session_at(start + t) - date(1970, 1, 1)).days
    return SessionData(
        ordinal=start + t, day=day, **{name: bars[name][t] if name in bars else missing for name in names}, **events
    )


def advanced(
    state: FeatureState,
    bars: Mapping[str, Floats],
    sessions: Sequence[int],
    *,
    start: int = START,
    events: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[dict[str, Floats]]:
    """Fold ``sessions`` into ``state`` in place; the factors after each."""
    out = []
    for t in sessions:
        data = session(t, bars, start=start, **(events or {}).get(t, {}))
        advance(state, data)
        out.append(factors(state, data.day))
    return out


def factors(state: FeatureState, day: int, *, look_back: int = 10, least: float = 1.0) -> dict[str, Floats]:
    """The factors of the last session folded in."""
    return measure(state, day=day, look_back=look_back, half_life=3.0, minimum_articles=least)


def fold(*, events: Mapping[int, Mapping[str, Any]] | None = None, start: int = START, **bars: Any) -> Folded:
    """Fold every session of ``bars`` (close at least) from nothing; ``events`` are SessionData fields by session."""
    tables = {name: table(values) for name, values in bars.items()}
    sessions, size = tables["close"].shape
    state = FeatureState(np.arange(1, size + 1))
    return Folded(state=state, factors=advanced(state, tables, range(sessions), start=start, events=events))


def split(ratio: float, *columns: int) -> dict[str, Floats]:
    """A split of ``ratio`` new shares for an old one that takes effect this morning."""
    at = np.array(columns or (0,), dtype=np.intp)
    return {
        "scale_columns": at,
        "scale_price": np.full(at.size, 1.0 / ratio),
        "scale_shares": np.full(at.size, ratio),
        "action_columns": at,
    }


def merged(*parts: Mapping[str, Floats]) -> dict[str, Floats]:
    """Several events of one session."""
    names = {name for part in parts for name in part}
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in names}


def walk(sessions: int, securities: int = 1, *, seed: int = 1, gaps: float = 0.0) -> dict[str, Floats]:
    """Random bars with ranges around the close; a share ``gaps`` of them is missing, some lack high or low."""
    rng = np.random.default_rng(seed)
    shape = (sessions, securities)
    close = 40.0 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    out = {
        "open": close * np.exp(rng.normal(0, 0.005, shape)),
        "high": close * np.exp(np.abs(rng.normal(0, 0.01, shape))),
        "low": close * np.exp(-np.abs(rng.normal(0, 0.01, shape))),
        "close": close,
        "volume": rng.integers(100_000, 3_000_000, shape).astype(float),
        "market_cap": close * 1e7,
    }
    if gaps:
        gone = rng.random(shape) < gaps
        for values in out.values():
            values[gone] = NAN
        for name in ("high", "low", "volume", "market_cap"):
            out[name][rng.random(shape) < gaps / 4] = NAN
    return out
