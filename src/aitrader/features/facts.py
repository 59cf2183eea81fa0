"""Facts as known at each filing: trailing sums, growth, margins and the earnings trend, whole set at once.

Every filing is an event: what the filer's figures were, taking for each period the latest report filed by then.
An event sees only filings known at or before its own instant, so a later filing changes no earlier fact.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

QUARTER_DAYS = (70, 115)  # between the ends of neighbouring quarters; 4-4-5 calendars and 14-week quarters included
YEAR_DAYS = (340, 392)
MEASURES = ("revenue", "net_income", "eps_diluted")
HORIZON_DAYS = 1_000  # reports on periods older than this before the event's newest period are not looked at


def facts(filings: pl.DataFrame, splits: pl.DataFrame, *, since: datetime | None = None) -> pl.DataFrame:
    """One row per security and filing instant, sorted by (known_at, security), columns ``layout.FACTS``.

    ``filings``: schema FUNDAMENTALS with ``security`` and ``session``, the first one that they count in; ``splits``:
    see :func:`shares_for_one`. Earnings a share are brought to the share basis of the event's session: a report is on
    the basis of its own filing day, so it is divided by the splits after that day (definition 16). Q4 is the fiscal
    year less its three quarters. Trailing figures need four neighbouring quarters, else the last fiscal year stands in;
    growth compares like with like and needs a positive base (definition 22). Dates come out as days since 1970.
    Of the events up to ``since`` only each security's last is worked out.
    """
    reports = _reports(filings)
    if reports.is_empty():
        return pl.DataFrame(schema=_OUT)
    told = reports.select("event", "security", "known_at", "session", "period_end")
    if since is not None:
        # Of what was known before, only the last word of each filer is still heard.
        early = told.filter(pl.col("known_at") <= since)
        last = early.group_by("security").agg(pl.col("event").max())
        told = told.filter((pl.col("known_at") > since) | pl.col("event").is_in(last["event"].implode()))
    seen = _as_seen(told, reports, splits)
    quarters = _quarters(seen)
    yearly = seen.filter(pl.col("period") == "FY").sort("event", "period_end", descending=[False, True])
    by_quarter = _trailing(quarters)
    by_year = _annual(yearly)
    latest = (
        seen.filter(pl.col("equity").is_not_null())
        .sort("event", "period_end", "known_at")
        .group_by("event", maintain_order=True)
        .agg(
            pl.col("equity").last(),
            (pl.col("total_debt") / pl.col("equity")).drop_nulls().last().alias("debt_equity"),
        )
    )
    newest = seen.group_by("event").agg(pl.col("period_end").max())
    events = told.select("event", "security", "known_at").unique("event", keep="any")
    joined = events.join(newest, on="event", how="left").join(latest, on="event", how="left")
    joined = joined.join(by_quarter, on="event", how="left").join(by_year, on="event", how="left")
    return _chosen(joined).sort("known_at", "security")


_OUT: dict[str, pl.DataType | type[pl.DataType]] = {
    "security": pl.UInt32,
    "known_at": pl.Datetime("us", "UTC"),
    "eps_ttm": pl.Float64,
    "revenue_ttm": pl.Float64,
    "revenue_growth": pl.Float64,
    "net_margin": pl.Float64,
    "return_on_equity": pl.Float64,
    "debt_equity": pl.Float64,
    "equity": pl.Float64,
    "earnings_trend": pl.Float64,
    "period_end": pl.Float64,
    "filed": pl.Float64,
}


def shares_for_one(rows: pl.DataFrame, splits: pl.DataFrame, *, basis: str, until: str) -> pl.Series:
    """How many shares on the date ``until`` one share on the date ``basis`` has become, for each row's ``security``.

    ``splits``: security, ex_date, ratio (new / old shares), seen (from which session on it is known). Those count
    with ``basis`` < ex_date <= ``until`` that are known by ``until``.
    """
    numbered = rows.select("security", pl.col(basis).alias("basis"), pl.col(until).alias("until")).with_row_index("row")
    product = (
        numbered.join(splits.filter(pl.col("ratio") > 0), on="security")
        .filter((pl.col("basis") < pl.col("ex_date")) & (pl.max_horizontal("ex_date", "seen") <= pl.col("until")))
        .sort("row", "ex_date")
        .group_by("row", maintain_order=True)
        .agg(pl.col("ratio").product())
    )
    return numbered.join(product, on="row", how="left", maintain_order="left")["ratio"].fill_null(1.0)


def _reports(filings: pl.DataFrame) -> pl.DataFrame:
    """Filings with an event number per (security, known_at) and the day that their figures a share are on."""
    columns = ("revenue", "net_income", "eps_diluted", "total_debt", "equity")
    period = pl.col("fiscal_period").alias("period")
    return (
        filings.select("security", "period_end", "known_at", "session", period, *columns)
        .filter(pl.col("period_end").is_not_null() & pl.col("known_at").is_not_null())
        .sort("known_at", "security", "period_end", maintain_order=True)
        .with_columns(
            event=pl.struct("known_at", "security").rank("dense").cast(pl.UInt32),
            day=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date(),
        )
    )


def _as_seen(told: pl.DataFrame, reports: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """For each event, the latest report on each period known by then, earnings on the event's share basis."""
    events = told.group_by("event", "security", "known_at").agg(
        pl.col("session").last(), pl.col("period_end").max().alias("newest")
    )
    pairs = events.join(reports.drop("event", "session"), on="security", how="inner", suffix="_report").filter(
        (pl.col("known_at_report") <= pl.col("known_at"))
        & ((pl.col("newest") - pl.col("period_end")).dt.total_days() <= HORIZON_DAYS)
    )
    return (
        pairs.with_columns(
            pl.when(pl.col("period") == "FY").then(pl.lit("FY")).otherwise(pl.lit("Q")).alias("period"),
            pl.col("eps_diluted") / shares_for_one(pairs, splits, basis="day", until="session"),
        )
        .sort("event", "period_end", "known_at_report", maintain_order=True)
        .group_by("event", "period_end", "period", maintain_order=True)
        # A null in a later report never overwrites a figure already known.
        .agg(
            pl.col("security").last(),
            pl.col("known_at").last(),
            *(pl.col(c).drop_nulls().last() for c in (*MEASURES, "total_debt", "equity")),
        )
    )


def _quarters(seen: pl.DataFrame) -> pl.DataFrame:
    """Quarterly figures per event, newest first; Q4 derived where a year and exactly its three quarters are known."""
    quarter = seen.filter(pl.col("period") == "Q").select("event", "period_end", *MEASURES)
    year = seen.filter(pl.col("period") == "FY").select("event", "period_end", *MEASURES)
    within = (
        year.join(quarter, on="event", suffix="_q")
        .filter(
            (pl.col("period_end_q") < pl.col("period_end"))
            & ((pl.col("period_end") - pl.col("period_end_q")).dt.total_days() <= 300)
        )
        .group_by("event", "period_end")
        .agg(
            pl.len().alias("three"),
            *(pl.col(m).first() for m in MEASURES),
            *(pl.col(f"{m}_q").sum().alias(f"{m}_sum") for m in MEASURES),
            *(pl.col(f"{m}_q").is_not_null().sum().alias(f"{m}_known") for m in MEASURES),
        )
        .filter(pl.col("three") == 3)
    )
    fourth = within.select(
        "event",
        "period_end",
        *(
            pl.when(pl.col(f"{m}_known") == 3).then(pl.col(m) - pl.col(f"{m}_sum")).otherwise(None).alias(m)
            for m in MEASURES
        ),
    )
    return (
        pl.concat([quarter.with_columns(derived=pl.lit(False)), fourth.with_columns(derived=pl.lit(True))])
        .sort("event", "period_end", "derived", descending=[False, True, False])
        .unique(["event", "period_end"], keep="first", maintain_order=True)
    )


def _between(newer: pl.Expr, older: pl.Expr, days: tuple[int, int]) -> pl.Expr:
    return (newer - older).dt.total_days().is_between(*days)


def _trailing(quarters: pl.DataFrame) -> pl.DataFrame:
    """Sums of the last four and the four before, and the earnings trend, from neighbouring quarters only."""
    end = pl.col("period_end")
    neighbours = _between(end.shift(1), end, QUARTER_DAYS)
    spaced = quarters.with_columns(
        at=pl.int_range(pl.len()).over("event"),
        chained=neighbours.over("event").fill_null(True).cast(pl.Int8),
    ).with_columns(pl.col("chained").cum_min().over("event").cast(pl.Boolean))
    chain = spaced.filter(pl.col("chained") & (pl.col("at") < 8))

    def total(measure: str, first: int) -> pl.Expr:
        part = pl.col(measure).filter(pl.col("at").is_between(first, first + 3))
        return pl.when(part.drop_nulls().len() == 4).then(part.sum()).otherwise(None)

    def eps(at: int) -> pl.Expr:
        return pl.col("eps_diluted").filter(pl.col("at") == at).first()

    both = pl.all_horizontal(*(eps(at).is_not_null() for at in (0, 1, 4, 5)))
    trend = (eps(0) > eps(4)).cast(pl.Float64) + (eps(1) > eps(5)).cast(pl.Float64)
    return chain.group_by("event").agg(
        total("eps_diluted", 0).alias("eps_q"),
        total("revenue", 0).alias("revenue_q"),
        total("revenue", 4).alias("revenue_q_before"),
        total("net_income", 0).alias("net_income_q"),
        pl.when(both).then(trend).otherwise(None).alias("earnings_trend"),
        end.first().alias("quarter_end"),
    )


def _annual(yearly: pl.DataFrame) -> pl.DataFrame:
    """The last fiscal year and the one before it, where they are a year apart."""
    end = pl.col("period_end")
    apart = _between(end.get(0, null_on_oob=True), end.get(1, null_on_oob=True), YEAR_DAYS)
    return yearly.group_by("event", maintain_order=True).agg(
        pl.col("eps_diluted").first().alias("eps_y"),
        pl.col("revenue").first().alias("revenue_y"),
        pl.when(apart).then(pl.col("revenue").get(1, null_on_oob=True)).otherwise(None).alias("revenue_y_before"),
        pl.col("net_income").first().alias("net_income_y"),
        end.first().alias("year_end"),
    )


def _chosen(joined: pl.DataFrame) -> pl.DataFrame:
    """Trailing quarters where they are complete and no fiscal year is newer, else the last fiscal year.

    Dates are days since 1970; ``period_end`` is that of the earnings, the oldest of what a verdict may rest on.
    """
    current = pl.col("year_end").is_null() | (pl.col("quarter_end") >= pl.col("year_end"))

    def chosen(quarterly: pl.Expr, annual: pl.Expr) -> pl.Expr:
        return pl.coalesce(pl.when(current).then(quarterly), annual, quarterly)

    def either(quarterly: str, annual: str) -> pl.Expr:
        return chosen(pl.col(quarterly), pl.col(annual))

    def growth(now: str, before: str) -> pl.Expr:
        return pl.when(pl.col(before) > 0).then(pl.col(now) / pl.col(before) - 1).otherwise(None)

    margin_q = pl.when(pl.col("revenue_q") > 0).then(pl.col("net_income_q") / pl.col("revenue_q")).otherwise(None)
    margin_y = pl.when(pl.col("revenue_y") > 0).then(pl.col("net_income_y") / pl.col("revenue_y")).otherwise(None)

    def dated(measure: str) -> pl.Expr:
        quarter = pl.when(pl.col(f"{measure}_q").is_not_null()).then(pl.col("quarter_end"))
        year = pl.when(pl.col(f"{measure}_y").is_not_null()).then(pl.col("year_end"))
        return chosen(quarter, year)

    newest = pl.coalesce(dated("eps"), dated("revenue"))
    return joined.with_columns(
        eps_ttm=either("eps_q", "eps_y"),
        revenue_ttm=either("revenue_q", "revenue_y"),
        revenue_growth=chosen(growth("revenue_q", "revenue_q_before"), growth("revenue_y", "revenue_y_before")),
        net_margin=chosen(margin_q, margin_y),
        return_on_equity=either("net_income_q", "net_income_y") / pl.col("equity"),
        period_end=pl.coalesce(newest, "period_end").cast(pl.Int32).cast(pl.Float64),
        filed=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date().cast(pl.Int32).cast(pl.Float64),
    ).select(pl.col(name).cast(kind) for name, kind in _OUT.items())
