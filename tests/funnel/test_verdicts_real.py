"""A thousand random verdicts of a scan of real bars, recomputed from the raw files: no mismatch."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aitrader.domain.run import ScanRun
from aitrader.domain.verdict import Verdict
from aitrader.funnel import scan as scanning
from aitrader.funnel.rules import rules_for
from aitrader.providers.dataset import DatasetSource
from aitrader.settings.load import load_settings
from tests.funnel import verdicts_oracle as oracle
from tests.support.funnels import OCCASION, stored, walk
from tests.support.size import PROVING

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SEED, VERDICTS = 20160331, 1000
SESSIONS = (date(2015, 11, 30), date(2016, 3, 31)) if PROVING else (date(2016, 3, 31),)
SHOWN = ("price", "volume", "rsi", "sma20", "sma50", "macd_histogram", "macd_cross_age", "bollinger_lower")
SHOWN = (*SHOWN, "bollinger_upper", "volume_surge", "return_5d_pct", "history")
SHOWN = (*SHOWN, "distance_from_high_pct", "sma50_gap_pct", "pe", "revenue_growth_pct", "earnings_trend")
RARE = {"pe": 50, "revenue_growth_pct": 0, "earnings_trend": 0}  # how few of a factor the set may know
UNDECIDED = (Verdict.NOT_REACHED, Verdict.SKIPPED, Verdict.UNAVAILABLE)
real_data = pytest.mark.skipif(not (DATA / "bars").is_dir(), reason="the real sets are not beside the repository")


class Sample:
    """The verdicts of one scan and the oracle's numbers behind them."""

    def __init__(self, run: ScanRun, raw: oracle.RawSet, thresholds: dict[str, Any]) -> None:
        self.run, self.raw, self.thresholds = run, raw, thresholds
        detail = run.detail.filter("active")
        once = detail.filter(~detail["symbol"].is_duplicated())
        self.rows = {row["symbol"]: row for row in once.rows(named=True)}
        pairs = []
        for column in (name for name in once.columns if name[0] == "L" and name[3:] in thresholds):
            here = once.filter(~once[column].is_in(UNDECIDED))["symbol"].to_list()
            pairs += [(symbol, column) for symbol in here]
        rng = np.random.default_rng(SEED)
        order = [pairs[at] for at in rng.permutation(len(pairs))]
        # A third of each layer, so that the few of the upper layers are among them.
        chosen = [[one for one in order if one[1].startswith(layer)] for layer in ("L3", "L2", "L1")]
        share = len(pairs) if PROVING else VERDICTS // 3 + 1
        wanted = [*chosen[0][:share], *chosen[1][:share], *chosen[2]]
        self.pairs = [one for one in wanted if not raw.doubtful(one[0])][: len(pairs) if PROVING else VERDICTS]
        self.values = {symbol: raw.values(symbol) for symbol in {one[0] for one in self.pairs}}


def sampled(session: date, root: Path) -> Sample:
    """A scan of the session with the project's own layers, and what the raw files say of it."""
    own = load_settings(ROOT / "config", {}).scanner
    delivery = DatasetSource(ROOT / "datasets" / "us_2015_2016").deliver(until=session)
    with stored(root, delivery) as store:
        rules = rules_for(own, offers=delivery.offers, missing=delivery.missing)
        run = scanning.scan(store, walk(store), rules, OCCASION, session=session, first_scan_sessions=5).runs[-1]
    thresholds = {name: one.value for layer in own.layers for name, one in layer.criteria.items()}
    return Sample(run, oracle.RawSet(DATA, session), thresholds)


@real_data
@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_a_thousand_verdicts_equal_plain_recomputation(session: date, tmp_path: Path) -> None:
    """One test, so that the set is read once: the verdicts, then the numbers behind them."""
    sample = sampled(session, tmp_path)
    assert len(sample.pairs) >= VERDICTS
    wrong = []
    for symbol, column in sample.pairs:
        name = column[3:]
        expected = oracle.verdict(name, sample.thresholds[name], sample.values[symbol])
        if sample.rows[symbol][column] != expected:
            wrong.append((symbol, column, sample.rows[symbol][column], expected, sample.values[symbol]))
    assert wrong == []
    for factor in SHOWN:
        _equal_numbers(sample, factor)
    _one_universe(sample)


def _equal_numbers(sample: Sample, factor: str) -> None:
    """Numbers of Layers 2 and 3 stand in the detail of what Layer 2 reached."""
    wrong, compared = [], 0
    for symbol, values in sample.values.items():
        row = sample.rows[symbol]
        if row["L2.verdict"] == Verdict.NOT_REACHED and factor not in ("price", "volume", "history"):
            continue
        mine, theirs = row[factor], values[factor]
        compared += theirs is not None
        bound = 0.0 if theirs is None else 1e-9 * max(abs(theirs), abs(values["price"] or 0.0), 1.0)
        if (mine is None) != (theirs is None) or (theirs is not None and abs(mine - theirs) > bound):
            wrong.append((symbol, mine, theirs))
    assert wrong == [], factor
    assert compared >= RARE.get(factor, 100), f"the sample says little of {factor}"


def _one_universe(sample: Sample) -> None:
    """Without SPY every symbol's relative strength stands beside one return of the weighted universe."""
    implied = []
    for symbol, values in sample.values.items():
        own, relative = values["return_63d_pct"], sample.rows[symbol]["relative_strength_pct"]
        if own is not None and relative is not None:
            implied.append((1 + own / 100) / (1 + relative / 100) - 1)
    assert len(implied) > 100
    np.testing.assert_allclose(implied, implied[0], rtol=0, atol=1e-11)
    assert -0.3 < implied[0] < 0.3
