"""A layer's file bound to a source: what is refused and how it is said, what a source cannot feed."""

from __future__ import annotations

from typing import Any

import pytest

from aitrader.domain.errors import ConfigError
from tests.support.cross import OFFERS, layer, ranked


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("min_volum", "min_volume"),
        ("max_pee", "max_pe"),
        ("uptrned", "uptrend"),
        ("macd_cros", "macd_cross"),
        ("min_rsi14", "min_rsi"),
        ("volume", "min_volume"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layer(2, criteria={name: 1})
    assert str(caught.value) == (
        f"layer 2 (technical): no criterion is called {name}: it is no min_/max_ of a factor; did you mean {near}?"
    )


def test_a_name_like_nothing_points_at_the_page() -> None:
    with pytest.raises(ConfigError, match=r"see docs/criteria\.md"):
        layer(criteria={"zzzzzz": 1})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("min_volume", "many", "it takes a number"),
        ("min_volume", True, "it takes a number"),
        ("min_volume", ["1", "2"], "it takes a number"),
        ("macd_cross", 2.5, "it takes a whole number above 0"),
        ("macd_cross", 0, "it takes a whole number above 0"),
        ("macd_cross", -3, "it takes a whole number above 0"),
        ("macd_cross", True, "it takes a whole number above 0"),
        ("macd_cross", "five", "it takes a whole number above 0"),
        ("uptrend", 1, "it takes true or false"),
        ("uptrend", "yes", "it takes true or false"),
        ("explained_jumps", 0, "it takes true or false"),
        ("exchanges", "NYSE", "it takes a list of words"),
        ("exchanges", [1, 2], "it takes a list of words"),
        ("exchanges", 5, "it takes a list of words"),
    ],
)
@pytest.mark.parametrize("where", ["value", "exit"])
def test_a_value_of_the_wrong_type_is_refused(name: str, value: Any, why: str, where: str) -> None:
    good: dict[str, Any] = {"macd_cross": 5, "uptrend": True, "explained_jumps": True, "exchanges": ["NYSE"]}
    setting = value if where == "value" else {"value": good.get(name, 1), "exit": value}
    with pytest.raises(ConfigError) as caught:
        layer(criteria={name: setting})
    assert caught.value.why == why
    assert name in caught.value.what
    assert caught.value.do


@pytest.mark.parametrize(("low", "high", "fits"), [(30, 70, True), (70, 70, True), (70.1, 70, False), (80, 20, False)])
def test_bounds_that_contradict_each_other_are_refused(low: float, high: float, fits: bool) -> None:
    criteria = {"min_rsi": low, "max_rsi": high}
    if fits:
        assert len(layer(criteria=criteria).criteria) == 2
        return
    with pytest.raises(ConfigError) as caught:
        layer(criteria=criteria)
    assert f"min_rsi {low}" in str(caught.value)
    assert caught.value.do == "swap or widen the two bounds"


@pytest.mark.parametrize(
    ("name", "value", "leave", "fits"),
    [
        ("min_volume", 100, 80, True),
        ("min_volume", 100, 100, True),
        ("min_volume", 100, 120, False),
        ("max_pe", 25, 30, True),
        ("max_pe", 25, 20, False),
        ("macd_cross", 5, 10, True),
        ("macd_cross", 5, 3, False),
        ("exchanges", ["NYSE"], ["NASDAQ", "NYSE"], True),
        ("exchanges", ["NYSE", "NASDAQ"], ["NYSE"], False),
    ],
)
def test_an_exit_value_is_the_looser_of_the_two(name: str, value: Any, leave: Any, fits: bool) -> None:
    criteria = {name: {"value": value, "exit": leave}}
    if fits:
        banded = layer(3, criteria=criteria, bands={"exit_rank": 50})
        assert len(banded.exit_expressions) == 1
        for number, bands in ((1, None), (3, None)):
            with pytest.raises(ConfigError, match="an exit value that nothing reads"):
                layer(number, criteria=criteria, bands=bands)
        return
    with pytest.raises(ConfigError, match="is tighter than value") as caught:
        layer(criteria=criteria)
    assert caught.value.do == "make exit the looser of the two"


def test_a_ranking_of_an_unknown_factor_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ranking names relative_strength: .*did you mean relative_strength_pct"):
        layer(3, ranking=ranked(relative_strength=1.0))


def test_shares_of_a_ranking_add_up_by_component_and_factor() -> None:
    ranking = {
        "components": {
            "one": {"weight": 60, "factors": {"rsi": 1, "adx": 2}},
            "two": {"weight": 40, "factors": {"rsi": 1, "pe": 3}},
        }
    }
    assert dict(layer(3, ranking=ranking).ranking) == {
        "rsi": pytest.approx(20 + 10),
        "adx": pytest.approx(40),
        "pe": pytest.approx(30),
    }


def test_what_a_source_cannot_feed_is_named() -> None:
    bound = layer(
        3,
        criteria={"max_pe": 25, "min_rsi": 30},
        ranking=ranked(0.15, pe=1.0, rsi=1.0),
        types=["common"],
        max_symbols=50,
        offers=frozenset({"bars.close"}),
    )
    assert bound.unavailable == ("max_pe", "ranking pe", "types", "sector_cap")
    assert (bound.types, bound.sector_cap) == ((), None)
    assert [factor for factor, _ in bound.ranking] == ["rsi"]


def test_a_source_that_offers_all_leaves_nothing_unavailable() -> None:
    bound = layer(3, criteria={"max_pe": 25}, ranking=ranked(0.15, pe=1.0), types=["common"], offers=OFFERS)
    assert bound.unavailable == ()


def test_the_sets_policy_replaces_the_files() -> None:
    bound = layer(
        criteria={"min_market_cap": {"value": 1, "missing": "pass"}, "min_price": 1}, missing={"min_price": "skip"}
    )
    assert {one.name: one.missing for one in bound.criteria} == {"min_market_cap": "pass", "min_price": "skip"}
