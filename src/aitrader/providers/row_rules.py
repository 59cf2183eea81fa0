"""What makes a row of each kind unbelievable: the rules of the quarantine, in the order in which they are asked.

A bad value in a required column drops the row; a bad value in an optional column is taken for missing and the row
stays. Both are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from aitrader.domain.frames import ACTION_KINDS
from aitrader.domain.sessions import Calendar
from aitrader.providers.quarantine import Rule, sentence
from aitrader.providers.values import RAW

_MOST_DOLLARS: Final = 1e14  # beyond the balance sheet of any company
_RATIO_KINDS: Final = ("split", "stock_dividend")
_CASH_KINDS: Final = ("dividend", "special_dividend", "spinoff")
_DOLLARS: Final = (
    "revenue",
    "net_income",
    "assets",
    "liabilities",
    "total_debt",
    "equity",
    "operating_cash_flow",
    "capital_expenditure",
)
_NEVER_NEGATIVE: Final = ("assets", "liabilities", "total_debt")


def say(name: str) -> pl.Expr:
    """``name is value``, for a rule's detail."""
    return sentence(f"{name} is {{}}", name)


def _shown(frame: pl.DataFrame, name: str) -> pl.Expr:
    """The text that was no value of the column, or what it holds."""
    if RAW + name not in frame.columns:
        return say(name)
    text = sentence(f"{name} is '{{}}'", pl.col(RAW + name).str.slice(0, 60))
    return pl.when(pl.col(RAW + name).is_not_null()).then(text).otherwise(say(name))


def symbol_rule(frame: pl.DataFrame) -> Rule:
    """The symbol is there and is one."""
    return Rule(reason="bad_symbol", when=pl.col("symbol").is_null(), detail=_shown(frame, "symbol"))


def _day_rule(frame: pl.DataFrame, name: str, calendar: Calendar) -> Rule:
    first, last = calendar.sessions[0], calendar.sessions[-1]
    return Rule(
        reason="bad_date",
        when=pl.col(name).is_null() | ~pl.col(name).is_between(first, last),
        detail=_shown(frame, name),
    )


def _session_rule(name: str, calendar: Calendar) -> Rule:
    return Rule(
        reason="not_a_session",
        when=~calendar.is_session_expr(pl.col(name)),
        detail=pl.col(name).dt.strftime("%A, the exchange was closed"),
    )


def _number_rules(frame: pl.DataFrame, names: Sequence[str], *, required: tuple[str, ...]) -> list[Rule]:
    """Text that is no number, and numbers that are not finite."""
    rules = []
    for name in names:
        nulls = () if name in required else (name,)
        if RAW + name in frame.columns:
            wrong = pl.col(RAW + name).is_not_null()
            rules.append(Rule(reason="bad_number", when=wrong, detail=_shown(frame, name), nulls=nulls))
        loose = ~pl.col(name).is_finite()
        rules.append(Rule(reason="not_finite", when=loose, detail=say(name), nulls=nulls))
    return rules


def _optional_day_rules(frame: pl.DataFrame, names: tuple[str, ...]) -> list[Rule]:
    rules = []
    for name in names:
        if RAW + name in frame.columns:
            wrong = pl.col(RAW + name).is_not_null()
            rules.append(Rule(reason="bad_date", when=wrong, detail=_shown(frame, name), nulls=(name,)))
    return rules


def bar_rules(frame: pl.DataFrame, calendar: Calendar) -> list[Rule]:
    """A bar has a symbol, a session, a positive close and no impossible range; an unknown volume is no defect."""
    has = [name for name in ("open", "high", "low", "close", "volume", "vwap", "trades") if name in frame.columns]
    rules = [
        symbol_rule(frame),
        _day_rule(frame, "date", calendar),
        _session_rule("date", calendar),
        Rule(
            reason="no_values",
            when=pl.all_horizontal(pl.col(*has, f"^{RAW}.*$").is_null()),
            detail=pl.lit("no price and no volume"),
        ),
        *_number_rules(frame, has, required=("close", "volume")),
        Rule(reason="bad_number", when=pl.col("close").is_null(), detail=say("close")),
        Rule(reason="nonpositive_close", when=pl.col("close") <= 0, detail=say("close")),
        Rule(reason="negative_volume", when=pl.col("volume") < 0, detail=say("volume")),
    ]
    rules += [
        Rule(reason="nonpositive_price", when=pl.col(name) <= 0, detail=say(name), nulls=(name,))
        for name in ("open", "high", "low", "vwap")
        if name in has
    ]
    if "trades" in has:
        rules.append(Rule(reason="negative_count", when=pl.col("trades") < 0, detail=say("trades"), nulls=("trades",)))
    return rules + _range_rules(has)


def _range_rules(has: Sequence[str]) -> list[Rule]:
    """Low <= open, close <= high: the close is believed, then the range, then the open."""
    shown = [name for name in ("open", "high", "low", "close") if name in has]
    text = sentence(" ".join(f"{name} {{}}" for name in shown), *shown)
    rules = []
    if "high" in has:
        below = pl.col("high") < pl.col("close")
        if "low" in has:
            below = below | (pl.col("high") < pl.col("low"))
        rules.append(Rule(reason="high_below_close", when=below, detail=text, nulls=("high",)))
    if "low" in has:
        above = pl.col("low") > pl.col("close")
        rules.append(Rule(reason="low_above_close", when=above, detail=text, nulls=("low",)))
    if "open" in has:
        outside = pl.lit(False)
        if "high" in has:
            outside = outside | (pl.col("open") > pl.col("high")).fill_null(False)
        if "low" in has:
            outside = outside | (pl.col("open") < pl.col("low")).fill_null(False)
        rules.append(Rule(reason="open_out_of_range", when=outside, detail=text, nulls=("open",)))
    return rules


def cap_rules(frame: pl.DataFrame, calendar: Calendar) -> list[Rule]:
    """A market cap is positive dollars on a session; 0 is a missing one."""
    return [
        symbol_rule(frame),
        _day_rule(frame, "date", calendar),
        _session_rule("date", calendar),
        *_number_rules(frame, ["market_cap"], required=("market_cap",)),
        Rule(reason="zero_market_cap", when=pl.col("market_cap") == 0, detail=say("market_cap")),
        Rule(reason="negative_market_cap", when=pl.col("market_cap") < 0, detail=say("market_cap")),
    ]


def action_rules(frame: pl.DataFrame, calendar: Calendar) -> list[Rule]:
    """An action is of a known kind and says what that kind needs; whatever changes prices does so on a session."""
    has = [name for name in ("ratio", "cash") if name in frame.columns]
    ratio, cash, new = (
        pl.col(name) if name in frame.columns else pl.lit(None) for name in ("ratio", "cash", "new_symbol")
    )
    kind = pl.col("kind")
    priced = kind.is_in([*_RATIO_KINDS, *_CASH_KINDS])
    session = _session_rule("ex_date", calendar)
    return [
        symbol_rule(frame),
        _day_rule(frame, "ex_date", calendar),
        Rule(reason="unknown_kind", when=~kind.is_in(list(ACTION_KINDS)).fill_null(False), detail=say("kind")),
        Rule(reason="not_a_session", when=priced & session.when, detail=session.detail),
        *_number_rules(frame, has, required=()),
        *_optional_day_rules(frame, ("known_at",)),
        Rule(
            reason="bad_ratio",
            when=kind.is_in(list(_RATIO_KINDS)) & ~((ratio > 0) & (ratio != 1) & ratio.is_finite()).fill_null(False),
            detail=sentence("{} of ratio {}", kind, ratio),
        ),
        Rule(
            reason="bad_cash",
            when=kind.is_in(list(_CASH_KINDS)) & ~((cash > 0) & cash.is_finite()).fill_null(False),
            detail=sentence("{} of {} dollars", kind, cash),
        ),
        Rule(
            reason="no_new_symbol",
            when=(kind == "symbol_change") & new.is_null(),
            detail=pl.lit("new_symbol is missing"),
        ),
    ]


def report_rules(frame: pl.DataFrame, calendar: Calendar) -> list[Rule]:
    """A report says what period it covers and when it became known, which is after the period."""
    has = [name for name in (*_DOLLARS, "eps_diluted", "shares_outstanding") if name in frame.columns]
    first, last = calendar.sessions[0], calendar.sessions[-1]
    known_day = pl.col("known_on").dt.convert_time_zone("America/New_York").dt.date()
    rules = [
        symbol_rule(frame),
        Rule(
            reason="bad_date",
            when=known_day.is_null() | ~known_day.is_between(first, last),
            detail=_shown(frame, "known_on"),
        ),
        Rule(
            reason="bad_date",
            when=pl.col("period_end").is_null() | ~pl.col("period_end").is_between(date(1980, 1, 1), last),
            detail=_shown(frame, "period_end"),
        ),
        Rule(
            reason="period_after_known",
            when=pl.col("period_end") > known_day,
            detail=sentence("period_end is {} known_on is {}", "period_end", known_day),
        ),
    ]
    if has:
        empty = pl.all_horizontal(pl.col(*has).is_null())
        rules.append(Rule(reason="no_values", when=empty, detail=pl.lit("no figure of the report is there")))
    rules += _number_rules(frame, has, required=())
    for name in has:
        if name in _DOLLARS:
            beyond = pl.col(name).abs() > _MOST_DOLLARS
            if name in _NEVER_NEGATIVE:
                beyond = beyond | (pl.col(name) < 0)
            rules.append(Rule(reason="impossible_value", when=beyond, detail=say(name), nulls=(name,)))
    if "shares_outstanding" in has:
        rules.append(_shares_rule())
    if "fiscal_period" in frame.columns:
        known = pl.col("fiscal_period").is_in(["Q1", "Q2", "Q3", "Q4", "FY"])
        rules.append(
            Rule(reason="bad_fiscal_period", when=~known, detail=say("fiscal_period"), nulls=("fiscal_period",))
        )
    if "fiscal_year" in frame.columns:
        off = (pl.col("fiscal_year") - pl.col("period_end").dt.year()).abs() > 2
        rules.append(Rule(reason="bad_fiscal_year", when=off, detail=say("fiscal_year"), nulls=("fiscal_year",)))
    return rules


def listing_rules(frame: pl.DataFrame) -> list[Rule]:
    """A listing has a symbol; its interval and its number of shares are possible ones."""
    rules = [symbol_rule(frame), *_optional_day_rules(frame, ("listed_on", "delisted_on", "known_on"))]
    if {"listed_on", "delisted_on"} <= set(frame.columns):
        detail = sentence("listed {} delisted {}", pl.col("listed_on"), pl.col("delisted_on"))
        backwards = pl.col("delisted_on") <= pl.col("listed_on")
        rules.append(
            Rule(reason="impossible_interval", when=backwards, detail=detail, nulls=("listed_on", "delisted_on"))
        )
    if "shares_outstanding" in frame.columns:
        rules += [*_number_rules(frame, ["shares_outstanding"], required=()), _shares_rule()]
    return rules


def news_rules(frame: pl.DataFrame, calendar: Calendar) -> list[Rule]:
    """A headline has a text and an instant."""
    first = calendar.sessions[0]
    day = pl.col("published_at").dt.date()
    rules = [
        symbol_rule(frame),
        Rule(
            reason="bad_date",
            when=day.is_null() | ~day.is_between(first, calendar.sessions[-1]),
            detail=_shown(frame, "published_at"),
        ),
        Rule(reason="no_headline", when=pl.col("headline").is_null(), detail=pl.lit("headline is empty")),
    ]
    if "sentiment" in frame.columns:
        beyond = ~pl.col("sentiment").is_between(-1, 1)
        rules += _number_rules(frame, ["sentiment"], required=())
        rules.append(Rule(reason="bad_sentiment", when=beyond, detail=say("sentiment"), nulls=("sentiment",)))
    return rules


def _shares_rule() -> Rule:
    shares = pl.col("shares_outstanding")
    impossible = (shares <= 0) | (shares > _MOST_DOLLARS)
    return Rule(
        reason="impossible_shares", when=impossible, detail=say("shares_outstanding"), nulls=("shares_outstanding",)
    )
