"""Alpaca's wire format: assets, bars, snapshots, news, corporate actions, clock and calendar."""

from __future__ import annotations

import base64
import binascii
from datetime import date, timedelta
from itertools import islice

import numpy as np
import polars as pl

from aitrader.domain.symbols import canonical, spell
from aitrader.exchange.answer import Answer, Query, RefusalError, as_json
from aitrader.exchange.bars import EPOCH, day_number
from aitrader.exchange.view import View

ADJUSTMENTS = ("raw", "split")  # the vendor also takes dividend and all, which are refused here
FEEDS = ("sip", "iex", "delayed_sip", "otc", "boats")
ASSET = "/v2/assets/"
BAR = '{{"t":"{}","o":{},"h":{},"l":{},"c":{},"v":{},"n":{},"vw":{}}}'
CODES = {400: 40010000, 401: 40110000, 403: 40310000, 404: 40410000, 429: 42910000}


def refusal(status: int, message: str) -> Answer:
    """An error in Alpaca's shape."""
    return as_json({"code": CODES.get(status, 50010000), "message": message}, status)


def answer(view: View, path: str, query: Query) -> Answer:
    """The answer to one request; RefusalError for what is refused."""
    match path:
        case "/v2/assets":
            return _assets(view, query)
        case "/v2/stocks/bars":
            return _bars(view, query)
        case "/v2/stocks/snapshots":
            return _snapshots(view, query)
        case "/v1beta1/news":
            return _news(view, query)
        case "/v1/corporate-actions":
            return _actions(view, query)
        case "/v2/clock":
            return _clock(view)
        case "/v2/calendar":
            return _calendar(view, query)
    if path.startswith(ASSET):
        return _asset(view, path.removeprefix(ASSET))
    raise RefusalError(404, "endpoint not found")


def _token(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise RefusalError(400, "invalid page_token") from None


def _symbols(view: View, query: Query) -> dict[str, str]:
    """Canonical symbols in order with the spelling they were asked by; at least one."""
    asked = query.words("symbols")
    if not asked:
        raise RefusalError(400, "symbols is required")
    known, found = view.table.reading("alpaca"), {}
    for word in asked:
        if (symbol := known.get(word)) is not None:
            found[symbol] = word
        elif (symbol := canonical(word)) is not None:
            found[symbol] = spell(symbol, "alpaca")
        else:
            raise RefusalError(400, f"invalid symbol: {word[:40]}")
    return {symbol: found[symbol] for symbol in sorted(found)}


def _assets(view: View, query: Query) -> Answer:
    status = query.word("status", "all", ("active", "inactive", "all"))
    query.word("asset_class", "us_equity", ("us_equity",))
    if f"assets/{status}" not in view.bodies:
        rows = view.listings if status == "all" else view.listings.filter(pl.col("active") == (status == "active"))
        view.bodies[f"assets/{status}"] = _shown(rows).write_json().encode()
    return Answer(body=view.bodies[f"assets/{status}"])


def _asset(view: View, symbol: str) -> Answer:
    """One listing: of several under one symbol the one that trades, or was last to."""
    found = view.listings.filter(pl.col("alpaca") == symbol).sort("active", "delisted_on", "listed_on")
    if found.is_empty():
        raise RefusalError(404, f"asset not found for {symbol[:40]}")
    return as_json(_shown(found).row(-1, named=True))


def _shown(listings: pl.DataFrame) -> pl.DataFrame:
    """Listings as the vendor tells them."""
    return listings.select(
        pl.concat_str(
            pl.lit("00000000-0000-4000-8000-"),
            pl.col("figi").hash(seed=1).mod(10**12).cast(pl.String).str.zfill(12),
        ).alias("id"),
        pl.lit("us_equity").alias("class"),
        pl.col("exchange"),
        pl.col("alpaca").alias("symbol"),
        pl.col("name"),
        pl.when("active").then(pl.lit("active")).otherwise(pl.lit("inactive")).alias("status"),
        *(pl.col("active").alias(c) for c in ("tradable", "marginable", "shortable", "easy_to_borrow")),
        pl.col("active").alias("fractionable"),
    )


def _bars(view: View, query: Query) -> Answer:
    symbols, limit = _symbols(view, query), query.number("limit", 1000, at_most=10_000)
    if query.text("timeframe").lower() not in ("1day", "1d"):
        raise RefusalError(400, "invalid timeframe: this exchange has 1Day")
    adjustment = query.word("adjustment", "raw", ADJUSTMENTS)
    query.word("feed", "sip", FEEDS)
    descending = query.word("sort", "asc", ("asc", "desc")) == "desc"
    first = query.first_day("start") or view.today
    last = min(query.last_day("end") or view.session, view.session)
    after = None
    if token := query.text("page_token"):
        symbol, _, day = _read_token(token).partition("|D|")
        if not (day.isdigit() and len(day) < 7):
            raise RefusalError(400, "invalid page_token")
        after = (symbol, int(day))
    table = view.table
    page = table.page(list(symbols), day_number(first), day_number(last), limit, after=after, descending=descending)
    texts = iter(_texts(view, page.rows, split=adjustment == "split"))
    bars = ",".join(f'"{symbols[s]}":[{",".join(islice(texts, count))}]' for s, count in page.parts)
    following = "null" if page.last is None else f'"{_token(f"{page.last[0]}|D|{page.last[1]}")}"'
    return Answer(body=f'{{"bars":{{{bars}}},"next_page_token":{following}}}'.encode())


def _texts(view: View, rows: np.ndarray, *, split: bool) -> list[str]:
    """Bars as JSON texts."""
    frame = view.table.columns(rows, split_adjusted=split, known=view.last_day)
    columns = ("t", "open", "high", "low", "close", "volume", "trades", "vwap")
    return frame.select(pl.format(BAR, *columns)).to_series().to_list()


def _snapshots(view: View, query: Query) -> Answer:
    symbols, parts = _symbols(view, query), []
    query.word("feed", "sip", FEEDS)
    rows: list[int] = []
    found: list[tuple[str, int]] = []
    for symbol, spelled in symbols.items():
        a, b = view.table.span(symbol, 0, view.last_day)
        if b > a:
            rows += list(range(max(a, b - 2), b))
            found.append((spelled, min(2, b - a)))
    texts = iter(_texts(view, np.array(rows, dtype=np.int64), split=False))
    closes = iter(view.table.columns(np.array(rows, dtype=np.int64), split_adjusted=False, known=0)["close"].to_list())
    for spelled, count in found:
        own, close = list(islice(texts, count)), list(islice(closes, count))[-1]
        at = view.calendar.close(view.session).strftime("%Y-%m-%dT%H:%M:%SZ")
        trade = f'{{"t":"{at}","x":"V","p":{close},"s":100,"c":["@"],"i":1,"z":"C"}}'
        quote = f'{{"t":"{at}","ax":"V","ap":{close},"as":1,"bx":"V","bp":{close},"bs":1,"c":["R"],"z":"C"}}'
        previous = f',"prevDailyBar":{own[0]}' if count == 2 else ""
        daily = f'"latestTrade":{trade},"latestQuote":{quote},"minuteBar":{own[-1]},"dailyBar":{own[-1]}{previous}'
        parts.append(f'"{spelled}":{{{daily}}}')
    return Answer(body=f"{{{','.join(parts)}}}".encode())


def _offset(query: Query) -> int:
    told = query.text("page_token")
    place = _read_token(told).removeprefix("at|") if told else "0"
    if not (place.isascii() and place.isdigit() and len(place) < 10):
        raise RefusalError(400, "invalid page_token")
    return int(place)


def _news(view: View, query: Query) -> Answer:
    limit, at = query.number("limit", 10, at_most=50), _offset(query)
    start, end = query.instant("start"), query.instant("end")
    rows = view.news
    if query.words("symbols"):
        wanted = list(_symbols(view, query))
        rows = rows.filter(pl.col("symbol").list.set_intersection(wanted).list.len() > 0)
    if start is not None:
        rows = rows.filter(pl.col("published_at") >= start)
    if end is not None:
        rows = rows.filter(pl.col("published_at") <= end)
    if query.word("sort", "desc", ("asc", "desc")) == "desc":
        rows = rows.reverse()
    news = []
    for row in rows[at : at + limit].iter_rows(named=True):
        stamp = row["published_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
        news.append(
            {
                "id": row["id"],
                "author": "",
                "content": "",
                "created_at": stamp,
                "updated_at": stamp,
                "images": [],
                "headline": row["headline"],
                "source": row["source"],
                "summary": "",
                "symbols": [spell(s, "alpaca") for s in row["symbol"]],
                "url": f"https://news.invalid/{row['id']}",
            }
        )
    following = _token(f"at|{at + limit}") if at + limit < rows.height else None
    return as_json({"news": news, "next_page_token": following})


KINDS = {
    "dividend": "cash_dividends",
    "special_dividend": "cash_dividends",
    "stock_dividend": "stock_dividends",
    "spinoff": "spin_offs",
    "symbol_change": "name_changes",
    "merger": "cash_mergers",
    "delisting": "worthless_removals",
}


def _actions(view: View, query: Query) -> Answer:
    limit, at = query.number("limit", 100, at_most=1000), _offset(query)
    first, last = query.first_day("start") or date(1900, 1, 1), query.last_day("end") or view.today
    rows = view.actions.filter(pl.col("ex_date").is_between(first, last))
    if query.words("symbols"):
        rows = rows.filter(pl.col("symbol").is_in(list(_symbols(view, query))))
    ratio = pl.when(pl.col("ratio") < 1).then(pl.lit("reverse_splits")).otherwise(pl.lit("forward_splits"))
    group = pl.when(pl.col("kind") == "split").then(ratio).otherwise(pl.col("kind").replace(KINDS))
    rows = rows.with_columns(group=group)
    if types := query.words("types"):
        asked = [t if t.endswith("s") else t + "s" for t in types]
        rows = rows.filter(pl.col("group").is_in(asked))
    found: dict[str, list[dict[str, object]]] = {}
    for row in rows[at : at + limit].iter_rows(named=True):
        found.setdefault(row["group"], []).append(_action(row))
    following = _token(f"at|{at + limit}") if at + limit < rows.height else None
    return as_json({"corporate_actions": found, "next_page_token": following})


def _action(row: dict[str, object]) -> dict[str, object]:
    day, symbol, new = str(row["ex_date"]), spell(str(row["symbol"]), "alpaca"), row["new_symbol"]
    told: dict[str, object] = {"id": f"00000000-0000-4000-9000-{row['id']:012d}", "process_date": day}
    renamed = spell(str(new), "alpaca") if new else ""
    dated = {"ex_date": day, "record_date": day, "payable_date": day, "symbol": symbol, "cusip": ""}
    match row["group"]:
        case "forward_splits" | "reverse_splits":
            ratio = float(str(row["ratio"]))
            old, fresh = (1.0, ratio) if ratio >= 1 else (round(1 / ratio, 4), 1.0)
            both = {"cusip": ""} if ratio >= 1 else {"old_cusip": "", "new_cusip": ""}
            return {**told, **both, "ex_date": day, "symbol": symbol, "new_rate": fresh, "old_rate": old}
        case "cash_dividends":
            special = row["kind"] == "special_dividend"
            return {**told, **dated, "rate": row["cash"], "special": special, "foreign": False}
        case "stock_dividends":
            return {**told, **dated, "rate": float(str(row["ratio"])) - 1}
        case "name_changes":
            return {**told, "old_symbol": symbol, "new_symbol": renamed, "old_cusip": "", "new_cusip": ""}
        case "cash_mergers":
            ends = {"effective_date": day, "payable_date": day, "acquiree_symbol": symbol, "acquiree_cusip": ""}
            return {**told, **ends, "rate": row["cash"] or 0.0}
        case "spin_offs":
            rates = {"source_rate": 1.0, "new_rate": row["ratio"] or 0.0, "source_cusip": "", "new_cusip": ""}
            return {**told, **rates, "ex_date": day, "source_symbol": symbol, "new_symbol": renamed}
    return {**told, "symbol": symbol, "cusip": ""}


def _clock(view: View) -> Answer:
    calendar, today = view.calendar, view.today
    live = calendar.is_session(today) and calendar.open(today) <= view.now < calendar.close(today)
    ahead = calendar.first_on_or_after(today)
    opens = ahead if calendar.open(ahead) > view.now else calendar.next(ahead)
    closes = ahead if calendar.close(ahead) > view.now else calendar.next(ahead)
    return as_json(
        {
            "timestamp": view.now,
            "is_open": live,
            "next_open": calendar.open(opens),
            "next_close": calendar.close(closes),
        }
    )


def _calendar(view: View, query: Query) -> Answer:
    first = query.last_day("start") or EPOCH
    last = query.last_day("end") or view.today + timedelta(days=365)
    found = []
    for day in view.calendar.between(first, last):
        early = view.calendar.early.get(day)
        close = early.strftime("%H:%M") if early else "16:00"
        found.append(
            {
                "date": str(day),
                "open": "09:30",
                "close": close,
                "session_open": "0400",
                "session_close": "2000",
                "settlement_date": str(day),
            }
        )
    return as_json(found)
