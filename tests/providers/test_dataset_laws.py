"""Laws of a delivery over anything that a file may hold."""

from __future__ import annotations

import math
import tempfile
from datetime import date
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import xnys

from .conftest import deliver

PRICES = st.one_of(
    st.none(),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e-4, 10.0, 11.0, 12.0]),
    st.floats(min_value=0.01, max_value=1e6),
)
SYMBOLS = st.sampled_from(["AAPL", "aapl ", "BRK/B", "BRK.B", "NA", "ABR^D", "", "??", None])
DATES = st.one_of(st.none(), st.dates(date(2023, 12, 25), date(2024, 1, 20)))
ROWS = st.lists(st.tuples(SYMBOLS, DATES, PRICES, PRICES, PRICES, PRICES, PRICES), min_size=1, max_size=30)
COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")
SCHEMA = {name: pl.String if name == "symbol" else pl.Date if name == "date" else pl.Float64 for name in COLUMNS}
QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def read(rows: list[tuple[object, ...]], *, until: date | None = None) -> Delivery | None:
    """The delivery of the rows, or None where no row is left."""
    with tempfile.TemporaryDirectory() as place:
        pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(Path(place) / "bars.parquet")
        (Path(place) / "dataset.yml").write_text("name: laws\nadjustment: raw\n")
        try:
            return deliver(Path(place), until=until)
        except SourceError as error:
            if "no row of bars is left" in str(error):
                return None
            raise


@QUICK
@given(ROWS)
def test_what_is_delivered_can_be_believed(rows: list[tuple[object, ...]]) -> None:
    delivery = read(rows)
    if delivery is None:
        return
    bars = delivery.bars
    sessions = set(xnys().sessions)
    assert all(day in sessions for day in bars["date"])
    for name in ("open", "high", "low", "close", "volume"):
        assert all(value is None or math.isfinite(value) for value in bars[name])
    assert bars["close"].null_count() == 0
    assert (bars["close"] > 0).all()
    assert bars.select("symbol", "date").is_duplicated().sum() == 0
    assert bars.equals(bars.sort("symbol", "date"))
    for row in bars.iter_rows(named=True):
        low, high = row["low"] or row["close"], row["high"] or row["close"]
        assert low <= row["close"] <= high
        assert row["open"] is None or row["low"] is None or row["open"] >= row["low"]
        assert row["open"] is None or row["high"] is None or row["open"] <= row["high"]
        assert row["volume"] is None or row["volume"] >= 0


@QUICK
@given(ROWS)
def test_every_row_is_delivered_or_set_aside_with_a_reason(rows: list[tuple[object, ...]]) -> None:
    delivery = read(rows)
    if delivery is None:
        return
    aside = set(delivery.quarantine["row"])
    dropped = len(rows) - delivery.bars.height
    assert dropped <= len(aside) <= len(rows)
    assert delivery.quarantine["reason"].null_count() == 0
    assert delivery.quarantine["detail"].null_count() == 0


@QUICK
@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[tuple[object, ...]], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = read(rows), read(shuffled)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.bars.equals(other.bars)
        assert sorted(one.quarantine["reason"]) == sorted(other.quarantine["reason"])


@QUICK
@given(ROWS, st.dates(date(2023, 12, 25), date(2024, 1, 20)))
def test_until_is_the_same_as_a_file_that_ends_there(rows: list[tuple[object, ...]], until: date) -> None:
    early = [row for row in rows if row[1] is None or row[1] <= until]  # type: ignore[operator]
    one = read(rows, until=until)
    other = read(early) if early else None
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.bars.equals(other.bars)
        assert one.securities.equals(other.securities)
