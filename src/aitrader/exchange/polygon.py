"""Polygon's wire format: tickers, grouped daily bars, aggregates, splits, dividends, financials and news."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import polars as pl

from aitrader.domain.symbols import canonical, spell
from aitrader.exchange.answer import Answer, Query, RefusalError, as_json, parse_instant
from aitrader.exchange.bars import day_number
from aitrader.exchange.view import View

REQUEST_ID = "00000000000000000000000000000000"
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
BAR = '{{"T":"{}","v":{},"vw":{},"o":{},"c":{},"h":{},"l":{},"t":{},"n":{}}}'
GROUPED, RANGE = "/v2/aggs/grouped/locale/us/market/stocks/", "/v2/aggs/ticker/"


def refusal(status: int, message: str) -> Answer:
    """An error in Polygon's shape."""
    key, word = ("message", "NOT_FOUND") if status == 404 else ("error", "ERROR")
    return as_json({"status": word, "request_id": REQUEST_ID, key: message}, status)


def answer(view: View, path: str, query: Query, *, base: str) -> Answer:
    """The answer to one request; ``base`` is scheme and host of the links to further pages."""
    lists: dict[str, Callable[[View, Query], tuple[list[dict[str, Any]], int]]] = {
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
        return _grouped(view, query, path.removeprefix(GROUPED))
    if path.startswith(RANGE):
        return _range(view, query, path.removeprefix(RANGE).split("/"))
    raise RefusalError(404, "not found")


def _paged(
    view: View, query: Query, rows: Callable[[View, Query], tuple[list[dict[str, Any]], int]], *, url: str
) -> Answer:
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


def _day(told: str) -> date:
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise RefusalError(400, f"invalid date {told[:40]!r}: expected YYYY-MM-DD") from None


def _symbol(told: str) -> str:
    found = canonical(told)
    if found is None:
        raise RefusalError(400, f"invalid ticker {told[:40]!r}")
    return found


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
        pl.when(~pl.col("active")).then(pl.format("{}T00:00:00Z", "delisted_on")).alias("delisted_utc"),
    )
    return _cut(shown, query)


def _action_rows(view: View, query: Query, kinds: list[str], day: str) -> pl.DataFrame:
    rows = view.actions.filter(pl.col("kind").is_in(kinds))
    rows = _ranged(_ranged(rows, query, "ticker", _symbol, "symbol"), query, day, _day, "ex_date")
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


def _news(view: View, query: Query) -> tuple[list[dict[str, Any]], int]:
    rows = view.news
    if ticker := query.text("ticker"):
        rows = rows.filter(pl.col("symbol").list.contains(_symbol(ticker)))
    rows = _ranged(rows, query, "published_utc", lambda t: parse_instant(t, "published_utc"), "published_at")
    if query.word("order", "desc", ("asc", "desc")) == "desc":
        rows = rows.reverse()
    at, limit, found = int(query.text("page_marker")), int(query.text("limit")), []
    for row in rows[at : at + limit].iter_rows(named=True):
        names, url = [spell(s, "polygon") for s in row["symbol"]], f"https://news.invalid/{row['id']}"
        told = [(n, s) for n, s in zip(names, row["sentiment"], strict=True) if s is not None]
        home = {"name": row["source"], "homepage_url": url, "logo_url": url, "favicon_url": url}
        found.append(
            {
                "id": str(row["id"]),
                "publisher": home,
                "title": row["headline"],
                "author": "",
                "article_url": url,
                "published_utc": row["published_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                "tickers": names,
                "insights": [{"ticker": n, "sentiment": _mood(s), "sentiment_reasoning": ""} for n, s in told],
            }
        )
    return found, rows.height


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
    rows = view.reports
    if ticker := query.text("ticker"):
        rows = rows.filter(pl.col("symbol") == _symbol(ticker))
    if cik := query.text("cik"):
        rows = rows.filter(pl.col("cik") == cik.zfill(10)[:10])
    rows = _ranged(rows, query, "period_of_report_date", _day, "period_end")
    rows = _ranged(rows, query, "filing_date", _day, "filed")
    order = query.word("order", "desc", ("asc", "desc")) == "desc"
    rows = rows.sort("period_end", "symbol", "known_at", descending=order)
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
        "start_date": str(end - timedelta(days=364 if row["fiscal_period"] == "FY" else 90)),
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


def _mood(score: float) -> str:
    return "neutral" if abs(score) < 0.05 else ("positive" if score > 0 else "negative")


def _texts(view: View, rows: np.ndarray, query: Query) -> str:
    adjusted = query.word("adjusted", "true", ("true", "false")) == "true"
    frame = view.table.columns(rows, split_adjusted=adjusted, known=view.last_day)
    names = {s: spell(s, "polygon") for s in frame["T"].unique().to_list()}
    frame = frame.with_columns(pl.col("T").replace(names))
    columns = ("T", "volume", "vwap", "open", "close", "high", "low", "ms", "trades")
    return ",".join(frame.select(pl.format(BAR, *columns)).to_series().to_list())


def _aggregates(view: View, rows: np.ndarray, query: Query, *, ticker: str) -> Answer:
    adjusted = query.text("adjusted", "true").lower()
    head = f'"queryCount":{len(rows)},"resultsCount":{len(rows)},"adjusted":{adjusted},"count":{len(rows)}'
    results = f',"results":[{_texts(view, rows, query)}]'
    return Answer(body=f'{{{ticker}{head},"status":"OK","request_id":"{REQUEST_ID}"{results}}}'.encode())


def _grouped(view: View, query: Query, told: str) -> Answer:
    day = _day(told)
    rows = view.table.on(day_number(day)) if day <= view.session else np.arange(0)
    return _aggregates(view, rows, query, ticker="")


def _bound(told: str) -> date:
    """A date, or milliseconds since 1970."""
    if told.isascii() and told.isdigit() and len(told) <= 13:
        return datetime.fromtimestamp(int(told) / 1000, UTC).date()
    return _day(told)


def _range(view: View, query: Query, parts: list[str]) -> Answer:
    if len(parts) != 6 or parts[1] != "range":
        raise RefusalError(404, "not found")
    if parts[2:4] != ["1", "day"]:
        raise RefusalError(400, "this exchange has one-day aggregates alone")
    symbol, limit = _symbol(parts[0]), query.number("limit", 5000, at_most=50_000)
    first, last = _bound(parts[4]), min(_bound(parts[5]), view.session)
    rows = np.arange(*view.table.span(symbol, day_number(first), day_number(last)))
    if query.word("sort", "asc", ("asc", "desc")) == "desc":
        rows = rows[::-1]
    return _aggregates(view, rows[:limit], query, ticker=f'"ticker":"{spell(symbol, "polygon")}",')
