"""Whether a source answers: one small question to each, past the cache, its time taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aitrader.domain.errors import SourceError
from aitrader.domain.sessions import NEW_YORK
from aitrader.providers import alpaca, alpaca_requests, nasdaq_trader, polygon, polygon_requests, sec
from aitrader.providers.bodies import decode
from aitrader.providers.connection import Connection
from aitrader.providers.fetching import ask, ask_known
from aitrader.settings.models import Sources
from aitrader.transport.transport import Transport
from aitrader.transport.wire import Request, Response, Sender

Purpose = Literal["data-sources", "financial-apis"]
ASKED: Final = "AAPL"  # a symbol that every source knows
CIK: Final = "0000320193"  # its company


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What came of one question: how long the answer took (seconds), or why there is none."""

    source: str
    seconds: float | None
    fault: str = ""


@dataclass
class _Timed:
    """A sender that keeps how long each source's last answer took: waits for a limit are no part of it."""

    sender: Sender
    seconds: dict[str, float] = field(default_factory=dict)

    def send(self, request: Request) -> Response:
        """The answer."""
        began = time.perf_counter()
        try:
            return self.sender.send(request)
        finally:
            self.seconds[request.source] = time.perf_counter() - began


def probe(
    settings: Sources, connection: Connection, names: Sequence[str], purpose: Purpose, now: datetime
) -> list[Probe]:
    """Ask each of the sources, all at once."""
    transport = connection.transport
    timed = transport.sender = _Timed(transport.sender)

    def one(name: str) -> Probe:
        try:
            _ask(settings, transport, name, purpose, now)
        except SourceError as fault:
            return Probe(source=name, seconds=None, fault=str(fault))
        return Probe(source=name, seconds=timed.seconds[name])

    with ThreadPoolExecutor(max(1, len(names)), thread_name_prefix="probe") as pool:
        return list(pool.map(one, names))


def _ask(settings: Sources, transport: Transport, name: str, purpose: Purpose, now: datetime) -> None:
    *others, last = _questions(settings, name, purpose, now)
    for request, read in others:
        if ask_known(transport, request, read) is not None:
            return
    ask(transport, *last)


def _questions(
    settings: Sources, name: str, purpose: Purpose, now: datetime
) -> list[tuple[Request, Callable[[bytes], Any]]]:
    """What to ask; the second question only where the first one's subject is not known."""
    today = now.astimezone(NEW_YORK).date()
    match name, purpose:
        case "alpaca", "financial-apis":
            url, week = settings.alpaca.data_url, now - timedelta(days=7)
            return [(alpaca_requests.news_request(url, week, now, [ASKED], limit=1), alpaca.parse_news)]
        case "alpaca", _:
            url = f"{settings.alpaca.trading_url.rstrip('/')}/v2/clock"
            return [(Request(source="alpaca", url=url), _clock)]
        case "polygon", "financial-apis":
            year = today - timedelta(days=365)
            request = polygon_requests.financials_request(settings.polygon.url, year, today, symbol=ASKED, limit=1)
            return [(request, lambda body: polygon.parse_financials(body, symbol=ASKED))]
        case "polygon", _:
            return [(polygon_requests.ticker_types_request(settings.polygon.url), polygon.parse_ticker_types)]
        case "sec", _:
            companies = sec.company_tickers_exchange_request(settings.sec.www_url)
            return [
                (sec.submissions_request(settings.sec.data_url, CIK), sec.parse_submissions),
                (companies, sec.parse_company_tickers_exchange),
            ]
        case _:
            request = nasdaq_trader.nasdaq_listed_request(settings.nasdaq_trader.url)
            return [(request, nasdaq_trader.parse_nasdaq_listed)]


def _clock(body: bytes) -> None:
    """Raises SourceError for what is not the exchange's clock."""
    found = decode(body, dict[str, Any], endpoint="alpaca/clock")
    if not isinstance(found.get("is_open"), bool):
        raise SourceError("alpaca/clock: the answer cannot be read", why="it does not say whether the market is open")
