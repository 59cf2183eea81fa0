"""The exchanges' own symbol directories, ``nasdaqlisted.txt`` and ``otherlisted.txt``: every listing, ETFs flagged.

Text with a pipe between columns, names of columns first, and a last line that says when the file was made: a file
without that line was cut off on its way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import SECURITIES
from aitrader.domain.security_type import is_test_issue_expr, security_type_expr
from aitrader.domain.symbols import canonical_expr
from aitrader.providers.bodies import Page, canonical_texts, printable, seen, shaped, unreadable
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.transport.wire import Request

SOURCE: Final = "nasdaq_trader"
EXCHANGES: Final = {"Q": "NASDAQ", "N": "NYSE", "A": "AMEX", "P": "ARCA", "Z": "BATS"}  # V, IEX, lists no company

_TRAILER: Final = re.compile(r"^File Creation Time: ?\d{10}:\d{2}\|*$")
_LISTED: Final = {"text": "Symbol", "name": "Security Name", "etf": "ETF", "test": "Test Issue"}
_OTHER: Final = {
    "text": "ACT Symbol",
    "name": "Security Name",
    "venue": "Exchange",
    "etf": "ETF",
    "test": "Test Issue",
    "integrated": "NASDAQ Symbol",
}


def nasdaq_listed_request(url: str) -> Request:
    """The listings of NASDAQ."""
    return Request(source=SOURCE, url=url.rstrip("/") + "/SymDir/nasdaqlisted.txt")


def other_listed_request(url: str) -> Request:
    """The listings of every other exchange."""
    return Request(source=SOURCE, url=url.rstrip("/") + "/SymDir/otherlisted.txt")


def parse_nasdaq_listed(body: bytes) -> Page:
    """The listings of NASDAQ (schema SECURITIES), sorted by symbol; test issues are set aside."""
    return _page(body, _LISTED, file="nasdaq_trader/nasdaqlisted")


def parse_other_listed(body: bytes) -> Page:
    """The listings of NYSE, AMEX, ARCA and BATS (schema SECURITIES), sorted by symbol; test issues are set aside."""
    return _page(body, _OTHER, file="nasdaq_trader/otherlisted")


def _page(body: bytes, fields: Mapping[str, str], *, file: str) -> Page:
    frame = _table(body, fields, file=file)
    symbol: pl.Expr = pl.lit(canonical_texts(frame["text"]))
    if "integrated" in fields:  # the first spelling is the tape's; the last one stands in where it cannot be read
        symbol = pl.coalesce(symbol, canonical_expr(pl.col("integrated"), provider="integrated"))
        venue = pl.col("venue").str.to_uppercase()
    else:
        venue = pl.lit("Q")
    frame = frame.with_columns(
        symbol=symbol,
        exchange=venue.replace_strict(EXCHANGES, default=None, return_dtype=pl.String),
        code=venue,
    )
    tested = is_test_issue_expr(symbol=pl.col("symbol"), name=pl.col("name"), flag=pl.col("test"))
    rules = [
        Rule(reason="short_row", when=pl.col("width") != pl.col("wanted"), detail=sentence("{} columns", "width")),
        Rule(reason="test_issue", when=tested, detail=pl.col("name").str.slice(0, 60)),
        Rule(reason="bad_symbol", when=pl.col("symbol").is_null(), detail=pl.col("text").str.slice(0, 60)),
        Rule(
            reason="unknown_exchange",
            when=pl.col("exchange").is_null(),
            detail=sentence("exchange {}", pl.col("code").str.slice(0, 20)),
        ),
    ]
    quarantine = Quarantine()
    kept = quarantine.sift(frame, rules, file=file, date=None)
    first = kept.select(pl.col("symbol").is_first_distinct()).to_series()
    quarantine.take(kept.filter(~first), "duplicate", pl.col("name").str.slice(0, 60), file=file, date=None)
    kept = kept.filter(first).with_columns(
        security_type=security_type_expr(symbol=pl.col("symbol"), name=pl.col("name"), etf=pl.col("etf"))
    )
    return Page(frame=shaped(kept.sort("symbol"), SECURITIES), quarantine=quarantine.frame())


def _table(body: bytes, fields: Mapping[str, str], *, file: str) -> pl.DataFrame:
    """The wanted columns as text, with ``row``, and how many columns each line has and should have."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unreadable(file, "the body is no UTF-8 text") from None
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    heads = [head.strip() for head in lines[0].split("|")] if lines else []
    lacking = [name for name in fields.values() if name not in heads]
    if lacking:
        what = seen(body) if len(heads) < 2 else f"it has no column {printable(lacking[0])}"
        raise unreadable(file, what)
    if not _TRAILER.match(lines[-1].strip()):
        raise SourceError(
            f"{file}: the file was cut off",
            why="its last line does not say File Creation Time",
            do="ask again; nothing of this file was taken",
        )
    rows = pl.Series("line", lines[1:-1], dtype=pl.String)
    if not len(rows):
        raise unreadable(file, "it lists nothing")
    cells = pl.col("line").str.split("|")

    def cell(name: str) -> pl.Expr:
        value = cells.list.get(heads.index(name), null_on_oob=True).str.strip_chars()
        return pl.when(value != "").then(value)

    return (
        rows.to_frame()
        .with_row_index("row", offset=1)
        .with_columns(
            width=cells.list.len().cast(pl.Int64),
            wanted=pl.lit(len(heads), dtype=pl.Int64),
            **{name: cell(head) for name, head in fields.items()},
        )
    )
