"""The neutral schemas: what every source delivers, whatever its wire format.

Prices are dollars, volumes shares, dates exchange sessions, instants UTC. A column that a source does not
offer is null throughout and missing from :attr:`Delivery.offers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]
UTC = pl.Datetime("us", "UTC")

SECURITIES: Schema = {
    "symbol": pl.String,  # canonical spelling: BRK.B, ABR-P-D
    "name": pl.String,
    "exchange": pl.String,  # NYSE, NASDAQ, ARCA, AMEX, BATS
    "security_type": pl.String,  # a SecurityType value
    "sector": pl.String,
    "industry": pl.String,
    "listed_on": pl.Date,
    "delisted_on": pl.Date,  # first session without a listing
    "shares_outstanding": pl.Float64,
    "cik": pl.String,
    "figi": pl.String,
    "known_on": pl.Date,  # attributes count from this date on; null: always known
}
BARS: Schema = {
    "symbol": pl.String,
    "date": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "vwap": pl.Float64,
    "trades": pl.Float64,
}
MARKET_CAPS: Schema = {"symbol": pl.String, "date": pl.Date, "market_cap": pl.Float64}
ACTIONS: Schema = {
    "symbol": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,  # one of ACTION_KINDS
    "ratio": pl.Float64,  # new shares / old shares
    "cash": pl.Float64,  # dollars a share
    "new_symbol": pl.String,
    "known_at": UTC,  # null: known on the ex-date
}
FUNDAMENTALS: Schema = {
    "symbol": pl.String,
    "period_end": pl.Date,
    "known_at": UTC,  # a date-only known_on D is stored as D 23:59:59 New York: it counts from the session after D
    "fiscal_period": pl.String,  # Q1..Q4, FY
    "form": pl.String,
    "revenue": pl.Float64,
    "net_income": pl.Float64,
    "eps_diluted": pl.Float64,
    "assets": pl.Float64,
    "liabilities": pl.Float64,
    "total_debt": pl.Float64,
    "equity": pl.Float64,
    "operating_cash_flow": pl.Float64,
    "capital_expenditure": pl.Float64,
    "shares_outstanding": pl.Float64,
}
NEWS: Schema = {
    "symbol": pl.String,
    "published_at": UTC,
    "headline": pl.String,
    "summary": pl.String,
    "sentiment": pl.Float64,  # -1..1, the source's own; null: to be scored
    "source": pl.String,
}
QUARANTINE: Schema = {
    "file": pl.String,
    "row": pl.Int64,  # 1-based data row in the file, null where the rows were grouped
    "symbol": pl.String,
    "date": pl.Date,
    "reason": pl.String,  # a stable word: negative_price, not_a_session, duplicate ...
    "detail": pl.String,
}
PROVENANCE: Schema = {"symbol": pl.String, "provenance": pl.String}  # name:alpaca security_type:polygon ...
ACTION_KINDS = (
    "split",
    "dividend",
    "special_dividend",
    "stock_dividend",
    "spinoff",
    "symbol_change",
    "merger",
    "delisting",
)


def empty(schema: Schema) -> pl.DataFrame:
    """A frame of no rows with the given schema."""
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Everything one source knows, in the neutral schemas; the store keeps it, the funnel reads it from there."""

    source: str  # simulated, dataset-NAME, alpaca ...
    adjustment: str  # raw, split or all
    offers: frozenset[str]  # the columns that the source has at all, e.g. bars.high, securities.sector
    securities: pl.DataFrame
    bars: pl.DataFrame
    market_caps: pl.DataFrame = field(default_factory=lambda: empty(MARKET_CAPS))
    actions: pl.DataFrame = field(default_factory=lambda: empty(ACTIONS))
    fundamentals: pl.DataFrame = field(default_factory=lambda: empty(FUNDAMENTALS))
    news: pl.DataFrame = field(default_factory=lambda: empty(NEWS))
    quarantine: pl.DataFrame = field(default_factory=lambda: empty(QUARANTINE))
    provenance: pl.DataFrame = field(default_factory=lambda: empty(PROVENANCE))  # which source each attribute is from
    missing: dict[str, str] = field(default_factory=dict)  # criterion -> policy that the set declares
    notices: tuple[str, ...] = ()
    partial: bool = False  # says nothing about what it leaves out: it closes no listing and no count is compared
    cumulative: bool = False  # its market has other sources too: what they offered stays offered
    feed: str | None = None  # whose trades the volumes count: sip (all exchanges), iex (one of them); None: all of them
    provisional: frozenset[date] = frozenset()  # sessions whose bars may still change: to be asked for again


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a market holds already, so that a source delivers only the rest."""

    sessions: frozenset[date] = frozenset()  # whose bars are stored and final
    symbols: frozenset[str] = frozenset()  # in today's spelling, that have any bar at all
    listed: frozenset[str] = frozenset()  # symbols of the open listings
    counted: frozenset[str] = frozenset()  # symbols whose shares outstanding are known
    rows: int | None = None  # bars of the newest final session
