"""The simulated exchange in this process as a sender: the same questions and answers as over the network, no socket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import Delivery
from aitrader.exchange.exchange import Exchange
from aitrader.exchange.faults import conditions
from aitrader.exchange.limits import DEFAULTS
from aitrader.transport.transport import Retries, Transport
from aitrader.transport.wire import Request, Response

KEYS: Final[Mapping[str, Mapping[str, str]]] = {  # the exchange takes any
    "alpaca": {"apca-api-key-id": "simulated", "apca-api-secret-key": "simulated"},
    "polygon": {"authorization": "Bearer simulated"},
    "sec": {"user-agent": "simulated simulated@example.org"},
    "nasdaq_trader": {},
}
NO_LIMITS: Final = {"limits": {vendor: {"requests": 1_000_000_000, "seconds": 1} for vendor in DEFAULTS}}


class ExchangeSender:
    """Asks an exchange directly; safe to share between threads."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; a SourceError for a source that the exchange does not stand in for."""
        if request.source not in KEYS:
            raise SourceError(f"{request.source} is not simulated", why=f"the exchange has {', '.join(KEYS)}")
        address = urlsplit(request.url)
        headers = {**KEYS[request.source], "host": address.netloc}
        found = self.exchange.answer("GET", address.path, request.params, headers)
        return Response(status=found.status, body=found.body, headers=found.headers)


def in_process(market: Delivery, now: datetime) -> Transport:
    """A transport to an exchange of its own, at ``now``, that answers as fast as it is asked."""
    exchange = Exchange(market, now, conditions=conditions(NO_LIMITS))
    return Transport(sender=ExchangeSender(exchange), retries=Retries(attempts=1))
