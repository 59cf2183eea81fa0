"""The exchanges' symbol directories: whole or refused, every symbol in our spelling, test issues set aside."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import SECURITIES
from aitrader.providers.bodies import Page
from aitrader.providers.nasdaq_trader import (
    nasdaq_listed_request,
    other_listed_request,
    parse_nasdaq_listed,
    parse_other_listed,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "universe"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not beside the repository")

LISTED = "Symbol|Security Name|Market Category|Test Issue|Financial Status|Round Lot Size|ETF|NextShares"
OTHER = "ACT Symbol|Security Name|Exchange|CQS Symbol|ETF|Round Lot Size|Test Issue|NASDAQ Symbol"
END = "File Creation Time: 0328202518:01||||||"


def listed(*rows: str) -> Page:
    return parse_nasdaq_listed("\r\n".join((LISTED, *rows, END + "|")).encode())


def other(*rows: str) -> Page:
    return parse_other_listed("\r\n".join((OTHER, *rows, END)).encode())


@pytest.mark.parametrize("text", ["NA", "NAN", "TRUE", "ON", "NULL", "Y"])
def test_a_symbol_is_text(text: str) -> None:
    assert listed(f"{text}|A Company - Common Stock|Q|N|N|100|N|N").frame["symbol"].to_list() == [text]


@pytest.mark.parametrize(
    ("row", "symbol", "exchange", "kind"),
    [
        ("BRK.B|Berkshire Hathaway Class B|N|BRK.B|N|100|N|BRK.B", "BRK.B", "NYSE", "common"),
        ("ABR$D|Arbor Series D Preferred Stock|N|ABRpD|N|100|N|ABR-D", "ABR-P-D", "NYSE", "preferred"),
        ("AACT.U|Ares Acquisition Units|N|AACT.U|N|100|N|AACT=", "AACT.U", "NYSE", "unit"),
        ("AACT.W|Ares Acquisition Warrants|N|AACT.WS|N|100|N|AACT+", "AACT.WS", "NYSE", "warrant"),
        ("CELG.R|Celgene Rights|N|CELGr|N|100|N|CELG^", "CELG.RT", "NYSE", "right"),
        ("SPY|SPDR S&P 500|P|SPY|Y|100|N|SPY", "SPY", "ARCA", "etf"),
        ("LODE|Comstock Inc. Common Stock|A|LODE|N|100|N|LODE", "LODE", "AMEX", "common"),
        ("AAVM|A Fund|Z|AAVM|Y|100|N|AAVM", "AAVM", "BATS", "etf"),
    ],
)
def test_a_listing_elsewhere(row: str, symbol: str, exchange: str, kind: str) -> None:
    frame = other(row).frame
    assert frame.schema == pl.Schema(SECURITIES)
    assert frame.select("symbol", "exchange", "security_type").row(0) == (symbol, exchange, kind)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ZXIET|IEX Test Company|V|ZXIET|N|100|Y|ZXIET", "test_issue"),
        ("XXX|A Company|V|XXX|N|100|N|XXX", "unknown_exchange"),
        ("XXX|A Company||XXX|N|100|N|XXX", "unknown_exchange"),
        ("?!|A Company|N||N|100|N|?!", "bad_symbol"),
        ("|A Company|N||N|100|N|", "bad_symbol"),
        ("A|Agilent|N", "short_row"),
        ("IBM|again|N|IBM|N|100|N|IBM", "duplicate"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_others_stay(row: str, reason: str) -> None:
    page = other("IBM|IBM Common Stock|N|IBM|N|100|N|IBM", row)
    assert page.frame["symbol"].to_list() == ["IBM"]
    assert page.quarantine.select("file", "row", "reason").rows() == [("nasdaq_trader/otherlisted", 2, reason)]


@pytest.mark.parametrize("body", ["", "{}", "[]", "<html></html>", LISTED, f"{LISTED}\n{END}", f"{OTHER}\nA|B\n{END}"])
def test_what_is_no_directory_is_refused(body: str) -> None:
    with pytest.raises(SourceError, match="nasdaq_trader/nasdaqlisted"):
        parse_nasdaq_listed(body.encode())


@pytest.mark.parametrize("tail", ["", "File Creation Ti", "File Creation Time: 03282025"])
def test_a_cut_file_is_refused(tail: str) -> None:
    body = f"{LISTED}\nAAPL|Apple Inc. - Common Stock|Q|N|N|100|N|N\n{tail}"
    with pytest.raises(SourceError, match="cut off"):
        parse_nasdaq_listed(body.encode())


def test_the_addresses() -> None:
    base = "https://example.org/dynamic/"
    assert nasdaq_listed_request(base).target == "https://example.org/dynamic/SymDir/nasdaqlisted.txt"
    assert other_listed_request(base).target == "https://example.org/dynamic/SymDir/otherlisted.txt"


@real
@pytest.mark.parametrize(
    ("file", "parse", "rows", "tests", "some"),
    [
        ("nasdaqlisted.txt", parse_nasdaq_listed, 4821, 8, {"AAPL": "common", "QQQ": "etf", "TRUE": "common"}),
        ("otherlisted.txt", parse_other_listed, 6440, 24, {"BRK.B": "common", "SPY": "etf", "ABR-P-D": "preferred"}),
    ],
)
def test_the_real_directories(
    file: str, parse: Callable[[bytes], Page], rows: int, tests: int, some: dict[str, str]
) -> None:
    page = parse((DATA / file).read_bytes())
    assert page.frame.height == rows
    assert page.quarantine["reason"].to_list() == ["test_issue"] * tests
    kinds = dict(page.frame.select("symbol", "security_type").iter_rows())
    assert {symbol: kinds[symbol] for symbol in some} == some


@pytest.mark.parametrize("parse", [parse_nasdaq_listed, parse_other_listed])
def test_only_a_source_error_escapes(parse: Callable[[bytes], Page]) -> None:
    rng = random.Random(5)
    row = "A|Agilent Common Stock|N|A|N|100|N|A"
    for _ in range(200):
        body = bytearray("\n".join((LISTED if parse is parse_nasdaq_listed else OTHER, row, row, END)).encode())
        for _ in range(rng.randint(1, 6)):
            body[rng.randrange(len(body))] = rng.choice((rng.randrange(256), 10, 124, 65))
        if rng.random() < 0.2:
            del body[rng.randrange(len(body)) :]
        try:
            assert parse(bytes(body)).frame.schema == pl.Schema(SECURITIES)
        except SourceError:
            continue
