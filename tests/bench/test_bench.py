"""The bench's own sums: ratios, aims, and that all contestants are asked for the same numbers. No test is timed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench import agreement, data, report
from bench.timing import Figure, UnmeasuredError, figure, process, spawn


def fig(seconds: float, *, cpu: float | None = None, peak_mb: float | None = None) -> Figure:
    return Figure(seconds=seconds, fastest=seconds, slowest=seconds, repeats=1, cpu=cpu, peak_mb=peak_mb)


def results(**figures: Figure) -> report.Results:
    named = {name.replace("__", "."): value for name, value in figures.items()}
    return report.Results(
        machine={"cores": "2"},
        symbols=10_000,
        sessions=300,
        factors=["rsi_14"],
        figures=named,
        skipped={"zipline": "no network"},
        differences={"pandas": 1e-9},
    )


def test_contestants_compute_the_same_numbers() -> None:
    worst = agreement.worst(symbols=20)
    assert len(worst) == 4
    assert max(worst.values()) < agreement.FADED


def test_a_factor_that_only_one_side_knows_is_no_agreement() -> None:
    nan = float("nan")
    assert agreement.difference(np.array([1.0, nan]), np.array([1.0, 2.0])) == float("inf")
    assert agreement.difference(np.array([nan, 10.1]), np.array([nan, 10.0])) == pytest.approx(0.01)


@pytest.mark.parametrize(("seconds", "met"), [(0.030, True), (0.0301, False)])
def test_an_aim_holds_up_to_its_bound(seconds: float, met: bool) -> None:
    assert report.aims(results(ours__session=fig(seconds)))[0].met is met


@pytest.mark.parametrize(
    ("slow", "met", "words"), [(20.0, True, "20.0 x (CPU 40.0 x)"), (19.9, False, "19.9 x (CPU 40.0 x)")]
)
def test_a_ratio_is_by_the_clock_and_shows_the_cpu(slow: float, met: bool, words: str) -> None:
    figures = {"zipline__wilder": fig(slow, cpu=40.0), "ours__replay__factors": fig(1.0, cpu=1.0)}
    aim = next(a for a in report.aims(results(**figures)) if "zipline" in a.text)
    assert (aim.met, aim.measured) == (met, words)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {aim.met for aim in report.aims(results())} == {None}


def test_the_page_names_what_is_missing_and_why() -> None:
    page = report.page(results(pandas__every__warm=fig(3.0)))
    assert "| zipline | no network |" in page
    assert "| pandas, wide frames, `rolling` and `ewm`, its full recompute divided by 300 | 10.0 ms" in page


def test_figures_take_the_median() -> None:
    found = figure([3.0, 1.0, 2.0], cpu=[0.5, 0.1, 0.3])
    assert (found.seconds, found.fastest, found.slowest, found.cpu) == (2.0, 1.0, 3.0, 0.3)
    assert found.divided(2.0).cpu == 0.15


def test_a_command_that_fails_is_not_measured() -> None:
    assert spawn([sys.executable, "-c", "raise SystemExit(4)"]).code == 4
    with pytest.raises(UnmeasuredError, match="ended with code 4"):
        process([sys.executable, "-c", "raise SystemExit(4)"], repeats=1)


def test_synthetic_bars_are_possible_bars() -> None:
    bars = data.market(50, 40)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low > 0).all()
    assert (bars.volume >= 1).all()
