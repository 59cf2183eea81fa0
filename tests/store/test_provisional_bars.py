"""Bars that may still change, whose trades they count, and what a source need not deliver again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aitrader.domain.frames import Held
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, change, day, delivery, frame, listing, new_store
from tests.store.test_sources import HOUR, SYMBOLS, alpaca, partly


def files(store: Store) -> list[tuple[Any, ...]]:
    sql = "SELECT session, known_at, feed, provisional FROM bar_files ORDER BY session, known_at"
    return store._connection.execute(sql).fetchall()


def test_final_bars_that_are_equal_only_lose_the_mark(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    first = store.ingest(alpaca(provisional=frozenset({day(5)}), feed="sip"), at=NOON)
    assert (store.provisional_sessions(), first.settled) == ({day(5)}, ())
    assert store.held().sessions == {day(at) for at in range(5)}
    before, names = files(store), sorted(path.name for path in store.home.bars.iterdir())
    again = alpaca(range(5, 6), feed="sip")
    found = store.ingest(again, at=NOON + HOUR)
    assert (found.settled, found.sessions_written, found.changed) == ((day(5),), (), True)
    assert found.corrected.is_empty()
    assert files(store) == [*before[:-1], (*before[-1][:-1], 0)]
    assert sorted(path.name for path in store.home.bars.iterdir()) == names
    assert (store.provisional_sessions(), day(5) in store.held().sessions) == (frozenset(), True)
    assert not store.ingest(again, at=NOON + 2 * HOUR).changed


def test_final_bars_that_differ_are_a_correction(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    first = store.ingest(alpaca(provisional=frozenset({day(5)})), at=NOON)
    rows = [bar for symbol in SYMBOLS for bar in bars(symbol, [5], close=11.0 if symbol == "S3" else 10.0)]
    final = alpaca(range(5, 6))
    found = store.ingest(replace(final, bars=frame(dict(final.bars.schema), rows)), at=NOON + HOUR)
    s3 = store.reader.resolve_symbol("S3")
    assert (found.settled, found.sessions_written, found.corrected.rows()) == ((day(5),), (day(5),), [(day(5), s3)])
    assert store.changed_since(population=first.population, session=day(5)).tolist() == [s3]
    assert store.changed_since(population=first.population, session=day(4)).tolist() == []


@pytest.mark.parametrize(
    ("symbols", "provisional", "stays"),
    [
        (SYMBOLS, True, True),
        (SYMBOLS[:9], False, False),
        (SYMBOLS[:8], False, True),  # a few symbols' final bars say nothing of the others'
        (["NEW"], False, True),
    ],
)
def test_a_session_is_final_when_most_of_it_is_told_as_final(
    tmp_path: Path, symbols: list[str], provisional: bool, stays: bool
) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(provisional=frozenset({day(5)}), feed="sip"), at=NOON)
    rows = [bar for symbol in symbols for bar in bars(symbol, [5])]
    more = partly([listing("NEW")] if "NEW" in symbols else [])
    mark = frozenset({day(5)}) if provisional else frozenset[date]()
    store.ingest(replace(more, bars=frame(dict(more.bars.schema), rows), provisional=mark, feed="iex"), at=NOON + HOUR)
    assert store.provisional_sessions() == ({day(5)} if stays else set())
    assert store.feeds(1) == {"iex" if len(symbols) >= 9 else "sip"}


def test_provisional_bars_read_before_the_final_ones_only_add_to_them(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    marked = alpaca(provisional=frozenset({day(5)}))
    store.ingest(marked, at=NOON + HOUR)
    assert store.provisional_sessions() == frozenset()
    final = store.bars(day(5))
    rows = [bar for symbol in SYMBOLS for bar in bars(symbol, [5], close=11.0)]
    store.ingest(replace(marked, bars=frame(dict(marked.bars.schema), rows)), at=NOON + 2 * HOUR)
    assert store.provisional_sessions() == frozenset()
    assert store.bars(day(5)).equals(final)
    more = replace(partly([listing("NEW")]), provisional=frozenset({day(5)}))
    rows += bars("NEW", [5], close=12.0)
    store.ingest(replace(more, bars=frame(dict(more.bars.schema), rows)), at=NOON + 3 * HOUR)
    assert store.provisional_sessions() == {day(5)}
    assert sorted(store.bars(day(5))["close"]) == sorted([*final["close"], 12.0])


@pytest.mark.parametrize("shrunk", [1, 8])
def test_a_forced_refresh_of_a_complete_source_settles_a_session_whatever_it_holds(tmp_path: Path, shrunk: int) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(provisional=frozenset({day(5)})), at=NOON)
    rows = [bar for symbol in SYMBOLS[:shrunk] for bar in bars(symbol, [5])]
    whole = alpaca()
    store.ingest(replace(whole, bars=frame(dict(whole.bars.schema), rows)), at=NOON + HOUR, force_refresh=True)
    assert store.provisional_sessions() == frozenset()
    assert store.bars(day(5)).height == len(SYMBOLS)  # a source that shares its market does not tell of what has ended


@pytest.mark.parametrize(
    ("newest", "found"), [(0, set()), (1, {"iex"}), (2, {"iex", "sip"}), (4, {"iex", "sip", None}), (99, "all")]
)
def test_feeds_of_the_newest_sessions(tmp_path: Path, newest: int, found: Any) -> None:
    store = new_store(tmp_path)
    for positions, feed in ((range(3), None), (range(3, 5), "sip"), (range(5, 6), "iex")):
        store.ingest(alpaca(positions, feed=feed), at=NOON)
    assert store.feeds(newest) == ({"iex", "sip", None} if found == "all" else found)


def test_what_is_held_is_told_by_the_symbols_of_today(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert store.held() == Held()
    rows = [
        listing("OLD", shares_outstanding=5e6),
        listing("GONE", listed_on=day(0), delisted_on=day(4), shares_outstanding=5e6),
        listing("BARE"),
        listing("KEPT"),
    ]
    prices = [*bars("OLD", range(6)), *bars("GONE", range(4)), *bars("KEPT", range(2))]
    store.ingest(delivery(rows, prices), at=NOON)
    assert store.held().symbols == {"OLD", "KEPT"}
    later = [listing("NEW"), listing("BARE"), listing("KEPT")]
    prices = [*bars("NEW", range(6, 8)), *bars("KEPT", range(7, 8))]
    renamed = delivery(later, prices, actions=[change("OLD", "NEW", 6)], provisional=frozenset({day(7)}))
    store.ingest(renamed, at=NOON)
    assert store.held() == Held(
        sessions=frozenset(day(at) for at in range(7)),
        symbols=frozenset({"NEW", "KEPT"}),
        listed=frozenset({"NEW", "KEPT", "BARE"}),
        counted=frozenset({"NEW"}),
        rows=1,
    )


def test_deliveries_of_what_is_not_held_end_in_the_store_of_one_delivery(tmp_path: Path) -> None:
    """A source asked only for the rest: new sessions, and the whole past of new symbols."""
    whole = alpaca(range(9), [*SYMBOLS, "LATE"])
    parts, once = new_store(tmp_path / "parts"), new_store(tmp_path / "once")
    once.ingest(whole, at=NOON)
    for position in (5, 6, 8):
        held = parts.held()
        symbols = SYMBOLS if position < 8 else [*SYMBOLS, "LATE"]
        mine = (pl.col("date") <= day(position)) & pl.col("symbol").is_in(symbols)
        known = pl.col("date").is_in(list(held.sessions)) & pl.col("symbol").is_in(list(held.symbols))
        rest = replace(
            whole,
            securities=whole.securities.filter(pl.col("symbol").is_in(symbols)),
            bars=whole.bars.filter(mine & ~known),
            provisional=frozenset({day(position)}),
        )
        parts.ingest(rest, at=NOON + position * HOUR)
    assert parts.provisional_sessions() == {day(8)}
    facts = ["symbol", "first_bar", "last_bar", "active", "sector", "listed_on"]
    assert parts.securities().select(facts).sort("symbol").equals(once.securities().select(facts).sort("symbol"))
    for session in once.sessions():
        found = parts.bars(session).join(parts.securities().select("symbol", security="id"), on="security")
        expected = once.bars(session).join(once.securities().select("symbol", security="id"), on="security")
        assert found.drop("security").sort("symbol").equals(expected.drop("security").sort("symbol"))
