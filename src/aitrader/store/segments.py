"""Segments: one symbol over one interval, belonging to one security; how they close, join and are inferred.

The loops here run over what is rare in a delivery (symbol changes, delistings, shared FIGIs, bars that no listing
covers), never over all symbols times sessions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import polars as pl

from aitrader.domain.sessions import Calendar

ALWAYS = date(1, 1, 1)
FOREVER = date(9999, 12, 31)


@dataclass(eq=False)
class Segment:
    """``symbol`` from ``start`` until ``end`` (exclusive); ``parent`` is the same security's segment before it."""

    symbol: str
    start: date
    end: date = FOREVER
    closed_by: str | None = None  # delisting, reuse, absence, inferred; None: open, or ended by a symbol change
    security: int | None = None
    figi: str | None = None
    declared: bool = False
    part: int = -1
    parent: Segment | None = None

    def root(self) -> Segment:
        """The first segment of the security."""
        segment = self
        while segment.parent is not None:
            segment = segment.parent
        return segment

    def security_id(self) -> int | None:
        """The id that any segment up the line already has."""
        segment: Segment | None = self
        while segment is not None:
            if segment.security is not None:
                return segment.security
            segment = segment.parent
        return None


def by_symbol(segments: list[Segment], symbols: set[str]) -> dict[str, list[Segment]]:
    """The segments of ``symbols``, each list in order of start."""
    found: dict[str, list[Segment]] = {symbol: [] for symbol in symbols}
    for segment in segments:
        if segment.symbol in found:
            found[segment.symbol].append(segment)
    for group in found.values():
        group.sort(key=lambda s: s.start)
    return found


def close_delisted(segments: list[Segment], delistings: pl.DataFrame) -> None:
    """End the segment that a delisting action falls into, where the listing itself does not say when it ended."""
    index = by_symbol(segments, set(delistings["symbol"]))
    for symbol, on in delistings.select("symbol", "ex_date").sort("ex_date").iter_rows():
        for segment in index[symbol]:
            if segment.start < on < segment.end:
                segment.end, segment.closed_by = on, "delisting"


def join_segments(segments: list[Segment], changes: pl.DataFrame, spans: pl.DataFrame, last_session: date) -> None:
    """Join what symbol changes and equal FIGIs say is one security; adds the segments that only a change names.

    The latest change goes first: a listing that reaches back to before its symbol was taken over then begins there,
    and the symbol is free for whoever gave it up earlier.
    """
    pairs = changes.filter(pl.col("new_symbol").is_not_null() & (pl.col("symbol") != pl.col("new_symbol")))
    rows = pairs.select("symbol", "new_symbol", "ex_date").unique().sort("ex_date", "symbol", "new_symbol").rows()[::-1]
    symbols = {row[0] for row in rows} | {row[1] for row in rows}
    index = by_symbol(segments, symbols)
    firsts: dict[str, list[date]] = {symbol: [] for symbol in symbols}
    for symbol, first in spans.filter(pl.col("symbol").is_in(list(symbols))).select("symbol", "first").iter_rows():
        firsts[symbol].append(first)
    for old_symbol, new_symbol, on in rows:
        old = _active(index[old_symbol], on, before=True)
        new = _active(index[new_symbol], on, before=False)
        old_traded = any(first < on for first in firsts[old_symbol])
        if old is None and new is None and not old_traded and not firsts[new_symbol]:
            continue
        if new is None:
            new = _add(segments, index, Segment(symbol=new_symbol, start=on))
            if old is not None:
                new.end, new.closed_by, new.declared, new.figi = old.end, old.closed_by, old.declared, old.figi
                if new.end <= on:
                    new.end, new.closed_by = FOREVER, None
        if old is None:
            # Whoever had the symbol before has left it: the line begins where the last of them ended.
            left = max((s.end for s in index[old_symbol] if s.end < on), default=ALWAYS)
            start = max(left, min(new.start, on))
            old = _add(segments, index, Segment(symbol=old_symbol, start=left if start >= on else start, end=on))
        if old is new or (old.figi and new.figi and old.figi != new.figi) or not _joined(old, new):
            continue
        rewritten = [first for first in firsts[new_symbol] if first < on] if not old_traded else []
        if rewritten:  # the source has put the whole history under the new symbol
            ends = [s.end for s in index[new_symbol] if s is not new and s.start < new.start]
            new.start = min(new.start, max([max(rewritten), *ends]))
        else:
            new.start = on
        old.end, old.closed_by = on, None
    _join_equal_figis(segments, last_session, spans)


def _active(group: list[Segment], on: date, *, before: bool) -> Segment | None:
    """The segment in force just before ``on``, or from ``on``: the latest that began by then, else the next one."""
    begun = [s for s in group if (s.start < on if before else s.start <= on)]
    if before:
        return begun[-1] if begun and begun[-1].end >= on else None
    if begun and begun[-1].end > on:
        return begun[-1]
    later = [s for s in group if s.start > on]
    return later[0] if later and (later[0].start - on).days <= 31 else None


def _add(segments: list[Segment], index: dict[str, list[Segment]], segment: Segment) -> Segment:
    group = index[segment.symbol]
    for other in group:
        if other.start < segment.start < other.end:
            other.end = segment.start
        elif segment.start <= other.start < segment.end:
            segment.end = other.start
    segments.append(segment)
    group.append(segment)
    group.sort(key=lambda s: s.start)
    return segment


def _joined(old: Segment, new: Segment) -> bool:
    """Make ``new`` the continuation of ``old``; two ids that are both given already are never merged."""
    if new.root() is old.root():
        return True
    if new.parent is not None:
        return False
    ours, theirs = old.security_id(), new.security_id()
    if ours is not None and theirs is not None and ours != theirs:
        return False
    new.parent = old
    return True


def _join_equal_figis(segments: list[Segment], last_session: date, spans: pl.DataFrame) -> None:
    """A FIGI that moves to another symbol is the same security, change action or not."""
    lines: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.figi:
            lines.setdefault(segment.figi, []).append(segment)
    for group in lines.values():
        if len(group) < 2:
            continue
        group.sort(key=lambda s: (s.security is None, s.start, s.symbol))
        for old, new in pairwise(group):
            if old.symbol == new.symbol or old.root() is new.root():
                continue
            if old.end <= new.start and _joined(old, new):
                old.closed_by = None
            elif old.end == FOREVER and old.security is not None and not old.declared and new.security is None:
                # The source lists the FIGI under its new symbol only: the change is where that one begins to trade.
                traded = spans.filter((pl.col("symbol") == new.symbol) & (pl.col("first") > old.start))["first"].min()
                on = traded if isinstance(traded, date) else last_session
                if _joined(old, new):
                    new.start = old.end = on


def infer(segments: list[Segment], spans: pl.DataFrame, bars: pl.DataFrame, calendar: Calendar, gap: int) -> None:
    """Cover the bars that no segment covers: bars shortly before a listing belong to it, others to inferred ones."""
    simple = {s.symbol: s for s in segments}
    counts: dict[str, int] = {}
    for segment in segments:
        counts[segment.symbol] = counts.get(segment.symbol, 0) + 1
    loose: set[str] = set()
    for symbol, first, last in spans.iter_rows():
        only = simple.get(symbol)
        if only is None:
            simple[symbol] = Segment(symbol=symbol, start=first)
            counts[symbol] = 1
            segments.append(simple[symbol])
        elif counts[symbol] > 1 or first < only.start or last >= only.end:
            loose.add(symbol)
    if not loose:
        return
    index = by_symbol(segments, loose)
    days = bars.filter(pl.col("symbol").is_in(list(loose))).group_by("symbol").agg(pl.col("date").unique().sort())
    for symbol, dates in days.iter_rows():
        segments.extend(_uncovered(index[symbol], symbol, dates, calendar, gap))


def _uncovered(group: list[Segment], symbol: str, days: list[date], calendar: Calendar, gap: int) -> list[Segment]:
    """Inferred segments for the bars on ``days`` that ``group`` leaves out; may move a listing's start back."""
    found: list[Segment] = []
    position = 0
    while position < len(days):
        day = days[position]
        place = bisect_right([s.start for s in group], day)
        current = group[place - 1] if place else None
        following = group[place] if place < len(group) else None
        if current is not None and day < current.end:
            position = bisect_left(days, current.end)
            continue
        until = FOREVER if following is None else following.start
        stop = bisect_left(days, until)
        if following is not None and following.parent is None:
            start = _reaching_back(days[position:stop], following.start, calendar, gap)
            if start == day and (current is None or _between(days[position - 1], day, calendar) > gap):
                following.start = day
                continue
            if start is not None and start > day and current is None:
                following.start = until = start
                stop = bisect_left(days, until)
        segment = Segment(symbol=symbol, start=day, end=until, closed_by=None if following is None else "inferred")
        found.append(segment)
        group.insert(place, segment)
        position = stop
    return found


def _reaching_back(days: list[date], start: date, calendar: Calendar, gap: int) -> date | None:
    """The earliest of ``days`` from which bars run up to ``start`` without a gap; None where they end long before."""
    earliest: date | None = None
    later = start
    for day in reversed(days):
        if _between(day, later, calendar) > gap:
            break
        earliest = later = day
    return earliest


def _between(day: date, later: date, calendar: Calendar) -> int:
    """The number of sessions strictly between two days."""
    return calendar.ordinal(calendar.last_on_or_before(later)) - calendar.ordinal(calendar.last_on_or_before(day)) - 1
