"""Reports made of the single figures that a company filed: one row for each period that a filing says something new of.

A figure has several tags over the years and the filers: the first of a chain that a filing uses counts. Quarters and
years are told from year-to-date sums by their length; the fourth quarter is left to be derived from the year.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS, UTC, Schema, empty
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
# 6-K: quarters of foreign filers; 424B4: the prospectus, which tells a newcomer's past.
FORMS: Final = ("10-K", "10-KT", "10-Q", "10-QT", "20-F", "40-F", "6-K", "424B4")
ACCEPTED: Final[Schema] = {"cik": pl.String, "accession": pl.String, "accepted": UTC}


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
_CHAIN: Final = pl.DataFrame(  # each tag: whose figure it is, how many come before it, its unit
    [(tag, name, place, _UNITS.get(name, "USD")) for name, chain in _CHAINS.items() for place, tag in enumerate(chain)],
    schema={"concept": pl.String, "name": pl.String, "place": pl.Int64, "unit": pl.String},
    orient="row",
)
_REPORT: Final = ("cik", "accession", "filed", "form")
_FILING: Final = ("cik", "accession")  # one filing can be that of several companies
_FIGURES: Final = [name for name, dtype in FUNDAMENTALS.items() if dtype == pl.Float64]


def fundamentals_of(facts: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """The reports of one company under one symbol; see :func:`fundamentals_of_all`."""
    one = pl.DataFrame({"cik": facts["cik"].unique(), "symbol": symbol}, schema={"cik": pl.String, "symbol": pl.String})
    return fundamentals_of_all(facts, one)


def fundamentals_of_all(
    facts: pl.DataFrame, symbols: pl.DataFrame, accepted: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The reports (schema FUNDAMENTALS) on the quarters Q1-Q3 and on fiscal years, sorted by when they were known.

    ``facts``: schema FACTS, of any number of companies; ``symbols``: cik, symbol, a company's reports stand under each
    of its symbols; ``accepted``: schema ACCEPTED, one row a filing. A later filing that repeats a period adds a row
    only where a figure differs from the last one filed. Known from the instant the filing was accepted, or from the
    end of the day it was filed where that is not told. Cash flows of Q2 and Q3 are null where the filer reports them
    for the year to date only. Debt is short and long, without leases; it is null where no tag of the long part is used.
    """
    days = (pl.col("end") - pl.col("start")).dt.total_days() + 1
    kind = pl.when(days.is_between(*QUARTER_DAYS)).then(pl.lit("Q")).when(days.is_between(*YEAR_DAYS))
    filed = facts.filter(pl.col("form").str.strip_suffix("/A").is_in(FORMS)).with_columns(
        period=kind.then(pl.lit("FY"))
    )
    flows = _figures(filed.filter(pl.col("period").is_not_null()), _FLOWS, [*_REPORT, "end", "period"])
    if not flows.height:
        return empty(FUNDAMENTALS)
    balances = _figures(filed.filter(pl.col("start").is_null()), _BALANCES, [*_REPORT, "end"])
    cover = filed.filter((pl.col("concept") == _COVER) & (pl.col("value") > 0)).sort("end", maintain_order=True)
    said = filed.group_by(_FILING).agg(said=pl.col("fiscal_period").drop_nulls().first())
    year = filed.filter(pl.col("period") == "FY").group_by("cik").agg(year=pl.col("end").max())
    rows = (
        flows.join(balances, on=[*_REPORT, "end"], how="left")
        .join(cover.group_by(_FILING).agg(cover=pl.col("value").last()), on=_FILING, how="left")
        .join(said, on=_FILING, how="left")
        .join(year, on="cik", how="left")
        .join(_accepted(accepted), on=_FILING, how="left")
    )
    newest = pl.col("end") == pl.col("end").max().over(_FILING)
    due = pl.coalesce("current", _sum("long_due", "short"), pl.lit(0.0))
    # LongTermDebt has the part due within a year in it, unless a filer states DebtCurrent beside it and no other part.
    rest = pl.coalesce(pl.when(pl.col("long_due").is_null()).then(pl.col("current")), "short", pl.lit(0.0))
    # A filing repeats the equity of earlier quarters with minorities only: that is no restatement of the owners' part.
    owners = pl.col("equity").is_not_null().any().over(_FILING)
    at_end = pl.when(pl.col("shares_at_end") > 0).then(pl.col("shares_at_end"))
    rows = rows.with_columns(
        known_at=pl.coalesce("accepted", end_of_day(pl.col("filed"))),
        liabilities=pl.coalesce("liabilities", pl.col("both_sides") - pl.coalesce("whole_equity", "equity")),
        total_debt=pl.coalesce(pl.col("long") + due, pl.col("long_and_current") + rest),
        equity=pl.coalesce("equity", pl.when(~owners).then(pl.col("whole_equity"))),
        shares_outstanding=pl.coalesce(pl.when(newest).then(pl.col("cover")), at_end),
        fiscal_period=_fiscal_period(newest),
    ).rename({"end": "period_end"})
    rows = _news(rows.filter(pl.col("fiscal_period").is_in(["Q1", "Q2", "Q3", "FY"])))
    told = rows.join(symbols.select("cik", "symbol").unique(), on="cik", nulls_equal=True)
    return shaped(told.sort("known_at", "symbol", "period_end", "fiscal_period", "accession"), FUNDAMENTALS)


def _accepted(told: pl.DataFrame | None) -> pl.DataFrame:
    """One instant a filing."""
    return empty(ACCEPTED) if told is None else told.select(list(ACCEPTED)).unique(_FILING, keep="first")


def _sum(*names: str) -> pl.Expr:
    """The sum of those that are known, null where none is."""
    return pl.when(pl.any_horizontal(pl.col(name).is_not_null() for name in names)).then(pl.sum_horizontal(*names))


def _figures(facts: pl.DataFrame, chains: dict[str, tuple[str, ...]], keys: list[str]) -> pl.DataFrame:
    """A row for each key with a column for each chain: the value of its first tag that stands there."""
    own = _CHAIN.filter(pl.col("name").is_in(list(chains)))
    # Of each tag the last value counts, of each chain the first tag: it is sorted to the end.
    used = facts.filter(pl.col("value").is_not_null()).join(own, on=["concept", "unit"], maintain_order="left")
    used = used.sort("place", descending=True, maintain_order=True)
    if not used.height:
        return used.select(*keys, *(pl.lit(None, dtype=pl.Float64).alias(name) for name in chains))
    wide = used.pivot("name", index=keys, values="value", aggregate_function="last", maintain_order=True)
    lacking = [pl.lit(None, dtype=pl.Float64).alias(name) for name in chains if name not in wide.columns]
    return wide.with_columns(lacking).select(*keys, *chains)


def _fiscal_period(newest: pl.Expr) -> pl.Expr:
    """FY, or the quarter counted from the company's last fiscal year end (``year``), for 52-week years too.

    A filing names its own period only (``said``), not that of the figures of other periods that it repeats; what it
    says counts only before a company's first fiscal year.
    """
    since = (pl.col("end") - pl.col("year")).dt.total_days()
    number = (since / (365.25 / 4)).round().cast(pl.Int64) % 4
    counted = pl.lit("Q") + number.replace(0, 4).cast(pl.String)
    quarter = pl.when(pl.col("year").is_not_null()).then(counted).otherwise(pl.when(newest).then(pl.col("said")))
    return pl.when(pl.col("period") == "FY").then(pl.lit("FY")).otherwise(quarter)


def _news(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that say something that no filing said before of the period."""
    key = ["cik", "period_end", "period"]
    rows = rows.sort(*key, "filed", "known_at", "accession", maintain_order=True)
    told = pl.any_horizontal(pl.col(_FIGURES).is_not_null())
    repeated = rows.select(pl.len().over(key) > 1).to_series()
    again = rows.filter(repeated)
    before = [pl.col(name).forward_fill().shift(1).over(key) for name in _FIGURES]
    differs = [
        (pl.col(name).is_not_null() & pl.col(name).ne_missing(past))
        for name, past in zip(_FIGURES, before, strict=True)
    ]
    return pl.concat([rows.filter(~repeated & told), again.filter(pl.any_horizontal(differs))])
