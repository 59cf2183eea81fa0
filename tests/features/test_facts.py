"""Facts as known at each filing, row by row (definition 22), and that nothing is known before it was filed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.features.facts import facts
from tests.support.filings import frame, last, report, splits, worked_out
from tests.support.size import more

ENDS = [date(y, m, d) for y in (2013, 2014, 2015) for m, d in ((3, 31), (6, 30), (9, 30), (12, 31))]


def filed(end: date, days: int = 40) -> date:
    return end + timedelta(days=days)


def quarters(count: int, measure: str = "eps_diluted", first: float = 1.0, step: float = 1.0) -> list[Any]:
    """``count`` quarters in a row, reported one by one: 1, 2, 3 ..."""
    return [
        report(end, f"Q{at % 4 + 1}", filed(end), **{measure: first + step * at}) for at, end in enumerate(ENDS[:count])
    ]


def year(at: int, known: date | None = None, **values: float | None) -> Any:
    end = date(2013 + at, 12, 31)
    return report(end, "FY", known or filed(end, 60), **values)


# --- trailing four quarters ---


@pytest.mark.parametrize(("count", "expected"), [(1, None), (3, None), (4, 10.0), (5, 14.0), (8, 26.0)])
@pytest.mark.parametrize(("measure", "column"), [("eps_diluted", "eps_ttm"), ("revenue", "revenue_ttm")])
def test_ttm_is_the_sum_of_four_neighbouring_quarters(
    measure: str, column: str, count: int, expected: float | None
) -> None:
    assert last(quarters(count, measure))[column] == expected


def test_q4_is_the_year_less_its_three_quarters() -> None:
    rows = [*quarters(3), year(0, eps_diluted=100.0)]
    assert last(rows)["eps_ttm"] == 100.0
    q1 = report(ENDS[4], "Q1", filed(ENDS[4]), eps_diluted=7.0)
    assert last([*rows, q1])["eps_ttm"] == 2.0 + 3.0 + (100.0 - 6.0) + 7.0


def test_a_reported_q4_beats_a_derived_one() -> None:
    rows = [*quarters(4), year(0, eps_diluted=100.0)]
    assert last(rows)["eps_ttm"] == 10.0


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_all_three_quarters_the_fiscal_year_stands_in(missing: int) -> None:
    rows = [one for at, one in enumerate(quarters(3)) if at != missing]
    got = last([*rows, year(0, eps_diluted=11.0, revenue=500.0, net_income=50.0)])
    assert (got["eps_ttm"], got["revenue_ttm"], got["net_margin"]) == (11.0, 500.0, 0.1)


def test_a_quarter_without_the_figure_leaves_q4_unknown() -> None:
    rows = [*quarters(2), report(ENDS[2], "Q3", filed(ENDS[2]), revenue=1.0), year(0, eps_diluted=11.0)]
    assert last(rows)["eps_ttm"] == 11.0  # the year itself
    q1 = report(ENDS[4], "Q1", filed(ENDS[4]), eps_diluted=7.0)
    assert last([*rows, q1])["eps_ttm"] == 11.0, "Q4 cannot be derived, so the year stands in"


def test_a_newer_fiscal_year_beats_older_quarters() -> None:
    rows = [*quarters(4), year(1, eps_diluted=50.0, revenue=900.0)]
    got = last(rows)
    assert (got["eps_ttm"], got["revenue_ttm"]) == (50.0, 900.0)
    assert got["period_end"] == (date(2014, 12, 31) - date(1970, 1, 1)).days


def test_a_newer_fiscal_year_that_lacks_the_figure_leaves_the_quarters() -> None:
    got = last([*quarters(4), year(1, revenue=900.0)])
    assert got["eps_ttm"] == 10.0
    assert got["period_end"] == (ENDS[3] - date(1970, 1, 1)).days


def test_a_missing_quarter_breaks_the_chain() -> None:
    rows = [one for at, one in enumerate(quarters(6)) if at != 3]
    assert last(rows)["eps_ttm"] is None


@pytest.mark.parametrize(
    ("ends", "ttm"),
    [
        # 4-4-5: quarters of 13 weeks, a year of 52 weeks that ends on a Saturday
        ((date(2014, 5, 3), date(2014, 8, 2), date(2014, 11, 1), date(2015, 1, 31)), 10.0),
        # a 14-week quarter in a year of 53 weeks
        ((date(2014, 3, 29), date(2014, 6, 28), date(2014, 9, 27), date(2015, 1, 3)), 10.0),
        # 16, 12, 12 and 12 weeks
        ((date(2014, 6, 21), date(2014, 9, 13), date(2014, 12, 6), date(2015, 2, 28)), 10.0),
        # half-years are no quarters
        ((date(2013, 6, 30), date(2013, 12, 31), date(2014, 6, 30), date(2014, 12, 31)), None),
        # two ends in one quarter
        ((date(2014, 3, 31), date(2014, 6, 30), date(2014, 9, 30), date(2014, 10, 31)), None),
    ],
)
def test_calendars_of_quarters(ends: tuple[date, ...], ttm: float | None) -> None:
    rows = [report(end, f"Q{at + 1}", filed(end), eps_diluted=at + 1.0) for at, end in enumerate(ends)]
    assert last(rows)["eps_ttm"] == ttm


def test_a_year_of_53_weeks_gives_its_q4() -> None:
    ends = (date(2014, 3, 29), date(2014, 6, 28), date(2014, 9, 27))
    rows = [report(end, f"Q{at + 1}", filed(end), revenue=100.0) for at, end in enumerate(ends)]
    rows.append(report(date(2015, 1, 3), "FY", date(2015, 2, 20), revenue=420.0))
    rows.append(report(date(2015, 4, 4), "Q1", date(2015, 5, 10), revenue=90.0))
    assert last(rows)["revenue_ttm"] == 100.0 + 100.0 + 120.0 + 90.0


# --- growth and trend ---


@pytest.mark.parametrize(
    ("first", "step", "count", "expected"),
    [
        (10.0, 0.0, 8, 0.0),
        (10.0, 1.0, 8, (14 + 15 + 16 + 17) / (10 + 11 + 12 + 13) - 1),
        (10.0, 1.0, 7, None),  # seven quarters: no year before
        (0.0, 0.0, 8, None),  # the base is not above 0
        (-5.0, 1.0, 8, None),
    ],
)
def test_growth_is_ttm_over_ttm_a_year_before(first: float, step: float, count: int, expected: float | None) -> None:
    got = last(quarters(count, "revenue", first, step))["revenue_growth"]
    assert got == (expected if expected is None else pytest.approx(expected, abs=1e-15))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [(100.0, 110.0, 0.1), (0.0, 110.0, None), (-3.0, 110.0, None), (None, 110.0, None), (100.0, None, None)],
)
def test_growth_of_fiscal_years_where_quarters_are_missing(
    before: float | None, now: float | None, expected: float | None
) -> None:
    got = last([year(0, revenue=before), year(1, revenue=now)])["revenue_growth"]
    assert got == (expected if expected is None else pytest.approx(expected))


def test_fiscal_years_two_years_apart_have_no_growth() -> None:
    assert last([year(0, revenue=100.0), year(2, revenue=200.0)])["revenue_growth"] is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # earnings of Q1 Q2 Q3 Q4 are 1 2 3 4, then Q1 and Q2 of the next year:
        ((1.1, 2.1), 2.0),
        ((1.1, 2.0), 1.0),  # equal is not above
        ((1.0, 2.1), 1.0),
        ((0.9, 1.9), 0.0),
        ((-5.0, 2.1), 1.0),
        ((None, 2.1), None),
        ((1.1, None), None),
    ],
)
def test_trend_counts_quarters_above_the_year_before(now: tuple[Any, ...], expected: float | None) -> None:
    rows = quarters(4) + [
        report(ENDS[4 + at], f"Q{at + 1}", filed(ENDS[4 + at]), eps_diluted=value, revenue=1.0)
        for at, value in enumerate(now)
    ]
    assert last(rows)["earnings_trend"] == expected


@pytest.mark.parametrize(("count", "expected"), [(5, None), (6, 2.0)])
def test_trend_needs_both_quarters_of_the_year_before(count: int, expected: float | None) -> None:
    assert last(quarters(count))["earnings_trend"] == expected


# --- restatements, nulls, balance sheet ---


def test_a_restatement_counts_from_its_own_day() -> None:
    original = year(0, date(2014, 2, 20), eps_diluted=4.0, revenue=100.0)
    late = year(0, date(2014, 6, 10), eps_diluted=3.0, revenue=90.0)
    later = year(0, date(2015, 1, 15), eps_diluted=2.5, revenue=95.0)
    got = worked_out([later, original, late])
    assert got["eps_ttm"].to_list() == [4.0, 3.0, 2.5]
    assert got["revenue_ttm"].to_list() == [100.0, 90.0, 95.0]
    assert [str(one) for one in got["known_at"].dt.date()] == ["2014-02-21", "2014-06-11", "2015-01-16"]


def test_a_restated_quarter_moves_the_sum_that_holds_it() -> None:
    rows = quarters(4)
    again = report(ENDS[1], "Q2", date(2014, 3, 1), eps_diluted=20.0)
    assert last([*rows, again])["eps_ttm"] == 28.0


def test_a_null_never_overwrites_what_is_known() -> None:
    first = year(0, date(2014, 2, 20), eps_diluted=4.0, revenue=100.0, equity=50.0, total_debt=25.0)
    amended = year(0, date(2014, 6, 10), eps_diluted=5.0)
    got = last([first, amended])
    assert (got["eps_ttm"], got["revenue_ttm"], got["equity"], got["debt_equity"]) == (5.0, 100.0, 50.0, 0.5)


def test_the_balance_sheet_is_the_latest_periods() -> None:
    rows = [
        year(0, equity=50.0, total_debt=25.0),
        report(ENDS[4], "Q1", filed(ENDS[4]), equity=80.0, total_debt=20.0, net_income=1.0),
        report(ENDS[5], "Q2", filed(ENDS[5]), net_income=2.0),
    ]
    got = last(rows)
    assert (got["equity"], got["debt_equity"]) == (80.0, 0.25)


def test_a_period_that_lacks_debt_leaves_the_ratio_last_known() -> None:
    rows = [year(0, equity=50.0, total_debt=25.0), report(ENDS[4], "Q1", filed(ENDS[4]), equity=80.0)]
    got = last(rows)
    assert (got["equity"], got["debt_equity"]) == (80.0, 0.5)


@pytest.mark.parametrize(
    ("revenue", "income", "equity", "margin", "roe"),
    [
        (200.0, 20.0, 50.0, 0.1, 0.4),
        (200.0, -20.0, 50.0, -0.1, -0.4),
        (0.0, 20.0, 50.0, None, 0.4),
        (None, 20.0, 50.0, None, 0.4),
        (200.0, None, 50.0, None, None),
        (200.0, 20.0, None, 0.1, None),
    ],
)
def test_margin_and_return_on_equity(revenue: Any, income: Any, equity: Any, margin: Any, roe: Any) -> None:
    got = last([year(0, revenue=revenue, net_income=income, equity=equity, eps_diluted=1.0)])
    assert (got["net_margin"], got["return_on_equity"]) == (margin, roe)


def test_dates_are_days_since_1970_of_the_newest_figures_and_of_the_filing() -> None:
    got = last(quarters(5))
    assert got["period_end"] == (ENDS[4] - date(1970, 1, 1)).days
    assert got["filed"] == (filed(ENDS[4]) - date(1970, 1, 1)).days


def test_no_filings_no_facts() -> None:
    assert worked_out([]).is_empty()


def test_securities_are_strangers_to_each_other() -> None:
    one, other = quarters(4), [{**row, "security": 2, "eps_diluted": -1.0} for row in quarters(4)]
    got = worked_out([*one, *other])
    assert got.filter(pl.col("security") == 1)["eps_ttm"].to_list() == [None, None, None, 10.0]
    assert got.filter(pl.col("security") == 2)["eps_ttm"].to_list() == [None, None, None, -4.0]


# --- the share basis (definition 16), on the dates of NFLX 7:1, ex 2015-07-15 ---

EX = date(2015, 7, 15)
JUNE = date(2015, 6, 30)


def nflx(known: date | datetime) -> list[Any]:
    """Four quarters of 7 dollars on the old basis, the last one known at ``known``."""
    ends = (date(2014, 9, 30), date(2014, 12, 31), date(2015, 3, 31), JUNE)
    days: tuple[Any, ...] = (date(2014, 10, 20), date(2015, 1, 25), date(2015, 4, 20), known)
    return [report(end, "Q1", day, eps_diluted=7.0) for end, day in zip(ends, days, strict=True)]


@pytest.mark.parametrize(
    ("known", "acted", "expected"),
    [
        (date(2015, 7, 10), (EX, 7.0), 28.0),  # counts before the ex-date: the old basis, the fold divides it later
        (date(2015, 7, 13), (EX, 7.0), 28.0),
        (date(2015, 7, 14), (EX, 7.0), 4.0),  # filed on the old basis, counts from the ex-date on
        (datetime(2015, 7, 14, 20, 0, tzinfo=UTC), (EX, 7.0), 28.0),  # 16:00 New York: counts the same day
        (datetime(2015, 7, 14, 22, 0, tzinfo=UTC), (EX, 7.0), 4.0),  # after the close: the ex-date's session
        (date(2015, 7, 15), (EX, 7.0), 10.0),  # filed on the new basis: 3 old quarters a seventh, one as it is
        (date(2015, 7, 17), (EX, 7.0), 10.0),
        (date(2015, 7, 17), (EX, 1 / 7), 3 * 49.0 + 7.0),
        (date(2015, 7, 17), (EX, 7.0, date(2015, 7, 16)), 10.0),  # known a day late, and known by now
        (date(2015, 7, 17), (EX, 7.0, date(2015, 7, 21)), 28.0),  # not known yet
    ],
)
def test_earnings_a_share_are_on_the_basis_of_the_session_they_count_in(
    known: date | datetime, acted: tuple[Any, ...], expected: float
) -> None:
    assert last(nflx(known), splits(acted))["eps_ttm"] == pytest.approx(expected, rel=1e-15)


def test_a_report_after_a_split_that_became_known_later_is_never_scaled_by_it() -> None:
    rows = [*nflx(date(2015, 7, 17)), report(date(2015, 9, 30), "Q3", date(2015, 10, 20), eps_diluted=1.0)]
    # 7 and 7 on the old basis, 7 filed after the ex-date, then 1.
    assert last(rows, splits((EX, 7.0, date(2015, 8, 3))))["eps_ttm"] == 1.0 + 1.0 + 7.0 + 1.0


def test_two_splits_multiply_and_those_of_others_do_not_count() -> None:
    acted = pl.concat([splits((EX, 7.0), (date(2015, 7, 16), 2.0)), splits((EX, 100.0), security=2)])
    assert last(nflx(date(2015, 7, 17)), acted)["eps_ttm"] == 3 * 0.5 + 7.0


# --- nothing is known before it was filed ---


@st.composite
def histories(draw: Any) -> list[Any]:
    """Filings of two companies with gaps, restatements and nulls."""
    rows = []
    for _ in range(draw(st.integers(3, 14))):
        end = draw(st.sampled_from(ENDS))
        period = "FY" if end.month == 12 and draw(st.booleans()) else f"Q{end.month // 3}"
        known = end + timedelta(days=draw(st.integers(10, 500)))
        values = {
            name: draw(st.none() | st.integers(-50, 200).map(float))
            for name in ("eps_diluted", "revenue", "net_income", "equity", "total_debt")
        }
        rows.append(report(end, period, known, security=draw(st.integers(1, 2)), **values))
    return rows


@settings(max_examples=more(25, 500), deadline=None, derandomize=True)
@given(rows=histories(), cut=st.dates(date(2013, 6, 1), date(2016, 12, 31)))
def test_a_future_filing_changes_no_earlier_fact(rows: list[Any], cut: date) -> None:
    acted = splits((date(2014, 6, 9), 2.0), (date(2015, 7, 15), 7.0))
    known = frame(rows)
    early = known.filter(pl.col("session") <= cut)
    whole = facts(known, acted)
    part = facts(early, acted.filter(pl.col("ex_date") <= cut))
    expected = whole.join(early.select("security", "known_at").unique(), on=["security", "known_at"], how="semi")
    assert part.sort("known_at", "security").equals(expected.sort("known_at", "security"))


@settings(max_examples=more(15, 300), deadline=None, derandomize=True)
@given(rows=histories(), since=st.dates(date(2013, 6, 1), date(2016, 12, 31)))
def test_only_the_last_word_before_the_start_is_worked_out_and_is_the_same(rows: list[Any], since: date) -> None:
    moment = datetime(since.year, since.month, since.day, 20, 30, tzinfo=UTC)
    whole = facts(frame(rows), splits())
    got = facts(frame(rows), splits(), since=moment)
    early = whole.filter(pl.col("known_at") <= moment).unique("security", keep="last", maintain_order=True)
    expected = pl.concat([early, whole.filter(pl.col("known_at") > moment)]).sort("known_at", "security")
    assert got.sort("known_at", "security").equals(expected)
