"""Several lists of the same listings made one: each attribute from the best source that knows it."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.domain.frames import SECURITIES
from aitrader.providers.bodies import shaped
from aitrader.providers.merge import Merged, merge
from tests.live import merge_oracle as oracle
from tests.support.size import more

NAMES = ["alpaca", "polygon", "nasdaq_trader", "sec"]
SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
VALUES: dict[str, list[str | None]] = {
    "name": [None, "One Inc.", "Two Inc."],
    "security_type": [None, "unknown", "common", "etf", "adr"],
    "exchange": [None, "NYSE", "NASDAQ"],
    "cik": [None, "0000000001", "0000000002"],
    "figi": [None, "F1", "F2"],
    "sector": [None, "Energy"],
}
ROW = st.fixed_dictionaries({column: st.sampled_from(values) for column, values in VALUES.items()})
LIST = st.dictionaries(st.sampled_from(SYMBOLS), ROW)
LISTS = st.permutations(NAMES).flatmap(
    lambda order: st.integers(1, 4).flatmap(
        lambda count: st.tuples(*(st.tuples(st.just(name), LIST) for name in order[:count]))
    )
)


def frame(rows: dict[str, dict[str, str | None]], order: list[str] | None = None) -> pl.DataFrame:
    told = [{"symbol": symbol, **rows[symbol]} for symbol in order or rows]
    return shaped(pl.DataFrame(told, schema={"symbol": pl.String, **dict.fromkeys(VALUES, pl.String)}), SECURITIES)


def merged(lists: oracle.Lists) -> Merged:
    return merge([(name, frame(dict(rows))) for name, rows in lists])  # type: ignore[arg-type]


@given(LISTS)
@settings(max_examples=more(150, 5_000), deadline=None)
def test_each_attribute_is_that_of_the_best_source_that_knows_it(lists: oracle.Lists) -> None:
    got = merged(lists)
    assert got.securities["symbol"].to_list() == sorted(oracle.symbols(lists))
    assert got.provenance["symbol"].to_list() == got.securities["symbol"].to_list()
    told = dict(got.provenance.iter_rows())
    for row in got.securities.iter_rows(named=True):
        origins = dict(part.split(":") for part in (told[row["symbol"]] or "").split())
        for column in VALUES:
            who, value = oracle.value(lists, row["symbol"], column)
            assert (origins.get(column), row[column]) == (who, value), (row["symbol"], column)
        assert set(origins) <= set(VALUES)


@given(LISTS)
@settings(max_examples=more(150, 5_000), deadline=None)
def test_conflicts_are_counted_exactly(lists: oracle.Lists) -> None:
    conflicts = merged(lists).conflicts
    found = [(symbol, detail.split(":")[0]) for symbol, detail in conflicts.select("symbol", "detail").iter_rows()]
    assert len(found) == len(set(found))
    assert set(found) == oracle.conflicts(lists)
    assert set(conflicts["reason"]) <= {"conflict"}


@given(LISTS, st.randoms(use_true_random=False))
@settings(max_examples=more(75, 2_000), deadline=None)
def test_the_order_of_asking_changes_nothing_where_the_best_is_fixed(lists: oracle.Lists, rng: random.Random) -> None:
    other = list(lists)
    rng.shuffle(other)
    one, two = merged(lists), merged(other)
    fixed = ["symbol", "security_type", "exchange"]  # every source has a place in their order
    assert one.securities.select(fixed).equals(two.securities.select(fixed))
    key = ["symbol", "reason", "detail"]
    assert one.conflicts.select(key).sort(key).equals(two.conflicts.select(key).sort(key))


@given(LIST, st.randoms(use_true_random=False))
@settings(max_examples=more(50, 1_000), deadline=None)
def test_the_order_of_rows_changes_nothing(rows: dict[str, dict[str, str | None]], rng: random.Random) -> None:
    order = list(rows)
    rng.shuffle(order)
    other = {"AAA": dict.fromkeys(VALUES)}
    told = [merge([("polygon", frame(rows, each)), ("alpaca", frame(other))]) for each in (None, order)]  # type: ignore[arg-type]
    assert told[0].securities.equals(told[1].securities)
    assert told[0].provenance.equals(told[1].provenance)


def test_nothing_said_is_nothing() -> None:
    got = merge([])
    assert (got.securities.height, got.provenance.height, got.conflicts.height) == (0, 0, 0)


def test_a_conflict_names_who_says_what() -> None:
    lists = [
        ("alpaca", {"AAA": {"exchange": "NYSE", "security_type": "common"}}),
        ("polygon", {"AAA": {"exchange": "NASDAQ", "security_type": "etf"}}),
        ("nasdaq_trader", {"AAA": {"exchange": "NYSE", "security_type": "common"}}),
    ]
    full = [(name, {s: {**dict.fromkeys(VALUES), **row} for s, row in rows.items()}) for name, rows in lists]
    got = merged(full)
    assert sorted(got.conflicts["detail"]) == [
        "exchange: alpaca NYSE, polygon NASDAQ, nasdaq_trader NYSE",
        "security_type: polygon etf, nasdaq_trader common",
    ]
    assert got.securities.select("exchange", "security_type").row(0) == ("NYSE", "etf")
