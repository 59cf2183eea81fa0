"""A small dataset in a folder, and what a reading of it gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.providers.dataset import DatasetSource

DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
Bars = Callable[..., pl.DataFrame]


def bars(**columns: list[object]) -> pl.DataFrame:
    """Three good bars of one symbol; a keyword replaces or adds a column."""
    values: dict[str, list[object]] = {
        "symbol": ["AAPL"] * 3,
        "date": list(DAYS),
        "open": [10.0, 11.0, 12.0],
        "high": [11.0, 12.0, 13.0],
        "low": [9.0, 10.0, 11.0],
        "close": [10.5, 11.5, 12.5],
        "volume": [100.0, 200.0, 300.0],
    }
    return pl.DataFrame(values | columns, strict=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset with good bars."""
    place = tmp_path / "set"
    place.mkdir()
    bars().write_parquet(place / "bars.parquet")
    return place


def deliver(folder: Path, *, until: date | None = None) -> Delivery:
    """The delivery of the dataset in a folder."""
    return DatasetSource(folder).deliver(until=until)


def reasons(delivery: Delivery) -> list[str]:
    """The reasons in the quarantine, in order."""
    return delivery.quarantine["reason"].sort().to_list()
