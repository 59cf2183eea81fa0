"""Value, threshold, margin, verdict and input date of each criterion; what is unknown stays unknown."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from aitrader.domain.verdict import Verdict
from aitrader.operations.explain import explain, margin, relation
from tests.operations import sample

LOSS = {"symbol": "X", "name": "X Ltd", "exchange": "NYSE", "security_type": "common", "sector": None}


@pytest.mark.parametrize(
    ("value", "op", "threshold", "distance", "held"),
    [
        (999_999.0, ">=", 1_000_000, -1.0, "<"),
        (1_000_000.0, ">=", 1_000_000, 0.0, ">="),
        (1_000_001.0, ">=", 1_000_000, 1.0, ">="),
        (30.0, ">", 30, 0.0, "<="),
        (26.0, "<=", 25, -1.0, ">"),
        (25.0, "<=", 25, 0.0, "<="),
        (24.0, "<=", 25, 1.0, "<="),
        (5.0, "<", 5, 0.0, ">="),
        (-3.0, ">=", -2, -1.0, "<"),
        (None, ">=", 1, None, ">="),
        (float("nan"), ">=", 1, None, ">="),
        (1.0, ">=", None, None, ">="),
        (True, "is", True, None, "="),
        ("NYSE", "in", ["NYSE"], None, "="),
    ],
)
def test_margin_is_the_distance_in_the_direction_of_passing(
    value: Any, op: str, threshold: Any, distance: float | None, held: str
) -> None:
    found = margin(value, op, threshold)
    assert found == distance
    assert str(found) != "-0.0"
    assert relation(value, op, threshold) == held


def one(detail: dict[str, Any], reached: dict[int, dict[str, Any]]) -> dict[str, Any]:
    passed = {"verdict": Verdict.PASSED, "member": True, "score": None, "rank": None, "cause": "passed"}
    rows = [{"layer": layer, **passed, **row} for layer, row in reached.items()]
    return explain(security=LOSS, qualifications=rows, detail=detail, content=sample.CONTENT)


def test_a_layer_that_was_not_reached_shows_its_values_without_a_verdict() -> None:
    found = one({"volume": 1e6, "rsi": 55.0, "L1.min_volume": 1, "L2.min_rsi": 1}, {0: {}, 1: {}})
    assert found["layer"] == 1
    assert [layer["verdict"] for layer in found["layers"]] == ["passed", "passed", "not_reached", "not_reached"]
    rsi = found["layers"][2]["criteria"][0]
    assert (rsi["value"], rsi["margin"], rsi["verdict"]) == (55.0, 25.0, "not_reached")


def test_a_symbol_without_any_row_holds_nothing() -> None:
    found = one({}, {})
    assert found["layer"] is None
    assert all(layer["verdict"] == "not_reached" for layer in found["layers"])
    assert all(criterion["value"] is None for layer in found["layers"] for criterion in layer["criteria"])


def test_a_held_member_is_said_to_be_held() -> None:
    found = one({}, {3: {"cause": "held by band"}, 2: {"verdict": Verdict.FAILED, "member": False, "cause": "score"}})
    assert [layer["held_by_band"] for layer in found["layers"]] == [False, False, False, True]


def test_a_left_member_is_not_held() -> None:
    found = one({}, {3: {"cause": "held by band", "member": False}})
    assert found["layers"][3]["held_by_band"] is False


@pytest.mark.parametrize(
    ("pe", "code", "note"),
    [
        (None, Verdict.FAILED, "negative earnings"),
        (-8.0, Verdict.FAILED, "negative earnings"),
        (26.0, Verdict.FAILED, ""),
        (24.0, Verdict.PASSED, ""),
        (None, Verdict.UNKNOWN, ""),
    ],
)
def test_a_loss_is_a_known_no(pe: float | None, code: Verdict, note: str) -> None:
    criterion = one({"pe": pe, "L3.max_pe": int(code)}, {3: {}})["layers"][3]["criteria"][0]
    assert (criterion["verdict"], criterion["note"]) == (code.word, note)


def test_an_input_that_the_source_never_offers_is_unavailable_in_every_layer() -> None:
    criterion = one({"L1.max_spread_pct": 5, "bar_date": date(2025, 8, 21)}, {})["layers"][1]["criteria"][2]
    assert (criterion["verdict"], criterion["input_date"]) == ("unavailable", None)


@pytest.mark.parametrize(
    ("detail", "dated"),
    [
        ({"bar_date": date(2025, 8, 20)}, "2025-08-20"),
        ({"session": date(2025, 8, 21), "bar_age": 0.0}, "2025-08-21"),
        ({"session": date(2025, 9, 2), "bar_age": 2.0}, "2025-08-28"),  # over a weekend and Labor Day
        ({"session": date(2025, 8, 21), "bar_age": None}, None),
        ({"session": date(2025, 8, 21), "bar_age": float("nan")}, None),
        ({}, None),
    ],
)
def test_the_input_date_of_a_bar(detail: dict[str, Any], dated: str | None) -> None:
    assert one(detail, {})["layers"][1]["criteria"][0]["input_date"] == dated


def test_each_input_has_its_own_date() -> None:
    detail = {"session": date(2025, 8, 21), "bar_date": date(2025, 8, 20), "filing_date": date(2025, 7, 31)}
    layers = one(detail, {})["layers"]
    assert layers[0]["criteria"][0]["input_date"] == "2025-08-21"
    assert layers[3]["criteria"][0]["input_date"] == "2025-07-31"
    assert layers[3]["criteria"][2]["input_date"] is None


@pytest.mark.parametrize(
    ("volume", "named"), [(950_000.0, ["min_volume"]), (949_999.0, []), (999_999.9, ["min_volume"]), (None, [])]
)
def test_a_miss_by_up_to_five_percent_is_near(volume: float | None, named: list[str]) -> None:
    failed = {"verdict": Verdict.FAILED, "member": False, "cause": "min_volume"}
    found = one({"volume": volume, "L1.min_volume": 0}, {1: failed})
    assert [miss["name"] for miss in found["near_misses"]] == named


def test_a_criterion_of_several_inputs_shows_them_all() -> None:
    criterion = one({"price": 12.0, "sma20": 11.0, "sma50": 10.0}, {})["layers"][2]["criteria"][1]
    assert (criterion["value"], criterion["margin"]) == (12.0, None)
    assert criterion["inputs"] == {"price": 12.0, "sma20": 11.0, "sma50": 10.0}
