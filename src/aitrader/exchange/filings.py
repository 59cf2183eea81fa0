"""What filers reported, as the SEC tells it: of one filer, or of many at once where they are asked for in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import polars as pl

T = TypeVar("T")
TOGETHER: Final = 256  # filers whose filings are told at once
KEPT: Final = 4  # of these blocks
NEAR: Final = 8  # filers that may lie between two that are asked for in a row
TAGS: Final = {  # tag -> column, whether it is counted over a period, unit
    "Revenues": ("revenue", True, "USD"),
    "NetIncomeLoss": ("net_income", True, "USD"),
    "NetCashProvidedByUsedInOperatingActivities": ("operating_cash_flow", True, "USD"),
    "PaymentsToAcquirePropertyPlantAndEquipment": ("capital_expenditure", True, "USD"),
    "EarningsPerShareDiluted": ("eps_diluted", True, "USD/shares"),
    "Assets": ("assets", False, "USD"),
    "Liabilities": ("liabilities", False, "USD"),
    "LongTermDebt": ("total_debt", False, "USD"),
    "StockholdersEquity": ("equity", False, "USD"),
}
SHARES: Final = "EntityCommonStockSharesOutstanding"
COVER: Final = {SHARES: ("shares_outstanding", False, "shares")}
_FIGURES: Final = {column: over for tags in (TAGS, COVER) for column, over, _ in tags.values()}
RECENT: Final = {  # the SEC's name of a list -> what of a report is in it
    "accessionNumber": pl.col("accession"),
    "filingDate": pl.col("filed").cast(pl.String),
    "reportDate": pl.col("period_end").cast(pl.String),
    "acceptanceDateTime": pl.col("known_at").dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "form": pl.col("form"),
}
ABOUT: Final = ("name", "sec", "exchange", "active", "sic", "sic_description")


class _Told(Generic[T]):
    """Something about each filer, told of one alone or of a block of them, and the blocks that were told last."""

    def __init__(self, filers: Sequence[str], tell: Callable[[int, int], Mapping[str, T]]) -> None:
        self._filers, self._tell = filers, tell
        self._place = {cik: at for at, cik in enumerate(filers)}
        self._asked: tuple[int, ...] = ()  # the last places, for several may ask in a row at once
        self._kept: dict[int, Mapping[str, T]] = {}  # by block; replaced and never changed: threads share it

    def of(self, cik: str) -> T | None:
        """What there is about a filer; None where there is none."""
        at = self._place.get(cik)
        if at is None:
            return None
        block, kept = at // TOGETHER, self._kept
        in_a_row = any(0 <= at - one <= NEAR for one in self._asked)
        self._asked = (*self._asked[1 - KEPT :], at)
        if block not in kept:
            if not in_a_row:
                return self._tell(at, at + 1)[cik]
            first = block * TOGETHER
            told = self._tell(first, min(first + TOGETHER, len(self._filers)))
            self._kept = kept = {**dict(list(kept.items())[1 - KEPT :]), block: told}
        return kept[block][cik]


class Filings:
    """The filings of all filers. ``reports`` and ``listings``: those of a View, the reports sorted by filer."""

    def __init__(self, reports: pl.DataFrame, listings: pl.DataFrame) -> None:
        key = ["cik", "period_end", "form", "fiscal_period", "known_at"]  # once, though several listings are his
        self._rows = reports.unique(key, keep="last", maintain_order=True)
        runs = self._rows["cik"].rle().struct.unnest()
        filers: list[str] = runs["value"].to_list()
        self._starts: list[int] = [0, *runs["len"].cum_sum().to_list()]
        self._filers: dict[str, list[dict[str, Any]]] = {}
        own = listings.filter(pl.col("cik").is_not_null()).sort("active", descending=True, maintain_order=True)
        for row in own.select("cik", *ABOUT).iter_rows(named=True):
            self._filers.setdefault(row["cik"], []).append(row)
        self._facts = _Told(filers, lambda first, end: _facts(self._span(first, end)))
        self._recent = _Told(filers, lambda first, end: _recent(self._span(first, end)))

    def filer(self, cik: str) -> Sequence[dict[str, Any]]:
        """The listings of a filer with what ``ABOUT`` names, those that trade first."""
        return self._filers.get(cik, ())

    def facts(self, cik: str) -> bytes | None:
        """The body of a filer's company facts; None where he reported nothing."""
        return self._facts.of(cik)

    def recent(self, cik: str) -> Mapping[str, Any]:
        """The filings of a filer, newest first, in lists by :data:`RECENT`, and ``years``: the end of his last one."""
        return self._recent.of(cik) or {"years": None, **{name: [] for name in RECENT}}

    def _span(self, first: int, end: int) -> pl.DataFrame:
        return self._rows[self._starts[first] : self._starts[end]]


def _facts(reports: pl.DataFrame) -> dict[str, bytes]:
    """The bodies of company facts of some filers: each figure put together as text, over whole columns."""
    col = pl.col
    end = pl.lit('"end":"') + col("period_end").cast(pl.String) + pl.lit('","val":')
    over = pl.lit('{"start":"') + col("begun").cast(pl.String) + pl.lit('",') + end
    about = pl.lit(',"accn":"') + col("accession") + pl.lit('","fy":') + col("period_end").dt.year().cast(pl.String)
    about += pl.lit(',"fp":"') + col("fiscal_period") + pl.lit('","form":"') + col("form")
    about += pl.lit('","filed":"') + col("filed").cast(pl.String) + pl.lit('"}')
    rows = reports.select("cik", "name", *_FIGURES, over=over, at=pl.lit("{") + end, about=about)
    told = []
    for column, flow in _FIGURES.items():
        value = col(column) if column == "eps_diluted" else col(column).round().cast(pl.Int64)
        told.append((col("over" if flow else "at") + value.cast(pl.String) + col("about")).alias(column))
    texts = rows.select("cik", "name", *told).group_by("cik", maintain_order=True)
    found = {}
    for row in texts.agg(col("name").first(), col(*_FIGURES).drop_nulls().str.join(",")).iter_rows(named=True):
        gaap, cover = (
            ",".join(
                f'"{tag}":{{"label":"{tag}","description":"{tag}","units":{{"{unit}":[{row[column]}]}}}}'
                for tag, (column, _, unit) in tags.items()
                if row[column]
            )
            for tags in (TAGS, COVER)
        )
        name = msgspec.json.encode(row["name"]).decode()
        body = f'{{"cik":{int(row["cik"])},"entityName":{name},"facts":{{"dei":{{{cover}}},"us-gaap":{{{gaap}}}}}}}'
        found[row["cik"]] = body.encode()
    return found


def _recent(reports: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The filings of some filers, and the end of the last fiscal year of each."""
    told = reports.sort("cik", "known_at", "period_end", maintain_order=True)
    filed = told.unique(["cik", "accession"], keep="last", maintain_order=True)  # a prospectus tells of several periods
    lists = filed.select("cik", **RECENT).group_by("cik", maintain_order=True).agg(pl.col(*RECENT).reverse())
    years = told.filter(pl.col("fiscal_period") == "FY").group_by("cik").agg(years=pl.col("period_end").last())
    return {row["cik"]: row for row in lists.join(years, on="cik", how="left").iter_rows(named=True)}
