"""Corporate actions: derived adjustment factors made into actions, and repeats of one action told from new ones.

A factor is what prices before the ex-date were multiplied by. Only a split is a simple fraction; a larger loss of
value that is none is a spin-off or a special dividend, which moves prices but not the number of shares.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aitrader.domain.sessions import Calendar
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.providers.row_rules import symbol_rule

SPLIT_BELOW, SPLIT_ABOVE, SPECIAL_BELOW = 0.8, 1.25, 0.95
# New shares for an old one in forward splits as they are done: 5:4 to 3:1, and whole numbers beyond.
FORWARD: Final = (5 / 4, 4 / 3, 3 / 2, 5 / 3, 2.0, 5 / 2, *(float(shares) for shares in range(3, 101)))
NEAR: Final = 0.003  # relative distance from such a fraction
_SAME_SPLIT, _SAME_CASH = 0.001, 0.03  # relative difference within which two actions are one
_CONTRADICTED: Final = 0.3  # log price left unexplained by the action, over which prices may overrule it


def actions_of_factors(
    frame: pl.DataFrame, bars: pl.DataFrame, calendar: Calendar, quarantine: Quarantine, *, file: str
) -> pl.DataFrame:
    """Actions (row, symbol, ex_date, kind, ratio, cash) of a table (symbol, ex_date, factor, prev_close).

    ``factor`` > 1.25, or < 0.8 and near a split's fraction: a split of ratio 1 / factor. Else < 0.95: a spin-off
    (< 0.8) or special dividend of prev_close x (1 - factor) dollars; else an ordinary dividend. ``bars`` sorted by
    symbol and date show on which day a doubtful factor took effect, if on any.
    """
    factor, before = pl.col("factor"), pl.col("prev_close")
    session = ~calendar.is_session_expr(pl.col("ex_date"))
    rules = [
        symbol_rule(frame),
        Rule(reason="bad_date", when=pl.col("ex_date").is_null(), detail=pl.lit("ex_date is missing")),
        Rule(reason="not_a_session", when=session, detail=pl.lit("the exchange was closed")),
        Rule(
            reason="bad_ratio",
            when=~((factor > 0) & factor.is_finite()).fill_null(False),
            detail=sentence("factor is {}", factor),
        ),
        Rule(
            reason="bad_cash",
            when=(factor < 1) & ~((before > 0) & before.is_finite()).fill_null(False),
            detail=sentence("prev_close is {}", before),
        ),
    ]
    frame = quarantine.sift(frame.filter(factor.fill_null(0) != 1), rules, file=file, date="ex_date")
    near = pl.any_horizontal(*((factor * shares - 1).abs() < NEAR for shares in FORWARD))
    split = (factor > SPLIT_ABOVE) | ((factor < SPLIT_BELOW) & near)
    kind = (
        pl.when(split)
        .then(pl.lit("split"))
        .when(factor < SPLIT_BELOW)
        .then(pl.lit("spinoff"))
        .when(factor < SPECIAL_BELOW)
        .then(pl.lit("special_dividend"))
        .when(factor < 1)
        .then(pl.lit("dividend"))
    )
    frame = frame.with_columns(kind=kind)
    odd = Rule(reason="bad_ratio", when=pl.col("kind").is_null(), detail=sentence("factor is {}", factor))
    frame = quarantine.sift(frame, [odd], file=file, date="ex_date").with_columns(
        ratio=pl.when(pl.col("kind") == "split").then(1 / factor),
        cash=pl.when(pl.col("kind") != "split").then(before * (1 - factor)),
    )
    frame = drop_repeats(frame, bars, calendar, quarantine, file=file)
    seen = frame.join(_moves(frame, bars), on="row", how="left")
    left = (pl.col("move") / pl.col("factor")).log().abs()
    contradicted = (left > _CONTRADICTED) & (left > 3 * pl.col("move").log().abs()) & ~pl.col("idle")
    detail = sentence("factor {} where the close moved by {}", pl.col("factor"), pl.col("move").round(4))
    rule = Rule(reason="not_in_prices", when=contradicted, detail=detail)
    return quarantine.sift(seen, [rule], file=file, date="ex_date")


def drop_repeats(
    frame: pl.DataFrame, bars: pl.DataFrame, calendar: Calendar, quarantine: Quarantine, *, file: str
) -> pl.DataFrame:
    """The actions without repeats: the same row twice, one split on adjacent sessions, one dividend within two.

    Of a repeated split the one stays whose day's prices show it, the first where none is told apart.
    """
    values = [name for name in ("kind", "ratio", "cash", "new_symbol", "known_at") if name in frame.columns]
    frame = frame.sort("symbol", "ex_date", "kind", "row")
    again = frame.select(pl.struct("symbol", "ex_date", *values).is_first_distinct().not_()).to_series()
    quarantine.take(frame.filter(again), "duplicate", pl.col("kind"), file=file, date="ex_date")
    frame = frame.filter(~again)
    if "ratio" not in frame.columns and "cash" not in frame.columns:
        return frame
    sessions = pl.Series(calendar.sessions, dtype=pl.Date)
    frame = frame.with_columns(at=pl.Series(sessions.search_sorted(frame["ex_date"]), dtype=pl.Int64))
    for kind, value, apart, same, reason in (
        ("split", "ratio", 1, _SAME_SPLIT, "repeated_split"),
        ("dividend", "cash", 2, _SAME_CASH, "repeated_dividend"),
    ):
        if value in frame.columns:
            repeats = _repeats(frame.filter(pl.col("kind") == kind), bars, value, apart, same)
            quarantine.take(
                frame.filter(pl.col("row").is_in(repeats.implode())),
                reason,
                sentence(f"{value} {{}} stands on an adjacent session as well", pl.col(value).round(6)),
                file=file,
                date="ex_date",
            )
            frame = frame.filter(~pl.col("row").is_in(repeats.implode()))
    return frame.drop("at")


def _repeats(frame: pl.DataFrame, bars: pl.DataFrame, value: str, apart: int, same: float) -> pl.Series:
    """The rows that repeat a neighbour: all of a run of equal actions but the one that its prices show."""
    runs = frame.sort("symbol", "at")
    near = (
        (pl.col("symbol") == pl.col("symbol").shift(1))
        & (pl.col("at").diff() <= apart)
        & ((pl.col(value) / pl.col(value).shift(1) - 1).abs() < same)
    )
    runs = runs.with_columns(run=(~near.fill_null(False)).cum_sum())
    runs = runs.filter(pl.len().over("run") > 1)
    if value != "ratio":
        return runs.filter(pl.int_range(pl.len()).over("run") > 0)["row"]
    moved = runs.join(_moves(runs, bars), on="row", how="left")
    left = (pl.col("move") * pl.col("ratio")).log().abs().fill_null(float("inf"))
    best = left == left.min().over("run")
    return moved.filter(pl.int_range(pl.len()).over("run", order_by=~best) > 0)["row"]


def _moves(actions: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """How the close moved into each action's date (row, move), and whether nothing traded on it (idle)."""
    own = bars.filter(pl.col("symbol").is_in(actions["symbol"].unique().implode()))
    moved = own.select(
        "symbol",
        ex_date=pl.col("date"),
        move=(pl.col("close") / pl.col("close").shift(1)).over("symbol"),
        idle=(pl.col("volume") == 0).fill_null(False),
    )
    found = actions.select("row", "symbol", "ex_date").join(moved, on=["symbol", "ex_date"], how="left")
    return found.select("row", "move", "idle")
