"""Definition 20: the same symbol is the same security, unless ...; each case in one delivery and in parts."""

from __future__ import annotations

import os
import random
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, change, day, delivery, listing, new_store


def owner(store: Store, symbol: str, on: date) -> int:
    return store.reader.resolve_symbol(symbol, on)


def ids(store: Store) -> list[int]:
    return store.securities()["id"].to_list()


def ingest(root: Path, *parts: Delivery) -> Store:
    store = new_store(root)
    for part in parts:
        store.ingest(part, at=NOON, accept_shrink=True)
    return store


def bar_owner(store: Store, position: int) -> list[int]:
    return store.bars(day(position))["security"].to_list()


def test_ids_count_from_one_by_date_first_seen_then_symbol_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = [
        listing("B", listed_on=day(0)),
        listing("A", listed_on=day(0)),
        listing("C", listed_on=day(-5)),
        listing("D"),
    ]
    prices = [*bars("D", range(3, 6)), *bars("B", range(6)), *bars("A", range(6)), *bars("C", range(6))]
    found = [ingest(tmp_path / "1", delivery(rows, prices)), ingest(tmp_path / "2", delivery(rows[::-1], prices[::-1]))]
    for store in found:
        assert store.securities().select("id", "symbol").rows() == [(1, "C"), (2, "A"), (3, "B"), (4, "D")]


def test_ids_go_on_from_the_highest_ever_given(tmp_path: Path) -> None:
    store = ingest(
        tmp_path,
        delivery([listing("B")], bars("B", range(3))),
        delivery([listing("A"), listing("B")], [*bars("A", range(5)), *bars("B", range(5))]),
    )
    assert store.securities().select("id", "symbol").rows() == [(1, "B"), (2, "A")]


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"figi": "F1"}, {"figi": "F2"}, False),
        ({"figi": "F1"}, {"figi": "F1"}, True),
        ({"cik": "1"}, {"cik": "2"}, False),
        ({"cik": "1"}, {"cik": "1"}, True),
        ({"figi": "F1", "cik": "1"}, {"figi": "F1", "cik": "2"}, True),  # a FIGI decides where both are known
        ({"figi": "F1", "cik": "1"}, {"figi": "F2", "cik": "1"}, False),
        ({"figi": "F1"}, {"cik": "2"}, True),  # nothing to compare
        ({}, {"figi": "F1"}, True),
        ({"name": "Old"}, {"name": "New"}, True),  # a new name alone is not a new security
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_the_same_symbol_with_another_figi_or_cik(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], same: bool, parts: int
) -> None:
    prices = bars("X", range(20))
    if parts == 1:
        rows = [listing("X", known_on=day(0), **before), listing("X", known_on=day(10), **after)]
        store = ingest(tmp_path, delivery(rows, prices))
    else:
        store = ingest(
            tmp_path,
            delivery([listing("X", **before)], bars("X", range(10))),
            delivery([listing("X", **after)], prices),
        )
    assert (owner(store, "X", day(2)) == owner(store, "X", day(19))) == same
    assert ids(store) == ([1] if same else [1, 2])
    assert bar_owner(store, 9) == [1]
    assert bar_owner(store, 19) == ([1] if same else [2])


@pytest.mark.parametrize("parts", [1, 2])
def test_a_symbol_listed_again_after_a_delisting_is_a_new_security(tmp_path: Path, parts: int) -> None:
    first = listing("X", listed_on=day(0), delisted_on=day(10))
    second = listing("X", listed_on=day(15), name="X Inc")
    whole = delivery([first, second], [*bars("X", range(10)), *bars("X", range(15, 20))])
    early = delivery([first], bars("X", range(10)))
    store = ingest(tmp_path, whole) if parts == 1 else ingest(tmp_path, early, whole)
    assert (owner(store, "X", day(9)), owner(store, "X", day(15))) == (1, 2)
    assert store.securities().select("id", "delisted_on", "active").rows() == [(1, day(10), False), (2, None, True)]
    assert (bar_owner(store, 9), bar_owner(store, 15)) == ([1], [2])


@pytest.mark.parametrize(("gap", "renamed", "same"), [(60, True, True), (61, True, False), (61, False, True)])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_gap_of_over_60_sessions_with_a_changed_name_is_a_new_security(
    tmp_path: Path, gap: int, renamed: bool, same: bool, parts: int
) -> None:
    prices = [*bars("X", range(10)), *bars("X", range(10 + gap, 20 + gap)), *bars("Y", range(20 + gap))]
    other, name = listing("Y"), "Another Corp" if renamed else "X INC."
    if parts == 1:
        rows = [listing("X"), listing("X", name=name, known_on=day(12)), other]
        store = ingest(tmp_path, delivery(rows, prices))
    else:
        early = [*bars("X", range(10)), *bars("Y", range(10))]
        store = ingest(
            tmp_path, delivery([listing("X"), other], early), delivery([listing("X", name=name), other], prices)
        )
    owners = bar_owner(store, 9), bar_owner(store, 10 + gap)
    assert (owners[0] == owners[1]) == same, owners


@pytest.mark.parametrize("style", ["both rows", "new row", "old row", "no rows"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_symbol_change_keeps_the_id(tmp_path: Path, style: str, parts: int) -> None:
    rows = {
        "both rows": [listing("OLD", listed_on=day(0), delisted_on=day(10)), listing("NEW", listed_on=day(10))],
        "new row": [listing("NEW", listed_on=day(0))],
        "old row": [listing("OLD", listed_on=day(0))],
        "no rows": [],
    }[style]
    prices = [*bars("OLD", range(10)), *bars("NEW", range(10, 20)), *bars("ZZZ", range(20))]
    whole = delivery([*rows, listing("ZZZ")], prices, actions=[change("OLD", "NEW", 10)])
    early = delivery(
        [listing("OLD", listed_on=day(0)), listing("ZZZ")], [*bars("OLD", range(10)), *bars("ZZZ", range(10))]
    )
    store = ingest(tmp_path, whole) if parts == 1 else ingest(tmp_path, early, whole)
    again = store.ingest(whole, at=NOON)
    assert not again.changed
    assert owner(store, "OLD", day(9)) == owner(store, "NEW", day(10)) == owner(store, "NEW", day(19))
    table = store.securities().filter(pl.col("symbol") != "ZZZ")
    assert table.select("symbol", "delisted_on", "active").rows() == [("NEW", None, True)]
    assert [len(bar_owner(store, p)) for p in (9, 10)] == [2, 2]
    assert set(bar_owner(store, 9)) == set(bar_owner(store, 10))


def test_a_renamed_security_is_reported_with_both_symbols(tmp_path: Path) -> None:
    store = ingest(tmp_path, delivery([listing("OLD")], bars("OLD", range(10))))
    found = store.ingest(
        delivery(
            [listing("NEW")], [*bars("OLD", range(10)), *bars("NEW", range(10, 12))], actions=[change("OLD", "NEW", 10)]
        ),
        at=NOON,
    )
    assert found.renamed.rows() == [(1, "OLD", "NEW", day(10))]
    assert found.new.is_empty()
    assert found.closed.is_empty()


def test_history_that_a_source_rewrote_to_the_new_symbol_stays_with_it(tmp_path: Path) -> None:
    store = ingest(
        tmp_path,
        delivery([listing("NEW", listed_on=day(0))], bars("NEW", range(20)), actions=[change("OLD", "NEW", 10)]),
    )
    assert ids(store) == [1]
    assert bar_owner(store, 0) == bar_owner(store, 19) == [1]
    assert store.securities().select("symbol", "delisted_on", "active").rows() == [("NEW", None, True)]


@pytest.mark.parametrize("listed_on", [None, day(-50), day(0), day(10)])
def test_a_new_symbol_delivered_with_all_its_past_is_the_security_that_was_stored(
    tmp_path: Path, listed_on: date | None
) -> None:
    """A source that asks for what is not held yet gets the renamed line's history under its new symbol."""
    store = ingest(tmp_path, delivery([listing("OLD", listed_on=day(0))], bars("OLD", range(10))))
    whole = delivery([listing("NEW", listed_on=listed_on)], bars("NEW", range(12)), actions=[change("OLD", "NEW", 10)])
    for _ in range(2):
        store.ingest(whole, at=NOON)
        assert store.securities().select("id", "symbol", "delisted_on", "active").rows() == [(1, "NEW", None, True)]
        assert [bar_owner(store, p) for p in (0, 9, 10, 11)] == [[1]] * 4


def test_a_symbol_passed_from_one_security_to_another(tmp_path: Path) -> None:
    """META was a fund's symbol until the fund took METV; months later FB became META."""
    rows = [listing("METV", figi="FUND", listed_on=day(0)), listing("META", figi="FACE", listed_on=day(-100))]
    prices = [
        *bars("META", range(10)),
        *bars("METV", range(10, 40)),
        *bars("FB", range(30)),
        *bars("META", range(30, 40)),
    ]
    store = ingest(tmp_path, delivery(rows, prices, actions=[change("META", "METV", 10), change("FB", "META", 30)]))
    face, fund = owner(store, "META", day(35)), owner(store, "META", day(5))
    assert face != fund
    assert (owner(store, "FB", day(20)), owner(store, "METV", day(20))) == (face, fund)
    assert [bar_owner(store, p) for p in (0, 20, 39)] == [sorted([face, fund])] * 3
    assert len(ids(store)) == 2


def test_a_symbol_used_again_and_then_renamed_belongs_to_each_in_its_time(tmp_path: Path) -> None:
    """No listing says when it began: the second one's symbol is free from the end of the first one on."""
    first = listing("OLD", figi="F1", delisted_on=day(3))
    told = bars("OLD", [0, 1, 2, 4, 5, 6])
    renamed = delivery([listing("NEW", figi="F2"), first], told + bars("NEW", [7]), actions=[change("OLD", "NEW", 7)])
    store = ingest(tmp_path, renamed)
    assert (owner(store, "OLD", day(1)), owner(store, "OLD", day(5)), owner(store, "NEW", day(7))) == (1, 2, 2)
    assert [bar_owner(store, at) for at in (1, 5, 7)] == [[1], [2], [2]]
    later = delivery([listing("NEW", figi="F2")], bars("NEW", [8]), actions=[change("OLD", "NEW", 7)])
    store.ingest(later, at=NOON + timedelta(hours=1))
    assert (owner(store, "OLD", day(5)), owner(store, "NEW", day(8))) == (2, 2)


def test_a_chain_of_changes_and_back_again(tmp_path: Path) -> None:
    prices = [*bars("A", range(10)), *bars("B", range(10, 20)), *bars("A", range(20, 30))]
    whole = delivery([listing("A")], prices, actions=[change("A", "B", 10), change("B", "A", 20)])
    store = ingest(tmp_path, whole)
    assert ids(store) == [1]
    assert {bar_owner(store, p)[0] for p in (0, 15, 29)} == {1}
    assert not store.ingest(whole, at=NOON).changed


def test_a_figi_that_moves_to_another_symbol_is_the_same_security_without_any_action(tmp_path: Path) -> None:
    store = ingest(tmp_path, delivery([listing("TOCA", figi="F1")], bars("TOCA", range(10))))
    found = store.ingest(
        delivery([listing("FBRX", figi="F1", listed_on=day(-50))], bars("FBRX", range(10, 12))), at=NOON
    )
    assert ids(store) == [1]
    assert found.renamed.rows() == [(1, "TOCA", "FBRX", day(10))]
    assert bar_owner(store, 11) == [1]


def test_a_change_that_becomes_known_after_both_ids_were_given_merges_nothing(tmp_path: Path) -> None:
    prices = [*bars("OLD", range(10)), *bars("NEW", range(10, 20))]
    store = ingest(
        tmp_path,
        delivery([listing("OLD"), listing("NEW")], prices),
        delivery([listing("OLD"), listing("NEW")], prices, actions=[change("OLD", "NEW", 10)]),
    )
    assert ids(store) == [1, 2]
    assert (bar_owner(store, 9), bar_owner(store, 10)) == ([1], [2])


def test_bars_without_a_listing_get_an_inferred_interval(tmp_path: Path) -> None:
    store = ingest(tmp_path, delivery([listing("A")], [*bars("A", range(10)), *bars("GHOST", range(3, 8))]))
    ghost = store.securities().filter(pl.col("symbol") == "GHOST")
    assert ghost.select("listed_on", "delisted_on", "interval_inferred", "name").rows() == [(day(3), None, True, None)]
    declared = [listing("A"), listing("GHOST", listed_on=day(3), name="Ghost Inc")]
    store.ingest(delivery(declared, [*bars("A", range(12)), *bars("GHOST", range(3, 12))]), at=NOON)
    ghost = store.securities().filter(pl.col("symbol") == "GHOST")
    assert ghost.select("listed_on", "interval_inferred", "name").rows() == [(day(3), False, "Ghost Inc")]
    assert ids(store) == [1, 2]


def test_bars_after_a_delisting_belong_to_nobody_known(tmp_path: Path) -> None:
    rows = [listing("X", listed_on=day(0), delisted_on=day(10)), listing("Y")]
    store = ingest(tmp_path, delivery(rows, [*bars("X", range(15)), *bars("Y", range(15))]))
    assert owner(store, "X", day(9)) != owner(store, "X", day(10))
    table = store.securities().filter(pl.col("symbol") == "X")
    assert table.select("interval_inferred", "active").rows() == [(False, False), (True, True)]
    assert store.securities().height == 3


@pytest.mark.parametrize("kind", ["delisting"])
def test_a_delisting_action_closes_a_listing_that_does_not_say_so(tmp_path: Path, kind: str) -> None:
    action = {"symbol": "X", "ex_date": day(10), "kind": kind}
    whole = delivery([listing("X"), listing("Y")], [*bars("X", range(10)), *bars("Y", range(15))], actions=[action])
    store = ingest(tmp_path, whole)
    table = store.securities().filter(pl.col("symbol") == "X")
    assert table.select("delisted_on", "closed_by", "active").rows() == [(day(10), "delisting", False)]
    assert not store.ingest(whole, at=NOON).changed


def test_two_listings_within_one_run_of_bars_leave_no_phantom_between_them(tmp_path: Path) -> None:
    rows = [listing("X", listed_on=day(0), delisted_on=day(10)), listing("X", listed_on=day(12), figi="F2")]
    store = ingest(tmp_path, delivery(rows, [*bars("X", range(10)), *bars("X", range(12, 20))]))
    assert ids(store) == [1, 2]


@pytest.mark.parametrize(("early", "owners"), [(5, 1), (100, 2)])
def test_bars_shortly_before_the_listing_date_are_its_own_older_ones_are_not(
    tmp_path: Path, early: int, owners: int
) -> None:
    prices = [*bars("X", [100 - early]), *bars("X", range(100, 110))]
    store = ingest(tmp_path, delivery([listing("X", listed_on=day(100))], prices))
    assert len(ids(store)) == owners


def test_absence_from_a_complete_discovery_closes_and_coming_back_opens_again(tmp_path: Path) -> None:
    both = [listing("X"), listing("Y")]
    store = ingest(tmp_path, delivery(both, [*bars("X", range(10)), *bars("Y", range(10))]))
    prices = [*bars("X", range(10)), *bars("Y", range(12))]
    found = store.ingest(delivery([listing("Y")], prices), at=NOON, accept_shrink=True)
    assert found.closed.rows() == [(1, "X", day(11), "absence")]
    found = store.ingest(delivery(both, [*bars("X", range(14)), *bars("Y", range(14))]), at=NOON)
    assert ids(store) == [1, 2]
    assert store.securities()["active"].to_list() == [True, True]
    assert bar_owner(store, 13) == [1, 2]


def test_absence_from_an_older_delivery_or_a_partial_list_closes_nothing(tmp_path: Path) -> None:
    both = [listing("X"), listing("Y")]
    store = ingest(tmp_path, delivery(both, [*bars("X", range(10)), *bars("Y", range(10))]))
    assert store.ingest(delivery([listing("Y")], bars("Y", range(5))), at=NOON, accept_shrink=True).closed.is_empty()
    partial = delivery([listing("Z")], bars("Z", range(12)), source="manual", partial=True)
    found = store.ingest(partial, at=NOON)
    assert found.closed.is_empty()
    assert found.new["symbol"].to_list() == ["Z"]
    assert store.securities()["active"].to_list() == [True, True, True]
    # The list of one symbol is not what the next discovery is measured against.
    store.ingest(delivery(both, [*bars("X", range(13)), *bars("Y", range(13))]), at=NOON)


def test_two_rows_for_one_security_and_session_keep_the_first(tmp_path: Path) -> None:
    prices = [*bars("X", range(5), close=1.0), *bars("X", [4], close=2.0)]
    store = new_store(tmp_path)
    found = store.ingest(delivery([listing("X")], prices), at=NOON)
    assert found.quarantined == {"duplicate": 1}
    assert store.bars(day(4))["close"].to_list() == [1.0]


@pytest.mark.parametrize("seed", range(100 if os.environ.get("AITRADER_PROVE") else 3))
def test_deliveries_that_grow_session_by_session_end_in_the_securities_of_one_delivery(
    tmp_path: Path, seed: int
) -> None:
    generator = random.Random(seed)
    rows, prices, actions = [], [], []
    for number in range(12):
        symbol, start = f"S{number:02d}", generator.randrange(0, 30)
        end = generator.choice([None, None, generator.randrange(40, 60)])
        stop = 80 if end is None else end
        turn = generator.randrange(start + 2, stop) if generator.random() < 0.4 else None
        figi = f"F{number}" if generator.random() < 0.5 else None
        if turn is None:
            rows.append((start, listing(symbol, listed_on=day(start), delisted_on=end and day(end), figi=figi)))
            prices += bars(symbol, range(start, stop))
        else:
            rows.append((start, listing(symbol, listed_on=day(start), delisted_on=day(turn), figi=figi)))
            rows.append((turn, listing(f"N{symbol}", listed_on=day(turn), delisted_on=end and day(end), figi=figi)))
            prices += [*bars(symbol, range(start, turn)), *bars(f"N{symbol}", range(turn, stop))]
            actions.append(change(symbol, f"N{symbol}", turn))

    def until(position: int) -> Delivery:
        last = day(position)
        known = [
            {**row, "delisted_on": row["delisted_on"] if row["delisted_on"] and row["delisted_on"] <= last else None}
            for start, row in rows
            if start <= position
        ]
        return delivery(
            known,
            [row for row in prices if row["date"] <= last],
            actions=[row for row in actions if row["ex_date"] <= last],
        )

    whole = ingest(tmp_path / "whole", until(79))
    parts = ingest(tmp_path / "parts", *(until(position) for position in (20, 33, 47, 48, 61, 79)))

    def shape(store: Store) -> set[frozenset[tuple[object, ...]]]:
        groups = store.symbol_intervals().group_by("security").agg(pl.struct("symbol", "from_date", "to_date"))
        return {frozenset(tuple(item.values()) for item in group) for group in groups["symbol"].to_list()}

    assert shape(parts) == shape(whole)
    facts = ["symbol", "listed_on", "delisted_on", "active", "first_bar", "last_bar"]
    assert parts.securities().select(facts).sort(facts).equals(whole.securities().select(facts).sort(facts))
