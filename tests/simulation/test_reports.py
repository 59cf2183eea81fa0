"""Filings tie together and count from when they are known; headlines go with what happens."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK, xnys
from aitrader.simulation.accounts import month_ends, utc_micros

from .test_market import intervals


@pytest.fixture(scope="module")
def plain(market: Delivery) -> pl.DataFrame:
    """Reports that are no amendments."""
    return market.fundamentals.filter(~pl.col("form").str.ends_with("/A"))


def test_reports_are_whole_and_their_sheets_balance(market: Delivery) -> None:
    every = market.fundamentals
    assert every.null_count().sum_horizontal()[0] == 0
    assert (every["assets"] == every["liabilities"] + every["equity"]).all()
    assert (every["total_debt"] >= 0).all()
    assert (every["total_debt"] <= every["liabilities"] + 1).all()
    assert (every["shares_outstanding"] > 0).all()
    assert set(every["fiscal_period"]) == {"Q1", "Q2", "Q3", "FY"}
    assert {"10-Q", "10-K", "20-F", "6-K"} <= set(every["form"])
    annual = every["form"].is_in(["10-K", "20-F", "10-K/A", "20-F/A"])
    assert (every.filter(annual)["fiscal_period"] == "FY").all()


def test_a_report_is_known_after_its_period_on_a_weekday(plain: pl.DataFrame) -> None:
    filed = plain.filter(pl.col("form") != "424B4").with_columns(
        local=pl.col("known_at").dt.convert_time_zone("America/New_York")
    )
    lag = (filed["local"].dt.date() - filed["period_end"]).dt.total_days()
    assert lag.min() >= 12
    assert filed["local"].dt.weekday().max() <= 5
    hour = filed["local"].dt.hour()
    assert 0.3 < (hour >= 16).mean() < 0.65
    assert 0.25 < (hour < 10).mean() < 0.55
    assert (filed["period_end"].dt.month_end() == filed["period_end"]).all()


def test_a_year_is_its_four_quarters(plain: pl.DataFrame) -> None:
    """The year less three quarters is a quarter like them: neither nothing nor two."""
    year = plain.filter(pl.col("fiscal_period") == "FY", pl.col("revenue") > 0).select(
        "symbol", "period_end", "revenue", "net_income"
    )
    parts = plain.filter(pl.col("fiscal_period") != "FY").select("symbol", "revenue", end="period_end")
    both = parts.join(year, on="symbol", suffix="_year")
    both = both.filter((pl.col("period_end") - pl.col("end")).dt.total_days().is_between(80, 280))
    three = both.group_by("symbol", "period_end").agg(pl.len(), pl.col("revenue").sum(), pl.col("revenue_year").first())
    three = three.filter(pl.col("len") == 3)
    assert three.height > 500
    last = (three["revenue_year"] - three["revenue"]) / (three["revenue"] / 3)
    assert last.min() > 0
    assert 0.8 < last.median() < 1.25
    assert last.is_between(0.4, 2.5).mean() > 0.97


def test_earnings_a_share_are_income_over_shares(market: Delivery, plain: pl.DataFrame) -> None:
    lines = market.securities.group_by("cik").agg(n=pl.col("figi").n_unique(), symbol=pl.col("symbol").first())
    single = plain.join(lines.filter(pl.col("n") == 1), on="symbol")
    assert single.height > 2_000
    expected = single["net_income"] / (single["shares_outstanding"] * 1.02)
    assert np.abs(single["eps_diluted"] - expected).max() < 1e-3
    assert np.abs(expected - single["eps_diluted"]).median() < 1e-4


def test_the_last_year_fits_the_price(market: Delivery, plain: pl.DataFrame) -> None:
    """Price over earnings lies where companies' does; about a third lose money."""
    annual = plain.filter(
        pl.col("fiscal_period") == "FY", pl.col("revenue") > 0, pl.col("known_at").dt.date() < date(2025, 4, 21)
    )
    last = (
        annual.sort("period_end")
        .unique("symbol", keep="last")
        .join(market.bars.filter(pl.col("date") == date(2025, 4, 21)), on="symbol")
    )
    assert 0.22 < (last["eps_diluted"] < 0).mean() < 0.5
    paying = last.filter(pl.col("eps_diluted") > 0)
    assert 12 < (paying["close"] / paying["eps_diluted"]).median() < 40
    sales = (paying["revenue"] / (paying["close"] * paying["shares_outstanding"])).median()
    assert 0.15 < sales < 1.5


def test_every_company_has_eight_quarters_before_the_start(market: Delivery, plain: pl.DataFrame) -> None:
    old = market.securities.filter(
        pl.col("security_type").is_in(["common", "adr", "reit"]), pl.col("listed_on") < date(2025, 4, 21)
    )
    known = plain.filter(pl.col("known_at").dt.date() < date(2025, 4, 21)).group_by("symbol").len()
    both = old.unique("symbol").join(known, on="symbol", how="left")
    assert both["len"].null_count() == 0
    assert both["len"].min() >= 8  # type: ignore[operator]


def test_a_newcomer_brings_its_past_on_its_first_morning(market: Delivery) -> None:
    told = market.fundamentals.filter(pl.col("form") == "424B4").with_columns(
        day=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date()
    )
    both = told.join(market.securities.filter(pl.col("known_on").is_null()), on="symbol")
    assert both.height > 10
    assert (both["day"] == both["listed_on"]).all()
    assert (both["period_end"] < both["day"]).all()


def test_reports_carry_the_symbol_of_their_day(market: Delivery) -> None:
    held = intervals(market).with_columns(pl.col("from").clip(upper_bound=date(2025, 4, 21)))
    day = market.fundamentals.select(
        "symbol", day=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date()
    )
    inside = (
        day.with_row_index()
        .join(held, on="symbol")
        .filter(
            (pl.col("day") >= pl.col("from")) | (pl.col("from") <= date(2025, 4, 21)), pl.col("day") <= pl.col("to")
        )
    )
    assert inside["index"].n_unique() == market.fundamentals.height


def test_a_few_reports_are_restated_later(market: Delivery) -> None:
    later = market.fundamentals.filter(pl.col("form").str.ends_with("/A")).with_columns(
        form=pl.col("form").str.head(-2)
    )
    assert 0 < later.height < 0.01 * market.fundamentals.height
    both = later.join(market.fundamentals, on=["symbol", "period_end", "fiscal_period", "form"], suffix="_first")
    assert (both["known_at"] > both["known_at_first"]).all()
    assert (both["net_income"] != both["net_income_first"]).mean() > 0.9


def test_a_report_moves_its_price_on_the_session_that_first_shows_it(market: Delivery, plain: pl.DataFrame) -> None:
    calendar = xnys()
    shown = plain.filter(pl.col("form").is_in(["10-Q", "10-K"]), pl.col("known_at").dt.date() > date(2025, 4, 22))
    local = shown["known_at"].dt.convert_time_zone("America/New_York")
    trading = [calendar.first_on_or_after(k.date()) for k in local]
    days = [d if k < calendar.close(d) else calendar.next(d) for k, d in zip(local, trading, strict=True)]
    moves = market.bars.sort("symbol", "date").with_columns(
        move=(pl.col("close") / pl.col("close").shift().over("symbol")).log().abs()
    )
    moves = moves.drop_nulls("move").filter(pl.col("move") < 0.6)
    usual = moves.group_by("symbol").agg(usual=pl.col("move").mean())
    hit = (
        shown.select("symbol")
        .with_columns(date=pl.Series(days))
        .join(moves, on=["symbol", "date"])
        .join(usual, on="symbol")
    )
    assert hit.height > 200
    assert (hit["move"] / hit["usual"]).median() > 1.6  # type: ignore[operator]


def test_headlines_are_whole_in_time_and_go_with_the_price(market: Delivery) -> None:
    news = market.news
    assert news.select("symbol", "published_at", "headline", "source").null_count().sum_horizontal()[0] == 0
    assert not news["headline"].str.contains(r"[{}]").any()
    assert news["headline"].n_unique() > 0.5 * news.height
    assert 0.3 < news["sentiment"].null_count() / news.height < 0.5
    assert news["sentiment"].abs().max() <= 1.0  # type: ignore[operator]
    known = market.bars.select("symbol", "date", "close").sort("symbol", "date")
    known = known.with_columns(move=(pl.col("close") / pl.col("close").shift().over("symbol")).log())
    day = news.with_columns(date=pl.col("published_at").dt.convert_time_zone("America/New_York").dt.date())
    both = day.drop_nulls("sentiment").join(known.drop_nulls("move"), on=["symbol", "date"])
    assert (
        both.filter(pl.col("sentiment") > 0.2)["move"].mean()
        > both.filter(pl.col("sentiment") < -0.2)["move"].mean() + 0.01
    )  # type: ignore[operator]


def test_the_large_are_written_about_more(market: Delivery) -> None:
    dollars = market.bars.group_by("symbol").agg(dollars=(pl.col("close") * pl.col("volume")).mean())
    kinds = market.securities.filter(pl.col("security_type") == "common").select("symbol").unique()
    count = kinds.join(dollars, on="symbol").join(market.news.group_by("symbol").len(), on="symbol", how="left")
    count = count.with_columns(pl.col("len").fill_null(0)).sort("dollars")
    half = count.height // 2
    assert count[half:]["len"].sum() > 1.7 * count[:half]["len"].sum()


def test_month_ends_and_new_york_instants() -> None:
    months = np.array([[2024 * 12 + 1, 2025 * 12 + 1, 2025 * 12 + 11]])
    ends = [date(1970, 1, 1).toordinal() + int(d) for d in month_ends(months)[0]]
    assert [date.fromordinal(e) for e in ends] == [date(2024, 2, 29), date(2025, 2, 28), date(2025, 12, 31)]
    days = np.array([(d - date(1970, 1, 1)).days for d in (date(2025, 1, 15), date(2025, 7, 15))])
    told = pl.Series(utc_micros(days, np.array([57_600, 57_600]))).cast(pl.Datetime("us", "UTC"))
    assert [t.hour for t in told] == [21, 20]
    assert {t.astimezone(NEW_YORK).hour for t in told} == {16}
