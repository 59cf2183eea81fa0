"""Scores, coverage and verdicts of a layer against plain Python, and who decides where several could."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aitrader.domain.verdict import Verdict
from aitrader.funnel import judge as words
from aitrader.funnel.judge import NO_CAUSE, judge, percentile
from tests.funnel import funnel_oracle as oracle
from tests.support.cross import OFFERS, cross, layer, ranked
from tests.support.size import more

NAN = float("nan")


def judged(rows: Any, **more: Any) -> Any:
    """The judgement of one layer over ``rows``."""
    (found,) = judge(cross(*rows), (layer(**more),))
    return found


def cause(found: Any, at: int = 0) -> str:
    code = int(found.cause[at])
    return found.layer.criteria[code - 1].name if code > 0 else NO_CAUSE[code]


# --- percentiles ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((5.0,), (0.5,)),
        ((1.0, 2.0), (0.25, 0.75)),
        ((2.0, 1.0, 2.0), (4 / 6, 1 / 6, 4 / 6)),  # ties share the middle of their ranks
        ((3.0, 3.0, 3.0), (0.5, 0.5, 0.5)),
        ((1.0, NAN, 2.0), (0.25, NAN, 0.75)),  # what is unknown is nowhere, and does not count
        ((1.0, float("inf"), 2.0), (0.25, NAN, 0.75)),
        ((NAN,), (NAN,)),
    ],
)
def test_percentile_rows(values: tuple[float, ...], expected: tuple[float, ...]) -> None:
    got = percentile(np.array(values), np.ones(len(values), dtype=bool))
    np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_only_the_population_is_ranked() -> None:
    got = percentile(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False]))
    np.testing.assert_array_equal(got, [0.25, NAN, 0.75, NAN])


def test_nobody_has_no_percentile() -> None:
    assert np.isnan(percentile(np.array([1.0]), np.array([False]))).all()


# --- scores against plain Python ---

FACTORS = ("rsi", "adx", "atr_pct", "return_5d_pct", "volatility_pct")


@pytest.mark.parametrize("seed", range(more(12, 400)))
def test_score_coverage_and_verdict_equal_plain_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 30
    values = {name: np.round(rng.normal(0, 3, size), 1) for name in (*FACTORS, "volume")}
    for column in values.values():
        column[rng.random(size) < 0.25] = NAN
    weights = {name: float(rng.integers(1, 9)) for name in FACTORS}
    policies = {name: str(rng.choice(["fail", "skip", "pass"])) for name in FACTORS}
    absent = {FACTORS[0]} if rng.random() < 0.3 else set()
    scored: dict[str, Any] = {
        f"min_{name}": {"value": 0.0, "role": "scored", "weight": weights[name], "missing": policies[name]}
        for name in FACTORS[:3]
    }
    scored |= {"min_volume": -1.0, "max_volume": 4.0}
    head = {"min_score": round(float(rng.uniform(0.2, 0.8)), 2), "min_coverage": round(float(rng.uniform(0, 1)), 2)}
    used = layer(1, criteria=scored, ranking=ranked(**{name: weights[name] for name in FACTORS[3:]}), **head)
    if absent:
        used = layer(
            1,
            criteria=scored,
            ranking=ranked(**{name: weights[name] for name in FACTORS[3:]}),
            offers=OFFERS - {"bars.high"},
            **head,
        )
    rows = [{name: float(column[at]) for name, column in values.items()} for at in range(size)]
    (found,) = judge(cross(*rows), (used,))
    total = sum(weights[name] for name in FACTORS[3:])
    for at in range(size):
        known = {name: None if np.isnan(column[at]) else float(column[at]) for name, column in values.items()}
        answers = [
            (_answer(known[name], policies[name], available=used.criteria[i].available), weights[name])
            for i, name in enumerate(FACTORS[:3])
        ]
        shares = [
            (oracle.percentile(known[name], [v for v in values[name] if not np.isnan(v)]), weights[name] / total)
            for name, _ in used.ranking
        ]
        score, coverage = oracle.score(answers, shares)
        required = [
            oracle.UNKNOWN if known["volume"] is None else int(known["volume"] >= -1.0),
            oracle.UNKNOWN if known["volume"] is None else int(known["volume"] <= 4.0),
        ]
        expected = oracle.verdict(
            required, score, coverage, least=head["min_score"], cover=head["min_coverage"], scored=True
        )
        assert np.isnan(found.score[at]) == (score is None)
        if score is not None:
            assert found.score[at] == pytest.approx(score, rel=1e-12)
            if abs(score - head["min_score"]) < 1e-9:
                continue
        assert found.verdict[at] == expected


def _answer(value: float | None, policy: str, *, available: bool) -> int:
    if not available:
        return oracle.UNAVAILABLE
    if value is None:
        return {"fail": oracle.UNKNOWN, "skip": oracle.SKIPPED, "pass": oracle.PASSED}[policy]
    return int(value >= 0.0)


SCORED = {
    "min_rsi": {"value": 50.0, "role": "scored", "weight": 3},
    "min_adx": {"value": 20.0, "role": "scored", "weight": 1},
}


@pytest.mark.parametrize(
    ("row", "least", "expected", "why"),
    [
        ({"rsi": 60.0, "adx": 30.0}, 1.0, Verdict.PASSED, "passed"),
        ({"rsi": 60.0, "adx": 10.0}, 0.75, Verdict.PASSED, "passed"),  # 3 of 4, on the bound
        ({"rsi": 60.0, "adx": 10.0}, 0.76, Verdict.FAILED, "score below the minimum"),
        ({"rsi": 60.0}, 0.75, Verdict.PASSED, "passed"),  # 3 of 3 known, coverage 3/4
        ({"adx": 30.0}, 0.0, Verdict.UNKNOWN, "too little of the score known"),  # coverage 1/4
        ({}, 0.0, Verdict.UNKNOWN, "too little of the score known"),
    ],
)
def test_score_rows(row: dict[str, float], least: float, expected: Verdict, why: str) -> None:
    found = judged([row], number=2, criteria=SCORED, min_score=least, min_coverage=0.5)
    assert (found.verdict[0], cause(found)) == (expected, why)


@pytest.mark.parametrize(("cover", "expected"), [(0.75, Verdict.PASSED), (0.751, Verdict.UNKNOWN)])
def test_coverage_is_met_on_its_bound(cover: float, expected: Verdict) -> None:
    found = judged([{"rsi": 60.0}], number=2, criteria=SCORED, min_score=0.5, min_coverage=cover)
    assert found.verdict[0] == expected


def test_a_score_of_nothing_known_is_unknown_whatever_the_bounds() -> None:
    skipped = {"min_news_sentiment": {"value": 0.3, "role": "scored", "weight": 1, "missing": "skip"}}
    for criteria, offers in ((skipped, OFFERS), (SCORED, OFFERS - {"bars.close"})):
        found = judged([{}], number=2, criteria=criteria, offers=offers, min_score=0.0, min_coverage=0.0)
        assert np.isnan(found.score[0])
        assert (found.verdict[0], cause(found)) == (Verdict.UNKNOWN, "too little of the score known")


def test_a_skipped_input_takes_nothing_from_the_score() -> None:
    criteria = {**SCORED, "min_news_sentiment": {"value": 0.3, "role": "scored", "weight": 96, "missing": "skip"}}
    found = judged([{"rsi": 60.0, "adx": 10.0}], number=2, criteria=criteria, min_score=0.7)
    assert found.score[0] == 0.75
    assert found.verdict[0] == Verdict.PASSED


def test_an_unavailable_inputs_weight_is_shared_out() -> None:
    found = judged(
        [{"rsi": 60.0}], number=2, criteria=SCORED, offers=OFFERS - {"bars.high"}, min_score=1.0, min_coverage=1.0
    )
    assert (found.score[0], found.verdict[0]) == (1.0, Verdict.PASSED)


# --- who decides ---

REQUIRED = {"min_price": 1.0, "min_volume": 100.0, "min_history": 60.0}


@pytest.mark.parametrize(
    ("row", "expected", "why"),
    [
        ({"price": 2.0, "volume": 200.0, "history": 60.0}, Verdict.PASSED, "passed"),
        ({"price": 0.5, "volume": 50.0, "history": 60.0}, Verdict.FAILED, "min_price"),  # the first of the file
        ({"price": 2.0, "volume": 50.0, "history": 9.0}, Verdict.FAILED, "min_volume"),
        ({"volume": 200.0, "history": 9.0}, Verdict.FAILED, "min_history"),  # a no beats an unknown before it
        ({"volume": 200.0}, Verdict.UNKNOWN, "min_price"),
        ({"price": 2.0}, Verdict.UNKNOWN, "min_volume"),
        ({}, Verdict.UNKNOWN, "min_price"),
    ],
)
def test_required_rows(row: dict[str, float], expected: Verdict, why: str) -> None:
    found = judged([row], criteria=REQUIRED)
    assert (found.verdict[0], cause(found)) == (expected, why)


@pytest.mark.parametrize(
    ("kind", "types", "price", "expected", "why"),
    [
        ("common", ["common", "etf"], 2.0, Verdict.PASSED, "passed"),
        ("etf", ["common", "etf"], 2.0, Verdict.PASSED, "passed"),
        ("warrant", ["common", "etf"], 2.0, Verdict.FAILED, "security type not admitted"),
        ("warrant", ["common", "etf"], 0.5, Verdict.FAILED, "security type not admitted"),
        ("unknown", ["common", "etf"], 2.0, Verdict.UNKNOWN, "security type unknown"),
        ("unknown", ["common", "etf"], 0.5, Verdict.FAILED, "min_price"),
        (None, ["common", "etf"], 2.0, Verdict.UNKNOWN, "security type unknown"),
        ("unknown", ["common", "unknown"], 2.0, Verdict.PASSED, "passed"),  # admitted by name
        ("warrant", [], 2.0, Verdict.PASSED, "passed"),
    ],
)
def test_type_rows(kind: str | None, types: list[str], price: float, expected: Verdict, why: str) -> None:
    found = judged([{"security_type": kind, "price": price}], criteria={"min_price": 1.0}, types=types)
    assert (found.verdict[0], cause(found)) == (expected, why)


def test_a_source_that_tells_no_types_admits_all() -> None:
    found = judged(
        [{"security_type": None, "price": 2.0}],
        criteria={"min_price": 1.0},
        types=["common"],
        offers=OFFERS - {"securities.security_type"},
    )
    assert found.verdict[0] == Verdict.PASSED


def test_a_required_criterion_that_no_source_feeds_decides_nothing() -> None:
    found = judged(
        [{"price": 2.0}], criteria={"min_price": 1.0, "max_spread_pct": 2.0}, offers=OFFERS - {"quotes.spread"}
    )
    assert found.verdict[0] == Verdict.PASSED
    assert found.codes[1, 0] == Verdict.UNAVAILABLE


def test_exit_values_judge_members_and_values_judge_entrants() -> None:
    criteria = {"min_volume": {"value": 100.0, "exit": 80.0}, "min_price": 1.0}
    rows = [{"volume": volume, "price": 2.0} for volume in (100.0, 99.0, 80.0, 79.0, NAN)]
    found = judged(rows, number=3, criteria=criteria, bands={"exit_rank": 50})
    assert list(found.verdict) == [Verdict.PASSED, Verdict.FAILED, Verdict.FAILED, Verdict.FAILED, Verdict.UNKNOWN]
    assert list(found.exit_verdict) == [
        Verdict.PASSED,
        Verdict.PASSED,
        Verdict.PASSED,
        Verdict.FAILED,
        Verdict.UNKNOWN,
    ]


def test_a_score_never_lets_a_member_go() -> None:
    found = judged([{"rsi": 10.0, "adx": 10.0}], number=3, criteria=SCORED, min_score=0.9)
    assert (found.verdict[0], found.exit_verdict[0]) == (Verdict.FAILED, Verdict.PASSED)


def test_upper_layers_rank_among_those_who_pass_layers_0_and_1() -> None:
    layers = (
        layer(0, criteria={"exchanges": ["NYSE"]}),
        layer(1, criteria={"min_price": 1.0}),
        layer(2, criteria={}, ranking=ranked(rsi=1.0)),
    )
    rows = [
        {"price": 2.0, "rsi": 10.0},
        {"price": 2.0, "rsi": 20.0},
        {"price": 0.5, "rsi": 15.0},
        {"price": 2.0, "rsi": 15.0, "exchange": "OTC"},
        {"price": 2.0, "rsi": NAN},
    ]
    scores = judge(cross(*rows), layers)[2].score
    np.testing.assert_array_equal(scores, [0.25, 0.75, NAN, NAN, NAN])


def test_a_layer_without_criteria_passes_everyone() -> None:
    found = judged([{}, {"price": 2.0}], number=2)
    assert list(found.verdict) == [Verdict.PASSED] * 2


def test_every_cause_has_its_words() -> None:
    codes = [value for name, value in vars(words).items() if isinstance(value, int) and value < 0 and name.isupper()]
    assert set(codes) | {0} == set(NO_CAUSE)
    assert len(set(NO_CAUSE.values())) == len(NO_CAUSE)
