"""The two symbol directories: read back by our reader, every active listing stands in one of them, ETFs flagged."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from aitrader.exchange.exchange import Exchange, evening
from aitrader.providers.nasdaq_trader import parse_nasdaq_listed, parse_other_listed
from aitrader.simulation.market import MarketSpec, generate

LAST = date(2025, 6, 20)


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(generate(MarketSpec(seed=3, listings=400, start=date(2025, 4, 21), until=LAST)), evening(LAST))


def body(exchange: Exchange, name: str, **headers: str) -> bytes:
    found = exchange.answer("GET", f"/SymDir/{name}.txt", [], headers)
    assert found.status == 200
    return found.body


def test_every_active_listing_stands_in_one_directory_with_its_exchange(exchange: Exchange) -> None:
    pages = [parse_nasdaq_listed(body(exchange, "nasdaqlisted")), parse_other_listed(body(exchange, "otherlisted"))]
    read = pl.concat([page.frame for page in pages]).sort("symbol")
    active = exchange._view.listings.filter(pl.col("active")).sort("symbol")
    assert sum(page.quarantine.height for page in pages) == 0
    assert read["symbol"].to_list() == active["symbol"].to_list()
    assert read["exchange"].to_list() == active["exchange"].to_list()
    assert read["name"].to_list() == active["name"].to_list()
    etfs = active.filter(pl.col("security_type") == "etf")["symbol"].to_list()
    assert etfs
    assert read.filter(pl.col("security_type") == "etf")["symbol"].to_list() == etfs


def test_the_last_line_says_when_it_was_made(exchange: Exchange) -> None:
    assert body(exchange, "otherlisted").rstrip().splitlines()[-1] == b"File Creation Time: 0620202517:00|||||||"


def test_another_file_is_not_there(exchange: Exchange) -> None:
    assert exchange.answer("GET", "/SymDir/bonds.txt", [], {}).status == 404


def test_no_key_is_asked_for_and_the_limit_holds(exchange: Exchange) -> None:
    statuses = [exchange.answer("GET", "/SymDir/nasdaqlisted.txt", [], {}).status for _ in range(30)]
    assert statuses[0] == 200
    assert 429 in statuses
