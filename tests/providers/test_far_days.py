"""Days before the year 1 and after 9999, which Polars reads and Python cannot hold, are no values."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.providers.conftest import deliver

BARS = "symbol,date,open,high,low,close,volume\nAAPL,2024-01-02,10,11,9,10.5,100\n"


@pytest.mark.parametrize("day", ["0000-01-01", "0000-12-31", "00000101"])
def test_a_bar_of_the_year_0_is_set_aside(tmp_path: Path, day: str) -> None:
    (tmp_path / "bars.csv").write_text(f"{BARS}AAPL,{day},10,11,9,10.5,100\n")
    found = deliver(tmp_path)
    assert found.bars["date"].to_list() == [date(2024, 1, 2)]
    assert found.quarantine.select("date", "reason", "detail").rows() == [(None, "bad_date", f"date is '{day}'")]


@pytest.mark.parametrize(
    ("published", "kept"),
    [
        ("0000-06-01T12:00:00Z", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("+12024-01-02T12:00:00Z", 0),
        ("9999-12-31T23:59:59-05:00", 0),
        ("2024-01-02T12:00:00Z", 1),
    ],
)
def test_news_of_such_a_day(tmp_path: Path, published: str, kept: int) -> None:
    (tmp_path / "bars.csv").write_text(BARS)
    good = "symbol,published_at,headline\nAAPL,2024-01-02T11:00:00Z,One falls\n"
    (tmp_path / "news.csv").write_text(f"{good}AAPL,{published},One rises\n")
    found = deliver(tmp_path)
    assert len(found.news.rows()) == 1 + kept
    assert [row[4] for row in found.quarantine.rows()] == ["bad_date"] * (1 - kept)
