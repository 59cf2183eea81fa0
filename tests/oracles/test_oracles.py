"""The oracles against values worked out by hand or by a textbook loop: an oracle that errs proves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from . import indicators_oracle as oracle
from . import layers_oracle as layers

NAN = float("nan")


def arr(*values: float) -> oracle.Floats:
    return np.array(values, dtype=np.float64)


def walk(n: int, seed: int = 3) -> tuple[oracle.Floats, oracle.Floats, oracle.Floats]:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    return close * 1.01, close * 0.985, close


def wilder(values: oracle.Floats, length: int) -> oracle.Floats:
    out = np.full(len(values), NAN)
    out[length - 1] = values[:length].mean()
    for i in range(length, len(values)):
        out[i] = (out[i - 1] * (length - 1) + values[i]) / length
    return out


def test_rsi_and_atr_are_wilders_seeded_with_the_mean_of_the_first_14() -> None:
    high, low, close = walk(120)
    got = oracle.run_indicators(high, low, close)
    moves = np.diff(close)
    gain, loss = wilder(np.maximum(moves, 0), 14), wilder(np.maximum(-moves, 0), 14)
    np.testing.assert_allclose(got["rsi_14"][1:], 100 * gain / (gain + loss), rtol=1e-12)
    spans = [high[1:] - low[1:], abs(high[1:] - close[:-1]), abs(low[1:] - close[:-1])]
    np.testing.assert_allclose(got["atr_14"][1:], wilder(np.max(spans, axis=0), 14), rtol=1e-12)


@pytest.mark.parametrize(
    ("factor", "first"),
    [("rsi_14", 14), ("atr_14", 14), ("adx_14", 27), ("ema_20", 19), ("macd_signal", 33), ("sma_200", 199)],
)
def test_first_valid_bar(factor: str, first: int) -> None:
    values = oracle.run_indicators(*walk(230))[factor]
    assert np.flatnonzero(~np.isnan(values))[0] == first


def test_bollinger_is_two_population_deviations_around_the_mean() -> None:
    _, _, close = walk(40)
    got = oracle.run_indicators(close, close, close)
    middle, deviation = close[20:40].mean(), close[20:40].std()
    assert got["bollinger_upper"][39] == pytest.approx(middle + 2 * deviation, rel=1e-12)
    assert got["bollinger_lower"][39] == pytest.approx(middle - 2 * deviation, rel=1e-12)


def test_no_bars_and_few_bars_are_unknown() -> None:
    assert all(len(v) == 0 for v in oracle.run_indicators(arr(), arr(), arr()).values())
    few = oracle.run_indicators(*walk(5))
    assert all(np.isnan(v).all() for v in few.values())


@pytest.mark.parametrize(
    ("close", "volume", "expected"),
    [
        ((5, 5, 5), (9, 9, 9), (9, 0, 0)),  # a vendor that repeats itself
        ((5, 5, 5), (9, 8, 9), (9, 8, 9)),
        ((5, 6, 6), (9, 9, 9), (9, 9, 0)),
        ((5, NAN, 5), (9, NAN, 9), (9, NAN, 9)),  # not the session before
    ],
)
def test_a_repeat_is_no_trade(close: tuple[float, ...], volume: tuple[float, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_array_equal(oracle.traded_volume(arr(*close), arr(*volume)), arr(*expected))


@pytest.mark.parametrize(("missing", "known"), [(0, True), (5, True), (6, False)])
def test_volume_mean_needs_15_of_20(missing: int, known: bool) -> None:
    volume = np.r_[np.full(missing, NAN), np.full(20 - missing, 4.0)]
    got = oracle.window_mean(volume, 20, 15)[-1]
    assert got == 4.0 if known else np.isnan(got)


def test_returns_reach_back_to_the_last_observed_close() -> None:
    close = arr(10, NAN, NAN, 20, 30)
    np.testing.assert_allclose(oracle.session_return(close, 1), arr(NAN, NAN, NAN, 1.0, 0.5))
    np.testing.assert_allclose(oracle.session_return(close, 2), arr(NAN, NAN, NAN, 1.0, 2.0))


def test_a_close_stands_in_no_longer_than_told() -> None:
    close = arr(10, NAN, NAN, 20)
    np.testing.assert_allclose(oracle.session_return(close, 1, carry=2), arr(NAN, NAN, NAN, 1.0))
    assert np.isnan(oracle.session_return(close, 1, carry=1)).all()


def test_a_bar_without_high_or_low_restarts_atr_and_adx_only() -> None:
    high, low, close = walk(90)
    high[40] = NAN
    got = oracle.run_indicators(high, low, close)
    assert np.flatnonzero(~np.isnan(got["atr_14"][40:]))[0] == 15
    assert np.flatnonzero(~np.isnan(got["adx_14"][40:]))[0] == 28
    assert not np.isnan(got["rsi_14"][14:]).any()


def test_cross_age_counts_sessions_and_ends_with_the_cross() -> None:
    line = arr(1, 1, -1, 2, 2, 0, 3)
    sessions = np.array([0, 1, 2, 3, 7, 8, 9])
    got = oracle.cross_age(line, np.zeros(7), sessions)
    np.testing.assert_array_equal(got, arr(NAN, NAN, NAN, 0, 4, NAN, 0))


@pytest.mark.parametrize(("gap", "stretches"), [(20, 1), (21, 2)])
def test_only_a_gap_over_20_sessions_cuts(gap: int, stretches: int) -> None:
    close = np.r_[np.ones(3), np.full(gap, NAN), np.ones(3)]
    assert len(oracle.runs(close)) == stretches


def test_a_split_counts_from_its_ex_date_on() -> None:
    close = arr(700, 707, 101, 102)
    bars = oracle.Bars(open=close, high=close, low=close, close=close, volume=arr(10, 20, 140, 150))
    seven = [oracle.split(2, 7.0)]
    before, after = oracle.as_of(bars, seven, 1), oracle.as_of(bars, seven, 3)
    np.testing.assert_array_equal(before.close, arr(700, 707))
    np.testing.assert_allclose(after.close, arr(100, 101, 101, 102))
    np.testing.assert_allclose(after.volume, arr(70, 140, 140, 150))
    got = oracle.factors(bars, seven)
    np.testing.assert_allclose(got["return_1"], arr(NAN, 0.01, 0.0, 1 / 101))
    np.testing.assert_allclose(got["high_252"], arr(700, 707, 101, 102))


def test_each_basis_answers_as_if_history_were_recomputed_that_day() -> None:
    high, low, close = walk(300)
    ratio = np.where(np.arange(300) < 150, 4.0, 1.0)
    bars = oracle.Bars(open=close, high=high * ratio, low=low * ratio, close=close * ratio, volume=1e6 / ratio)
    plain = oracle.Bars(open=close, high=high, low=low, close=close, volume=np.full(300, 1e6))
    got, expected = oracle.factors(bars, [oracle.split(150, 4.0)]), oracle.factors(plain)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name][150:], values[150:], rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(got["ema_20"][:150], 4.0 * expected["ema_20"][:150])


@pytest.mark.parametrize(
    ("mine", "theirs", "count"), [(1.0, 1.0 + 5e-10, 0), (1.0, 1.0 + 5e-9, 1), (NAN, 1.0, 1), (NAN, NAN, 0)]
)
def test_mismatch_bound(mine: float, theirs: float, count: int) -> None:
    assert len(oracle.mismatches(arr(mine), arr(theirs), arr(1.0))) == count


@pytest.mark.parametrize(
    ("symbol", "name", "expected"),
    [
        ("ABR^D", "Arbor Realty Trust 6.375% Series D", "preferred"),
        ("EVGOW", "EVgo Inc. Warrants", "warrant"),
        ("AACBU", "Artius II Acquisition Inc. Units", "unit"),
        ("NGL", "NGL ENERGY PARTNERS LP Common Units representing Limited Partner Interests", "common"),
        ("RLX", "RLX Technology Inc. American Depositary Shares each representing the right to receive", "adr"),
        ("SCCD", "Sachem Capital Corp. 6.00% Notes due 2026", "note"),
        ("PDI", "PIMCO Dynamic Income Fund Common Stock", "fund"),
        ("WPC", "W. P. Carey Inc. REIT", "reit"),
        ("AAPL", "Apple Inc. Common Stock", "common"),
    ],
)
def test_judged_type(symbol: str, name: str, expected: str) -> None:
    assert layers.judged_type(symbol, name) == expected


@pytest.mark.parametrize(
    ("screener", "expected"), [("BRK/B", "BRK.B"), ("ABR^D", "ABR-P-D"), ("ABC^", "ABC-P"), ("NA", "NA")]
)
def test_canonical(screener: str, expected: str) -> None:
    assert layers.canonical(screener) == expected
