"""A small exchange on a loopback socket, and the market that it tells of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest

from aitrader.domain.frames import Delivery
from aitrader.exchange.answer import Answer
from aitrader.exchange.exchange import Exchange, evening
from aitrader.exchange.faults import conditions
from aitrader.simulation.market import MarketSpec, generate
from aitrader.web.exchange_server import ExchangeServer

START, UNTIL = date(2026, 5, 1), date(2026, 6, 15)
ALPACA = {"apca-api-key-id": "key", "apca-api-secret-key": "secret", "host": "h:1"}
POLYGON = {"authorization": "Bearer key", "host": "h:1"}
SEC = {"user-agent": "someone@example.org"}
PLENTY = {"limits": {vendor: {"requests": 10_000, "seconds": 1.0} for vendor in ("alpaca", "polygon", "sec")}}


@pytest.fixture(scope="session")
def market() -> Delivery:
    return generate(MarketSpec(listings=400, start=START, until=UNTIL))


def exchange(market: Delivery, **told: object) -> Exchange:
    return Exchange(market, evening(UNTIL), conditions=conditions({**PLENTY, **told}))


def get(on: Exchange, path: str, headers: dict[str, str], **query: str) -> Answer:
    return on.answer("GET", path, [(k.replace("__", "."), v) for k, v in query.items()], headers)


@contextmanager
def serving(on: Exchange) -> Iterator[str]:
    with ExchangeServer(on, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def quiet(market: Delivery) -> Exchange:
    return exchange(market)


@pytest.fixture(scope="module")
def url(market: Delivery) -> Iterator[str]:
    with serving(exchange(market)) as found:
        yield found
