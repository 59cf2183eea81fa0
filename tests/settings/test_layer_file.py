"""A layer's file: short and long criteria, reserved sections, the canonical content and its digest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.domain.errors import ConfigError
from aitrader.settings.layer_file import Bands, CriterionSetting, LayerFile, layer_from_content

HEAD = {"layer": {"number": 2, "name": "technical"}}


def layer(**sections: Any) -> LayerFile:
    return layer_from_content(HEAD | sections)


def test_a_plain_value_is_required_and_fails_where_missing() -> None:
    assert layer(min_volume=1_000_000).criteria == {
        "min_volume": CriterionSetting(value=1_000_000, role="required", weight=1.0, missing="fail", exit=None)
    }


def test_the_long_form() -> None:
    long = {"value": 30, "role": "scored", "weight": 2, "missing": "skip", "exit": 25}
    assert layer(min_rsi=long).criteria["min_rsi"] == CriterionSetting(
        value=30, role="scored", weight=2.0, missing="skip", exit=25
    )


@pytest.mark.parametrize("value", [5, 0.5, True, "word", ("NYSE", "ARCA"), ()])
def test_values_that_a_criterion_may_have(value: object) -> None:
    given_value = list(value) if isinstance(value, tuple) else value
    assert layer(anything=given_value).criteria["anything"].value == value


def test_defaults_of_the_reserved_sections() -> None:
    found = layer()
    assert (found.min_score, found.min_coverage, found.max_symbols, found.min_symbols) == (0.0, 0.5, None, 0)
    assert (found.types, found.bands, found.ranking.sector_cap, found.ranking.components) == ((), None, None, {})
    assert layer(bands={"exit_rank": 9}).bands == Bands(exit_rank=9, max_age=10, min_dwell=0, max_stale=3)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"min_rsi": None}, "layer.min_rsi cannot be null"),
        ({"min_rsi": {"role": "scored"}}, "layer.min_rsi lacks value"),
        ({"min_rsi": {"value": None}}, "layer.min_rsi.value cannot be null"),
        ({"min_rsi": {"value": {"a": 1}}}, "layer.min_rsi.value cannot be a section"),
        ({"min_rsi": [[1]]}, "layer.min_rsi cannot be a list of sections"),
        ({"min_rsi": {"value": 3, "wieght": 1}}, "layer.min_rsi.wieght is no setting; did you mean weight?"),
        ({"min_rsi": {"value": 3, "role": "scorred"}}, "layer.min_rsi.role cannot be 'scorred'"),
        ({"min_rsi": {"value": 3, "missing": "ignore"}}, "layer.min_rsi.missing cannot be 'ignore'"),
        ({"min_rsi": {"value": 3, "role": "scored", "weight": -1}}, "layer.min_rsi.weight cannot be -1"),
        ({"min_rsi": {"value": 3, "role": "scored", "weight": True}}, "layer.min_rsi.weight cannot be True"),
        ({"min_rsi": {"value": 3, "weight": 2}}, "layer.min_rsi is required, so its weight is unused"),
        ({"min_rsi": {"value": 3, "role": "scored", "weight": 0}}, "layer has scored criteria that all weigh 0"),
        ({"layer": 1}, "layer.layer cannot be 1: expected a section of keys"),
        ({"layer": {"number": 1}}, "layer.layer lacks name"),
        ({"layer": {"number": 4, "name": "x"}}, "layer.layer.number cannot be 4"),
        ({"layer": {"number": "1", "name": "x"}}, "layer.layer.number cannot be '1': expected a whole number"),
        ({"layer": {"number": 1, "name": ""}}, "layer.layer.name cannot be ''"),
        ({"layer": {"number": 1, "name": "x", "min_score": 1.01}}, "layer.layer.min_score cannot be 1.01"),
        ({"layer": {"number": 1, "name": "x", "min_score": 0.5}}, "layer.layer.min_score is above 0, yet nothing"),
        ({"layer": {"number": 1, "name": "x", "max_symbols": 0}}, "layer.layer.max_symbols cannot be 0"),
        ({"layer": {"number": 1, "name": "x", "max_symbols": 2, "min_symbols": 3}}, "layer.layer contradicts itself"),
        ({"layer": {"number": 1, "name": "x", "maximum": 0}}, "layer.layer.maximum is no setting; valid: number"),
        ({"types": "common"}, "layer.types cannot be 'common': expected a list"),
        ({"types": ["common", "common"]}, "layer.types names a type twice"),
        ({"types": ["common", 5]}, "layer.types"),
        ({"ranking": {"sector_cap": 0}}, "layer.ranking.sector_cap cannot be 0"),
        ({"ranking": {"sector_cup": 0.1}}, "layer.ranking.sector_cup is no setting; did you mean sector_cap?"),
        ({"ranking": {"components": {"t": {"weight": 1}}}}, "layer.ranking.components.t lacks factors"),
        ({"ranking": {"components": {"t": {"weight": 1, "factors": {}}}}}, "layer.ranking.components.t has no factor"),
        (
            {"ranking": {"components": {"t": {"weight": 1, "factors": {"a": -1}}}}},
            "layer.ranking.components.t.factors.a",
        ),
        (
            {"ranking": {"components": {"t": {"weight": 0, "factors": {"a": 1}}}}},
            "layer.ranking.components all weigh 0",
        ),
        (
            {"ranking": {"components": {"t": {"weigth": 1, "factors": {"a": 1}}}}},
            "layer.ranking.components.t.weigth is",
        ),
        ({"bands": {"max_age": 0}}, "layer.bands.max_age cannot be 0"),
        ({"bands": None}, "layer.bands cannot be null"),
    ],
)
def test_one_line_for_what_cannot_be_used(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layer_from_content(HEAD | sections)
    assert str(caught.value).removeprefix("stored configuration: ").startswith(said)
    assert caught.value.do


def test_an_exit_rank_inside_the_layer_is_refused() -> None:
    head = {"number": 3, "name": "x", "max_symbols": 50}
    assert layer_from_content({"layer": head, "bands": {"exit_rank": 50}}).bands is not None
    with pytest.raises(ConfigError, match="exit_rank 49 < max_symbols 50"):
        layer_from_content({"layer": head, "bands": {"exit_rank": 49}})


numbers = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), st.booleans(), st.text(max_size=5))
long_forms = st.fixed_dictionaries(
    {"value": numbers, "role": st.just("scored"), "weight": st.floats(0.1, 10)},
    optional={"missing": st.sampled_from(["fail", "skip", "pass"]), "exit": numbers},
)


@given(st.dictionaries(st.from_regex(r"m[a-z_]{1,8}", fullmatch=True), st.one_of(numbers, long_forms), max_size=5))
def test_content_survives_json_and_keeps_its_digest(criteria: dict[str, Any]) -> None:
    first = layer_from_content(HEAD | criteria)
    again = layer_from_content(json.loads(json.dumps(first.content())))
    assert again == first
    assert again.digest() == first.digest()
    turned = layer_from_content(HEAD | dict(reversed(criteria.items()))).digest()
    assert (turned == first.digest()) is (len(criteria) < 2)  # the first criterion that says no decides


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1_000_000}, {"a": 1e6}, True),
        ({"a": 5}, {"a": {"value": 5}}, True),
        ({"a": {"value": 5, "role": "scored"}}, {"a": {"value": 5, "role": "scored", "weight": 1.0}}, True),
        ({"a": 5}, {"a": 6}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 5}, {"a": {"value": 5, "missing": "skip"}}, False),
        ({"a": 5}, {"b": 5}, False),
        ({"types": ["etf", "adr"]}, {"types": ["adr", "etf"]}, False),
    ],
)
def test_the_digest_is_of_the_meaning(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert (layer(**one).digest() == layer(**other).digest()) is same
