"""Bars and market caps of a dataset, without rows that cannot be believed, in ascending order of symbol and date."""

from __future__ import annotations

from typing import Final

import polars as pl

from aitrader.domain.sessions import Calendar
from aitrader.providers.quarantine import Quarantine, Rule
from aitrader.providers.row_rules import bar_rules, cap_rules, say

_BESIDE: Final = ("row", "file", "repeats")


def clean_bars(
    frames: list[pl.DataFrame], calendar: Calendar, quarantine: Quarantine
) -> tuple[pl.DataFrame, list[str]]:
    """The believable bars of all files (columns of BARS that any has) and what has to be said of them.

    A column ``repeats`` marks rows of a vendor that repeats the last close and volume of a symbol that did not trade:
    their volume is 0.
    """
    sifted = [_sift(frame, bar_rules(frame, calendar), quarantine) for frame in frames]
    bars = _in_order(pl.concat(sifted, how="diagonal"), quarantine, shown="close")
    notices = []
    if "repeats" in bars.columns:
        again = (
            (pl.col("symbol") == pl.col("symbol").shift(1))
            & (pl.col("close") == pl.col("close").shift(1))
            & (pl.col("volume") == pl.col("volume").shift(1))
            & (pl.col("volume") > 0)
            & pl.col("repeats")
        ).fill_null(False)
        if count := int(bars.select(again.sum()).item()):
            notices.append(f"bars: {count} repeat the close and volume of the day before: no trade, their volume is 0")
            bars = bars.with_columns(volume=pl.when(again).then(0.0).otherwise(pl.col("volume")))
    if unknown := bars["volume"].null_count():
        notices.append(f"bars: {unknown} have a price and no volume: it is unknown, not 0")
    return bars.drop(_BESIDE, strict=False), notices


def clean_market_caps(
    frames: list[pl.DataFrame], calendar: Calendar, quarantine: Quarantine
) -> tuple[pl.DataFrame, list[str]]:
    """The believable market caps of all files and what has to be said of them."""
    caps = pl.concat([_sift(frame, cap_rules(frame, calendar), quarantine) for frame in frames], how="diagonal")
    notices = []
    if missing := caps["market_cap"].null_count():
        notices.append(f"market_caps: {missing} rows have no value: the market cap is unknown on that date")
    return _in_order(caps.drop_nulls("market_cap"), quarantine, shown="market_cap").drop(_BESIDE, strict=False), notices


def _sift(frame: pl.DataFrame, rules: list[Rule], quarantine: Quarantine) -> pl.DataFrame:
    file = str(frame["file"][0]) if frame.height else ""
    frame = quarantine.sift(frame, rules, file=file, date="date")
    return frame.drop([name for name in frame.columns if name.startswith("raw:")])


def _in_order(frame: pl.DataFrame, quarantine: Quarantine, *, shown: str) -> pl.DataFrame:
    """Sorted by symbol and date, one row each: of equal rows the first, of differing rows none."""
    codes = frame["symbol"].cast(pl.Enum(frame["symbol"].unique().sort())).to_physical().cast(pl.Int64)
    keys = codes * 1_000_000 + frame["date"].to_physical().cast(pl.Int64)
    if not keys.is_sorted():
        order = keys.arg_sort()
        frame, keys = frame[order], keys.gather(order)
    repeated = (keys == keys.shift(1)).fill_null(False)
    if not repeated.any():
        return frame
    among = keys.is_in(keys.filter(repeated).unique().implode())
    values = [name for name in frame.columns if name not in _BESIDE]
    doubtful = frame.with_columns(key=keys).filter(among).sort("key", "file", "row")
    doubtful = doubtful.with_columns(alike=pl.struct(values).n_unique().over("key") == 1)
    first = pl.int_range(pl.len()).over("key") == 0
    kept = doubtful.filter(pl.col("alike") & first)
    for reason, rows in (
        ("duplicate", doubtful.filter(pl.col("alike") & ~first)),
        ("conflicting_duplicate", doubtful.filter(~pl.col("alike"))),
    ):
        for (file,), part in rows.group_by("file", maintain_order=True):
            quarantine.take(part, reason, say(shown), file=str(file), date="date")
    whole = pl.concat([frame.with_columns(key=keys).filter(~among), kept.drop("alike")])
    return whole.sort("key").drop("key")
