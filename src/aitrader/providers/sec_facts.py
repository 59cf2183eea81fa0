"""Reports made of the single figures that a company filed: one row for each period that a filing says something new of.

A figure has several tags over the years and the filers: the first of a chain that a filing uses counts. Quarters and
years are told from year-to-date sums by their length; the fourth quarter is left to be derived from the year.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS, Schema, empty
from aitrader.providers.bodies import shaped
from aitrader.providers.values import end_of_day

FACTS: Final[Schema] = {
    "cik": pl.String,
    "concept": pl.String,  # taxonomy:tag
    "unit": pl.String,
    "start": pl.Date,  # null: a balance at ``end``
    "end": pl.Date,
    "value": pl.Float64,
    "fiscal_year": pl.Int64,  # of the filing, not of the period
    "fiscal_period": pl.String,  # of the filing, not of the period
    "form": pl.String,
    "filed": pl.Date,
    "accession": pl.String,
    "frame": pl.String,
}
QUARTER_DAYS: Final = (80, 100)
YEAR_DAYS: Final = (350, 380)
FORMS: Final = ("10-K", "10-KT", "10-Q", "10-QT", "20-F", "40-F")


def _gaap(*tags: str) -> tuple[str, ...]:
    return tuple(f"us-gaap:{tag}" for tag in tags)


_FLOWS: Final = {  # over a period
    "revenue": _gaap(
        "Revenues",
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "SalesRevenueNet",
        "RevenuesNetOfInterestExpense",
        "SalesRevenueGoodsNet",
        "SalesRevenueServicesNet",
    ),
    "net_income": _gaap("NetIncomeLoss", "ProfitLoss", "NetIncomeLossAvailableToCommonStockholdersBasic"),
    "eps_diluted": _gaap("EarningsPerShareDiluted", "EarningsPerShareBasicAndDiluted"),
    "operating_cash_flow": _gaap(
        "NetCashProvidedByUsedInOperatingActivities",
        "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
    ),
    "capital_expenditure": _gaap("PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsToAcquireProductiveAssets"),
}
_BALANCES: Final = {  # at the end of a period
    "assets": _gaap("Assets"),
    "liabilities": _gaap("Liabilities"),
    "both_sides": _gaap("LiabilitiesAndStockholdersEquity"),
    "whole_equity": _gaap("StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest"),
    "equity": _gaap("StockholdersEquity"),
    "long_and_current": _gaap("LongTermDebt"),
    "long": _gaap("LongTermDebtNoncurrent", "ConvertibleDebtNoncurrent", "ConvertibleNotesPayableNoncurrent"),
    "current": _gaap("DebtCurrent"),  # every debt due within a year
    "long_due": _gaap("LongTermDebtCurrent", "ConvertibleDebtCurrent", "ConvertibleNotesPayableCurrent"),
    "short": _gaap("ShortTermBorrowings", "CommercialPaper"),
    "shares_at_end": _gaap("CommonStockSharesOutstanding"),
}
_COVER: Final = "dei:EntityCommonStockSharesOutstanding"
_UNITS: Final = {"eps_diluted": "USD/shares", "shares_at_end": "shares"}
_CHAINS: Final = _FLOWS | _BALANCES
TAGS: Final = (*dict.fromkeys(tag for chain in _CHAINS.values() for tag in chain), _COVER)
_FIGURES: Final = [name for name, dtype in FUNDAMENTALS.items() if dtype == pl.Float64]


def fundamentals_of(facts: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """The reports (schema FUNDAMENTALS) on the quarters Q1-Q3 and on fiscal years, sorted by when they were known.

    ``facts``: schema FACTS, of one company. A later filing that repeats a period adds a row only where a figure
    differs from the last one filed. Known from the end of the day it was filed. Cash flows of Q2 and Q3 are null
    where the filer reports them for the year to date only. Debt is short and long, without leases; it is null where
    no tag of the long part is used.
    """
    days = (pl.col("end") - pl.col("start")).dt.total_days() + 1
    kind = pl.when(days.is_between(*QUARTER_DAYS)).then(pl.lit("Q")).when(days.is_between(*YEAR_DAYS))
    filed = facts.filter(pl.col("form").str.strip_suffix("/A").is_in(FORMS)).with_columns(
        period=kind.then(pl.lit("FY"))
    )
    report = ["accession", "filed", "form"]
    flows = _figures(filed.filter(pl.col("period").is_not_null()), _FLOWS, [*report, "end", "period"])
    if not flows.height:
        return empty(FUNDAMENTALS)
    balances = _figures(filed.filter(pl.col("start").is_null()), _BALANCES, [*report, "end"])
    cover = filed.filter((pl.col("concept") == _COVER) & (pl.col("value") > 0)).sort("end")
    newest = pl.col("end") == pl.col("end").max().over("accession")
    rows = (
        flows.join(balances, on=[*report, "end"], how="left")
        .join(cover.group_by("accession").agg(cover=pl.col("value").last()), on="accession", how="left")
        .join(_said_periods(filed), on="accession", how="left")
    )
    due = pl.coalesce("current", _sum("long_due", "short"), pl.lit(0.0))
    # LongTermDebt has the part due within a year in it, unless a filer states DebtCurrent beside it and no other part.
    rest = pl.coalesce(pl.when(pl.col("long_due").is_null()).then(pl.col("current")), "short", pl.lit(0.0))
    # A filing repeats the equity of earlier quarters with minorities only: that is no restatement of the owners' part.
    owners = pl.col("equity").is_not_null().any().over("accession")
    at_end = pl.when(pl.col("shares_at_end") > 0).then(pl.col("shares_at_end"))
    rows = rows.with_columns(
        symbol=pl.lit(symbol),
        known_at=end_of_day(pl.col("filed")),
        liabilities=pl.coalesce("liabilities", pl.col("both_sides") - pl.coalesce("whole_equity", "equity")),
        total_debt=pl.coalesce(pl.col("long") + due, pl.col("long_and_current") + rest),
        equity=pl.coalesce("equity", pl.when(~owners).then(pl.col("whole_equity"))),
        shares_outstanding=pl.coalesce(pl.when(newest).then(pl.col("cover")), at_end),
        fiscal_period=_fiscal_period(filed),
    ).rename({"end": "period_end"})
    rows = rows.filter(pl.col("fiscal_period").is_in(["Q1", "Q2", "Q3", "FY"]))
    return shaped(_news(rows).sort("known_at", "period_end", "fiscal_period"), FUNDAMENTALS)


def _one_meaning(facts: pl.DataFrame) -> pl.DataFrame:
    """The figures without those that stand in for net income where their filing states net income itself."""
    proper, *others = _FLOWS["net_income"]
    used = (pl.col("concept") == proper).any().over("accession")
    return facts.filter(~(used & pl.col("concept").is_in(others)))


def _sum(*names: str) -> pl.Expr:
    """The sum of those that are known, null where none is."""
    return pl.when(pl.any_horizontal(pl.col(name).is_not_null() for name in names)).then(pl.sum_horizontal(*names))


def _figures(facts: pl.DataFrame, chains: dict[str, tuple[str, ...]], keys: list[str]) -> pl.DataFrame:
    """A row for each key with a column for each chain: the value of its first tag that stands there."""

    def of(tag: str, unit: str) -> pl.Expr:
        return pl.col("value").filter((pl.col("concept") == tag) & (pl.col("unit") == unit)).last()

    chosen = [
        pl.coalesce(*(of(tag, _UNITS.get(name, "USD")) for tag in chain)).alias(name) for name, chain in chains.items()
    ]
    found = facts.group_by(keys, maintain_order=True).agg(chosen)
    return found.filter(pl.any_horizontal(pl.col(*chains).is_not_null()))


def _said_periods(facts: pl.DataFrame) -> pl.DataFrame:
    """The fiscal period that each filing says it is for."""
    return facts.group_by("accession").agg(said=pl.col("fiscal_period").drop_nulls().first())


def _fiscal_period(facts: pl.DataFrame) -> pl.Expr:
    """FY, or the quarter counted from the company's last fiscal year end, for 52-week years too.

    A filing names its own period only, not that of the figures of other periods that it repeats; what it says counts
    only before a company's first fiscal year.
    """
    last = facts.filter(pl.col("period") == "FY")["end"].max()
    if last is None:
        newest = pl.col("end") == pl.col("end").max().over("accession")
        quarter: pl.Expr = pl.when(newest).then(pl.col("said"))
    else:
        since = (pl.col("end") - pl.lit(last, dtype=pl.Date)).dt.total_days()
        number = (since / (365.25 / 4)).round().cast(pl.Int64) % 4
        quarter = pl.lit("Q") + number.replace(0, 4).cast(pl.String)
    return pl.when(pl.col("period") == "FY").then(pl.lit("FY")).otherwise(quarter)


def _news(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that say something that no filing said before of the period."""
    rows = rows.sort("period_end", "period", "filed", "accession")
    before = [pl.col(name).forward_fill().shift(1).over("period_end", "period") for name in _FIGURES]
    differs = [
        (pl.col(name).is_not_null() & pl.col(name).ne_missing(past))
        for name, past in zip(_FIGURES, before, strict=True)
    ]
    return rows.filter(pl.any_horizontal(differs))
