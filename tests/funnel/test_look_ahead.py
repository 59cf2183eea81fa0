"""Nothing known only after a session's as_of changes what the session decided, whatever the store holds by then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.store.store import Store
from tests.support.funnels import digests, published, scanned, stored
from tests.support.markets import SESSIONS, SPLITS, STORED_AT, Tables, day, market
from tests.support.size import PROVING, more

FIRST = 53  # the first session judged; before it only features are folded
LAST = SESSIONS - 1
Keep = Callable[[Delivery], Store]
KINDS = ("bars", "actions", "fundamentals", "news", "securities")
# Just before and just after what happens: a late split's ex-date and the day it is known, a rename, a delisting ...
CUTS = tuple(range(FIRST, LAST)) if PROVING else (54, 79, 94)
Whole = tuple[Tables, dict[date, str]]


def judged(tables: Tables, root: Path) -> Whole:
    """Every session's digest, judged with all of the market stored."""
    with stored(root, tables.delivered()) as store:
        return tables, digests(scanned(store, LAST, first=SESSIONS - FIRST))


@pytest.fixture(scope="module")
def whole(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return judged(tables, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("cut", CUTS)
def test_a_store_that_ends_at_a_session_decides_the_same(whole: Whole, keep: Keep, cut: int) -> None:
    tables, expected = whole
    got = digests(scanned(keep(tables.delivered(until=cut)), cut, first=cut - FIRST + 1))
    assert got == {session: digest for session, digest in expected.items() if session <= day(cut)}


def test_so_it_is_without_a_benchmark_of_its_own(lonely: Tables, keep: Keep, tmp_path: Path) -> None:
    _, expected = judged(lonely, tmp_path / "whole")
    store = keep(lonely.delivered(until=79))
    early = digests(published(store, 79, first=79 - FIRST + 1))
    assert early == {session: digest for session, digest in expected.items() if session <= day(79)}
    store.ingest(lonely.delivered(), at=STORED_AT + timedelta(days=2))
    assert early | digests(scanned(store, LAST)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", CUTS[::6] if PROVING else [79])
def test_the_future_of_one_table_changes_nothing(whole: Whole, keep: Keep, kind: str, cut: int) -> None:
    tables, expected = whole
    known = replace(tables.known(cut), **{kind: getattr(tables, kind)})
    got = digests(scanned(keep(known.delivered()), cut, first=cut - FIRST + 1))
    assert got == {session: digest for session, digest in expected.items() if session <= day(cut)}


@pytest.mark.parametrize("cut", CUTS[::6] if PROVING else [58])
def test_what_is_delivered_later_is_taken_up_from_there(whole: Whole, keep: Keep, cut: int) -> None:
    tables, expected = whole
    store = keep(tables.delivered(until=cut))
    early = digests(published(store, cut, first=cut - FIRST + 1))
    store.ingest(tables.delivered(), at=STORED_AT + timedelta(days=2))
    assert early | digests(scanned(store, LAST)) == expected


def test_a_split_that_becomes_known_late_is_a_possible_split_until_then(keep: Keep, tables: Tables) -> None:
    store = keep(tables.delivered())
    ex, _, known = SPLITS["CCC"]
    assert known is not None
    runs = {run.session: run for run in scanned(store, known, first=known - ex + 2).runs}
    for at, suspect in ((ex - 1, False), (ex, True), (known - 1, True), (known, False)):
        row = runs[day(at)].detail.row(by_predicate=pl.col("symbol") == "CCC", named=True)
        assert row["suspect"] == suspect, at
        held = runs[day(at)].qualifications.filter(symbol="CCC", member=True)["layer"].to_list()
        assert not suspect or held == [0], "never published on a possible split"


def test_the_market_is_worth_the_test(whole: Whole) -> None:
    assert len(set(whole[1].values())) == SESSIONS - FIRST, "every session decides something of its own"


@pytest.mark.parametrize("seed", range(more(1, 12)))
def test_other_markets(seed: int, keep: Keep) -> None:
    tables = market(seed=100 + seed, benchmark=seed % 2 == 0)
    cut = 60 + 7 * seed % 40
    whole = digests(scanned(keep(tables.delivered()), cut, first=15))
    assert digests(scanned(keep(tables.delivered(until=cut)), cut, first=15)) == whole
