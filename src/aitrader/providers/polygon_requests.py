"""The questions that Polygon answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from aitrader.domain.errors import SourceError
from aitrader.domain.symbols import spell
from aitrader.providers.bodies import printable
from aitrader.transport.wire import Request

SOURCE: Final = "polygon"
PAGE_ROWS: Final = 1_000
STATEMENTS: Final = ("balance-sheets", "income-statements", "cash-flow-statements")
_ROUTE: Final = re.compile(r"/(?:v\d|vX|stocks)/[A-Za-z0-9_.,:/-]*\Z")


def tickers_request(
    url: str,
    *,
    active: bool = True,
    day: date | None = None,
    first: str | None = None,
    end: str | None = None,
    limit: int = PAGE_ROWS,
) -> Request:
    """The listings of the US stock market, active or delisted, as of ``day`` where one is given.

    ``first`` and ``end`` (exclusive) are tickers in the vendor's spelling and order.
    """
    params = [("market", "stocks"), ("active", str(active).lower()), ("order", "asc"), ("sort", "ticker")]
    if day is not None:
        params.append(("date", day.isoformat()))
    params += [(name, edge) for name, edge in (("ticker.gte", first), ("ticker.lt", end)) if edge is not None]
    return _request(url, "/v3/reference/tickers", (*params, ("limit", str(limit))))


def ticker_details_request(url: str, symbol: str, *, day: date | None = None) -> Request:
    """What is known of one canonical ``symbol``, as of ``day`` where one is given."""
    params = () if day is None else (("date", day.isoformat()),)
    return _request(url, f"/v3/reference/tickers/{_path(symbol)}", params)


def ticker_types_request(url: str) -> Request:
    """The vendor's codes of kinds of listing."""
    return _request(url, "/v3/reference/tickers/types", (("asset_class", "stocks"), ("locale", "us")))


def grouped_daily_request(url: str, session: date, *, adjusted: bool = False) -> Request:
    """The whole market's bars of one session; ``adjusted`` means as of the day of asking."""
    params = (("adjusted", str(adjusted).lower()), ("include_otc", "false"))
    return _request(url, f"/v2/aggs/grouped/locale/us/market/stocks/{session.isoformat()}", params)


def aggregates_request(
    url: str, symbol: str, start: date, end: date, *, adjusted: bool = False, limit: int = 50_000
) -> Request:
    """The daily bars of one canonical ``symbol`` from ``start`` to ``end``."""
    path = f"/v2/aggs/ticker/{_path(symbol)}/range/1/day/{start.isoformat()}/{end.isoformat()}"
    return _request(url, path, (("adjusted", str(adjusted).lower()), ("sort", "asc"), ("limit", str(limit))))


def splits_request(url: str, start: date, end: date, *, limit: int = PAGE_ROWS) -> Request:
    """The splits executed from ``start`` to ``end``."""
    return _request(url, "/v3/reference/splits", _span("execution_date", start, end, limit))


def dividends_request(url: str, start: date, end: date, *, limit: int = PAGE_ROWS) -> Request:
    """The dividends with an ex-date from ``start`` to ``end``."""
    return _request(url, "/v3/reference/dividends", _span("ex_dividend_date", start, end, limit))


def financials_request(url: str, start: date, end: date, *, symbol: str | None = None, limit: int = 100) -> Request:
    """The reports filed from ``start`` to ``end``, of one canonical ``symbol`` or of all filers."""
    named = () if symbol is None else (("ticker", spell(symbol, SOURCE)),)
    return _request(url, "/vX/reference/financials", (*named, *_span("filing_date", start, end, limit)))


def statements_request(url: str, statement: str, start: date, end: date, *, limit: int = PAGE_ROWS) -> Request:
    """One of :data:`STATEMENTS` as filed from ``start`` to ``end``."""
    params = (("filing_date.gte", start.isoformat()), ("filing_date.lte", end.isoformat()), ("limit", str(limit)))
    return _request(url, f"/stocks/financials/v1/{statement}", params)


def news_request(url: str, start: date, end: date, *, symbol: str | None = None, limit: int = PAGE_ROWS) -> Request:
    """Articles published from ``start`` to ``end``, oldest first, about one canonical ``symbol`` or all."""
    named = () if symbol is None else (("ticker", spell(symbol, SOURCE)),)
    return _request(url, "/v2/reference/news", (*named, *_span("published_utc", start, end, limit)))


def with_token(request: Request, token: str) -> Request:
    """The page on that ``token`` names, asked of the host of ``request`` and of no other."""
    before = re.match(r"(https?://[^/?#]+(?:/.*?)??)(?=/(?:v\d|vX|stocks)/)", request.url)
    parts = urlsplit(token)
    prefix = urlsplit(before[1]).path if before else ""
    path = parts.path.removeprefix(prefix)
    if before is None or parts.netloc or not _ROUTE.match(path) or ".." in path:
        raise SourceError("polygon: the address of the next page is none of its routes", why=printable(token))
    params = tuple(pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0].lower() != "apikey")
    return replace(request, url=before[1] + path, params=params)


def _request(url: str, path: str, params: Sequence[tuple[str, str]]) -> Request:
    return Request(source=SOURCE, url=url.rstrip("/") + path, params=tuple(params))


def _path(symbol: str) -> str:
    return quote(spell(symbol, SOURCE), safe="")


def _span(name: str, start: date, end: date, limit: int) -> tuple[tuple[str, str], ...]:
    first, last = (f"{name}.gte", start.isoformat()), (f"{name}.lte", end.isoformat())
    return (first, last, ("order", "asc"), ("sort", name), ("limit", str(limit)))
