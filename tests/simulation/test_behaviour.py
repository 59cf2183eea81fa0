"""What the market shows when it trades: factors, clusters, bursts, stress, and the fitted tables behind it."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.providers.simulated import SimulatedSource
from aitrader.settings.models import Simulated
from aitrader.simulation.fitted import marginal, section
from aitrader.simulation.listings import BEFORE, listed
from aitrader.simulation.market import MarketSpec, generate

Floats = npt.NDArray[np.float64]


def returns(wide: pl.DataFrame, *symbols: str) -> Floats:
    return np.diff(np.log(wide.select(symbols).to_numpy().astype(np.float64)), axis=0)


def companies(market: Delivery) -> list[str]:
    """Companies that traded every session over 100,000 shares on average and did not split."""
    facts = market.securities.filter(pl.col("security_type") == "common")["symbol"].unique()
    split = market.actions.filter(pl.col("kind").is_in(["split", "spinoff"]))["symbol"].unique()
    bars = market.bars.join(facts.to_frame(), on="symbol", how="semi").join(split.to_frame(), on="symbol", how="anti")
    busy = bars.group_by("symbol").agg(n=pl.len(), least=pl.col("volume").min(), mean=pl.col("volume").mean())
    whole = market.bars["date"].n_unique()
    return sorted(busy.filter(pl.col("n") == whole, pl.col("least") > 0, pl.col("mean") > 1e5)["symbol"])


def test_index_funds_follow_the_market_and_classes_of_a_company_each_other(
    market: Delivery, wide: pl.DataFrame
) -> None:
    average = returns(wide, *companies(market)).mean(axis=1)

    def together(a: str, b: str) -> float:
        pair = returns(wide, a, b)
        return float(np.corrcoef(pair[:, 0], pair[:, 1])[0, 1])

    assert np.corrcoef(returns(wide, "SPY")[:, 0], average)[0, 1] > 0.8
    assert together("SPY", "QQQ") > 0.8
    assert together("GOOG", "GOOGL") > 0.98
    assert together("BRK.A", "BRK.B") > 0.95
    assert together("AAPL", "SPY") > 0.2


def test_moves_have_fat_tails_and_volume_comes_with_them_and_stays(market: Delivery, wide: pl.DataFrame) -> None:
    names = companies(market)
    size = np.abs(returns(wide, *names))
    size = size / size.mean(axis=0)
    assert np.quantile(size, 0.999) > 6.0  # 4.1 were they normal
    volume = market.bars.pivot(on="symbol", index="date", values="volume").sort("date").select(names).to_numpy()
    log = np.log(volume.astype(np.float64))[1:]
    log = log - log.mean(axis=0)
    log = log - np.median(log, axis=1, keepdims=True)
    spread = log.std(axis=0)
    near, far = ((log[:-k] * log[k:]).mean(axis=0) / spread**2 for k in (1, 5))
    assert 0.45 < near.mean() < 0.75
    assert 0.2 < far.mean() < near.mean()
    assert log[size > 4].mean() - log[size < 1].mean() > 0.35


def test_a_forced_stress_falls_swings_and_moves_together() -> None:
    found = generate(MarketSpec(seed=3, listings=400, until=date(2025, 12, 5), regime="stressed"))
    wide = found.bars.pivot(on="symbol", index="date", values="close").sort("date")
    names = companies(found)
    every, spy = returns(wide, *names), returns(wide, "SPY")[:, 0]
    assert spy[-40:].sum() < -0.15
    assert spy[-40:].std() > 1.7 * spy[:-40].std()

    def pairwise(part: Floats) -> float:
        table = np.corrcoef(part.T)
        return float((table.sum() - len(table)) / (len(table) * (len(table) - 1)))

    assert pairwise(every[-40:]) > 1.4 * pairwise(every[:-40])
    usual = generate(MarketSpec(seed=3, listings=400, until=date(2025, 12, 5)))
    start = sorted(found.bars["date"].unique())[-40]
    before = pl.col("date") < start
    assert found.bars.filter(before).equals(usual.bars.filter(before))


@pytest.mark.parametrize(
    "cell", ["common:Finance", "common:Health Care", "common:Technology", "reit", "warrant", "preferred"]
)
def test_listings_are_drawn_from_the_fitted_tables(cell: str) -> None:
    rows = listed(5, 12_000, 1)
    group, _, sector = cell.partition(":")
    mine = (rows.group == group) & (rows.arrival == BEFORE) & (rows.issuer == np.arange(rows.count) if sector else True)
    mine &= (rows.sector == sector) if sector else np.True_
    found = {"price": rows.price, "dollars": rows.price * rows.volume, "market_cap": rows.price * rows.shares}
    for name, values in found.items():
        table = marginal(cell, name)
        if table is None or not np.isfinite(values[mine]).any():
            continue
        drawn = np.quantile(np.log(values[mine]), [0.1, 0.25, 0.5, 0.75, 0.9])
        wanted = np.log(table.at(np.array([-1.2816, -0.6745, 0.0, 0.6745, 1.2816])))
        assert np.abs(drawn - wanted).max() < 4.0 * np.log(values[mine]).std() / np.sqrt(mine.sum()) + 0.1, name


def test_groups_have_the_directories_shares() -> None:
    rows = listed(5, 10_500, 1)
    for name, share in section("groups").items():
        assert abs(((rows.group == name) & (rows.arrival == BEFORE)).sum() / 10_500 - share) < 1e-3, name


def test_the_source_is_the_market_of_its_settings() -> None:
    settings = Simulated(seed=4, listings=300, until=date(2025, 5, 30), regime="normal")
    source = SimulatedSource(settings)
    assert source.name == "simulated"
    whole = source.deliver()
    assert whole.bars.equals(generate(MarketSpec(seed=4, listings=300, until=date(2025, 5, 30))).bars)
    assert source.deliver(until=date(2027, 1, 1)).bars.equals(whole.bars)
    part = source.deliver(until=date(2025, 5, 4))
    assert part.bars.equals(whole.bars.filter(pl.col("date") <= date(2025, 5, 4)))


def test_a_stressed_source_keeps_its_crash_where_it_is() -> None:
    source = SimulatedSource(Simulated(seed=4, listings=300, until=date(2025, 7, 31), regime="stressed"))
    part = source.deliver(until=date(2025, 7, 3))
    assert part.bars.equals(source.deliver().bars.filter(pl.col("date") <= date(2025, 7, 3)))
