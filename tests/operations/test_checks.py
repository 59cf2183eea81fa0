"""The KPI table: each row at its bounds, beside them, and without a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrader.operations.checks import Check, Measured, judge, limits_text, overall, shown, target_text
from aitrader.settings.load import load_settings
from aitrader.settings.models import Bounds, Kpi, Target

ROOT = Path(__file__).parents[2]
KPIS = load_settings(ROOT / "config", {}).kpis

# (KPI, value, status, on target): the guide's table; None is a number that is not known.
ROWS = [
    ("layer0_symbols", 10_000, "ok", True),
    ("layer0_symbols", 8_001, "ok", True),
    ("layer0_symbols", 7_999, "warning", False),
    ("layer0_symbols", 5_000, "warning", False),
    ("layer0_symbols", 4_999, "critical", False),
    ("layer0_symbols", 0, "critical", False),
    ("layer0_symbols", None, "unknown", None),
    ("layer1_qualification_rate", 0.25, "ok", True),
    ("layer1_qualification_rate", 0.20, "ok", True),
    ("layer1_qualification_rate", 0.30, "ok", True),
    ("layer1_qualification_rate", 0.1999, "ok", False),
    ("layer1_qualification_rate", 0.15, "ok", False),
    ("layer1_qualification_rate", 0.40, "ok", False),
    ("layer1_qualification_rate", 0.1499, "warning", False),
    ("layer1_qualification_rate", 0.4001, "warning", False),
    ("layer1_qualification_rate", 0.10, "warning", False),
    ("layer1_qualification_rate", 0.50, "warning", False),
    ("layer1_qualification_rate", 0.0999, "critical", False),
    ("layer1_qualification_rate", 0.5001, "critical", False),
    ("layer1_qualification_rate", None, "unknown", None),
    ("layer2_symbols", 50, "ok", True),
    ("layer2_symbols", 200, "ok", True),
    ("layer2_symbols", 49, "ok", False),
    ("layer2_symbols", 201, "ok", False),
    ("layer2_symbols", 30, "ok", False),
    ("layer2_symbols", 300, "ok", False),
    ("layer2_symbols", 29, "warning", False),
    ("layer2_symbols", 301, "warning", False),
    ("layer2_symbols", 15, "warning", False),
    ("layer2_symbols", 500, "warning", False),
    ("layer2_symbols", 14, "critical", False),
    ("layer2_symbols", 501, "critical", False),
    ("layer2_symbols", None, "unknown", None),
    ("layer3_symbols", 20, "ok", True),
    ("layer3_symbols", 50, "ok", True),
    ("layer3_symbols", 19, "ok", False),
    ("layer3_symbols", 15, "ok", False),
    ("layer3_symbols", 70, "ok", False),
    ("layer3_symbols", 14, "warning", False),
    ("layer3_symbols", 71, "warning", False),
    ("layer3_symbols", 10, "warning", False),
    ("layer3_symbols", 100, "warning", False),
    ("layer3_symbols", 9, "critical", False),
    ("layer3_symbols", 101, "critical", False),
    ("layer3_symbols", None, "unknown", None),
    ("layer3_stability", 0.0, "ok", True),
    ("layer3_stability", 0.1999, "ok", True),
    ("layer3_stability", 0.20, "warning", False),
    ("layer3_stability", 0.30, "warning", False),
    ("layer3_stability", 0.3001, "critical", False),
    ("layer3_stability", None, "unknown", None),
    ("layer3_data_coverage", 1.0, "ok", True),
    ("layer3_data_coverage", 0.9501, "ok", True),
    ("layer3_data_coverage", 0.95, "warning", False),
    ("layer3_data_coverage", 0.90, "warning", False),
    ("layer3_data_coverage", 0.8999, "critical", False),
    ("layer3_data_coverage", None, "unknown", None),
]


@pytest.mark.parametrize(("word", "value", "status", "on_target"), ROWS)
def test_a_kpi_at_a_value(word: str, value: float | None, status: str, on_target: bool | None) -> None:
    check = judge(word, KPIS[word], Measured(value=value))
    assert (check.status, check.on_target, check.value) == (status, on_target, value)


def test_every_kpi_of_the_table_is_in_these_rows_with_every_status_it_has() -> None:
    assert {word for word, *_ in ROWS} == set(KPIS)
    for word in KPIS:
        assert {status for one, _, status, _ in ROWS if one == word} == {"ok", "warning", "critical", "unknown"}


def test_a_check_says_target_and_bounds_as_the_table_writes_them() -> None:
    check = judge("layer1_qualification_rate", KPIS["layer1_qualification_rate"], Measured(value=0.16))
    assert (check.target, check.message) == ("20 % to 30 %", "off target, within bounds")
    assert check.bounds == "warning < 15 % or > 40 %, critical < 10 % or > 50 %"
    assert check.as_dict()["name"] == "layer1_qualification_rate"


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], "unknown"),
        (["ok", "ok"], "ok"),
        (["ok", "unknown"], "unknown"),
        (["unknown", "warning"], "warning"),
        (["unknown", "critical", "warning"], "critical"),
    ],
)
def test_the_worst_status_stands_for_all(statuses: list[str], worst: str) -> None:
    checks = [Check(name="x", title="X", status=status, value=None, target="", message="") for status in statuses]
    assert overall(checks) == worst


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "symbols", "unknown"),
        (8_000.0, "symbols", "8,000"),
        (0.155, "fraction", "15.5 %"),
        (45.0, "seconds", "45 s"),
        (900.0, "seconds", "15 min"),
        (5_400.0, "seconds", "1.5 h"),
    ],
)
def test_values_in_their_unit(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_a_kpi_with_one_sided_bounds() -> None:
    lag = Kpi(
        name="Lag",
        unit="seconds",
        on_target=Target(max=3_600),
        warning=Bounds(above=3_600),
        critical=Bounds(above=21_600),
        for_="5m",
        calendar="always",
        runbook="docs/x.md",
    )
    assert (target_text(lag), limits_text(lag.warning, lag.unit)) == ("< 1 h", "> 1 h")
    assert [judge("lag", lag, Measured(value=float(s))).status for s in (3_599, 3_600, 21_600, 21_601)] == [
        "ok",
        "warning",
        "warning",
        "critical",
    ]
