"""Laws of the fold, bit for bit: partitions, order, growth, stopping and going on, and securities without data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aitrader.features.fold import advance
from aitrader.features.layout import FRESH, HEIGHT
from aitrader.features.state import FeatureState, SessionData, gathered
from tests.support.folding import NAN, Floats, Folded, advanced, fold, merged, split, walk
from tests.support.size import more

SIZE, SESSIONS = 12, 140
EXAMPLES = more(3, 60)
BARS = walk(SESSIONS, SIZE, seed=5, gaps=0.06)
BARS["close"][60:85, 3] = NAN  # a gap that restarts
BARS["close"][100:, 4] *= 0.5  # a possible split
EVENTS = {
    50: split(2.0, 1, 7),
    90: merged(split(0.1, 7), {"special_columns": np.array([2]), "special": np.array([30.0])}),
}


def of(columns: Any, events: dict[int, dict[str, Floats]] = EVENTS) -> tuple[dict[str, Floats], dict[int, Any]]:
    """The bars and events of some columns, renumbered."""
    place = {int(one): at for at, one in enumerate(columns)}
    out: dict[int, Any] = {}
    for t, event in events.items():
        moved: dict[str, Floats] = {}
        for field in ("scale_columns", "special_columns", "action_columns"):
            if field in event:
                kept = np.array([int(one) in place for one in event[field]], dtype=bool)
                moved[field] = np.array([place[int(one)] for one in event[field][kept]], dtype=np.intp)
                for values in {"scale_columns": ("scale_price", "scale_shares"), "special_columns": ("special",)}.get(
                    field, ()
                ):
                    moved[values] = event[values][kept]
        out[t] = moved
    return {name: values[:, columns] for name, values in BARS.items()}, out


@pytest.fixture(scope="module")
def folded() -> Folded:
    return fold(events=EVENTS, **BARS)


@pytest.fixture(scope="module")
def whole(folded: Folded) -> FeatureState:
    return folded.state


def same(one: FeatureState, other: FeatureState) -> bool:
    return one.matrix.tobytes() == other.matrix.tobytes() and one.ordinal == other.ordinal


@pytest.mark.parametrize("parts", [1, 2, 3, 4, SIZE])
def test_partitions_gather_to_the_whole(whole: FeatureState, parts: int) -> None:
    parted = []
    for columns in np.array_split(np.arange(SIZE), parts):
        bars, events = of(columns)
        part = fold(events=events, **bars).state
        parted.append(FeatureState(whole.securities[columns], part.matrix, part.ordinal))
    assert same(gathered(parted[::-1]), whole)


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_the_order_of_securities_changes_no_bit(folded: Folded, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(SIZE)
    bars, events = of(order)
    got = fold(events=events, **bars)
    assert got.state.matrix[:, np.argsort(order)].tobytes() == folded.state.matrix.tobytes()
    for name, values in folded.factors[-1].items():
        assert got.factors[-1][name][np.argsort(order)].tobytes() == values.tobytes(), name


@pytest.mark.parametrize("stop", [1, 64, *np.random.default_rng(1).integers(1, SESSIONS, EXAMPLES).tolist()])
def test_a_fold_that_stops_and_goes_on_is_one_fold(folded: Folded, stop: int) -> None:
    state = FeatureState(np.arange(1, SIZE + 1))
    advanced(state, BARS, range(stop), events=EVENTS)
    kept = state.copy()
    restored = FeatureState(kept.securities, np.frombuffer(kept.matrix.tobytes()).reshape(HEIGHT, SIZE).copy())
    restored.ordinal = kept.ordinal
    factors = advanced(restored, BARS, range(stop, SESSIONS), events=EVENTS)
    assert same(restored, folded.state)
    for got, expected in zip(factors, folded.factors[stop:], strict=True):
        assert all(got[name].tobytes() == expected[name].tobytes() for name in expected)
    advanced(state, BARS, range(stop, SESSIONS), events=EVENTS)
    assert same(state, folded.state), "the copy is independent of what it was taken from"


def test_one_column_of_many_is_the_column_alone(whole: FeatureState) -> None:
    for column in range(SIZE):
        bars, events = of(np.array([column]))
        alone = fold(events=events, **bars).state
        assert alone.matrix.tobytes() == np.ascontiguousarray(whole.matrix[:, [column]]).tobytes()
        assert whole.columns(column, column + 1).matrix.tobytes() == alone.matrix.tobytes()


@pytest.mark.parametrize("joined", [1, 37, 64])
def test_a_state_that_grows_equals_one_that_had_the_column_from_the_start(joined: int) -> None:
    bars = {name: values.copy() for name, values in BARS.items()}
    for values in bars.values():
        values[:joined, 5] = NAN
    events = {t: event for t, event in EVENTS.items() if t >= joined}
    expected = fold(events=events, **bars).state
    others = np.delete(np.arange(SIZE), 5)
    narrow = FeatureState(np.arange(1, SIZE + 1)[others])
    advanced(narrow, {name: values[:, others] for name, values in bars.items()}, range(joined))
    grown = narrow.grown(np.arange(1, SIZE + 1))
    advanced(grown, bars, range(joined, SESSIONS), events=events)
    assert same(grown, expected)


def test_a_security_without_data_says_nothing() -> None:
    got = fold(close=[[NAN, 1.0 + t] for t in range(80)])
    silent = {name: values[0] for name, values in got.factors[-1].items()}
    told = {name: value for name, value in silent.items() if not np.isnan(value)}
    assert told == {"suspect": 0.0, "negative_earnings": 0.0, "negative_equity": 0.0, "news_count": 0.0}


def test_sessions_without_any_bar_leave_the_indicators_as_they_are() -> None:
    bars = walk(40, 2, seed=8)
    quiet = {name: np.concatenate([values[:30], np.full((3, 2), NAN), values[30:]]) for name, values in bars.items()}
    got, expected = fold(**quiet), fold(**bars)
    for name in ("rsi", "sma20", "macd_signal", "atr", "adx", "bollinger_upper", "volatility_pct"):
        np.testing.assert_array_equal(got.factors[-1][name], expected.factors[-1][name])
    for t in (30, 31, 32):
        assert np.isnan(got.factors[t]["rsi"]).all()
        np.testing.assert_array_equal(got.factors[t]["bar_age"], t - 29)


def test_missing_values_never_poison_what_comes_after() -> None:
    bars = walk(300, 6, seed=17, gaps=0.15)
    got = fold(**bars)
    last = {name: values for name, values in got.factors[-1].items() if name in ("rsi", "ema20", "macd", "sma50")}
    here = ~np.isnan(bars["close"][-1])
    assert here.any()
    assert all(not np.isnan(values[here]).any() for values in last.values())


@pytest.mark.parametrize("shape", [(HEIGHT, 2), (HEIGHT - 1, 3), (3, HEIGHT)])
def test_a_state_of_the_wrong_shape_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FeatureState(np.arange(3), np.zeros(shape))


def test_a_fresh_state_knows_nothing() -> None:
    state = FeatureState(np.arange(3))
    assert state.ordinal is None
    np.testing.assert_array_equal(state.matrix, np.repeat(FRESH[:, None], 3, axis=1))


def test_sessions_before_the_first_bar_or_event_leave_a_fresh_state_as_it_is() -> None:
    """So that a listing without a past need not be folded through the sessions before it."""
    ids = np.arange(1, 4, dtype=np.uint32)
    state, fresh = FeatureState(ids), FeatureState(ids)
    nothing = np.full(ids.size, np.nan)
    bars = dict.fromkeys(("open", "high", "low", "close", "volume", "market_cap"), nothing)
    for session in range(600):
        advance(state, SessionData(ordinal=1_000 + session, day=20_000 + session, **bars))
    assert np.array_equal(state.matrix, fresh.matrix, equal_nan=True)
