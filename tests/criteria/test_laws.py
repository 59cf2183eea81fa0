"""Laws that every criterion obeys, whether it is a function or min_/max_ of a factor."""

from __future__ import annotations

import inspect
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aitrader.criteria.criterion import NAMED, Definition
from aitrader.criteria.layer import definition, valid_names
from aitrader.domain.factors import FACTORS
from aitrader.domain.verdict import Verdict
from tests.support.cross import OFFERS, cross, layer
from tests.support.size import more

NAMES = valid_names()
DERIVED = [name for name in NAMES if name not in NAMED]
NAN, INF = float("nan"), float("inf")
# A row of each that passes, and one that fails, for the named criteria; a new one is to be added here.
ROWS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "uptrend": (
        True,
        {"price": 3.0, "sma20": 2.0, "sma50": 1.0},
        {"price": 3.0, "sma20": 3.0, "sma50": 1.0},
    ),
    "inside_bollinger": (
        True,
        {"price": 2.0, "bollinger_lower": 2.0, "bollinger_upper": 2.0},
        {"price": 1.9, "bollinger_lower": 2.0, "bollinger_upper": 3.0},
    ),
    "macd_cross": (
        5,
        {"macd_histogram": 0.1, "macd_cross_age": 4.0},
        {"macd_histogram": 0.1, "macd_cross_age": 5.0},
    ),
    "exchanges": (("NYSE", "NASDAQ"), {"exchange": "NASDAQ"}, {"exchange": "OTC"}),
}


def found(name: str) -> Definition:
    out = definition(name)
    assert out is not None
    return out


def sample(name: str, value: float = 10.0) -> Any:
    """A threshold of the kind that the criterion takes."""
    kind = found(name).kind
    return {float: value, int: 5, bool: True, tuple: ("NYSE",)}[kind]


def verdicts(name: str, setting: Any, *rows: dict[str, Any], **more: Any) -> list[Verdict]:
    """The verdict on each row of the one criterion of a layer."""
    (criterion,) = layer(criteria={name: setting}, **more).criteria
    codes = cross(*rows).select(criterion.verdict().alias("code")).to_series()
    return [
        Verdict(code) for code in (codes if len(codes) == len(rows) else codes.extend_constant(codes[0], len(rows) - 1))
    ]


def test_every_named_criterion_has_its_rows_here() -> None:
    assert set(ROWS) == set(NAMED) - {"explained_jumps"}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_named_rows(name: str) -> None:
    value, passing, failing = ROWS[name]
    assert verdicts(name, value, passing, failing, passing) == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"exchanges"}))
def test_any_missing_input_of_a_named_criterion_is_unknown(name: str) -> None:
    value, passing, _ = ROWS[name]
    holes = [{**passing, hole: bad} for hole in passing for bad in (NAN, INF, -INF)]
    if name == "macd_cross":  # no cross behind it: the answer is known to be no
        holes = [row for row in holes if row["macd_cross_age"] == 4.0]
        assert verdicts(name, value, {**passing, "macd_cross_age": NAN}) == [Verdict.FAILED]
    assert set(verdicts(name, value, *holes)) == {Verdict.UNKNOWN}


@pytest.mark.parametrize(("wanted", "expected"), [(True, Verdict.FAILED), (False, Verdict.PASSED)])
@pytest.mark.parametrize("name", ["uptrend", "inside_bollinger"])
def test_false_asks_for_the_absence(name: str, wanted: bool, expected: Verdict) -> None:
    assert verdicts(name, wanted, ROWS[name][2]) == [expected]


@pytest.mark.parametrize(
    ("price", "sma20", "sma50", "expected"),
    [(3, 2, 1, True), (2, 2, 1, False), (3, 2, 2, False), (3, 1, 2, False), (1, 2, 1, False)],
)
def test_uptrend_is_strict(price: float, sma20: float, sma50: float, expected: bool) -> None:
    row = {"price": float(price), "sma20": float(sma20), "sma50": float(sma50)}
    assert verdicts("uptrend", True, row) == [Verdict.PASSED if expected else Verdict.FAILED]


@pytest.mark.parametrize(
    ("age", "histogram", "sessions", "expected"),
    [
        (0.0, 0.1, 1, Verdict.PASSED),  # today's cross
        (1.0, 0.1, 1, Verdict.FAILED),
        (4.0, 0.1, 5, Verdict.PASSED),
        (5.0, 0.1, 5, Verdict.FAILED),
        (2.0, 0.0, 5, Verdict.FAILED),  # not above any more
        (2.0, -0.1, 5, Verdict.FAILED),
        (NAN, 0.1, 5, Verdict.FAILED),  # above, and never crossed in what is known
        (2.0, NAN, 5, Verdict.UNKNOWN),
    ],
)
def test_macd_cross_rows(age: float, histogram: float, sessions: int, expected: Verdict) -> None:
    assert verdicts("macd_cross", sessions, {"macd_cross_age": age, "macd_histogram": histogram}) == [expected]


@pytest.mark.parametrize(("suspect", "expected"), [(0.0, Verdict.PASSED), (1.0, Verdict.UNKNOWN)])
def test_a_possible_split_is_unknown_never_passed(suspect: float, expected: Verdict) -> None:
    assert verdicts("explained_jumps", True, {"suspect": suspect}) == [expected]
    assert verdicts("explained_jumps", {"value": True, "missing": "fail"}, {"suspect": suspect}) == [expected]


@pytest.mark.parametrize("name", DERIVED)
def test_bounds_are_inclusive(name: str) -> None:
    factor = name[4:]
    below, at, above = ({factor: value} for value in (9.999999, 10.0, 10.000001))
    expected = [Verdict.FAILED, Verdict.PASSED, Verdict.PASSED]
    assert verdicts(name, 10.0, below, at, above) == (expected if name.startswith("min") else expected[::-1])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "explained_jumps"])
def test_what_is_missing_never_qualifies(name: str) -> None:
    setting = sample(name)
    inputs = [factor for factor in found(name).factors if factor in FACTORS]
    rows = [{"exchange": None, **dict.fromkeys(inputs, bad)} for bad in (NAN, INF, -INF)] + [{"exchange": None}]
    assert set(verdicts(name, setting, *rows)) == {Verdict.UNKNOWN}
    for policy, expected in (("fail", Verdict.UNKNOWN), ("skip", Verdict.SKIPPED), ("pass", Verdict.PASSED)):
        assert set(verdicts(name, {"value": setting, "missing": policy}, *rows)) == {expected}
        assert set(verdicts(name, setting, *rows, missing={name: policy})) == {expected}, "the set's policy"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_source_never_offers_is_unavailable(name: str) -> None:
    for need in found(name).needs:
        absent = {need} if isinstance(need, str) else set(need)
        rows = [{}, {factor: 10.0 for factor in found(name).factors if factor in FACTORS}]
        assert verdicts(name, sample(name), *rows, offers=OFFERS - absent) == [Verdict.UNAVAILABLE] * 2
        for one in () if isinstance(need, str) else need:
            (criterion,) = layer(criteria={name: sample(name)}, offers=OFFERS - (absent - {one})).criteria
            assert criterion.available, "one of the alternatives is enough"


numbers = st.lists(st.floats(-1e12, 1e12) | st.sampled_from([0.0, NAN, INF, -INF, 10.0]), min_size=1, max_size=12)


@pytest.mark.parametrize("name", DERIVED)
@settings(max_examples=more(4, 200), deadline=None, derandomize=True)
@given(values=numbers, one=st.floats(-1e12, 1e12), other=st.floats(-1e12, 1e12))
def test_a_tighter_threshold_never_adds_a_symbol(name: str, values: list[float], one: float, other: float) -> None:
    loose, tight = sorted((one, other), reverse=name.startswith("max"))
    rows = [{name[4:]: value} for value in values]
    before, after = verdicts(name, loose, *rows), verdicts(name, tight, *rows)
    for was, now in zip(before, after, strict=True):
        assert (now is Verdict.PASSED) <= (was is Verdict.PASSED)
        assert (now is Verdict.UNKNOWN) == (was is Verdict.UNKNOWN), "what is unknown does not depend on the threshold"


@settings(max_examples=more(15, 300), deadline=None, derandomize=True)
@given(
    one=st.integers(1, 40),
    other=st.integers(1, 40),
    rows=st.lists(st.tuples(st.integers(0, 50) | st.just(NAN), st.floats(-1, 1)), min_size=1, max_size=8),
)
def test_fewer_sessions_since_a_cross_never_add_a_symbol(one: int, other: int, rows: list[tuple[float, float]]) -> None:
    table = [{"macd_cross_age": float(age), "macd_histogram": histogram} for age, histogram in rows]
    tight, loose = verdicts("macd_cross", min(one, other), *table), verdicts("macd_cross", max(one, other), *table)
    assert all((a is Verdict.PASSED) <= (b is Verdict.PASSED) for a, b in zip(tight, loose, strict=True))


EXCHANGES = ("NYSE", "NASDAQ", "AMEX", "OTC")


@settings(max_examples=more(10, 100), deadline=None, derandomize=True)
@given(names=st.lists(st.sampled_from(EXCHANGES), min_size=1, unique=True), drop=st.integers(0, 3))
def test_fewer_exchanges_never_add_a_symbol(names: list[str], drop: int) -> None:
    fewer = names[: max(len(names) - drop, 1)]
    assume(fewer)
    rows = [{"exchange": name} for name in (*EXCHANGES, None)]
    tight, loose = verdicts("exchanges", fewer, *rows), verdicts("exchanges", names, *rows)
    assert all((a is Verdict.PASSED) <= (b is Verdict.PASSED) for a, b in zip(tight, loose, strict=True))


@pytest.mark.parametrize(
    ("name", "flag"),
    [(f"{bound}_{one.name}", one.sour_when) for one in FACTORS.values() if one.sour_when for bound in ("min", "max")],
)
def test_what_is_sour_fails_and_is_not_unknown(name: str, flag: str) -> None:
    assert verdicts(name, 10.0, {flag: 1.0}, {flag: 0.0}) == [Verdict.FAILED, Verdict.UNKNOWN]
    assert verdicts(name, {"value": 10.0, "missing": "skip"}, {flag: 1.0}) == [Verdict.FAILED]


@pytest.mark.parametrize(
    ("name", "listing"),
    [
        ("min_market_cap", {"security_type": "etf"}),
        ("max_market_cap", {"security_type": "fund"}),
        ("max_debt_equity", {"industry": "Major Banks"}),
        ("max_debt_equity", {"industry": "Property-Casualty Insurers"}),
        ("min_debt_equity", {"security_type": "reit"}),
    ],
)
@pytest.mark.parametrize("value", [NAN, 5.0, 15.0])
def test_a_question_that_does_not_concern_a_symbol_is_skipped(name: str, listing: dict[str, Any], value: float) -> None:
    got = verdicts(name, 10.0, {**listing, name[4:]: value}, {name[4:]: value})
    assert got[0] is Verdict.SKIPPED
    assert got[1] is not Verdict.SKIPPED


def test_a_bank_with_negative_equity_is_exempt_all_the_same() -> None:
    assert verdicts("max_debt_equity", 0.6, {"industry": "Savings Institutions", "negative_equity": 1.0}) == [
        Verdict.SKIPPED
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_criterion_says_what_it_asks(name: str) -> None:
    what = found(name)
    assert what.text.endswith((".", "value."))
    assert "\n" not in what.text
    assert not what.text[0].islower()
    assert what.op in (">=", "<=", "<", "is", "in")
    assert what.needs
    assert what.input in ("bar", "filing", "news", "listing")
    (criterion,) = layer(criteria={name: sample(name)}).criteria
    told = json.loads(json.dumps(criterion.content()))
    assert (told["name"], told["text"], told["op"]) == (name, what.text, what.op)
    assert told["factor"] == what.factors[0]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_named_criterion_is_one_function_of_its_threshold(name: str) -> None:
    question = NAMED[name].question
    assert question.__name__ == name
    assert len(inspect.signature(question).parameters) == 1
    assert isinstance(question(sample(name)), pl.Expr)


def test_every_factor_gives_two_criteria_and_is_in_the_cross_section() -> None:
    assert set(DERIVED) == {f"{bound}_{factor}" for bound in ("min", "max") for factor in FACTORS}
    assert set(FACTORS) <= set(cross({}).columns)
