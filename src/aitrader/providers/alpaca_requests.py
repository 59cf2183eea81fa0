"""The questions that Alpaca answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from aitrader.domain.symbols import spell
from aitrader.transport.wire import Request

SOURCE: Final = "alpaca"
PAGE_ROWS: Final = 10_000  # the most bars of one page, counted over all its symbols
SYMBOLS_A_REQUEST: Final = 500  # a URL of them stays under 4,000 characters
NEWS_A_PAGE: Final = 50
ACTIONS_A_PAGE: Final = 1_000


def assets_request(trading_url: str) -> Request:
    """All active US equities, in one answer without pages."""
    params = (("status", "active"), ("asset_class", "us_equity"))
    return Request(source=SOURCE, url=_url(trading_url, "/v2/assets"), params=params)


def bars_requests(
    data_url: str,
    symbols: Sequence[str],
    start: date | datetime,
    end: date | datetime,
    feed: str,
    *,
    adjustment: str = "raw",
    limit: int = PAGE_ROWS,
    chunk: int = SYMBOLS_A_REQUEST,
) -> Iterator[Request]:
    """The daily bars of canonical ``symbols`` from ``start`` to ``end``, ``chunk`` symbols a request."""
    for part in _chunks(symbols, chunk):
        yield Request(
            source=SOURCE,
            url=_url(data_url, "/v2/stocks/bars"),
            params=(
                ("symbols", part),
                ("timeframe", "1Day"),
                ("start", _when(start)),
                ("end", _when(end)),
                ("adjustment", adjustment),
                ("feed", feed),
                ("limit", str(limit)),
                ("sort", "asc"),
            ),
        )


def snapshots_request(data_url: str, symbols: Sequence[str], feed: str) -> Request:
    """The last quote and the bars of today and the session before of canonical ``symbols``."""
    params = (("symbols", _spelled(symbols)), ("feed", feed))
    return Request(source=SOURCE, url=_url(data_url, "/v2/stocks/snapshots"), params=params)


def news_request(
    data_url: str,
    start: date | datetime,
    end: date | datetime,
    symbols: Sequence[str] = (),
    *,
    limit: int = NEWS_A_PAGE,
) -> Request:
    """Headlines from ``start`` to ``end``, oldest first; of all symbols where none is named."""
    named = (("symbols", _spelled(symbols)),) if symbols else ()
    span = (("start", _when(start)), ("end", _when(end)), ("limit", str(limit)), ("sort", "asc"))
    return Request(source=SOURCE, url=_url(data_url, "/v1beta1/news"), params=(*named, *span))


def corporate_actions_request(
    data_url: str, start: date, end: date, symbols: Sequence[str] = (), *, limit: int = ACTIONS_A_PAGE
) -> Request:
    """Corporate actions of all kinds from ``start`` to ``end``; of all symbols where none is named."""
    named = (("symbols", _spelled(symbols)),) if symbols else ()
    span = (("start", start.isoformat()), ("end", end.isoformat()), ("limit", str(limit)), ("sort", "asc"))
    return Request(source=SOURCE, url=_url(data_url, "/v1/corporate-actions"), params=(*named, *span))


def calendar_request(trading_url: str, start: date, end: date) -> Request:
    """The exchange's sessions from ``start`` to ``end``."""
    params = (("start", start.isoformat()), ("end", end.isoformat()))
    return Request(source=SOURCE, url=_url(trading_url, "/v2/calendar"), params=params)


def with_token(request: Request, token: str) -> Request:
    """The same question from the page on that ``token`` names."""
    others = tuple(pair for pair in request.params if pair[0] != "page_token")
    return replace(request, params=(*others, ("page_token", token)))


def _url(base: str, path: str) -> str:
    return base.rstrip("/") + path


def _when(at: date | datetime) -> str:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError(f"an instant needs a zone: {at}")
        return at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return at.isoformat()


def _spelled(symbols: Sequence[str]) -> str:
    return ",".join(spell(symbol, SOURCE) for symbol in symbols)


def _chunks(symbols: Sequence[str], size: int) -> Iterator[str]:
    for start in range(0, len(symbols), size):
        yield _spelled(symbols[start : start + size])
