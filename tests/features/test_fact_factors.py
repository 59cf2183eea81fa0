"""Factors of facts and headlines: sour and stale values, ages at their bounds, share counts, sentiment."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from aitrader.features.fold import advance
from aitrader.features.layout import FACTS
from aitrader.features.sentiment import scored
from aitrader.features.state import FeatureState
from tests.support.folding import NAN, START, Floats, factors, session, table

CLOSE = 30.0


def known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def measured(*, age: int = 0, close: float = CLOSE, shares: float = NAN, cap: float = NAN, **facts: float) -> Any:
    """The factors ``age`` days after a session on which these facts became known (dates in days before it)."""
    bars = {"close": table([close]), "market_cap": table([cap])}
    state = FeatureState(np.array([1]))
    day = session(0, bars).day
    values = {"period_end": day - 50.0, "filed": day - 2.0} | facts
    event: dict[str, Any] = {
        "fact_columns": np.array([0]),
        "fact_values": np.array([[values.get(name, NAN)] for name in FACTS]),
    }
    if not np.isnan(shares):
        event |= {
            "share_columns": np.array([0]),
            "share_values": np.array([shares]),
            "share_days": np.array([float(day)]),
        }
    advance(state, session(0, bars, **event))
    return {name: known(values[0]) for name, values in factors(state, day + age).items()}


@pytest.mark.parametrize(
    ("eps", "pe", "sour"),
    [(2.0, 15.0, 0.0), (0.01, 3000.0, 0.0), (0.0, None, 1.0), (-1.0, None, 1.0), (NAN, None, 0.0)],
)
def test_a_loss_has_no_pe_and_is_known_as_one(eps: float, pe: float | None, sour: float) -> None:
    got = measured(eps_ttm=eps)
    assert (got["pe"], got["negative_earnings"]) == (pe if pe is None else pytest.approx(pe), sour)
    assert got["earnings_yield_pct"] == (None if np.isnan(eps) else pytest.approx(100 * eps / CLOSE))


@pytest.mark.parametrize(
    ("equity", "shares", "pb", "debt", "sour"),
    [
        (600.0, 40.0, 2.0, 0.5, 0.0),
        (0.0, 40.0, None, None, 1.0),
        (-5.0, 40.0, None, None, 1.0),
        (NAN, 40.0, None, None, 0.0),
        (600.0, NAN, None, 0.5, 0.0),
    ],
)
def test_without_equity_there_is_no_book_to_compare_with(
    equity: float, shares: float, pb: float | None, debt: float | None, sour: float
) -> None:
    got = measured(equity=equity, shares=shares, debt_equity=0.5, return_on_equity=0.1)
    assert (got["pb"], got["debt_equity"], got["negative_equity"]) == (pb, debt, sour)
    assert got["return_on_equity_pct"] == (None if debt is None else pytest.approx(10.0))


@pytest.mark.parametrize(
    ("name", "value", "factor", "expected"),
    [
        ("revenue_growth", 0.07, "revenue_growth_pct", 7.0),
        ("net_margin", -0.2, "net_margin_pct", -20.0),
        ("earnings_trend", 2.0, "earnings_trend", 2.0),
    ],
)
@pytest.mark.parametrize(
    ("period", "filed", "age", "told"),
    [
        (50.0, 2.0, 0, True),
        (50.0, 2.0, 398, True),
        (50.0, 2.0, 399, False),  # filed 401 days ago
        (460.0, 2.0, 0, True),
        (461.0, 2.0, 0, False),  # a period that ended over 15 months ago
        (260.0, 2.0, 200, True),
        (260.0, 2.0, 201, False),
    ],
)
def test_figures_are_forgotten_with_age(
    name: str, value: float, factor: str, expected: float, period: float, filed: float, age: int, told: bool
) -> None:
    day = session(0, {"close": table([CLOSE])}).day
    got = measured(age=age, period_end=day - period, filed=day - filed, **{name: value})
    assert got[factor] == (pytest.approx(expected) if told else None)


@pytest.mark.parametrize(("age", "told"), [(0, True), (400, True), (401, False)])
def test_share_counts_and_vendor_caps_are_forgotten_after_400_days(age: int, told: bool) -> None:
    got = measured(age=age, shares=40.0, cap=1e9)
    assert got["shares"] == (40.0 if told else None)
    assert got["vendor_market_cap"] == (1e9 if told else None)


@pytest.mark.parametrize("then", [0.0, NAN, -5.0])
def test_the_last_good_market_cap_stays(then: float) -> None:
    bars = {"close": table([1.0, 2.0, 3.0]), "market_cap": table([5e8, then, then])}
    state = FeatureState(np.array([1]))
    for t in range(3):
        advance(state, session(t, bars))
    assert state["vendor_market_cap"][0] == 5e8
    assert state["vendor_market_cap_day"][0] == session(0, bars).day


def test_an_older_share_count_never_replaces_a_newer_one() -> None:
    state = FeatureState(np.array([1]))
    bars = {"close": table([1.0, 1.0, 1.0])}
    for t, (shares, days) in enumerate(((10.0, 100.0), (20.0, 300.0), (30.0, 200.0))):
        event = {
            "share_columns": np.array([0]),
            "share_values": np.array([shares]),
            "share_days": np.array([days]),
        }
        advance(state, session(t, bars, **event))
    assert (state["shares"][0], state["shares_known"][0]) == (20.0, 300.0)


def test_a_filing_replaces_all_that_was_filed_before() -> None:
    state = FeatureState(np.array([1]))
    bars = {"close": table([1.0, 1.0])}
    for t, value in enumerate((1.0, NAN)):
        event = {"fact_columns": np.array([0]), "fact_values": np.full((len(FACTS), 1), value)}
        advance(state, session(t, bars, **event))
    assert all(np.isnan(state[name][0]) for name in FACTS)


# --- headlines ---


def heard(*articles: tuple[int, float, float], sessions: int = 40, look_back: int = 10, least: float = 1.0) -> Any:
    """News factors after ``sessions``; an article is (sessions ago, how many, the sum of their scores)."""
    state = FeatureState(np.array([1]))
    bars = {"close": table([1.0] * sessions)}
    events: dict[int, dict[str, Floats]] = {
        sessions - 1 - ago: {
            "news_columns": np.array([0]),
            "news_weight": np.array([many]),
            "news_score": np.array([score]),
            "news_days": np.array([float(session(sessions - 1 - ago, bars).day)]),
        }
        for ago, many, score in articles
    }
    for t in range(sessions):
        advance(state, session(t, bars, **events.get(t, {})))
    got = factors(state, session(sessions - 1, bars).day, look_back=look_back, least=least)
    return {name: known(got[name][0]) for name in ("news_sentiment", "news_count", "news_day")}


@pytest.mark.parametrize(
    ("articles", "sentiment", "count"),
    [
        ((), None, 0.0),
        (((0, 1.0, 0.8),), 0.8, 1.0),
        (((0, 4.0, 2.0),), 0.5, 4.0),
        (((3, 1.0, -1.0),), -1.0, 1.0),  # alone, its age does not matter
        (((0, 1.0, 1.0), (3, 1.0, -1.0)), (1.0 - 0.5) / 1.5, 2.0),  # half as much after the half-life of 3
        (((9, 1.0, 1.0),), 1.0, 1.0),
        (((10, 1.0, 1.0),), None, 0.0),  # beyond the look-back of 10
        (((0, 2.0, 0.0),), 0.0, 2.0),
    ],
)
def test_sentiment_rows(articles: Any, sentiment: float | None, count: float) -> None:
    got = heard(*articles)
    assert got["news_sentiment"] == (sentiment if sentiment is None else pytest.approx(sentiment))
    assert got["news_count"] == count
    assert (got["news_day"] is None) == (sentiment is None)


@pytest.mark.parametrize(("least", "told"), [(1.0, True), (2.0, True), (3.0, False)])
def test_too_few_headlines_are_none(least: float, told: bool) -> None:
    assert (heard((0, 1.0, 0.5), (2, 1.0, 0.5), least=least)["news_sentiment"] is not None) == told


@pytest.mark.parametrize(
    ("headline", "given", "low", "high"),
    [
        ("Acme beats estimates, raises outlook", None, 0.5, 1.0),
        ("Acme misses estimates and cuts outlook", None, -1.0, -0.5),
        ("Acme to present at a conference", None, 0.0, 0.0),
        ("Acme does not beat estimates", None, -1.0, -0.1),
        ("Acme fails to win approval", None, -1.0, 0.0),
        ("Acme losses narrow", None, 0.1, 1.0),
        ("Acme losses widen", None, -1.0, -0.1),
        ("Acme costs rise", None, -1.0, -0.1),
        ("Acme beats estimates", -0.4, -0.4, -0.4),  # the source's own word
        ("Acme beats estimates", 3.0, 1.0, 1.0),  # within -1..1
        ("", None, 0.0, 0.0),
    ],
)
def test_headline_rows(headline: str, given: float | None, low: float, high: float) -> None:
    rows = pl.DataFrame({"headline": [headline], "sentiment": [given]}, schema_overrides={"sentiment": pl.Float64})
    assert low <= scored(rows)["score"][0] <= high


def test_no_headline_and_no_sentiment_is_unknown() -> None:
    rows = pl.DataFrame(
        {"headline": [None], "sentiment": [None]}, schema={"headline": pl.String, "sentiment": pl.Float64}
    )
    assert scored(rows)["score"][0] is None


def test_the_same_headline_of_many_symbols_reads_the_same() -> None:
    rows = pl.DataFrame(
        {"headline": ["Profit surges"] * 3, "sentiment": [None, 0.1, None], "security": [1, 2, 3]},
        schema_overrides={"sentiment": pl.Float64},
    )
    assert scored(rows)["score"].to_list() == [1.0, 0.1, 1.0]


def test_the_ordinal_of_the_first_session_changes_no_answer() -> None:
    bars = {"close": table([10.0 + 0.1 * t for t in range(70)])}
    answers = []
    for start in (START, START + 33):
        state = FeatureState(np.array([1]))
        for t in range(70):
            advance(state, session(t, bars, start=start))
        got = factors(state, 16_000)
        answers.append({name: known(values[0]) for name, values in got.items()})
    one, other = answers
    for name, value in one.items():
        assert other[name] == (value if value is None else pytest.approx(value, rel=1e-12)), name
