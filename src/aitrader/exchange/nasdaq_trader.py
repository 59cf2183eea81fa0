"""The exchanges' symbol directories: text with a pipe between columns and a last line that says when it was made."""

from __future__ import annotations

from typing import Final

import polars as pl

from aitrader.domain.sessions import NEW_YORK
from aitrader.domain.symbols import spell_expr
from aitrader.exchange.answer import Answer, RefusalError
from aitrader.exchange.view import View

VENUES: Final = {"NYSE": "N", "AMEX": "A", "ARCA": "P", "BATS": "Z"}
LISTED: Final = "Symbol|Security Name|Market Category|Test Issue|Financial Status|Round Lot Size|ETF|NextShares"
OTHER: Final = "ACT Symbol|Security Name|Exchange|CQS Symbol|ETF|Round Lot Size|Test Issue|NASDAQ Symbol"


def refusal(status: int, message: str) -> Answer:
    """An error as a file server gives it."""
    return Answer(status=status, body=f"{message}\n".encode(), headers={"content-type": "text/plain"})


def answer(view: View, path: str) -> Answer:
    """One of the two directories; RefusalError for what is not there."""
    rows = view.listings.filter(pl.col("active"))
    etf = pl.when(pl.col("security_type") == "etf").then(pl.lit("Y")).otherwise(pl.lit("N"))
    name, tape = pl.col("name").str.replace_all("|", " ", literal=True), spell_expr(pl.col("symbol"), "tape")
    if path == "/SymDir/nasdaqlisted.txt":
        head, rows = LISTED, rows.filter(pl.col("exchange") == "NASDAQ")
        cells = [tape, name, pl.lit("Q"), pl.lit("N"), pl.lit("N"), pl.lit("100"), etf, pl.lit("N")]
    elif path == "/SymDir/otherlisted.txt":
        head, rows = OTHER, rows.filter(pl.col("exchange").is_in(list(VENUES)))
        venue = pl.col("exchange").replace(VENUES)
        integrated = spell_expr(pl.col("symbol"), "integrated")
        cells = [tape, name, venue, tape, etf, pl.lit("100"), pl.lit("N"), integrated]
    else:
        raise RefusalError(404, "not found")
    lines = rows.select(pl.concat_str(cells, separator="|")).to_series().to_list()
    made = view.now.astimezone(NEW_YORK).strftime("%m%d%Y%H:%M")
    text = "\r\n".join([head, *lines, f"File Creation Time: {made}" + "|" * 7, ""])
    return Answer(body=text.encode(), headers={"content-type": "text/plain"})
