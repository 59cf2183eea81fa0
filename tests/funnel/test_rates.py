"""Counts and rates of a session: who is counted, the qualification rate, the change rate (definitions 7 and 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from aitrader.domain.run import QUALIFICATIONS
from aitrader.funnel import membership as seats
from aitrader.funnel.engine import Rules, SessionResult, qualifications, qualify, result_digest
from aitrader.settings.models import Sentiment
from tests.support.cross import DAY, cross, layer, view

ORDINAL = 6000


def rules(types: tuple[str, ...] = ("common", "etf")) -> Rules:
    layers = (
        layer(0, criteria={"exchanges": ["NYSE"]}),
        layer(1, criteria={"min_price": 10.0}, types=types),
        layer(2, criteria={"min_rsi": 30.0}),
        layer(3, criteria={"max_pe": 25.0}, bands={}, types=["common"]),
    )
    return Rules(layers=layers, sentiment=Sentiment(), version="v")


class Sessions:
    """Sessions of a made-up universe, one after the other on one membership."""

    def __init__(self, size: int) -> None:
        self.membership, self.ordinal = seats.empty(size), ORDINAL

    def step(self, *rows: dict[str, Any]) -> SessionResult:
        self.ordinal += 1
        return qualify(cross(*rows), view(rows), rules(), self.membership, self.ordinal, DAY)


def row(price: float = 20.0, **values: Any) -> dict[str, Any]:
    return {"price": price, "rsi": 50.0, "pe": 15.0, **values}


UP, DOWN = row(), row(5.0)
GONE = row(delisted_on=DAY)


@pytest.mark.parametrize(
    ("before", "after", "rate", "added", "removed"),
    [
        ([UP] * 20 + [DOWN], [DOWN] + [UP] * 20, 0.05, 1, 1),  # 1 of 20 swapped
        ([UP] * 20, [UP] * 20, 0.0, 0, 0),
        ([UP] * 20, [DOWN] * 2 + [UP] * 18, 0.05, 0, 2),
        ([UP] * 10 + [DOWN] * 5, [UP] * 15, 0.25, 5, 0),
        ([UP] * 4, [DOWN] * 4, 0.5, 0, 4),
        ([UP, DOWN], [DOWN, UP], 1.0, 1, 1),
        ([UP] * 20, [GONE] + [UP] * 19, 0.0, 0, 0),  # a delisting is no change
        ([UP] * 20 + [DOWN], [GONE] + [UP] * 20, 0.025, 1, 0),  # but who takes its place is one
        ([DOWN] * 3, [UP] * 3, None, 3, 0),  # from nobody: unknown
    ],
)
def test_change_rate_rows(
    before: list[dict[str, Any]], after: list[dict[str, Any]], rate: float | None, added: int, removed: int
) -> None:
    sessions = Sessions(len(before))
    sessions.step(*before)
    got = sessions.step(*after).layers[1]
    assert (got.change_rate, got.added, got.removed) == (rate if rate is None else pytest.approx(rate), added, removed)


def test_the_first_session_has_no_change_rate() -> None:
    assert [one.change_rate for one in Sessions(3).step(UP, UP, DOWN).layers] == [None] * 4


def test_layer_0_counts_the_types_that_layer_1_may_admit() -> None:
    rows = [row(), row(security_type="etf"), row(security_type="warrant"), row(exchange="OTC"), row(delisted_on=DAY)]
    got = Sessions(5).step(*rows)
    universe, liquid = got.layers[0], got.layers[1]
    assert (universe.reached, universe.symbols, universe.counted, universe.failed) == (4, 2, 2, 1)
    assert (liquid.reached, liquid.symbols, liquid.failed) == (3, 2, 1)
    assert liquid.qualification_rate == 1.0
    assert universe.qualification_rate is None


@pytest.mark.parametrize(
    ("rows", "rates"),
    [
        ([UP, UP, DOWN, DOWN], (None, 0.5, 1.0, 1.0)),
        ([row(rsi=10.0), UP, DOWN, DOWN], (None, 0.5, 0.5, 1.0)),
        ([DOWN, DOWN], (None, 0.0, None, None)),  # of nobody: unknown
        ([row(pe=30.0), row(pe=30.0)], (None, 1.0, 1.0, 0.0)),
    ],
)
def test_qualification_rate_is_a_layer_over_the_one_below(
    rows: list[dict[str, Any]], rates: tuple[float | None, ...]
) -> None:
    assert tuple(one.qualification_rate for one in Sessions(len(rows)).step(*rows).layers) == rates


def test_funds_reach_layer_3_and_are_excluded_there() -> None:
    got = Sessions(2).step(row(), row(security_type="etf"))
    assert [one.symbols for one in got.layers] == [2, 2, 2, 1]
    rows = qualifications(got).filter(layer=3)
    assert rows["cause"].to_list() == ["passed", "security type not admitted"]


def test_counts_of_failed_and_unknown_are_of_those_reached() -> None:
    got = Sessions(4).step(UP, DOWN, row(float("nan")), row(rsi=float("nan")))
    assert [(one.reached, one.failed, one.unknown) for one in got.layers] == [
        (4, 0, 0),
        (4, 1, 1),
        (2, 0, 1),
        (1, 0, 0),
    ]


def test_qualifications_have_a_row_for_everyone_who_reached_a_layer() -> None:
    got = Sessions(3).step(row(pe=20.0), row(5.0), row(pe=30.0))
    table = qualifications(got)
    assert table.schema == pl.Schema(QUALIFICATIONS)
    assert table.select("layer", "security", "verdict", "member", "rank", "cause").rows() == [
        (0, 1, 1, True, None, "passed"),
        (0, 2, 1, True, None, "passed"),
        (0, 3, 1, True, None, "passed"),
        (1, 1, 1, True, 1, "passed"),
        (1, 2, 0, False, None, "min_price"),
        (1, 3, 1, True, 2, "passed"),
        (2, 1, 1, True, 1, "passed"),
        (2, 3, 1, True, 2, "passed"),
        (3, 1, 1, True, 1, "passed"),
        (3, 3, 0, False, None, "max_pe"),
    ]


def test_a_member_whose_layer_1_data_is_missing_is_held_and_one_with_a_possible_split_is_not() -> None:
    sessions = Sessions(3)
    sessions.step(UP, UP, UP)
    got = sessions.step(row(float("nan")), row(suspect=1.0, price=float("nan")), UP)
    assert list(got.places[3].member) == [True, False, True]
    assert list(got.places[1].member) == [False, False, True]


def test_the_digest_is_of_what_was_decided() -> None:
    base = result_digest(Sessions(3).step(UP, UP, DOWN))
    assert result_digest(Sessions(3).step(UP, UP, DOWN)) == base
    assert result_digest(Sessions(3).step(UP, UP, row(6.0))) == base, "a value that decides nothing"
    assert result_digest(Sessions(3).step(UP, DOWN, UP)) != base
    assert result_digest(Sessions(3).step(UP, UP, row(5.0, exchange="OTC"))) != base


def test_a_listing_that_begins_later_is_no_part_of_the_digest() -> None:
    later = row(listed_on=DAY.replace(year=DAY.year + 1))
    assert result_digest(Sessions(2).step(UP, UP)) == result_digest(Sessions(3).step(UP, UP, later))


def test_verdicts_do_not_depend_on_the_order_of_the_rest() -> None:
    rng = np.random.default_rng(3)
    rows = [
        row(float(rng.uniform(5, 30)), rsi=float(rng.uniform(10, 90)), pe=float(rng.uniform(5, 40))) for _ in range(30)
    ]
    order = rng.permutation(30)
    one, other = Sessions(30).step(*rows), Sessions(30).step(*(rows[at] for at in order))
    for a, b in zip(one.places, other.places, strict=True):
        np.testing.assert_array_equal(a.member[order], b.member)
