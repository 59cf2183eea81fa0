"""Polygon's wire format (the vendor is now called Massive): what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType

from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, SECURITIES, Schema
from aitrader.domain.security_type import is_test_issue_expr, security_type_expr
from aitrader.domain.sessions import xnys
from aitrader.providers.bodies import (
    Fields,
    Page,
    Row,
    bars_page,
    canonical_texts,
    column,
    columns,
    new_york_day,
    news_page,
    printable,
    shaped,
    texts,
)
from aitrader.providers.plain_bars import PlainBar, days_of, plain_page, quickly, sessions
from aitrader.providers.polygon_answers import GOOD, Around, next_page, results_of, whole
from aitrader.providers.polygon_details import FILE as DETAILS_FILE
from aitrader.providers.polygon_details import read_ticker_details
from aitrader.providers.quarantine import Quarantine, Rule, sentence
from aitrader.providers.row_rules import action_rules, listing_rules, report_rules, say
from aitrader.providers.values import end_of_day

EXCHANGES: Final = {"XNYS": "NYSE", "XNAS": "NASDAQ", "ARCX": "ARCA", "XASE": "AMEX", "BATS": "BATS"}
TICKERS: Final[Schema] = SECURITIES | {"active": pl.Boolean, "vendor_type": pl.String}
DETAILS: Final[Schema] = TICKERS | {"market_cap": pl.Float64}
TYPES: Final[Schema] = {"code": pl.String, "description": pl.String, "asset_class": pl.String, "locale": pl.String}
TICKERS_FILE: Final = "polygon/tickers"
_SENTIMENTS: Final = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}


_LISTING: Final[Fields] = {
    "symbol": ("ticker", "symbol"),
    "name": ("name", "text"),
    "venue": ("primary_exchange", "text"),
    "vendor_type": ("type", "text"),
    "market": ("market", "text"),
    "locale": ("locale", "text"),
    "cik": ("cik", "text"),
    "figi": ("composite_figi", "text"),
    "listed_on": ("list_date", "date"),
    "delisted_at": ("delisted_utc", "instant"),
    "industry": ("sic_description", "text"),
    "shares_outstanding": ("share_class_shares_outstanding", "number"),
    "market_cap": ("market_cap", "number"),
}


def parse_tickers(body: bytes, *, active: bool | None = True) -> Page:
    """Listings (schema TICKERS). ``active`` is what was asked for: rows that are not so are set aside; None: any."""
    page = read_tickers(body)
    return tickers(page.rows, active=active, token=page.next_token)


@dataclass(frozen=True)
class RowsPage:
    """One page of listings as they stand in the answer, not yet judged: see :func:`tickers`."""

    rows: Sequence[Row]
    next_token: str | None


def read_tickers(body: bytes) -> RowsPage:
    """A page of listings, to be made columns with the other pages of its list: a frame a page is slow."""
    rows, token, _ = results_of(body, TICKERS_FILE)
    return RowsPage(rows, token)


def tickers(rows: Sequence[Row], *, active: bool | None = True, token: str | None = None) -> Page:
    """The listings of such pages together (schema TICKERS)."""
    return _listings(rows, TICKERS, file=TICKERS_FILE, active=active, token=token)


def parse_ticker_details(body: bytes) -> Page:
    """One listing with its industry, first day, shares of its class and market cap (schema DETAILS)."""
    return details([read_ticker_details(body)])


def details(rows: Sequence[Row]) -> Page:
    """The listings of many such answers together (schema DETAILS): a frame for each would be slow."""
    return _listings(rows, DETAILS, file=DETAILS_FILE, active=None, token=None)


def _listings(rows: Sequence[Row], schema: Schema, *, file: str, active: bool | None, token: str | None) -> Page:
    frame = columns(rows, _LISTING, file=file).with_columns(
        pl.Series("active", [_flag(row.get("active")) for row in rows], dtype=pl.Boolean),
        exchange=pl.col("venue").replace_strict(EXCHANGES, default=None, return_dtype=pl.String),
        delisted_on=pl.col("delisted_at").dt.date(),  # midnight, in UTC or in New York: the day as it is written
        security_type=security_type_expr(
            symbol=pl.col("symbol"),
            name=pl.col("name"),
            vendor_type=pl.col("vendor_type"),
            industry=pl.col("industry"),
        ),
    )
    foreign = pl.col("market").ne_missing("stocks") | pl.col("locale").ne_missing("us")
    cap = pl.col("market_cap")
    rules = [
        Rule(reason="not_us_equity", when=foreign, detail=sentence("{} of {}", "market", "locale")),
        Rule(reason="unknown_exchange", when=pl.col("exchange").is_null(), detail=sentence("exchange is {}", "venue")),
        Rule(
            reason="test_issue",
            when=is_test_issue_expr(symbol=pl.col("symbol"), name=pl.col("name")),
            detail=say("name"),
        ),
        *listing_rules(frame),
        Rule(
            reason="impossible_value",
            when=~((cap > 0) & cap.is_finite()),
            detail=say("market_cap"),
            nulls=("market_cap",),
        ),
    ]
    if active is not None:
        rules.insert(0, Rule(reason="not_active", when=pl.col("active").ne_missing(active), detail=say("active")))
    quarantine = Quarantine()
    frame = quarantine.sift(frame, rules, file=file, date=None)
    # A delisted symbol can have been used by several companies: each is a listing of its own.
    repeated = frame.select(pl.struct("symbol", "figi", "delisted_on").is_first_distinct().not_()).to_series()
    quarantine.take(frame.filter(repeated), "duplicate", sentence("figi {}", "figi"), file=file, date=None)
    return Page(frame=shaped(frame.filter(~repeated), schema), quarantine=quarantine.frame(), next_token=token)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def parse_ticker_types(body: bytes) -> Page:
    """The vendor's codes of kinds of listing (schema TYPES)."""
    file = "polygon/ticker_types"
    rows, token, _ = results_of(body, file)
    fields: Fields = {name: (name, "text") for name in TYPES}
    frame = columns(rows, fields, file=file).with_columns(symbol=pl.lit(None, dtype=pl.String))
    quarantine = Quarantine()
    nameless = Rule(reason="no_code", when=pl.col("code").is_null(), detail=say("code"))
    frame = quarantine.sift(frame, [nameless], file=file, date=None)
    return Page(frame=shaped(frame, TYPES), quarantine=quarantine.frame(), next_token=token)


def parse_grouped_daily(body: bytes) -> Page:
    """The bars of one session (schema BARS); none where the exchange was closed."""
    return _bars(body, "polygon/grouped_daily")


def parse_aggregates(body: bytes) -> Page:
    """The daily bars of one symbol (schema BARS)."""
    return _bars(body, "polygon/aggregates")


class _PlainBar(PlainBar):
    t: int
    T: str | UnsetType = UNSET
    otc: bool | None = None


class _PlainBars(Around, kw_only=True):
    results: list[_PlainBar] | None = None


_PLAIN_BARS: Final = msgspec.json.Decoder(_PlainBars)


def _bars(body: bytes, file: str) -> Page:
    return _plain(body, file) or _bar_by_bar(body, file)


def _plain(body: bytes, file: str) -> Page | None:
    """The page where nothing on it is doubtful."""
    found = quickly(body, _PLAIN_BARS)
    if found is None or found.status not in GOOD or not found.results:
        return None
    bars = found.results
    whole(found, len(bars), file, queried=True)
    symbols = canonical_texts(texts([found.ticker if bar.T is UNSET else bar.T for bar in bars]))
    days = days_of([bar.t for bar in bars], _sessions)
    return plain_page(bars, symbols, days, next_token=next_page(found.next_url, file))


@lru_cache(16)  # pages have the same few days
def _sessions(stamps: tuple[int, ...]) -> pl.Series | None:
    return sessions(pl.select(new_york_day(pl.lit(column(stamps, "millis")))).to_series())


def _bar_by_bar(body: bytes, file: str) -> Page:
    """The page with what cannot be believed set aside, or the error that it is."""
    rows, token, ticker = results_of(body, file, queried=True)
    fields: Fields = {
        "symbol": ("T", "symbol"),
        "at": ("t", "millis"),
        "open": ("o", "number"),
        "high": ("h", "number"),
        "low": ("l", "number"),
        "close": ("c", "number"),
        "volume": ("v", "number"),
        "vwap": ("vw", "number"),
        "trades": ("n", "number"),
    }
    named = rows if ticker is None else [{"T": ticker, **row} for row in rows]
    frame = columns(named, fields, file=file).with_columns(date=new_york_day(pl.col("at")))
    return bars_page(frame.drop("at", "raw:at", strict=False), BARS, next_token=token)


def parse_splits(body: bytes) -> Page:
    """Splits (schema ACTIONS), ratio new shares for an old one; also the newer ``/stocks/v1/splits``."""
    file = "polygon/splits"
    rows, token, _ = results_of(body, file)
    fields: Fields = {
        "symbol": ("ticker", "symbol"),
        "ex_date": ("execution_date", "date"),
        "new": ("split_to", "number"),
        "old": ("split_from", "number"),
        "how": ("adjustment_type", "text"),
    }
    frame = columns(rows, fields, file=file)
    rate = pl.col("new") / pl.when(pl.col("old") > 0).then(pl.col("old"))
    stock = pl.col("how").eq_missing("stock_dividend")
    frame = frame.with_columns(
        kind=pl.when(stock).then(pl.lit("stock_dividend")).otherwise(pl.lit("split")),
        ratio=pl.when(rate.is_finite() & (rate > 0)).then(rate),
    )
    return _actions(frame, file=file, token=token)


def parse_dividends(body: bytes) -> Page:
    """Cash dividends (schema ACTIONS), known from the day of their declaration; also ``/stocks/v1/dividends``."""
    file = "polygon/dividends"
    rows, token, _ = results_of(body, file)
    fields: Fields = {
        "symbol": ("ticker", "symbol"),
        "ex_date": ("ex_dividend_date", "date"),
        "cash": ("cash_amount", "number"),
        "currency": ("currency", "text"),
        "old_type": ("dividend_type", "text"),
        "new_type": ("distribution_type", "text"),
        "declared": ("declaration_date", "date"),
    }
    frame = columns(rows, fields, file=file)
    special = pl.col("old_type").eq_missing("SC") | pl.col("new_type").is_in(["special", "supplemental"])
    frame = frame.with_columns(
        kind=pl.when(special.fill_null(False)).then(pl.lit("special_dividend")).otherwise(pl.lit("dividend")),
        known_at=end_of_day(pl.when(pl.col("declared") <= pl.col("ex_date")).then(pl.col("declared"))),
    )
    foreign = (pl.col("currency").str.to_uppercase() != "USD").fill_null(False)
    return _actions(frame, Rule(reason="not_dollars", when=foreign, detail=say("currency")), file=file, token=token)


def _actions(frame: pl.DataFrame, *more: Rule, file: str, token: str | None) -> Page:
    quarantine = Quarantine()
    frame = quarantine.sift(frame, [*action_rules(frame, xnys()), *more], file=file, date="ex_date")
    frame = shaped(frame, ACTIONS).unique(maintain_order=True)
    return Page(frame=frame.sort("symbol", "ex_date", "kind"), quarantine=quarantine.frame(), next_token=token)


def parse_news(body: bytes) -> Page:
    """Articles (schema NEWS), a row for each symbol named, with the sentiment that the article has for it."""
    file = "polygon/news"
    articles, token, _ = results_of(body, file)
    rows: list[Row] = []
    for article in articles:
        publisher, insights, named = (article.get(key) for key in ("publisher", "insights", "tickers"))
        said = {
            each["ticker"]: _SENTIMENTS.get(each["sentiment"])
            for each in (insights if isinstance(insights, list) else ())
            if isinstance(each, dict) and isinstance(each.get("ticker"), str) and isinstance(each.get("sentiment"), str)
        }
        source = publisher.get("name") if isinstance(publisher, dict) else None
        tickers: list[Any] = [*named] if isinstance(named, list) else [None]
        tickers += [ticker for ticker in said if ticker not in tickers]
        rows += [
            {**article, "T": ticker, "from": source, "score": said.get(ticker) if isinstance(ticker, str) else None}
            for ticker in tickers
        ]
    fields: Fields = {
        "symbol": ("T", "symbol"),
        "published_at": ("published_utc", "instant"),
        "headline": ("title", "text"),
        "summary": ("description", "text"),
        "sentiment": ("score", "number"),
        "source": ("from", "text"),
    }
    return news_page(columns(rows, fields, file=file), file=file, next_token=token)


_OLD_FIGURES: Final = {  # the first that is there
    "revenue": ("income_statement", "revenues"),
    "net_income": ("income_statement", "net_income_loss_attributable_to_parent", "net_income_loss"),
    "eps_diluted": ("income_statement", "diluted_earnings_per_share"),
    "assets": ("balance_sheet", "assets"),
    "liabilities": ("balance_sheet", "liabilities"),
    "equity": ("balance_sheet", "equity_attributable_to_parent", "equity"),
    "operating_cash_flow": ("cash_flow_statement", "net_cash_flow_from_operating_activities"),
}
_NEW_FIGURES: Final[dict[str, tuple[str, ...]]] = {
    "revenue": ("revenue",),
    "net_income": ("net_income_loss_attributable_common_shareholders", "consolidated_net_income_loss", "net_income"),
    "eps_diluted": ("diluted_earnings_per_share",),
    "assets": ("total_assets",),
    "liabilities": ("total_liabilities",),
    "equity": ("total_equity_attributable_to_parent", "total_equity"),
    "operating_cash_flow": ("net_cash_from_operating_activities",),
    "debt_now": ("debt_current",),
    "debt_later": ("long_term_debt_and_capital_lease_obligations",),
    "capital_expenditure": ("purchase_of_property_plant_and_equipment",),
}
_DOLLARS: Final = ("USD", "USD / shares", "USD/shares")


def parse_financials(body: bytes, *, symbol: str | None = None) -> Page:
    """Reports of ``/vX/reference/financials`` (schema FUNDAMENTALS); figures that are not in dollars are missing.

    A report that names no ticker is that of ``symbol``, the one asked for.
    """
    file = "polygon/financials"
    reports, token, _ = results_of(body, file)
    rows: list[Row] = []
    for report in reports:
        period = report.get("fiscal_period")
        statements = report.get("financials")
        told: dict[str, Any] = statements if isinstance(statements, dict) else {}
        row = {name: _point(told.get(path[0]), path[1:]) for name, path in _OLD_FIGURES.items()}
        row |= {"period_end": report.get("end_date"), "fiscal_period": period, "filed": report.get("filing_date")}
        row |= {"accepted": report.get("acceptance_datetime"), "form": "10-K" if period in ("FY", "Q4") else "10-Q"}
        named = report.get("tickers")
        rows += [{**row, "T": each} for each in (named if isinstance(named, list) and named else [symbol])]
    return _reports(rows, {name: (name, "number") for name in _OLD_FIGURES}, file=file, token=token)


def _point(statement: object, names: Sequence[str]) -> object:
    """The value of the first of the names that a statement has in dollars."""
    for name in names:
        point = statement.get(name) if isinstance(statement, dict) else None
        if isinstance(point, dict) and point.get("unit") in _DOLLARS and point.get("value") is not None:
            found: object = point["value"]
            return found
    return None


def parse_statements(body: bytes) -> Page:
    """Reports of one of the newer statements endpoints (schema FUNDAMENTALS), with the figures it has.

    The parts of a report, from three endpoints, agree in symbol, period_end, fiscal_period and form.
    """
    file = "polygon/statements"
    reports, token, _ = results_of(body, file)
    rows: list[Row] = []
    for report in reports:
        figures: Mapping[str, Any] = {
            name: next((report[key] for key in keys if report.get(key) is not None), None)
            for name, keys in _NEW_FIGURES.items()
        }
        frame, quarter = report.get("timeframe"), report.get("fiscal_quarter")
        whole = quarter if type(quarter) in (int, float) and quarter in (1, 2, 3, 4) else None
        period = {"annual": "FY", "quarterly": f"Q{whole:.0f}" if whole else None}.get(str(frame), printable(frame))
        row = {**figures, "period_end": report.get("period_end"), "fiscal_period": period}
        row |= {"filed": report.get("filing_date"), "form": "10-K" if period in ("FY", "Q4") else "10-Q"}
        named = report.get("tickers")
        rows += [{**row, "T": each} for each in (named if isinstance(named, list) and named else [None])]
    return _reports(rows, {name: (name, "number") for name in _NEW_FIGURES}, file=file, token=token)


def _reports(rows: Sequence[Row], figures: Fields, *, file: str, token: str | None) -> Page:
    fields: Fields = {
        "symbol": ("T", "symbol"),
        "period_end": ("period_end", "date"),
        "filed": ("filed", "date"),
        "accepted": ("accepted", "instant"),
        "fiscal_period": ("fiscal_period", "text"),
        "form": ("form", "text"),
        **figures,
    }
    frame = columns(rows, fields, file=file)
    frame = frame.with_columns(known_on=pl.coalesce("accepted", end_of_day(pl.col("filed"))))
    if "debt_now" in figures:  # a part of the debt is not the debt
        spent = pl.col("capital_expenditure").abs()
        frame = frame.with_columns(total_debt=pl.col("debt_now") + pl.col("debt_later"), capital_expenditure=spent)
    figured = [name for name in FUNDAMENTALS if FUNDAMENTALS[name] == pl.Float64 and name in frame.columns]
    # Trailing twelve months are sums of reports that stand here themselves.
    trailing = pl.col("fiscal_period").str.to_lowercase().is_in(["ttm", "trailing_twelve_months"])
    rules = [Rule(reason="not_a_report", when=trailing, detail=say("fiscal_period")), *report_rules(frame, xnys())]
    quarantine = Quarantine()
    frame = quarantine.sift(frame, rules, file=file, date="period_end")
    frame = frame.filter(pl.any_horizontal(pl.col(figured).is_not_null())).rename({"known_on": "known_at"})
    key = ["symbol", "period_end", "fiscal_period", "form"]
    frame = frame.sort("symbol", "period_end", "known_at", "row").unique(key, keep="first", maintain_order=True)
    return Page(frame=shaped(frame, FUNDAMENTALS), quarantine=quarantine.frame(), next_token=token)
