"""The quick way through a page of bars on which nothing is doubtful; every other page is read bar by bar.

A page is taken here only as a whole: each field is of its own JSON type, each bar can be believed and stands once.
Where that does not hold the answer is None, and the reading that knows every defect decides what becomes of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct

from aitrader.domain.frames import BARS
from aitrader.domain.sessions import xnys
from aitrader.providers.bodies import Page

T = TypeVar("T")
Stamp = TypeVar("Stamp", str, int)

_FIELDS: Final = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "vwap": "vw", "trades": "n"}
_PRICES: Final = ("open", "high", "low", "close", "vwap")
_PAST_INTEGERS: Final = 2.0**63  # an integer from here on is no number to us, and cannot be told from a float


class PlainBar(Struct, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The numbers of a bar, as both vendors name them; a field that is unknown here is not judged here either."""

    c: float
    o: float | None = None
    h: float | None = None
    l: float | None = None  # noqa: E741
    v: float | None = None
    vw: float | None = None
    n: float | None = None


def quickly(body: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """What a body holds, None where it is not exactly of the decoder's type."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None


def days_of(stamps: Sequence[Stamp], read: Callable[[tuple[Stamp, ...]], pl.Series | None]) -> pl.Series | None:
    """The session of each stamp, None where one is none; ``read`` gives the sessions of the few different stamps."""
    place: dict[Stamp, int] = {}
    at = [place.setdefault(stamp, len(place)) for stamp in stamps]
    days = read(tuple(place))
    return None if days is None else days.gather(at)


def sessions(days: pl.Series) -> pl.Series | None:
    """The days where every one of them is a session."""
    if days.null_count() or not all(map(xnys().is_session, days.to_list())):
        return None
    return days


def plain_page(
    bars: Sequence[PlainBar], symbols: pl.Series, days: pl.Series | None, *, next_token: str | None
) -> Page | None:
    """The page (schema BARS) of bars with their canonical symbols and sessions; None where anything is doubtful."""
    if days is None or symbols.null_count():
        return None
    numbers = _numbers(bars)
    if not _believable(numbers):
        return None
    frame = pl.DataFrame(
        {"symbol": symbols, "date": days}
        | {name: pl.Series(values, nan_to_null=True) for name, values in numbers.items()},
        schema=BARS,
    )
    if not _ascending(frame):
        frame = frame.sort("symbol", "date")
        if not _ascending(frame):
            return None
    return Page(frame=frame, next_token=next_token)


def _numbers(bars: Sequence[PlainBar]) -> dict[str, np.ndarray]:
    """Each field of all bars, NaN where it is missing: JSON has no NaN of its own."""
    fields = (
        [bar.o for bar in bars],
        [bar.h for bar in bars],
        [bar.l for bar in bars],
        [bar.c for bar in bars],
        [bar.v for bar in bars],
        [bar.vw for bar in bars],
        [bar.n for bar in bars],
    )
    return {name: np.array(values, dtype=np.float64) for name, values in zip(_FIELDS, fields, strict=True)}


def _believable(numbers: dict[str, np.ndarray]) -> bool:
    """Whether no rule of the bars would set anything aside."""
    if any(np.signbit(values).any() or (values >= _PAST_INTEGERS).any() for values in numbers.values()):
        return False
    if any((numbers[name] <= 0).any() for name in _PRICES):
        return False
    start, high, low, close = (numbers[name] for name in ("open", "high", "low", "close"))
    outside = (high < close) | (high < low) | (low > close) | (start > high) | (start < low)
    return not outside.any()


def _ascending(frame: pl.DataFrame) -> bool:
    """Whether each row stands after the one before it, by symbol and date."""
    symbol, day = frame["symbol"].slice(1), frame["date"].slice(1)
    before, earlier = (frame[name].head(frame.height - 1) for name in ("symbol", "date"))
    return bool(((symbol > before) | ((symbol == before) & (day > earlier))).all())
