"""The securities of a dataset: several lists, each known from its own date on, made into one history of attributes.

A row of the history counts from its ``known_on``, that being the first session after the list's date; a null
``known_on`` counts on every date. A value that a later list lacks stays as it was: null never overwrites.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.domain.frames import SECURITIES
from aitrader.domain.security_type import REIT_INDUSTRY, SecurityType, is_test_issue_expr, security_type_expr
from aitrader.domain.sessions import Calendar
from aitrader.providers.dataset_description import FileSpec
from aitrader.providers.quarantine import Quarantine
from aitrader.providers.row_rules import listing_rules

_ATTRIBUTES: Final = tuple(name for name in SECURITIES if name not in ("symbol", "known_on"))
_UNKNOWN: Final = str(SecurityType.UNKNOWN)
_EXCHANGES: Final[dict[str, str]] = {  # as vendors, directories and market identifier codes call them
    **dict.fromkeys(("nyse", "n", "xnys", "new york stock exchange"), "NYSE"),
    **dict.fromkeys(("nasdaq", "q", "g", "s", "xnas", "xngs", "xnms", "xncm", "nasdaqgs"), "NASDAQ"),
    **dict.fromkeys(("amex", "a", "xase", "nyse american", "nyseamerican", "nyse mkt"), "AMEX"),
    **dict.fromkeys(("arca", "p", "arcx", "nysearca", "nyse arca"), "ARCA"),
    **dict.fromkeys(("bats", "z", "bats global markets", "cboe", "cboe bzx"), "BATS"),
    **dict.fromkeys(("iex", "v", "iexg"), "IEX"),
}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One list of securities, cleaned: its rows have every attribute, null where the list lacks it."""

    spec: FileSpec
    frame: pl.DataFrame


def listing(frame: pl.DataFrame, spec: FileSpec, quarantine: Quarantine, *, file: str, calendar: Calendar) -> Listing:
    """A typed list without bad rows, test issues and repeats, its types told and its exchanges in one spelling."""
    frame = quarantine.sift(frame, listing_rules(frame), file=file, date=None)
    frame = frame.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in SECURITIES.items() if name not in frame.columns
    )
    flags = [pl.col(name) if name in frame.columns else None for name in ("test_issue", "etf")]
    tests = frame.select(is_test_issue_expr(symbol=pl.col("symbol"), name=pl.col("name"), flag=flags[0])).to_series()
    quarantine.take(frame.filter(tests), "test_issue", pl.col("name"), file=file, date=None)
    frame = frame.filter(~tests).with_columns(
        security_type=security_type_expr(
            symbol=pl.col("symbol"),
            name=pl.col("name"),
            vendor_type=pl.col("security_type"),
            etf=flags[1],
            industry=pl.col("industry"),
        ),
        exchange=pl.col("exchange").str.to_lowercase().replace(_EXCHANGES).str.to_uppercase(),
        known_on=calendar.sessions_after(frame.filter(~tests)["known_on"]),
    )
    return Listing(spec=spec, frame=_one_row_each(frame, quarantine, file=file))


def _one_row_each(frame: pl.DataFrame, quarantine: Quarantine, *, file: str) -> pl.DataFrame:
    """Of rows for one symbol and date the first; a list is not an observation, so no symbol is lost over it."""
    repeated = frame.select(pl.struct("symbol", "known_on").is_first_distinct().not_()).to_series()
    if not repeated.any():
        return frame
    key = ("symbol", "known_on")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).first().over(key)) for name in _ATTRIBUTES)
    again = frame.with_columns(same=same).filter(repeated)
    quarantine.take(again.filter("same"), "duplicate", pl.col("name"), file=file, date=None)
    quarantine.take(again.filter(~pl.col("same")), "repeated_listing", pl.col("name"), file=file, date=None)
    return frame.filter(~repeated)


def history(listings: list[Listing], traded: pl.Series) -> tuple[pl.DataFrame, list[str]]:
    """The attributes of every security over time (schema SECURITIES) and what has to be said of them.

    ``traded`` are the symbols that have bars; each has at least one row, of unknown type where no list names it.
    Where lists of one date differ, the earlier in the dataset's order wins.
    """
    notices: list[str] = []
    columns = list(SECURITIES)
    dated: list[pl.DataFrame] = []
    timeless: list[pl.DataFrame] = []
    for order, each in enumerate(listings):
        frame = each.frame
        if each.spec.only_with_bars:
            kept = frame.filter(pl.col("symbol").is_in(traded.implode()))
            if left := frame.height - kept.height:
                notices.append(f"{Path(each.spec.path).name}: {left} securities without bars in this set are left out")
            frame = kept
        frame = frame.select(*columns, order=pl.lit(order))
        dated.append(frame)
        if each.spec.timeless:
            others = [name for name in _ATTRIBUTES if name not in each.spec.timeless]
            timeless.append(frame.with_columns(pl.lit(None).cast(SECURITIES[name]).alias(name) for name in others))
    if timeless:
        words = sorted({name for each in listings for name in each.spec.timeless})
        notices.append(
            f"{' and '.join(words)} of a security count on every date, also before the list that tells them was made:"
            " they are the listing's nature, but known later (look-ahead by definition)"
        )
    bare = pl.DataFrame({"symbol": traded}, schema={"symbol": pl.String}).select(
        *(
            pl.col("symbol") if name == "symbol" else pl.lit(None, dtype=SECURITIES[name]).alias(name)
            for name in columns
        ),
        order=pl.lit(len(listings)),
    )
    base = [frame.with_columns(known_on=pl.lit(None, dtype=pl.Date)) for frame in timeless]
    return _merged(pl.concat([*base, *dated, bare])), notices


def _merged(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a symbol and date with the first value given, each carried on until another is given."""
    known = pl.when(pl.col("security_type") != _UNKNOWN).then(pl.col("security_type"))
    rows = rows.with_columns(security_type=known).sort("symbol", "known_on", "order", nulls_last=False)
    merged = (
        rows.group_by("symbol", "known_on", maintain_order=True)
        .agg(pl.col(*_ATTRIBUTES).drop_nulls().first())
        .with_columns(pl.col(*_ATTRIBUTES).forward_fill().over("symbol"))
        .with_columns(security_type=_with_industry())
    )
    same = [pl.col(name).eq_missing(pl.col(name).shift(1)) for name in ("symbol", *_ATTRIBUTES)]
    merged = merged.filter(~pl.all_horizontal(same) | (pl.int_range(pl.len()) == 0))
    return merged.with_columns(pl.col("security_type").fill_null(_UNKNOWN)).select(list(SECURITIES))


def _with_industry() -> pl.Expr:
    """A list that lacks the industry takes a REIT for a common stock; the industry known before tells."""
    reit = pl.col("industry").str.contains(REIT_INDUSTRY) & (pl.col("security_type") == str(SecurityType.COMMON))
    return pl.when(reit).then(pl.lit(str(SecurityType.REIT))).otherwise(pl.col("security_type"))
