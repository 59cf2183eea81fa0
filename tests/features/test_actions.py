"""What splits, special cash and unexplained jumps do to the state (definitions 16 to 18), row group by row group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aitrader.features.layout import FACTS, ROWS, SLICES
from aitrader.features.state import FeatureState
from tests.oracles import indicators_oracle as oracle
from tests.support.folding import NAN, Floats, advanced, fold, merged, session, split, walk

RATIO, EX = 7.0, 150
PRICE = "divided"
SHARES = "multiplied"
SAME = "unchanged"
# What a split does to each factor: definition 16, row by row.
SPLIT_ROWS = (
    ("price", PRICE),
    ("sma20", PRICE),
    ("sma50", PRICE),
    ("sma200", PRICE),
    ("ema20", PRICE),
    ("macd", PRICE),
    ("macd_signal", PRICE),
    ("macd_histogram", PRICE),
    ("bollinger_upper", PRICE),
    ("bollinger_lower", PRICE),
    ("atr", PRICE),
    ("high_52w", PRICE),
    ("eps_ttm", PRICE),
    ("volume", SHARES),
    ("shares", SHARES),
    ("rsi", SAME),
    ("adx", SAME),
    ("volume_surge", SAME),
    ("return_1d_pct", SAME),
    ("return_5d_pct", SAME),
    ("return_21d_pct", SAME),
    ("return_63d_pct", SAME),
    ("sma50_gap_pct", SAME),
    ("sma200_gap_pct", SAME),
    ("atr_pct", SAME),
    ("bollinger_position", SAME),
    ("macd_cross_age", SAME),
    ("distance_from_high_pct", SAME),
    ("volatility_pct", SAME),
    ("history", SAME),
    ("bar_age", SAME),
    ("pe", SAME),
    ("earnings_yield_pct", SAME),
    ("pb", SAME),
    ("vendor_market_cap", SAME),
)


def facts_of(column: int, eps: float = 2.0, shares: float = 5e6) -> dict[str, Floats]:
    """A filing and a share count that become known today."""
    values = dict.fromkeys(FACTS, 0.1) | {"eps_ttm": eps, "equity": 4e7, "period_end": 16_000.0, "filed": 16_020.0}
    return {
        "fact_columns": np.array([column]),
        "fact_values": np.array([[values[name]] for name in FACTS]),
        "share_columns": np.array([column]),
        "share_values": np.array([shares]),
        "share_days": np.array([16_020.0]),
    }


@pytest.fixture(scope="module")
def both() -> tuple[list[dict[str, Floats]], list[dict[str, Floats]]]:
    """The factors of a symbol that splits 7:1 at ``EX``, and of the same one told in the new basis throughout."""
    new = walk(260, seed=21)
    old = {name: values.copy() for name, values in new.items()}
    for name in ("open", "high", "low", "close"):
        old[name][:EX] *= RATIO
    old["volume"][:EX] /= RATIO
    start = 5_900  # so that the facts' days lie within their age
    day = facts_of(0)
    raw = fold(
        start=start,
        events={40: facts_of(0, 2.0 * RATIO, 5e6 / RATIO), EX: split(RATIO)},
        **old,
    )
    told = fold(start=start, events={40: day}, **new)
    return raw.factors, told.factors


@pytest.mark.parametrize(("name", "scale"), SPLIT_ROWS)
def test_a_split_scales_the_past_on_its_ex_date(both: Any, name: str, scale: str) -> None:
    raw, told = (np.array([one[name][0] for one in factors]) for factors in both)
    unit = {PRICE: RATIO, SHARES: 1 / RATIO, SAME: 1.0}[scale]
    np.testing.assert_allclose(raw[:EX], told[:EX] * unit, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(raw[EX:], told[EX:], rtol=1e-9, atol=1e-11)
    assert not np.isnan(raw[-1]), "the row says nothing"


def test_every_factor_of_a_single_security_has_its_split_row(both: Any) -> None:
    judged = {name for name, _ in SPLIT_ROWS}
    beside = {
        "suspect",
        "negative_earnings",
        "negative_equity",
        "debt_equity",
        "revenue_growth_pct",
        "net_margin_pct",
        "return_on_equity_pct",
        "earnings_trend",
        "filing_age",
        "filing_day",
        "news_sentiment",
        "news_count",
        "news_day",
    }
    assert set(both[0][-1]) == judged | beside


@pytest.mark.parametrize(
    ("row", "scale"),
    [
        ("closes", "price"),
        ("bollinger_closes", "price"),
        ("session_closes", "price"),
        ("session_highs", "price"),
        ("high_52w", "price"),
        ("close", "price"),
        ("previous_high", "price"),
        ("previous_low", "price"),
        ("sum50", "price"),
        ("sum200", "price"),
        ("gain", "price"),
        ("loss", "price"),
        ("atr", "price"),
        ("plus_dm", "price"),
        ("minus_dm", "price"),
        ("true_range", "price"),
        ("ema20", "price"),
        ("ema_fast", "price"),
        ("ema_slow", "price"),
        ("macd_signal", "price"),
        ("macd_histogram", "price"),
        ("eps_ttm", "per_share"),
        ("volumes", "shares"),
        ("last_volume", "shares"),
        ("shares", "shares"),
    ],
)
def test_rows_of_the_state_that_a_split_scales(row: str, scale: str) -> None:
    assert {one.name: one.scale for one in ROWS}[row] == scale


def test_all_other_rows_of_the_state_are_left_alone_by_a_split() -> None:
    bars = walk(270, seed=9)
    state = FeatureState(np.array([1]))
    advanced(state, bars, range(270))
    before = state.copy()
    state.rescale(np.array([0]), np.array([0.5]), np.array([2.0]))
    factor = {"price": 0.5, "per_share": 0.5, "shares": 2.0, "plain": 1.0}
    for row in ROWS:
        was, now = before.matrix[SLICES[row.name]], state.matrix[SLICES[row.name]]
        np.testing.assert_array_equal(now, was * factor[row.scale])


def test_a_split_touches_its_own_columns_only() -> None:
    bars = walk(100, 3, seed=10)
    plain, other = fold(**bars), fold(events={80: split(2.0, 1)}, **bars)
    for column in (0, 2):
        assert plain.state.matrix[:, column].tobytes() == other.state.matrix[:, column].tobytes()


def test_a_reverse_split_equals_the_oracle_throughout() -> None:
    new = walk(200, seed=33, gaps=0.03)
    old = {name: values.copy() for name, values in new.items()}
    for name in ("open", "high", "low", "close"):
        old[name][:120] /= 100.0
    old["volume"][:120] *= 100.0
    got = fold(events={120: split(0.01)}, **old)
    bars = oracle.Bars(**{name: old[name][:, 0] for name in ("open", "high", "low", "close", "volume")})
    expected = oracle.factors(bars, [oracle.split(120, 0.01)])
    here = np.flatnonzero(~np.isnan(bars.close))
    for theirs, ours in (("rsi_14", "rsi"), ("atr_14", "atr"), ("adx_14", "adx"), ("volume_mean_20", "volume")):
        wrong = oracle.mismatches(got.series(ours)[here], expected[theirs][here], bars.close[here])
        assert not wrong.size, ours


# --- cash: special dividends over 5 % of price and spin-offs scale prices, ordinary dividends never ---


@pytest.mark.parametrize(
    ("kind", "cash", "factor"),
    [
        ("special", 10.0, 0.9),
        ("special", 5.01, 0.9499),
        ("special", 5.0, 1.0),  # exactly 5 % is not over 5 %
        ("special", 1.0, 1.0),
        ("cash", 1.0, 0.99),  # a spin-off, whatever its size
        ("cash", 50.0, 0.5),
        ("cash", 100.0, 1.0),  # no price is left: nothing believable to scale by
        ("cash", 150.0, 1.0),
    ],
)
def test_cash_scales_prices_by_what_is_left(kind: str, cash: float, factor: float) -> None:
    close = [100.0] * 70
    event = {f"{kind}_columns": np.array([0]), kind: np.array([cash]), "action_columns": np.array([0])}
    got = fold(close=close, high=close, low=close, volume=[1.0 + t for t in range(70)], events={69: event})
    assert got.last("return_1d_pct") == pytest.approx(100 * (1 / factor - 1), abs=1e-9)
    assert got.last("high_52w") == pytest.approx(100.0)
    assert got.state["session_closes"][(got.state.ordinal - 1) % 64, 0] == pytest.approx(100.0 * factor)
    assert got.last("volume") == np.mean(np.arange(51.0, 71.0)), "volumes are shares: cash leaves them"


@pytest.mark.parametrize("kind", ["special", "cash"])
def test_cash_that_leaves_the_company_changes_neither_earnings_nor_share_counts(kind: str) -> None:
    paid = {f"{kind}_columns": np.array([0]), kind: np.array([40.0]), "action_columns": np.array([0])}
    got = fold(close=[100.0] * 4 + [60.0], start=5_900, events={1: facts_of(0, eps=6.0, shares=1e6), 4: paid})
    assert (got.last("eps_ttm"), got.last("shares")) == (6.0, 1e6)
    assert got.last("pe") == pytest.approx(10.0)


def test_a_spin_off_equals_the_oracle_throughout() -> None:
    bars = walk(160, seed=12)
    before = bars["close"][99, 0]
    cash = 0.3 * before
    for name in ("open", "high", "low", "close"):
        bars[name][100:] *= 0.7
    event = {"cash_columns": np.array([0]), "cash": np.array([cash]), "action_columns": np.array([0])}
    got = fold(events={100: event}, **bars)
    plain = oracle.Bars(**{name: bars[name][:, 0] for name in ("open", "high", "low", "close", "volume")})
    expected = oracle.factors(plain, [oracle.distribution(100, cash, before)])
    for theirs, ours in (
        ("rsi_14", "rsi"),
        ("sma_50", "sma50"),
        ("high_252", "high_52w"),
        ("volume_mean_20", "volume"),
    ):
        told = ~np.isnan(got.series(ours))
        assert not oracle.mismatches(got.series(ours)[told], expected[theirs][told], plain.close[told]).size, ours


# --- possible splits (definition 18) ---


def jump(ratio: float, *, explained: bool = False, intraday: bool = False) -> Any:
    bars = walk(90, seed=14)
    factor = ratio * bars["close"][68] / bars["open"][69]
    for name in ("open", "high", "low", "close"):
        bars[name][69:] *= factor
    if intraday:
        bars["open"][69] = bars["close"][68]
    events = {69: {"action_columns": np.array([0])}} if explained else {}
    return fold(events=events, **bars)


@pytest.mark.parametrize(
    ("ratio", "suspect"),
    [
        (1 / 2, True),
        (1 / 3, True),
        (1 / 7, True),
        (2 / 5, True),
        (1 / 100, True),
        (2.0, True),
        (10.0, True),
        (100.0, True),
        (1.95, True),  # within 3 % of 2
        (1 / 1.95, True),
        (0.56, False),  # above 0.55
        (1.79, False),  # below 1.8
        (1.5, False),
        (2 / 3, False),
        (1.85, False),  # beyond the bound, near no simple fraction
        (1 / 1.9, False),
        (1 / 2.7, False),
        (2.75, False),
        (1.0, False),
    ],
)
def test_an_overnight_jump_near_a_simple_fraction_is_a_possible_split(ratio: float, suspect: bool) -> None:
    got = jump(ratio)
    assert bool(got.series("suspect")[69]) == suspect
    assert np.isnan(got.series("rsi")[69]) == suspect, "what mixes two share bases is dropped"
    assert np.isnan(got.series("return_5d_pct")[69]) == suspect
    assert not got.series("suspect")[:69].any()


def test_a_known_action_explains_a_jump() -> None:
    assert not jump(0.5, explained=True).series("suspect").any()


def test_a_move_within_the_day_is_no_split() -> None:
    assert not jump(0.5, intraday=True).series("suspect").any()


def test_the_close_decides_where_the_source_has_no_open() -> None:
    close = [10.0] * 30 + [5.0] * 10
    got = fold(close=close).series("suspect")
    assert got[30] == 1.0
    assert not got[:30].any()


def test_a_possible_split_is_remembered_for_60_sessions() -> None:
    close = [10.0] * 20 + [5.0] * 80
    np.testing.assert_array_equal(np.flatnonzero(fold(close=close).series("suspect")), np.arange(20, 80))


def test_a_jump_over_sessions_without_a_bar_is_still_one() -> None:
    assert fold(close=[10.0] * 20 + [NAN] * 5 + [2.5] * 3).last("suspect") == 1.0


def test_a_split_and_special_cash_of_one_morning_both_count() -> None:
    close = [100.0] * 30 + [45.0] * 3
    event = merged(split(2.0), {"special_columns": np.array([0]), "special": np.array([5.0])})
    got = fold(close=close, events={30: event})
    assert got.series("return_1d_pct")[30] == pytest.approx(0.0)


def test_sessions_come_in_order_each_once() -> None:
    state = FeatureState(np.array([1]))
    bars = walk(5)
    advanced(state, bars, [0, 1])
    for wrong in (1, 3, 0):
        with pytest.raises(ValueError, match="does not follow"):
            advanced(state, bars, [wrong])
    assert session(2, bars).ordinal == state.ordinal + 1
