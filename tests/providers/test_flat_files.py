"""A folder of day-aggregate files: the bars of each session, and what is said of a file that is none."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import BARS
from aitrader.providers.polygon_flat_files import parse_flat_file, read_flat_files

HEAD = "ticker,volume,open,close,high,low,window_start,transactions\n"
SUMMER, WINTER = 1_719_892_800_000_000_000, 1_704_171_600_000_000_000  # midnight New York: 2024-07-02, 2024-01-02


def line(ticker: str = "ACME", stamp: object = SUMMER, close: object = 10.5, volume: object = 1000) -> str:
    return f"{ticker},{volume},10,{close},11,9,{stamp},12\n"


def parsed(*lines: str) -> pl.DataFrame:
    return parse_flat_file((HEAD + "".join(lines)).encode()).frame


def test_a_folder_of_plain_and_packed_files(tmp_path: Path) -> None:
    (tmp_path / "2024" / "07").mkdir(parents=True)
    (tmp_path / "2024" / "07" / "2024-07-02.csv.gz").write_bytes(gzip.compress((HEAD + line()).encode(), mtime=0))
    (tmp_path / "2024-01-02.csv").write_text(HEAD + line(stamp=WINTER, close=9.5) + line("ODD", WINTER, -1))
    (tmp_path / "readme.txt").write_text("not read")
    page = read_flat_files(tmp_path)
    assert page.frame.schema == pl.Schema(BARS)
    assert page.frame.rows() == [
        ("ACME", date(2024, 1, 2), 10.0, 11.0, 9.0, 9.5, 1000.0, None, 12.0),
        ("ACME", date(2024, 7, 2), 10.0, 11.0, 9.0, 10.5, 1000.0, None, 12.0),
    ]
    assert page.quarantine.select("file", "row", "symbol", "reason").rows() == [
        ("polygon/flat_files 2024-01-02.csv", 2, "ODD", "nonpositive_close")
    ]


@pytest.mark.parametrize("symbol", ["NA", "NAN", "TRUE", "ON", "NULL", "Y", "INF", "E"])
def test_words_that_are_symbols(symbol: str) -> None:
    assert parsed(line(symbol))["symbol"].to_list() == [symbol]


@pytest.mark.parametrize(("symbol", "ours"), [("BRK.B", "BRK.B"), ("ABRpD", "ABR-P-D"), ("ACME.WS", "ACME.WS")])
def test_spellings(symbol: str, ours: str) -> None:
    assert parsed(line(symbol))["symbol"].to_list() == [ours]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line("ODD", close="x"), "bad_number"),
        (line("ODD", close="nan"), "not_finite"),
        (line("ODD", close=""), "bad_number"),
        (line("ODD", volume=-1), "negative_volume"),
        (line("ODD", stamp="soon"), "bad_date"),
        (line("ODD", stamp=10**25), "bad_date"),
        (line("ODD", stamp=-1), "bad_date"),
        (line("ODD", stamp=1_720_065_600_000_000_000), "not_a_session"),
        (line(""), "bad_symbol"),
        (line(), "duplicate"),
    ],
)
def test_a_bad_row_is_set_aside_alone(bad: str, reason: str) -> None:
    page = parse_flat_file((HEAD + line() + bad).encode())
    assert (page.frame["symbol"].to_list(), page.quarantine["reason"].to_list()) == (["ACME"], [reason])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<html>AccessDenied</html>", "web page"),
        (b'{"error": 1}', "JSON"),
        (HEAD.encode(), "no row"),
        (b"ticker,volume\nA,1\n", "columns are missing: close, window_start"),
        ((HEAD + line() + "ACME,1,2,3").encode(), ""),
        ((HEAD + line().strip()).encode(), "cut off"),
        ((HEAD + "A,1,2,3,4,5,6,7,8,9\n").encode(), "no CSV"),
        (HEAD.encode() + b"\xff\xfe,1,1,1,1,1,1,1\n", "no CSV"),
        (gzip.compress((HEAD + line()).encode(), mtime=0)[:-9], "damaged or cut off"),
        (b"\x1f\x8b\x08garbage", "damaged or cut off"),
        (gzip.compress(gzip.compress((HEAD + line()).encode(), mtime=0), mtime=0), "packed twice"),
        (b"\x28\xb5\x2f\xfd garbage", "another way than gzip"),
    ],
)
def test_a_file_that_is_none_says_what_it_is(body: bytes, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_flat_file(body, name="2024-07-02.csv.gz")
    assert "2024-07-02.csv.gz" in caught.value.what
    assert says in caught.value.why
    assert caught.value.do


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        read_flat_files(tmp_path / "none")
    with pytest.raises(SourceError, match=r"no \.csv"):
        read_flat_files(tmp_path)


def test_one_session_in_two_files(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEAD + line())
    with pytest.raises(SourceError, match="ACME 2024-07-02"):
        read_flat_files(tmp_path)
