"""The fold against the oracle on real bars: from the first valid bar on, over splits, gaps and late listings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from aitrader.domain.sessions import xnys
from aitrader.features.fold import advance
from aitrader.features.measure import measure
from aitrader.features.state import FeatureState, SessionData

from . import indicators_oracle as oracle

BARS = Path(__file__).parents[3] / "shared" / "data" / "bars"
SPLITS = {"NFLX": (date(2015, 7, 15), 7.0)}
SYMBOLS, SEED = 200, 20150715
MIN_HIGH_BARS = 60

# The oracle's factor, the product's, and what the product's number is a multiple of.
PAIRS = (
    ("rsi_14", "rsi", 1),
    ("atr_14", "atr", 1),
    ("adx_14", "adx", 1),
    ("ema_20", "ema20", 1),
    ("macd", "macd", 1),
    ("macd_signal", "macd_signal", 1),
    ("macd_cross_age", "macd_cross_age", 1),
    ("bollinger_upper", "bollinger_upper", 1),
    ("bollinger_lower", "bollinger_lower", 1),
    ("sma_20", "sma20", 1),
    ("sma_50", "sma50", 1),
    ("sma_200", "sma200", 1),
    ("volume_mean_20", "volume", 1),
    ("volume_surge", "volume_surge", 1),
    ("return_1", "return_1d_pct", 100),
    ("return_5", "return_5d_pct", 100),
    ("return_21", "return_21d_pct", 100),
    ("return_63", "return_63d_pct", 100),
    ("high_252", "high_52w", 1),
    ("realised_volatility", "volatility_pct", 1),
)
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Raw bars of shape (sessions, symbols), NaN without a bar, and the product's factors of the same shape."""

    symbols: list[str]
    sessions: list[date]
    bars: dict[str, oracle.Floats]
    factors: dict[str, oracle.Floats]
    expected: list[dict[str, oracle.Floats]]  # the oracle's, by symbol

    def judged(self, symbol: str) -> npt.NDArray[np.intp]:
        """Sessions on which the symbol has a bar and no unexplained jump has made it unknown."""
        at = self.symbols.index(symbol)
        suspect = np.flatnonzero(self.factors["suspect"][:, at] > 0)
        observed = np.flatnonzero(~np.isnan(self.bars["close"][:, at]))
        return observed[observed < suspect[0]] if len(suspect) else observed


@pytest.fixture(scope="module")
def sample() -> Sample:
    path = BARS / "daily_unadjusted_2015_2016.parquet"
    if not path.exists():
        pytest.skip("the real bars of 2015-2016 are not on this machine")
    frame = pl.read_parquet(path)
    sessions = xnys().between(frame["date"].min(), frame["date"].max())  # type: ignore[arg-type]
    frame = frame.filter(pl.col("date").is_in(sessions) & (pl.col("close") > 0))
    symbols = _chosen(frame, sessions)
    frame = frame.filter(pl.col("symbol").is_in(symbols))
    row = [sessions.index(day) for day in frame["date"]]
    column = [symbols.index(symbol) for symbol in frame["symbol"]]
    bars = {}
    for name in COLUMNS:
        bars[name] = np.full((len(sessions), len(symbols)), np.nan)
        bars[name][row, column] = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    expected = []
    for at, symbol in enumerate(symbols):
        own = oracle.Bars(**{name: values[:, at] for name, values in bars.items()})
        expected.append(oracle.factors(own, _actions(symbol, sessions)))
    factors = _folded(bars, symbols, sessions)
    return Sample(symbols=symbols, sessions=sessions, bars=bars, factors=factors, expected=expected)


def _actions(symbol: str, sessions: list[date]) -> list[oracle.Action]:
    """The symbol's split as the oracle takes it."""
    return [oracle.split(sessions.index(SPLITS[symbol][0]), SPLITS[symbol][1])] if symbol in SPLITS else []


def _chosen(frame: pl.DataFrame, sessions: list[date]) -> list[str]:
    """NFLX, ten symbols with a gap that restarts indicators, ten with a shorter one, and others at random."""
    at = pl.DataFrame({"date": sessions, "at": range(len(sessions))})
    gaps = (
        frame.join(at, on="date")
        .sort("symbol", "at")
        .group_by("symbol", maintain_order=True)
        .agg((pl.col("at").diff() - 1).max().alias("gap"))
    )
    long = gaps.filter(pl.col("gap") > oracle.RESET_GAP)["symbol"].to_list()[:10]
    short = gaps.filter(pl.col("gap").is_between(2, oracle.RESET_GAP))["symbol"].to_list()[:10]
    others = np.random.default_rng(SEED).choice(gaps["symbol"].to_numpy(), SYMBOLS, replace=False)
    return sorted({*SPLITS, *long, *short, *(str(symbol) for symbol in others)})


def _folded(bars: dict[str, oracle.Floats], symbols: list[str], sessions: list[date]) -> dict[str, oracle.Floats]:
    size = len(symbols)
    state = FeatureState(np.arange(size))
    rows: dict[str, list[oracle.Floats]] = {}
    for t, session in enumerate(sessions):
        split = [(symbols.index(s), ratio) for s, (day, ratio) in SPLITS.items() if day == session]
        columns = np.array([at for at, _ in split], dtype=np.intp)
        ratios = np.array([ratio for _, ratio in split])
        data = SessionData(
            ordinal=xnys().ordinal(session),
            day=(session - date(1970, 1, 1)).days,
            market_cap=np.full(size, np.nan),
            scale_columns=columns,
            scale_price=1.0 / ratios,
            scale_shares=ratios,
            action_columns=columns,
            **{name: values[t] for name, values in bars.items()},
        )
        advance(state, data)
        for name, values in measure(state, day=data.day, look_back=5, half_life=2.0, minimum_articles=1).items():
            rows.setdefault(name, []).append(values)
    return {name: np.array(values) for name, values in rows.items()}


@pytest.mark.parametrize(("theirs", "ours", "times"), PAIRS)
def test_every_factor_equals_the_oracle(sample: Sample, theirs: str, ours: str, times: int) -> None:
    wrong = []
    for at, symbol in enumerate(sample.symbols):
        sessions = sample.judged(symbol)
        close = sample.bars["close"][:, at]
        expected = sample.expected[at][theirs] * times
        if theirs == "high_252":  # the product wants some history before it speaks of a yearly high
            expected = np.where(np.cumsum(~np.isnan(close)) >= MIN_HIGH_BARS, expected, np.nan)
        bad = oracle.mismatches(sample.factors[ours][sessions, at], expected[sessions], close[sessions])
        wrong += [(symbol, sample.sessions[sessions[k]]) for k in bad[:1]]
    assert not wrong


def test_the_sample_holds_a_split_and_gaps_of_both_lengths(sample: Sample) -> None:
    gaps = [np.diff(np.flatnonzero(~np.isnan(close))).max(initial=1) - 1 for close in sample.bars["close"].T]
    assert "NFLX" in sample.symbols
    assert sum(gap > oracle.RESET_GAP for gap in gaps) >= 5
    assert sum(0 < gap <= oracle.RESET_GAP for gap in gaps) >= 5
    assert len(sample.symbols) >= SYMBOLS
