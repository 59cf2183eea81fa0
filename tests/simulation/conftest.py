"""One small market that most tests look at: 800 listings, 120 sessions."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.simulation.market import MarketSpec, generate

UNTIL = date(2025, 10, 9)


@pytest.fixture(scope="session")
def market() -> Delivery:
    """Seed 11."""
    return generate(MarketSpec(seed=11, listings=800, until=UNTIL))


@pytest.fixture(scope="session")
def wide(market: Delivery) -> pl.DataFrame:
    """Closes by date, a column a symbol."""
    return market.bars.pivot(on="symbol", index="date", values="close").sort("date")
