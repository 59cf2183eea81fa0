"""Who holds a place: entry, bands, ages, staleness, caps and sector caps (definitions 6 and 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aitrader.domain.verdict import Verdict
from aitrader.funnel import membership as seats
from aitrader.funnel.membership import order
from tests.funnel import funnel_oracle as oracle
from tests.support.cross import layer, ranked
from tests.support.places import Table, members, why
from tests.support.size import more

NAN = float("nan")
F, P, U = Verdict.FAILED, Verdict.PASSED, Verdict.UNKNOWN


# --- entry ---


def test_entry_asks_for_a_place_below_and_for_passing() -> None:
    got = Table(4).step(below=[1, 1, 0, 0], verdict=[P, F, P, U])
    assert members(got) == [0]
    assert list(got.reached) == [True, True, False, False]


@pytest.mark.parametrize(("enter_rank", "expected"), [(None, [0, 1, 2, 3]), (2, [0, 1]), (1, [0]), (4, [0, 1, 2, 3])])
def test_entrants_need_the_entry_rank(enter_rank: int | None, expected: list[int]) -> None:
    got = Table(4, bands={"enter_rank": enter_rank}).step()
    assert members(got) == expected
    if len(expected) < 4:
        assert why(got, 3) == "rank beyond the entry rank"


def test_the_entry_rank_counts_members_and_candidates_together() -> None:
    table = Table(4, bands={"enter_rank": 2})
    table.step(below=[1, 1, 0, 0])
    got = table.step(below=[0, 0, 1, 1], score=[0.9, 0.5, 0.7, 0.6])
    assert members(got) == [0, 2, 1]  # 3 ranks behind two better ones
    assert why(got, 3) == "rank beyond the entry rank"


def test_ranks_break_ties_by_security_and_put_unknown_scores_last() -> None:
    assert list(order(np.array([0.5, NAN, 0.9, 0.5, NAN]), np.ones(5, dtype=bool))) == [2, 0, 3, 1, 4]
    assert list(order(np.array([0.5, 0.9]), np.array([True, False]))) == [0]
    assert members(Table(4).step(score=[0.5, NAN, 0.9, 0.5])) == [2, 0, 3, 1]


# --- staying ---


def test_a_member_is_held_without_a_place_below() -> None:
    table = Table(3)
    table.step()
    got = table.step(below=[1, 0, 0], verdict=[P, F, F])
    assert members(got) == [0, 1, 2]
    assert [why(got, at) for at in range(3)] == ["passed", "held by band", "held by band"]


@pytest.mark.parametrize("max_age", [1, 4, 10])
def test_a_member_leaves_when_its_last_pass_below_is_too_old(max_age: int) -> None:
    table = Table(1, bands={"max_age": max_age})
    table.step()
    for _ in range(max_age):
        assert members(table.step(below=[0])) == [0]
    got = table.step(below=[0])
    assert members(got) == []
    assert why(got, 0) == "too long since it last passed the layer below"
    assert members(table.step(below=[0])) == []


def test_a_pass_below_renews_the_age() -> None:
    table = Table(1, bands={"max_age": 2})
    for below in (1, 0, 0, 1, 0, 0):
        assert members(table.step(below=[below], verdict=[P if table.t == 100 else F])) == [0]
    assert members(table.step(below=[0])) == []


@pytest.mark.parametrize(
    ("exit_rank", "max_symbols", "rank", "stays"),
    [(3, 3, 3, True), (3, 3, 4, False), (None, 2, 4, True), (None, 2, 5, False), (None, None, 6, True)],
)
def test_a_member_stays_up_to_the_exit_rank(
    exit_rank: int | None, max_symbols: int | None, rank: int, stays: bool
) -> None:
    bands = {} if exit_rank is None else {"exit_rank": exit_rank}
    table = Table(7, bands=bands, max_symbols=max_symbols)
    table.step(below=[0, 0, 0, 0, 0, 0, 1])
    better = [1] * (rank - 1) + [0] * (7 - rank)
    got = table.step(below=[*better[:6], 0], verdict=[F] * 7)  # they pass below, and do not pass here
    assert (6 in members(got)) == stays
    assert why(got, 6) == ("held by band" if stays else "rank beyond the exit rank")


def test_a_symbol_that_fails_a_required_criterion_takes_nobodys_rank() -> None:
    table = Table(3, bands={"exit_rank": 1})
    table.step(below=[0, 0, 1])
    got = table.step(below=[1, 1, 0], verdict=[F, F, P], required=[F, F, P])
    assert members(got) == [2]


@pytest.mark.parametrize(
    ("change", "cause"),
    [({"liquid": [0, 1]}, "left the layer below"), ({"required": [F, P]}, "score below the minimum")],
)
def test_a_member_leaves_at_once_where_it_fails(change: dict[str, Any], cause: str) -> None:
    table = Table(2)
    table.step()
    got = table.step(below=[0, 1], verdict=[F, P], **change)
    assert members(got) == [1]
    assert why(got, 0) == cause


@pytest.mark.parametrize("what", ["required", "unsure", "score"])
@pytest.mark.parametrize("max_stale", [0, 1, 3])
def test_an_unknown_member_is_held_for_a_while_and_leaves_with_cause_data(what: str, max_stale: int) -> None:
    table = Table(2, bands={"max_stale": max_stale})
    table.step()
    kinds: dict[str, dict[str, Any]] = {
        "required": {"required": [U, P]},
        "unsure": {"unsure": [1, 0], "liquid": [0, 1]},
        "score": {},  # the verdict alone is open: too little of the score is known
    }
    trouble = kinds[what]
    for _ in range(max_stale):
        got = table.step(below=[0, 1], verdict=[U, P], **trouble)
        assert members(got) == [1, 0], "what is unknown ranks last"
        assert why(got, 0) == "held by band"
    got = table.step(below=[0, 1], verdict=[U, P], **trouble)
    assert members(got) == [1]
    assert why(got, 0) == "data: a required input stayed unknown"


def test_an_unknown_member_is_held_whatever_its_rank_and_age() -> None:
    table = Table(3, bands={"exit_rank": 1, "max_age": 1})
    table.step(below=[0, 0, 1])
    for _ in range(3):
        assert 2 in members(table.step(below=[1, 1, 0], verdict=[F, F, U], required=[P, P, U]))
    assert 2 not in members(table.step(below=[1, 1, 0], verdict=[F, F, F]))


def test_staleness_counts_sessions_in_a_row() -> None:
    table = Table(1)
    table.step()
    for unknown in (1, 1, 1, 0, 1, 1, 1):
        assert members(table.step(verdict=[F], required=[U if unknown else P])) == [0]
    assert members(table.step(verdict=[F], required=[U])) == []


def test_a_possible_split_leaves_at_once() -> None:
    table = Table(1)  # the engine tells Layer 1 of it: neither liquid nor merely lacking data
    table.step()
    assert members(table.step(below=[0], liquid=[0], unsure=[0], verdict=[U])) == []


@pytest.mark.parametrize("min_dwell", [0, 1, 3])
def test_a_young_member_dwells_whatever_its_rank_and_age(min_dwell: int) -> None:
    table = Table(3, bands={"min_dwell": min_dwell, "exit_rank": 1, "max_age": 1})
    table.step(below=[0, 0, 1])
    for at in range(1, 6):
        got = table.step(below=[1, 1, 0], verdict=[F, F, F])
        assert (2 in members(got)) == (at < min_dwell), at
        if at >= min_dwell:
            break


def test_dwelling_excuses_no_failure() -> None:
    table = Table(1, bands={"min_dwell": 5})
    table.step()
    assert members(table.step(required=[F], verdict=[F])) == []


def test_dwell_is_counted_from_the_last_entry() -> None:
    table = Table(2, bands={"min_dwell": 2, "exit_rank": 1})
    table.step(below=[0, 1])
    table.step(below=[0, 0], required=[P, F])
    table.step(below=[0, 1])
    assert 1 in members(table.step(below=[1, 0], verdict=[F, F]))


def test_bands_of_layer_2_renew_on_its_own_passes() -> None:
    table = Table(2, number=2, bands={"max_age": 2})
    table.step()
    for _ in range(2):
        assert members(table.step(verdict=[P, F])) == [0, 1]
    got = table.step(verdict=[P, F])
    assert members(got) == [0]
    assert why(got, 1) == "too long since it last passed the layer below"


def test_without_bands_membership_is_todays_passes() -> None:
    table = Table(3, bands=None, number=2)
    table.layer = layer(2, ranking=ranked(rsi=1.0))
    assert members(table.step()) == [0, 1, 2]
    got = table.step(verdict=[F, P, U])
    assert members(got) == [1]


# --- caps ---


def test_the_cap_keeps_the_best() -> None:
    got = Table(5, max_symbols=2).step(score=[0.1, 0.9, 0.5, 0.8, 0.7])
    assert members(got) == [1, 3]
    assert got.bound
    assert why(got, 4) == "no room under the layer's cap"


def test_a_cap_that_keeps_nobody_out_does_not_bind() -> None:
    assert not Table(2, max_symbols=2).step().bound


def test_members_keep_their_seats_before_better_entrants() -> None:
    table = Table(3, max_symbols=2)
    table.step(below=[0, 1, 1])
    got = table.step()
    assert members(got) == [1, 2]
    assert why(got, 0) == "no room under the layer's cap"


def test_a_lowered_cap_keeps_the_best_members() -> None:
    table = Table(5, max_symbols=5)
    table.step()
    lower = Table(5, max_symbols=2)
    lower.membership, lower.t = table.membership, table.t
    got = lower.step(score=[0.1, 0.9, 0.5, 0.8, 0.7])
    assert members(got) == [1, 3]
    assert got.bound
    assert [why(got, at) for at in (0, 2, 4)] == ["no room under the layer's cap"] * 3


@pytest.mark.parametrize(
    ("share", "max_symbols", "expected"),
    [
        (0.15, 50, 7),
        (0.15, 10, 3),  # never under 3
        (0.15, 20, 3),
        (0.15, 26, 3),  # 3.9
        (0.15, 27, 4),  # 4.05
        (0.29, 100, 29),  # 0.29 x 100 is 28.999999999999996 in floating point
        (1.0, 5, 5),
    ],
)
def test_the_sector_cap_is_a_fixed_number(share: float, max_symbols: int, expected: int) -> None:
    got = Table(40, sector_cap=share, max_symbols=max_symbols).step()
    assert got.member.sum() == min(expected, max_symbols)
    assert members(got) == list(range(expected))
    if expected < max_symbols:
        assert why(got, 39) == "sector cap"


def test_the_sector_cap_takes_the_best_of_each_sector() -> None:
    sectors = [0, 0, 0, 0, 1, 1, 1, 1]
    got = Table(8, sector_cap=0.15, max_symbols=10).step(sector=sectors)
    assert members(got) == [0, 1, 2, 4, 5, 6]
    assert why(got, 3) == why(got, 7) == "sector cap"
    assert not got.bound


def test_held_members_count_in_their_sector_and_are_never_thrown_out_by_it() -> None:
    table = Table(8, max_symbols=10)
    table.step(below=[0, 0, 0, 0, 1, 1, 1, 1])
    capped = Table(8, sector_cap=0.15, max_symbols=10)
    capped.membership, capped.t = table.membership, table.t
    got = capped.step(sector=[0] * 8)
    assert members(got) == [4, 5, 6, 7]
    assert why(got, 0) == "sector cap"


@pytest.mark.parametrize(("least", "count", "relaxed"), [(0, 3, 0), (3, 3, 0), (4, 4, 1), (6, 6, 3), (9, 8, 5)])
def test_too_few_names_relax_the_sector_cap_by_one_at_a_time(least: int, count: int, relaxed: int) -> None:
    got = Table(8, sector_cap=0.15, max_symbols=10, min_symbols=least).step()
    assert (got.member.sum(), got.relaxed) == (count, relaxed)


def test_min_symbols_over_what_the_cap_leaves_room_for_ends() -> None:
    got = Table(8, sector_cap=0.15, max_symbols=5, min_symbols=5).step()
    assert got.member.sum() == 5


def test_without_sectors_there_is_no_sector_cap() -> None:
    table = Table(8, sector_cap=0.15, max_symbols=10)
    table.layer = layer(3, ranking=ranked(0.15, rsi=1.0), bands={}, max_symbols=10, offers=frozenset({"bars.close"}))
    assert table.step().member.sum() == 8
    assert "sector_cap" in table.layer.unavailable


# --- all of it against plain Python ---


@pytest.mark.parametrize("seed", range(more(10, 300)))
def test_sequences_of_sessions_equal_plain_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(6, 40))
    cap = int(rng.integers(3, 20)) if rng.random() < 0.8 else None
    config = oracle.Config(
        max_symbols=cap,
        min_symbols=int(rng.integers(0, cap or 1)),
        sector_cap=float(rng.choice([0.15, 0.29, 0.5])) if cap and rng.random() < 0.7 else None,
        enter_rank=int(rng.integers(2, 15)) if rng.random() < 0.5 else None,
        exit_rank=int((cap or 3) + rng.integers(0, 12)) if rng.random() < 0.6 else None,
        max_age=int(rng.integers(1, 6)),
        min_dwell=int(rng.integers(0, 4)),
        max_stale=int(rng.integers(0, 4)),
    )
    bands = {
        name: value
        for name in ("enter_rank", "exit_rank", "max_age", "min_dwell", "max_stale")
        if (value := getattr(config, name)) is not None
    }
    head = {"min_symbols": config.min_symbols, "sector_cap": config.sector_cap}
    table = Table(size, bands=bands, max_symbols=cap, **head)
    plain = oracle.Seats(config=config)
    sector = rng.integers(0, 4, size)
    level = rng.random(size)
    for _ in range(25):
        level = np.clip(level + rng.normal(0, 0.15, size), 0, 1)
        score = np.where(rng.random(size) < 0.05, NAN, np.round(level, 2))
        below = rng.random(size) < 0.5
        liquid = rng.random(size) < 0.93
        unsure = ~liquid & (rng.random(size) < 0.6)
        below &= liquid
        required = rng.choice([P, P, P, P, P, P, U, F], size)
        passes = (required == P) & (rng.random(size) < 0.7)
        thin = (required == P) & ~passes & (rng.random(size) < 0.3)
        verdict = np.where(passes, P, np.where(thin, U, np.where(required == P, F, required)))
        got = table.step(
            score=score,
            below=below,
            verdict=verdict,
            required=required,
            liquid=liquid,
            unsure=unsure,
            sector=sector,
        )
        symbols = {
            at: oracle.Symbol(
                below=bool(below[at]),
                passes=bool(passes[at]),
                liquid=bool(liquid[at]),
                unsure=bool(unsure[at]),
                unknown=bool(verdict[at] == U),
                required=int(required[at]),
                score=None if np.isnan(score[at]) or verdict[at] == U else float(score[at]),
                sector=str(sector[at]),
            )
            for at in range(size)
        }
        assert members(got) == plain.step(table.t, symbols)
        assert (got.member <= got.reached).all()


def test_new_securities_begin_with_nothing() -> None:
    table = Table(2)
    table.step()
    wider = seats.grown(table.membership, 4)
    np.testing.assert_array_equal(wider[:, :2], table.membership)
    np.testing.assert_array_equal(wider[:, 2:], seats.empty(2))
