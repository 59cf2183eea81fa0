"""The list kept by hand: a symbol a line, comments, and what is set aside by its line number."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import SECURITIES
from aitrader.providers.manual import ManualSource, parse_manual_list

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "config" / "symbols" / "fallback_universe.txt"
DIRECTORIES = ROOT.parent / "shared" / "data" / "universe"


@pytest.mark.parametrize(
    ("body", "symbols"),
    [
        (b"AAPL\nMSFT\n", ["AAPL", "MSFT"]),
        (b"\xef\xbb\xbfAAPL\r\nMSFT\r\n", ["AAPL", "MSFT"]),
        (b"# a list\n\n  msft # a comment\nAAPL", ["AAPL", "MSFT"]),
        (b"BRK/B\nBF-B\nABR^D", ["ABR-P-D", "BF.B", "BRK.B"]),
        (b"NA\nNAN\nTRUE\nON\nNULL\n", ["NA", "NAN", "NULL", "ON", "TRUE"]),
        (b"A\rB", ["A", "B"]),
    ],
)
def test_one_symbol_a_line(body: bytes, symbols: list[str]) -> None:
    page = parse_manual_list(body, "list.txt")
    assert page.frame.schema == pl.Schema(SECURITIES)
    assert page.frame["symbol"].to_list() == symbols
    assert page.quarantine.height == 0


@pytest.mark.parametrize(
    ("line", "exchange", "kind", "name"),
    [
        ("SPY", None, None, None),
        ("SPY,ARCA", "ARCA", None, None),
        ("SPY , arca , ETF", "ARCA", "etf", None),
        ("SPY,,etf,A Fund, of Funds", None, "etf", "A Fund, of Funds"),
        ("SPY,,,", None, None, None),
    ],
)
def test_what_a_line_may_say_of_a_symbol(line: str, exchange: str | None, kind: str | None, name: str | None) -> None:
    frame = parse_manual_list(line.encode(), "list.txt").frame
    assert frame.select("exchange", "security_type", "name").row(0) == (exchange, kind, name)


@pytest.mark.parametrize(
    ("line", "reason", "stays"),
    [
        ("AAPL", "duplicate", False),
        ("?!", "bad_symbol", False),
        (",NYSE", "bad_symbol", False),
        ("MSFT,MARS", "unknown_exchange", True),
        ("MSFT,NASDAQ,hat", "unknown_type", True),
    ],
)
def test_a_bad_line_is_set_aside_by_its_number(line: str, reason: str, stays: bool) -> None:
    page = parse_manual_list(f"# head\n\nAAPL\n{line}\n".encode(), "list.txt")
    assert page.frame["symbol"].to_list() == (["AAPL", "MSFT"] if stays else ["AAPL"])
    assert page.quarantine.select("file", "row", "reason").rows() == [("list.txt", 4, reason)]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"# nothing\n", b"?!\n", b"\xff\xfeA", b"\xef\xbb\xbf"])
def test_a_list_of_nothing_is_an_error(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"list\.txt"):
        parse_manual_list(body, "list.txt")


def test_the_source_offers_only_what_the_list_has(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("AAPL,NASDAQ\nSPY\n")
    source = ManualSource(file)
    found = source.deliver()
    assert (source.name, source.market, found.source, found.adjustment) == ("manual", "live", "manual", "raw")
    assert found.offers == {"securities.symbol", "securities.exchange"}
    assert (found.securities.height, found.bars.height) == (2, 0)


def test_a_list_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.txt cannot be read"):
        ManualSource(tmp_path / "none.txt").deliver()


def test_the_list_that_is_shipped() -> None:
    found = ManualSource(LIST).deliver()
    assert found.quarantine.height == 0
    assert found.securities.height >= 520
    assert {"AAPL", "MSFT", "GOOGL", "SPY", "QQQ", "BRK.B"} <= set(found.securities["symbol"])
    assert found.securities.select("exchange", "security_type").null_count().row(0) == (0, 0)
    lines = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    symbols = [line.split(",")[0] for line in lines]
    assert symbols == sorted(symbols) == found.securities["symbol"].to_list()


@pytest.mark.skipif(not DIRECTORIES.is_dir(), reason="the real sets are not beside the repository")
def test_every_symbol_that_is_shipped_is_listed() -> None:
    listed = set()
    for file in ("nasdaqlisted.txt", "otherlisted.txt"):
        listed |= {line.split("|")[0] for line in (DIRECTORIES / file).read_text().splitlines()}
    assert set(ManualSource(LIST).deliver().securities["symbol"]) <= listed


def test_only_a_source_error_escapes() -> None:
    rng = random.Random(3)
    for _ in range(200):
        body = bytearray(b"# head\nAAPL,NASDAQ,common,Apple\nSPY\nBRK.B,NYSE\n")
        for _ in range(rng.randint(1, 8)):
            body[rng.randrange(len(body))] = rng.choice((rng.randrange(256), 0, 10, 13, 44))
        try:
            assert parse_manual_list(bytes(body), "list.txt").frame.schema == pl.Schema(SECURITIES)
        except SourceError:
            continue
