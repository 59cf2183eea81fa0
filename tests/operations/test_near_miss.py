"""The nearest miss: one required criterion short, by the smallest share of its threshold."""

from __future__ import annotations

from typing import Any

import polars as pl

from aitrader.operations.near_miss import nearest_misses
from tests.operations import sample

F, P, U, N = 0, 1, 2, 3


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    base: dict[str, Any] = {
        "security": 0,
        "symbol": "A",
        "volume": 2e6,
        "price": 5.0,
        "rsi": 50.0,
        "pe": 10.0,
        "L0.verdict": P,
        "L0.exchanges": P,
        "L1.verdict": P,
        "L1.min_volume": P,
        "L1.min_price": P,
        "L1.max_spread_pct": 5,
        "L2.verdict": P,
        "L2.min_rsi": P,
        "L3.verdict": P,
        "L3.max_pe": P,
    }
    floats = dict.fromkeys(("volume", "price", "rsi", "pe"), pl.Float64)
    return pl.DataFrame([base | row for row in rows], schema_overrides=floats)


def test_the_smallest_share_of_the_threshold_is_nearest() -> None:
    detail = frame(
        [
            {"symbol": "FAR", "volume": 500_000.0, "L1.verdict": F, "L1.min_volume": F},
            {"symbol": "NEAR", "volume": 981_204.0, "L1.verdict": F, "L1.min_volume": F},
            {"symbol": "RICH", "pe": 25.1, "L3.verdict": F, "L3.max_pe": F},
        ]
    )
    first, second, third = nearest_misses(detail, sample.CONTENT, count=3)
    assert (first["symbol"], first["name"], first["relation"], first["threshold"]) == ("RICH", "max_pe", ">", 25)
    assert (second["symbol"], second["value"], second["relation"]) == ("NEAR", 981_204.0, "<")
    assert third["symbol"] == "FAR"
    assert nearest_misses(detail, sample.CONTENT) == [first]


def test_two_criteria_short_or_one_unknown_is_no_near_miss() -> None:
    detail = frame(
        [
            {"volume": 999_999.0, "price": 0.99, "L1.verdict": F, "L1.min_volume": F, "L1.min_price": F},
            {"volume": 999_999.0, "price": None, "L1.verdict": F, "L1.min_volume": F, "L1.min_price": U},
        ]
    )
    assert nearest_misses(detail, sample.CONTENT) == []


def test_a_layer_that_was_not_reached_counts_no_miss() -> None:
    assert nearest_misses(frame([{"rsi": 29.9, "L2.verdict": N, "L2.min_rsi": F}]), sample.CONTENT) == []


def test_a_known_no_without_a_number_is_no_near_miss() -> None:
    assert nearest_misses(frame([{"pe": None, "L3.verdict": F, "L3.max_pe": F}]), sample.CONTENT) == []
    assert nearest_misses(frame([{"pe": -1.0, "L3.verdict": F, "L3.max_pe": F}]), sample.CONTENT) == []


def test_ties_go_to_the_higher_layer_then_the_symbol() -> None:
    detail = frame(
        [
            {"symbol": "B", "volume": 980_000.0, "L1.verdict": F, "L1.min_volume": F},
            {"symbol": "A", "security": 1, "volume": 980_000.0, "L1.verdict": F, "L1.min_volume": F},
            {"symbol": "Z", "pe": 25.5, "L3.verdict": F, "L3.max_pe": F},
        ]
    )
    assert [miss["symbol"] for miss in nearest_misses(detail, sample.CONTENT, count=3)] == ["Z", "A", "B"]


def test_nothing_missed_is_nothing() -> None:
    assert nearest_misses(frame([{}]), sample.CONTENT) == []
    assert nearest_misses(frame([{}]).clear(), sample.CONTENT) == []
