"""The made-up market, with and without SPY, and a store of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aitrader.domain.frames import Delivery
from aitrader.store.store import Store
from tests.support import funnels
from tests.support.markets import Tables, market


@pytest.fixture(scope="package")
def tables() -> Tables:
    """Everything that ever happens in the market."""
    return market()


@pytest.fixture(scope="package")
def lonely() -> Tables:
    """The same market without SPY, so that the weighted universe is the benchmark."""
    return market(benchmark=False)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[[Delivery], Store]]:
    """Puts deliveries into stores of their own, which are closed after the test."""
    opened: list[Store] = []

    def kept(delivery: Delivery) -> Store:
        opened.append(funnels.stored(tmp_path / str(len(opened)), delivery))
        return opened[-1]

    yield kept
    for store in opened:
        store.close()
