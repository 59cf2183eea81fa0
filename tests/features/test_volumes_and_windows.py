"""What counts exchange sessions: volume means, returns, the 52-week high, the age of a cross, and gaps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import indicators_oracle as oracle
from tests.support.folding import NAN, fold, merged, split, walk

VARIED = [float(10 + t) for t in range(40)]  # closes that never repeat


def known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(0, 100.0), (1, 100.0), (5, 100.0), (6, None), (20, None)],  # at least 15 of 20 are known, else unknown
)
@pytest.mark.parametrize("what", ["bar", "volume"])
def test_a_volume_mean_needs_15_known_sessions_of_20(what: str, missing: int, expected: float | None) -> None:
    volume = np.array([100.0] * 20)
    close = np.array(VARIED[:20])
    hole = slice(20 - missing, 20)
    volume[hole] = NAN
    if what == "bar":
        close[hole] = NAN
    assert known(fold(close=close, volume=volume).last("volume")) == expected


@pytest.mark.parametrize(
    ("closes", "volumes", "total"),
    [
        ((5, 5), (900, 900), 900),  # the same close and volume as the session before: no trade
        ((5, 5, 5), (900, 900, 900), 900),
        ((5, 6), (900, 900), 1800),  # another close: a trade
        ((5, 5), (900, 901), 1801),  # another volume: a trade
        ((5, 5, 5), (900, 800, 900), 2600),
        ((5, 6, 6, 5), (900, 900, 900, 900), 2700),
        ((5, 5), (0, 0), 0),  # untraded is 0 and known
    ],
)
def test_a_repeat_of_close_and_volume_is_no_trade(
    closes: tuple[float, ...], volumes: tuple[float, ...], total: float
) -> None:
    before = 20 - len(closes)
    close = [*VARIED[:before], *(c + 1000 for c in closes)]
    got = fold(close=close, volume=[*([100.0] * before), *volumes])
    assert got.last("volume") == (100.0 * before + total) / 20


def test_a_repeat_across_a_session_without_a_bar_is_a_trade() -> None:
    close = [*VARIED[:17], 999.0, NAN, 999.0]
    got = fold(close=close, volume=[*([100.0] * 17), 700.0, NAN, 700.0])
    assert got.last("volume") == (1700 + 1400) / 19


def test_the_window_is_the_last_20_sessions_today_included() -> None:
    got = fold(close=VARIED[:22], volume=[1e9, 1e9, *([7.0] * 19), 47.0])
    assert got.series("volume")[20] == (1e9 + 19 * 7.0) / 20
    assert got.last("volume") == (19 * 7.0 + 47.0) / 20


def test_a_volume_mean_outlives_a_session_without_a_bar_but_the_surge_does_not() -> None:
    got = fold(close=[*VARIED[:20], NAN], volume=[*([50.0] * 20), NAN])
    assert got.last("volume") == 50.0
    assert np.isnan(got.last("volume_surge"))


@pytest.mark.parametrize(
    ("last_three", "expected"),
    [
        ((100.0, 100.0, 100.0), 1.0),
        ((200.0, 200.0, 200.0), 200.0 / 115.0),
        ((0.0, 0.0, 300.0), 1.0),
        ((NAN, 100.0, 100.0), None),
        ((100.0, NAN, 100.0), None),
        ((100.0, 100.0, NAN), None),
    ],
)
def test_surge_rows(last_three: tuple[float, ...], expected: float | None) -> None:
    got = fold(close=VARIED[:20], volume=[*([100.0] * 17), *last_three])
    assert known(got.last("volume_surge")) == (expected if expected is None else pytest.approx(expected, rel=1e-15))


def test_a_symbol_that_never_trades_has_a_mean_of_0_and_no_surge() -> None:
    got = fold(close=VARIED[:20], volume=[0.0] * 20)
    assert got.last("volume") == 0.0
    assert np.isnan(got.last("volume_surge"))


@pytest.mark.parametrize("sessions", [1, 5, 21, 63])
def test_a_return_spans_exchange_sessions(sessions: int) -> None:
    close = walk(70, seed=2)["close"][:, 0]
    got = fold(close=close).series(f"return_{sessions}d_pct")
    assert np.isnan(got[:sessions]).all()
    np.testing.assert_array_equal(got[sessions:], 100 * (close[sessions:] / close[:-sessions] - 1))


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ((10, NAN, NAN, NAN, NAN, 11), 10.0),  # the base's own bar
        ((10, 12, NAN, NAN, NAN, NAN, NAN, 15), 25.0),  # the base session has no bar: the close before it stands
        ((10, 12, NAN, NAN, NAN, NAN, NAN, NAN), None),  # no bar today
        ((NAN, 12, NAN, NAN, NAN, 15), None),  # nothing at or before the base
        ((10,), None),
    ],
)
def test_five_session_return_rows(closes: tuple[float, ...], expected: float | None) -> None:
    assert known(fold(close=list(closes)).last("return_5d_pct")) == (expected and pytest.approx(expected))


@pytest.mark.parametrize(("missing", "carried"), [(19, True), (20, True), (21, False)])
def test_a_close_stands_in_for_at_most_20_sessions(missing: int, carried: bool) -> None:
    got = fold(close=[10.0, *([NAN] * missing), 11.0])
    assert known(got.last("return_1d_pct")) == (pytest.approx(10.0) if carried else None)
    assert known(got.factors[-2]["price"][0]) == (10.0 if carried else None)


@pytest.mark.parametrize("drift", [-0.002, 0.0, 0.002])
def test_the_52_week_high_against_a_rolling_maximum(drift: float) -> None:
    bars = walk(600, 4, seed=7, gaps=0.08)
    trend = np.exp(drift * np.arange(600))[:, None]  # a falling market lets old highs expire all the time
    bars = {name: values * trend for name, values in bars.items() if name in ("high", "low", "close")}
    got = fold(**bars)
    for column in range(4):
        high, close = bars["high"][:, column], bars["close"][:, column]
        told = ~np.isnan(close) & (np.cumsum(~np.isnan(close)) >= 60)
        expected = np.where(told, oracle.highest(high, close, 252), NAN)
        np.testing.assert_array_equal(got.series("high_52w", column), expected)


def test_a_high_leaves_after_252_sessions() -> None:
    close = [5.0, 9.0, *([5.0] * 260)]
    got = fold(close=close, high=close).series("high_52w")
    assert np.flatnonzero(got == 9.0)[-1] == 252
    assert got[253] == 5.0


@pytest.mark.parametrize(("bars", "expected"), [(59, None), (60, 60.0)])
def test_a_yearly_high_needs_60_bars(bars: int, expected: float | None) -> None:
    close = np.arange(1.0, bars + 1)
    assert known(fold(close=close).last("high_52w")) == expected
    assert known(fold(close=close).last("distance_from_high_pct")) == (None if expected is None else 0.0)


@pytest.mark.parametrize(("missing", "restarts"), [(1, False), (19, False), (20, False), (21, True), (40, True)])
def test_a_gap_over_20_sessions_restarts_the_price_indicators(missing: int, restarts: bool) -> None:
    before, after = walk(60, seed=3), walk(40, seed=4)
    bars = {
        name: np.concatenate([before[name][:, 0], np.full(missing, NAN), after[name][:, 0] * scale])
        for name, scale in (("high", 1.0), ("low", 1.0), ("close", 1.0))
    }
    got = fold(**bars)
    first = 60 + missing
    assert np.isnan(got.series("rsi")[first]) == restarts
    assert known(got.series("rsi")[first + 14]) is not None
    assert np.isnan(got.series("rsi")[first + 13]) == restarts
    assert np.isnan(got.series("atr")[first]) == restarts
    assert got.last("history") == 100.0  # history and volumes outlive the gap
    plain = oracle.Bars(open=bars["close"], volume=bars["close"], **bars)
    expected = oracle.factors(plain)
    for theirs, ours in (("rsi_14", "rsi"), ("atr_14", "atr"), ("macd_signal", "macd_signal"), ("sma_20", "sma20")):
        wrong = oracle.mismatches(got.series(ours)[first:], expected[theirs][first:], bars["close"][first:])
        assert not wrong.size, ours


def test_the_age_of_a_cross_counts_sessions_and_dies_with_it() -> None:
    bars = walk(400, 3, seed=11, gaps=0.05)
    got = fold(close=bars["close"])
    for column in range(3):
        close = bars["close"][:, column]
        observed = np.flatnonzero(~np.isnan(close))
        line = oracle.run_indicators(close[observed], close[observed], close[observed])
        expected = np.full(400, NAN)
        expected[observed] = oracle.cross_age(line["macd"], line["macd_signal"], observed)
        np.testing.assert_array_equal(got.series("macd_cross_age", column), expected)


def test_the_age_of_a_cross_goes_on_over_sessions_without_a_bar() -> None:
    rise = [50.0 - 0.3 * t for t in range(60)]
    rise += [rise[-1] + 0.8 * t for t in range(1, 15)]
    got = fold(close=rise).series("macd_cross_age")
    crossed = int(np.flatnonzero(got == 0.0)[-1])
    with_hole = [*rise[: crossed + 1], NAN, NAN, *rise[crossed + 1 :]]
    ages = fold(close=with_hole).series("macd_cross_age")
    assert np.isnan(ages[crossed + 1])
    assert ages[crossed + 3] == 3.0


@pytest.mark.parametrize("hole", ["high", "low"])
def test_a_bar_without_its_range_silences_atr_and_adx_until_they_are_seeded_again(hole: str) -> None:
    bars = walk(120, seed=5)
    bars[hole][60] = NAN
    got = fold(**bars)
    atr, adx, rsi = got.series("atr"), got.series("adx"), got.series("rsi")
    assert not np.isnan([atr[59], adx[59]]).any()
    assert np.isnan(atr[60:75]).all()
    assert np.isnan(adx[60:88]).all()
    assert not np.isnan([atr[75], adx[88]]).any()
    assert not np.isnan(rsi[14:]).any()
    fresh = oracle.run_indicators(bars["high"][61:, 0], bars["low"][61:, 0], bars["close"][61:, 0])
    np.testing.assert_allclose(atr[75:], fresh["atr_14"][14:], rtol=1e-12)
    np.testing.assert_allclose(adx[88:], fresh["adx_14"][27:], rtol=1e-12)


def test_history_counts_bars_not_sessions() -> None:
    got = fold(close=[NAN, 1.0, NAN, 2.0, 3.0])
    np.testing.assert_array_equal(got.series("history"), [NAN, 1, 1, 2, 3])


def test_a_split_on_the_day_of_a_repeat_changes_neither_rule() -> None:
    close = [*VARIED[:18], 20.0, 10.0]
    got = fold(close=close, volume=[*([100.0] * 18), 100.0, 200.0], events={19: merged(split(2.0))})
    # 19 sessions of 200 new shares, and today's repeat of yesterday in the new basis: no trade.
    assert got.last("volume") == 19 * 200 / 20
