"""What filers reported, told alone and in a row, to one that asks and to several, and whose a used symbol's is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest

from tests.exchange.conftest import SEC, exchange, get

PATHS = ("/api/xbrl/companyfacts/CIK{}.json", "/submissions/CIK{}.json")


def told(on, cik):
    """Status and content of both answers about a filer."""
    found = [get(on, path.format(cik), SEC) for path in PATHS]
    return [(each.status, each.body) for each in found]


@pytest.fixture(scope="module")
def filers(market):
    return market.securities["cik"].drop_nulls().unique().sort().to_list()


@pytest.fixture(scope="module")
def alone(market, filers):
    """Each asked of far from the one before."""
    on = exchange(market)
    return {cik: told(on, cik) for at in range(20) for cik in filers[at::20]}


def test_most_filers_reported_something(alone):
    assert sum(facts[0] == 200 for facts, _ in alone.values()) > 100
    assert all(submissions[0] == 200 for _, submissions in alone.values())


@pytest.mark.parametrize("threads", [1, 3])
def test_in_a_row_they_are_told_the_same(market, filers, alone, threads):
    on, step = exchange(market), -(-len(filers) // threads)
    parts = [filers[at : at + step] for at in range(0, len(filers), step)]

    def ask(part):
        return {cik: told(on, cik) for cik in part}

    with ThreadPoolExecutor(threads) as pool:
        assert {cik: both for found in pool.map(ask, parts) for cik, both in found.items()} == alone


def test_back_and_again_they_are_told_the_same(market, filers, alone):
    on = exchange(market)
    assert all(told(on, cik) == alone[cik] for cik in [*filers[:40], *filers[40::-1], *filers[:5], filers[-1]])


def test_reports_are_those_of_whoever_had_the_symbol(market, alone):
    reported = set(market.fundamentals["symbol"])
    rows = market.securities.filter(pl.col("symbol").is_in(list(reported)) & pl.col("known_on").is_null())
    gone = rows.filter(pl.col("delisted_on").is_not_null()).sort("delisted_on").to_dicts()[0]
    came = rows.filter(pl.col("listed_on") >= gone["delisted_on"]).sort("listed_on").to_dicts()[-1]
    again = pl.when(pl.col("symbol") == came["symbol"]).then(pl.lit(gone["symbol"])).otherwise(pl.col("symbol"))
    names = ("securities", "bars", "fundamentals", "actions", "news")
    reused = replace(market, **{name: getattr(market, name).with_columns(symbol=again) for name in names})
    on = exchange(reused)
    for listing in (gone, came):
        facts = json.loads(told(on, listing["cik"])[0][1])
        assert facts == json.loads(alone[listing["cik"]][0][1])
        assert facts["entityName"] == listing["name"]
