"""Names, numbers and reasons as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from aitrader.domain.factors import FACTORS
from aitrader.operations.wording import amount, apart, clearest, exact, factor_words, grouped, miss_sentence
from tests.operations import sample


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pe", "P/E"),
        ("debt_equity", "debt/equity"),
        ("revenue_growth_pct", "revenue growth"),
        ("return_5d_pct", "5-session return"),
        ("high_52w", "high 52-week"),
        ("sma50_gap_pct", "above SMA50 by"),
        ("volume", "volume"),
    ],
)
def test_a_factor_in_words(name: str, words: str) -> None:
    assert factor_words(name) == words


def test_no_factor_reads_like_a_column() -> None:
    assert not [name for name in FACTORS if "_" in factor_words(name)]


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (None, "", None, "unknown"),
        (float("nan"), "%", 1, "unknown"),
        (True, "", None, "yes"),
        (False, "", None, "no"),
        ("NYSE", "", None, "NYSE"),
        (["NYSE", "NASDAQ"], "", None, "NYSE, NASDAQ"),
        (981_204.4, "shares", 0, "981,204"),
        (1_000_000, "shares", 0, "1,000,000"),
        (23.126, "%", 2, "23.13 %"),
        (0.0123, "", None, "0.0123"),
        (0.3, "", 2, "0.30"),
        (-2, "%", 2, "-2 %"),
    ],
)
def test_amounts(value: Any, unit: str, decimals: int | None, text: str) -> None:
    assert amount(value, unit=unit, decimals=decimals) == text


def test_a_signed_number() -> None:
    assert (grouped(1_234.5, 2, sign=True), grouped(0.0, 2, sign=True)) == ("+1,234.50", "+0")


@pytest.mark.parametrize(
    ("value", "threshold", "decimals", "texts"),
    [
        (981_204.0, 1_000_000, 0, ("981,204", "1,000,000")),
        (999_999.7, 1_000_000, 0, ("999,999.7", "1,000,000")),
        (29.9999, 30, 2, ("29.9999", "30")),
        (0.3051, 0.305, 2, ("0.31", "0.305")),
        (0.30501, 0.305, 3, ("0.30501", "0.305")),
        (4.999, 5, 2, ("4.999", "5")),
        (5.0, 5, 2, ("5", "5")),
    ],
)
def test_value_and_threshold_never_read_the_same_when_they_differ(
    value: float, threshold: float, decimals: int, texts: tuple[str, str]
) -> None:
    assert apart(value, threshold, decimals) == texts


def test_the_sentence_of_a_near_miss() -> None:
    miss = {"symbol": "XYZ", "name": "min_volume", "value": 981_204.0, "relation": "<", "threshold": 1_000_000}
    assert miss_sentence({**miss, "decimals": 0}) == "XYZ missed by min_volume: 981,204 < 1,000,000"


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({"pe": 24.0, "L3.max_pe": 1, "revenue_growth_pct": 9.0, "L3.min_revenue_growth_pct": 1},
         "revenue growth 9 % (>= 5 %)"),
        ({"pe": 10.0, "L3.max_pe": 1, "revenue_growth_pct": 5.0, "L3.min_revenue_growth_pct": 1}, "P/E 10 (<= 25)"),
        ({"pe": None, "L3.max_pe": 0, "rsi": 45.0, "L2.min_rsi": 1}, "RSI 45 (>= 30)"),
        ({}, "passed"),
    ],
)  # fmt: skip
def test_what_a_symbol_passes_most_clearly(detail: dict[str, Any], text: str) -> None:
    assert clearest(detail, sample.CONTENT["layers"]) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.305, "", "0.305"), (25.0, "x", "25"), (1_000_000, "shares", "1,000,000"), (-2, "%", "-2 %"), (True, "", "yes")],
)
def test_a_threshold_is_shown_as_it_was_set(value: Any, unit: str, text: str) -> None:
    assert exact(value, unit=unit) == text
