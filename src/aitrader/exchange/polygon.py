"""Polygon's wire format: tickers, grouped daily bars, aggregates, splits, dividends, financials and news."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import polars as pl

from aitrader.domain.symbols import ROOT, canonical, spell, spell_expr
from aitrader.exchange import polygon_bars
from aitrader.exchange.answer import Answer, Query, RefusalError, as_json, parse_day, parse_instant, parse_symbol
from aitrader.exchange.bars import day_number, midnight
from aitrader.exchange.polygon_bars import REQUEST_ID
from aitrader.exchange.view import View

VENUES = {"NYSE": "XNYS", "NASDAQ": "XNAS", "ARCA": "ARCX", "AMEX": "XASE", "BATS": "BATS"}
TYPES = {
    "common": "CS",
    "adr": "ADRC",
    "reit": "CS",
    "etf": "ETF",
    "preferred": "PFD",
    "warrant": "WARRANT",
    "unit": "UNIT",
    "right": "RIGHT",
    "fund": "FUND",
    "note": "SP",
    "unknown": "OTHER",
}
WORDS = {
    "CS": "Common Stock",
    "ADRC": "American Depository Receipt Common",
    "ETF": "Exchange Traded Fund",
    "PFD": "Preferred Stock",
    "WARRANT": "Warrant",
    "UNIT": "Unit",
    "RIGHT": "Rights",
    "FUND": "Fund",
    "SP": "Structured Product",
    "OTHER": "Other Security Type",
}
GROUPED, RANGE, ONE = "/v2/aggs/grouped/locale/us/market/stocks/", "/v2/aggs/ticker/", "/v3/reference/tickers/"


def refusal(status: int, message: str) -> Answer:
    """An error in Polygon's shape."""
    key, word = ("message", "NOT_FOUND") if status == 404 else ("error", "ERROR")
    return as_json({"status": word, "request_id": REQUEST_ID, key: message}, status)


def answer(view: View, path: str, query: Query, *, base: str) -> Answer:
    """The answer to one request; ``base`` is scheme and host of the links to further pages."""
    lists: dict[str, Callable[[View, Query], tuple[list[Any], int]]] = {
        "/v3/reference/tickers": _tickers,
        "/v3/reference/splits": _splits,
        "/v3/reference/dividends": _dividends,
        "/v2/reference/news": _news,
        "/vX/reference/financials": _financials,
    }
    if path in lists:
        return _paged(view, query, lists[path], url=base + path)
    if path == "/v3/reference/tickers/types":
        known = [{"code": c, "description": d, "asset_class": "stocks", "locale": "us"} for c, d in WORDS.items()]
        return as_json({"results": known, "status": "OK", "request_id": REQUEST_ID, "count": len(known)})
    if path.startswith(GROUPED):
        return polygon_bars.grouped(view, query, path.removeprefix(GROUPED))
    if path.startswith(RANGE):
        return polygon_bars.aggregates(view, query, path.removeprefix(RANGE).split("/"))
    if path.startswith(ONE):
        return _details(view, query, path.removeprefix(ONE))
    raise RefusalError(404, "not found")


def _paged(view: View, query: Query, rows: Callable[[View, Query], tuple[list[Any], int]], *, url: str) -> Answer:
    """One page of a list and the link to the next, whose cursor holds the whole query."""
    at = 0
    if cursor := query.text("cursor"):
        try:
            told = dict(parse_qsl(base64.urlsafe_b64decode(cursor).decode(), keep_blank_values=True))
            at = int(told.pop("page_marker"))
        except (binascii.Error, UnicodeDecodeError, ValueError, KeyError):
            raise RefusalError(400, "invalid cursor") from None
        if not 0 <= at < 10**9:
            raise RefusalError(400, "invalid cursor")
        query = Query(list(told.items()))
    limit = query.number("limit", 100 if url.endswith("tickers") else 10, at_most=1000)
    asked = [(k, v) for k, v in query.pairs if k not in ("apiKey", "limit")]
    query = Query([*asked, ("limit", str(limit)), ("page_marker", str(at))])
    found, total = rows(view, query)
    content: dict[str, Any] = {"results": found, "status": "OK", "request_id": REQUEST_ID, "count": len(found)}
    if at + limit < total:
        marked = urlencode([*asked, ("limit", limit), ("page_marker", at + limit)])
        content["next_url"] = f"{url}?cursor={base64.urlsafe_b64encode(marked.encode()).decode()}"
    return as_json(content)


def _cut(frame: pl.DataFrame, query: Query) -> tuple[list[dict[str, Any]], int]:
    at, limit = int(query.text("page_marker")), int(query.text("limit"))
    rows = frame[at : at + limit].to_dicts()
    return [{k: v for k, v in row.items() if v is not None} for row in rows], frame.height


def _ranged(frame: pl.DataFrame, query: Query, name: str, cast: Callable[[str], Any], column: str) -> pl.DataFrame:
    """The rows whose column lies in the range that the query names: name, name.gte, name.lt ..."""
    col = pl.col(column)
    for mark, test in {"": col.eq, ".gte": col.ge, ".gt": col.gt, ".lte": col.le, ".lt": col.lt}.items():
        if told := query.text(name + mark):
            frame = frame.filter(test(cast(told)))
    return frame


def _tickers(view: View, query: Query) -> tuple[list[dict[str, Any]], int]:
    query.word("market", "stocks", ("stocks",))
    active = query.word("active", "true", ("true", "false")) == "true"
    rows = view.listings.filter(pl.col("active") == active)
    rows = _ranged(rows, query, "ticker", str, "polygon").with_columns(
        security_type=pl.col("security_type").replace(TYPES), exchange=pl.col("exchange").replace(VENUES)
    )
    if kind := query.text("type"):
        rows = rows.filter(pl.col("security_type") == kind)
    if venue := query.text("exchange"):
        rows = rows.filter(pl.col("exchange") == venue)
    rows = rows.sort("polygon", "listed_on", descending=query.word("order", "asc", ("asc", "desc")) == "desc")
    stamp = pl.lit(f"{view.session}T00:00:00Z")
    shown = rows.select(
        pl.col("polygon").alias("ticker"),
        "name",
        pl.lit("stocks").alias("market"),
        pl.lit("us").alias("locale"),
        pl.col("exchange").alias("primary_exchange"),
        pl.col("security_type").alias("type"),
        "active",
        pl.lit("usd").alias("currency_name"),
        "cik",
        pl.col("figi").alias("composite_figi"),
        stamp.alias("last_updated_utc"),
        pl.when(~pl.col("active")).then(_midnights(pl.col("delisted_on"))).alias("delisted_utc"),
    )
    return _cut(shown, query)


def _midnights(day: pl.Expr) -> pl.Expr:
    """The instants at which days begin in New York."""
    at = day.cast(pl.Datetime("us")).dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC")
    return at.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


CAPITAL = ("common", "adr", "reit")  # the kinds whose shares together are a company


def _details(view: View, query: Query, ticker: str) -> Answer:
    """What was known of one listing on a day, by default today."""
    day = min(parse_day(query.text("date", str(view.today))), view.today)
    symbol = view.table.reading("polygon").get(ticker) or canonical(ticker)
    row = view.listing_on(symbol, day) if symbol and spell(symbol, "polygon") == ticker else None
    if row is None:
        raise RefusalError(404, "Ticker not found.")
    root = re.match(ROOT, row["symbol"])
    gone = None if row["active"] else midnight(row["delisted_on"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {
        "ticker": ticker,
        "name": row["name"],
        "market": "stocks",
        "locale": "us",
        "primary_exchange": VENUES.get(row["exchange"], row["exchange"]),
        "type": TYPES.get(row["security_type"], row["security_type"]),
        "active": row["active"],
        "currency_name": "usd",
        "cik": row["cik"],
        "composite_figi": row["figi"],
        "delisted_utc": gone,
        "list_date": str(row["listed_on"]),
        "ticker_root": root and root[0],
        "round_lot": 100,
        "sic_code": row["sic"],
        "sic_description": row["sic_description"] and row["sic_description"].upper(),
        **_size(view, row, day),
    }
    results = {name: value for name, value in told.items() if value is not None}
    return as_json({"results": results, "status": "OK", "request_id": REQUEST_ID})


def _size(view: View, row: dict[str, Any], day: date) -> dict[str, Any]:
    """Shares of this class, of all classes told in this one's, and what they cost; nothing where nobody knows."""
    own, price = row["shares_outstanding"], _close(view, row, day)
    if own is None:
        return {}
    shares = {"share_class_shares_outstanding": round(own)}
    if price is None or not row["active"]:
        return shares
    cap = own * price
    if row["cik"] is not None and row["security_type"] in CAPITAL:
        for other in view.classes_on(row["cik"], day):
            if other["figi"] != row["figi"] and other["security_type"] in CAPITAL:
                cap += (other["shares_outstanding"] or 0.0) * (_close(view, other, day) or 0.0)
    return {**shares, "weighted_shares_outstanding": round(cap / price), "market_cap": round(cap, 2)}


def _close(view: View, row: dict[str, Any], day: date) -> float | None:
    return view.table.close(row["symbol"], day_number(row["listed_on"]), min(day_number(day), view.last_day))


def _action_rows(view: View, query: Query, kinds: list[str], day: str) -> pl.DataFrame:
    rows = view.actions.filter(pl.col("kind").is_in(kinds))
    rows = _ranged(_ranged(rows, query, "ticker", parse_symbol, "symbol"), query, day, parse_day, "ex_date")
    rows = rows.sort("ex_date", "symbol", descending=query.word("order", "desc", ("asc", "desc")) == "desc")
    tickers = [spell(s, "polygon") for s in rows["symbol"].to_list()]
    return rows.with_columns(
        id=pl.format("E{}", "id"), ticker=pl.Series(tickers, dtype=pl.String), day=pl.col("ex_date").cast(pl.String)
    )


def _splits(view: View, query: Query) -> tuple[list[dict[str, Any]], int]:
    rows, ratio = _action_rows(view, query, ["split"], "execution_date"), pl.col("ratio")
    return _cut(
        rows.select(
            "id",
            "ticker",
            pl.col("day").alias("execution_date"),
            pl.when(ratio < 1).then((1 / ratio).round(4)).otherwise(1.0).alias("split_from"),
            pl.when(ratio < 1).then(1.0).otherwise(ratio).alias("split_to"),
        ),
        query,
    )


def _dividends(view: View, query: Query) -> tuple[list[dict[str, Any]], int]:
    rows = _action_rows(view, query, ["dividend", "special_dividend"], "ex_dividend_date")
    special = pl.col("kind") == "special_dividend"
    return _cut(
        rows.select(
            "id",
            "ticker",
            pl.col("cash").alias("cash_amount"),
            pl.col("day").alias("ex_dividend_date"),
            pl.col("day").alias("pay_date"),
            pl.col("day").alias("record_date"),
            pl.lit("USD").alias("currency"),
            pl.when(special).then(pl.lit("SC")).otherwise(pl.lit("CD")).alias("dividend_type"),
            pl.when(special).then(0).otherwise(4).alias("frequency"),
        ),
        query,
    )


def _news(view: View, query: Query) -> tuple[list[Any], int]:
    rows = view.news
    published, first, end = rows["published_at"].to_physical(), 0, rows.height  # in order
    for mark, after in {".gte": False, ".gt": True, ".lte": True, ".lt": False}.items():
        if told := query.text(f"published_utc{mark}"):
            at = published.search_sorted(_micros(told), "right" if after else "left")
            first, end = (max(first, at), end) if mark.startswith(".g") else (first, min(end, at))
    rows = rows[first : max(first, end)]
    if told := query.text("published_utc"):
        rows = rows.filter(pl.col("published_at") == parse_instant(told, "published_utc"))
    if ticker := query.text("ticker"):
        rows = rows.filter(pl.col("symbol").list.contains(parse_symbol(ticker)))
    if query.word("order", "desc", ("asc", "desc")) == "desc":
        rows = rows.reverse()
    at, limit = int(query.text("page_marker")), int(query.text("limit"))
    return [msgspec.Raw(line) for line in _articles(rows[at : at + limit])], rows.height


def _micros(told: str) -> int:
    """Microseconds since 1970 of an instant."""
    return (parse_instant(told, "published_utc") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _articles(rows: pl.DataFrame) -> list[bytes]:
    """Articles as JSON objects; an insight for each symbol that has a score."""
    if rows.is_empty():
        return []
    score, url = pl.col("sentiment"), pl.format("https://news.invalid/{}", "id")
    neutral = pl.when(score.abs() < 0.05).then(pl.lit("neutral"))
    mood = neutral.when(score > 0).then(pl.lit("positive")).otherwise(pl.lit("negative"))
    told = rows.select("id", "symbol", "sentiment").explode("symbol", "sentiment")
    told = told.with_columns(ticker=spell_expr(pl.col("symbol"), "polygon"))
    insight = pl.struct("ticker", mood.alias("sentiment"), pl.lit("").alias("sentiment_reasoning"))
    lists = told.group_by("id", maintain_order=True).agg(
        "ticker", insight.filter(score.is_not_null()).alias("insights")
    )
    shown = rows.join(lists, on="id", how="left", maintain_order="left").select(
        pl.col("id").cast(pl.String),
        pl.struct(
            pl.col("source").alias("name"),
            *(url.alias(name) for name in ("homepage_url", "logo_url", "favicon_url")),
        ).alias("publisher"),
        pl.col("headline").alias("title"),
        pl.lit("").alias("author"),
        url.alias("article_url"),
        pl.col("published_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("published_utc"),
        pl.col("ticker").alias("tickers"),
        "insights",
    )
    return shown.write_ndjson().encode().split(b"\n")[: rows.height]


STATEMENTS = {  # statement -> field -> column
    "income_statement": {
        "revenues": "revenue",
        "net_income_loss": "net_income",
        "diluted_earnings_per_share": "eps_diluted",
    },
    "balance_sheet": {"assets": "assets", "liabilities": "liabilities", "equity": "equity"},
    "cash_flow_statement": {"net_cash_flow_from_operating_activities": "operating_cash_flow"},
}


def _financials(view: View, query: Query) -> tuple[list[dict[str, Any]], int]:
    rows = view.by_period
    if ticker := query.text("ticker"):
        rows = rows.filter(pl.col("symbol") == parse_symbol(ticker))
    if cik := query.text("cik"):
        rows = rows.filter(pl.col("cik") == cik.zfill(10)[:10])
    rows = _ranged(rows, query, "period_of_report_date", parse_day, "period_end")
    rows = _ranged(rows, query, "filing_date", parse_day, "filed")
    if query.word("order", "desc", ("asc", "desc")) == "desc":
        rows = rows.reverse()
    at, limit = int(query.text("page_marker")), int(query.text("limit"))
    return [_report(row) for row in rows[at : at + limit].iter_rows(named=True)], rows.height


def _report(row: dict[str, Any]) -> dict[str, Any]:
    """One filing with the statements that the market tells of."""
    statements = {}
    for statement, fields in STATEMENTS.items():
        told = {field: row[column] for field, column in fields.items() if row[column] is not None}
        statements[statement] = {
            field: {
                "label": field.replace("_", " ").title(),
                "value": value,
                "unit": "USD / shares" if field == "diluted_earnings_per_share" else "USD",
                "order": 100 * i,
            }
            for i, (field, value) in enumerate(told.items(), 1)
        }
    end = row["period_end"]
    return {
        "start_date": str(row["begun"]),
        "end_date": str(end),
        "filing_date": str(row["filed"]),
        "cik": row["cik"],
        "company_name": row["name"],
        "tickers": [spell(row["symbol"], "polygon")],
        "fiscal_period": row["fiscal_period"],
        "fiscal_year": str(end.year),
        "timeframe": "annual" if row["fiscal_period"] == "FY" else "quarterly",
        "financials": statements,
    }
