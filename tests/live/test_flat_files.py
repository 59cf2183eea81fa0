"""Polygon's day aggregates on disk: read instead of asked for, the same universe in the end."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from aitrader.domain.errors import SourceError
from tests.live.world import Desk

HEAD = "ticker,volume,open,close,high,low,window_start,transactions"


def on_disk(desk: Desk, folder: Path, days: list[date]) -> Path:
    """The exchange's bars of some sessions as the vendor's archive has them."""
    folder.mkdir()
    for day in days:
        url = f"{desk.url}/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false"
        asked = urllib.request.Request(url, headers={"Authorization": "Bearer key"})
        with urllib.request.urlopen(asked) as answer:
            rows = json.load(answer)["results"]
        lines = [f"{r['T']},{r['v']},{r['o']},{r['c']},{r['h']},{r['l']},{r['t'] * 1_000_000},{r['n']}" for r in rows]
        (folder / f"{day}.csv.gz").write_bytes(gzip.compress("\n".join([HEAD, *lines, ""]).encode(), mtime=0))
    return folder


def bars(desk: Desk) -> list[tuple[object, ...]]:
    return desk.rows("SELECT session, digest, rows FROM bar_files ORDER BY session")


def test_sessions_on_disk_are_not_asked_for(desks: Callable[..., Desk], tmp_path: Path) -> None:
    asked, read = desks(name="asked"), desks(name="read")
    asked.populate("polygon")
    days = [date.fromisoformat(str(day)) for day, _, _ in bars(asked)]
    folder = on_disk(read, tmp_path / "files", days[:-3])
    read.exchange.forget()
    read.populate("polygon", path=folder)
    grouped = [seen.path for seen in read.exchange.asked("/v2/aggs/grouped/")]
    assert sorted(path.rsplit("/", 1)[1] for path in grouped) == [str(day) for day in days[-3:]]
    assert bars(read) == bars(asked)


def test_a_folder_that_cannot_be_read_is_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        desk.populate("polygon", path=tmp_path / "none")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tuesday.csv").write_text("x")
    with pytest.raises(SourceError, match="its name is no day"):
        desk.populate("polygon", path=tmp_path / "files")


def test_a_file_with_another_days_bars_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.populate("polygon")
    days = [date.fromisoformat(str(day)) for day, _, _ in bars(desk)]
    folder = on_disk(desk, tmp_path / "files", days[-2:-1])
    (folder / f"{days[-2]}.csv.gz").rename(folder / f"{days[-3]}.csv.gz")
    with pytest.raises(SourceError, match="of another day"):
        desk.populate("polygon", path=folder, refresh=True)
