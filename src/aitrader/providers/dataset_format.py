"""The format of an offline dataset: its kinds of file, their columns, and what a row may be refused for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, MARKET_CAPS, NEWS, SECURITIES, Schema


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file: each column's role is ``symbol``, ``text``, ``number``, ``date`` or ``instant``."""

    name: str
    columns: dict[str, str]
    required: tuple[str, ...]
    schema: Schema  # what a delivery holds of it


def _roles(schema: Schema, **others: str) -> dict[str, str]:
    roles: dict[str, str] = {}
    for name, dtype in schema.items():
        if name == "symbol":
            roles[name] = "symbol"
        elif dtype == pl.String:
            roles[name] = "text"
        elif dtype == pl.Float64:
            roles[name] = "number"
        else:
            roles[name] = "date" if dtype == pl.Date else "instant"
    return roles | others


_REPORTS = _roles(FUNDAMENTALS)
del _REPORTS["known_at"]

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="securities",
            columns=_roles(SECURITIES, etf="text", test_issue="text"),  # a directory's flags, Y or N
            required=("symbol",),
            schema=SECURITIES,
        ),
        Kind(name="bars", columns=_roles(BARS), required=("symbol", "date", "close", "volume"), schema=BARS),
        Kind(
            name="market_caps",
            columns=_roles(MARKET_CAPS),
            required=("symbol", "date", "market_cap"),
            schema=MARKET_CAPS,
        ),
        Kind(
            name="corporate_actions",
            columns=_roles(ACTIONS),
            required=("symbol", "ex_date", "kind"),
            schema=ACTIONS,
        ),
        Kind(
            name="fundamentals",
            columns=_REPORTS | {"known_on": "instant", "amended": "text", "fiscal_year": "number"},
            required=("symbol", "period_end", "known_on"),
            schema=FUNDAMENTALS,
        ),
        Kind(name="news", columns=_roles(NEWS), required=("symbol", "published_at", "headline"), schema=NEWS),
    )
}

# Readers: files whose columns have to be worked into a kind's, see docs/datasets.md.
READERS: Final[dict[str, Kind]] = {
    "adjustment_factors": Kind(
        name="corporate_actions",
        columns={"symbol": "symbol", "ex_date": "date", "factor": "number", "prev_close": "number"},
        required=("symbol", "ex_date", "factor", "prev_close"),
        schema=ACTIONS,
    ),
}

DROPPED: Final[dict[str, str]] = {  # reasons for which a whole row is left out
    "bad_symbol": "the symbol is missing or is none in any vendor's spelling",
    "bad_date": "the date is missing, is not a date or lies outside the calendar",
    "not_a_session": "the exchange did not trade on that date: a weekend or a holiday",
    "no_values": "no column but the symbol and the date has a value",
    "bad_number": "a required number is missing where it must not be, or is text that is no number",
    "not_finite": "a number is infinite, or a required one is NaN",
    "nonpositive_close": "the close is zero or negative",
    "negative_volume": "the volume is negative",
    "duplicate": "a repeat of a row, the same in every column; the first is kept",
    "conflicting_duplicate": "rows for one symbol and date that differ: none of them is believed",
    "repeated_listing": "one symbol twice in one list, with other attributes; the first is kept",
    "test_issue": "an exchange's test issue",
    "zero_market_cap": "a market cap of 0 is a missing one",
    "negative_market_cap": "the market cap is negative",
    "unknown_kind": "the corporate action is of no known kind",
    "bad_ratio": "a split or stock dividend without a positive ratio other than 1",
    "bad_cash": "a dividend without a positive amount",
    "no_new_symbol": "a symbol change that does not say to what",
    "repeated_split": "the split stands on an adjacent session as well; the one that the prices show is kept",
    "repeated_dividend": "the same dividend stands within two sessions; the first is kept",
    "not_in_prices": "a derived factor that the prices of its day contradict",
    "repeated_report": "the report was collected before; the first collection is kept",
    "period_after_known": "the period ends after the report became known",
    "no_headline": "the headline is empty",
}
NULLED: Final[dict[str, str]] = {  # reasons for which only a value is taken for missing; the row stays
    "bad_number": "an optional number that is text",
    "bad_date": "an optional date that is none",
    "not_finite": "an optional number that is infinite",
    "nonpositive_price": "an open, high, low or vwap of zero or less",
    "open_out_of_range": "the close lies between low and high, the open does not",
    "high_below_close": "the high lies below the close or the low",
    "low_above_close": "the low lies above the close",
    "negative_count": "a number of trades below zero",
    "impossible_interval": "a listing that ends before it begins",
    "impossible_shares": "shares outstanding of zero or less",
    "impossible_value": "assets, liabilities, debt or shares below zero, or dollars beyond 1e14",
    "bad_fiscal_period": "a fiscal period other than Q1, Q2, Q3, Q4 and FY",
    "bad_fiscal_year": "a fiscal year over two years from the period's end; it is not used",
    "bad_sentiment": "a sentiment outside -1..1",
}
