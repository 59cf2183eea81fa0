"""Polygon's details of many listings, read one by one and made columns together: a frame a listing is slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from aitrader.domain.frames import Schema
from aitrader.providers.bodies import Fields, Row, columns, shaped, unreadable
from aitrader.providers.polygon_answers import answer_of

FIRST: Final[Schema] = {
    "symbol": pl.String,
    "figi": pl.String,
    "listed_on": pl.Date,
    "shares_outstanding": pl.Float64,
}
FILE: Final = "polygon/ticker_details"
_FIELDS: Final[Fields] = {
    "symbol": ("ticker", "symbol"),
    "figi": ("composite_figi", "text"),
    "listed_on": ("list_date", "date"),
    "shares": ("share_class_shares_outstanding", "number"),
}


def read_ticker_details(body: bytes) -> Row:
    """One listing as it stands in the answer, not yet judged; see :func:`first_days`."""
    found = answer_of(body, FILE).results
    if not isinstance(found, dict):
        raise unreadable(FILE, "it holds no object of results")
    return found


def first_days(rows: Sequence[Row]) -> pl.DataFrame:
    """First day and shares of the class of each listing (schema FIRST), in the order of the answers."""
    frame = columns(rows, _FIELDS, file=FILE)
    count = pl.when((pl.col("shares") > 0) & pl.col("shares").is_finite()).then(pl.col("shares"))
    return shaped(frame.with_columns(shares_outstanding=count), FIRST)
