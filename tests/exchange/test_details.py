"""Polygon's details of one listing: as of now, as of a day, after a change of symbol, of a ticker used again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.exchange.conftest import ALPACA, POLYGON, UNTIL, exchange, get

DETAILS = "/v3/reference/tickers/"


def details(on, ticker, **query):
    """The results; None where the vendor knows no such ticker."""
    found = get(on, DETAILS + ticker, POLYGON, **query)
    return json.loads(found.body)["results"] if found.status == 200 else None


@pytest.mark.parametrize(
    ("ticker", "query", "status"),
    [
        ("AAPL", {}, 200),
        ("AAPL", {"date": "2026-06-15"}, 200),
        ("AAPL", {"date": "2015-05-07"}, 404),  # the day before it was listed
        ("AAPL", {"date": "2999-01-01"}, 200),
        ("AAPL", {"date": "x"}, 400),
        ("aapl", {}, 404),
        ("ZZZZ", {}, 404),
        ("", {}, 404),
    ],
)
def test_who_has_details(quiet, ticker, query, status):
    assert get(quiet, DETAILS + ticker, POLYGON, **query).status == status


def test_details_know_the_last_count_of_shares_and_the_last_close(market):
    on = exchange(market)
    on.answer("POST", "/simulate/clock", [], {}, b'{"now": "2026-05-20T15:00:00Z"}')
    found = json.loads(get(on, DETAILS + "AAPL", POLYGON).body)["results"]
    before = market.bars.filter((pl.col("symbol") == "AAPL") & (pl.col("date") == date(2026, 5, 19)))
    shares = found["share_class_shares_outstanding"]
    assert found["market_cap"] == pytest.approx(shares * before["close"][0])


def test_details_of_a_ticker_used_again_are_of_the_last_to_use_it(market):
    gone = market.securities.filter(pl.col("delisted_on") <= UNTIL).sort("symbol").head(1)
    told = {"figi": pl.lit("BBG000000OLD"), "delisted_on": pl.lit(date(2020, 1, 3))}
    older = gone.with_columns(**told, listed_on=pl.lit(date(2019, 1, 2)))
    younger = gone.with_columns(listed_on=pl.lit(date(2020, 6, 1)))
    ticker = gone["symbol"][0]
    assert ticker.isalpha(), "every vendor spells it the same"
    for rows in ([older, younger], [younger, older]):
        on = exchange(replace(market, securities=pl.concat(rows)))
        details = json.loads(get(on, DETAILS + ticker, POLYGON).body)["results"]
        assert details["composite_figi"] == gone["figi"][0]
        assert get(on, f"/v2/assets/{ticker}", ALPACA).status == 200


def with_actions(market, *rows):
    return replace(market, actions=pl.concat([market.actions, pl.DataFrame(rows, schema=market.actions.schema)]))


def test_details_of_a_day_are_under_the_symbol_of_that_day(market):
    renamed = {"symbol": "TRUE", "ex_date": date(2026, 5, 18), "kind": "symbol_change", "new_symbol": "ZZTRU"}
    on = exchange(with_actions(market, renamed))
    figi = market.securities.filter(pl.col("symbol") == "TRUE")["figi"][0]
    for ticker, day, there in (
        ("TRUE", "2026-05-15", True),
        ("TRUE", "2026-05-18", False),
        ("ZZTRU", "2026-05-15", False),
        ("ZZTRU", "2026-05-18", True),
    ):
        found = details(on, ticker, date=day)
        assert (found and found["composite_figi"]) == (figi if there else None)
    assert details(on, "TRUE") is None
    assert details(on, "ZZTRU")["ticker"] == "ZZTRU"


def test_details_of_a_day_have_the_shares_known_then_at_its_close(market):
    row = market.securities.filter(pl.col("symbol") == "AAPL")
    recounted = row.with_columns(shares_outstanding=pl.lit(2e10), known_on=pl.lit(date(2026, 5, 20)))
    on = exchange(replace(market, securities=pl.concat([market.securities, recounted])))
    closes = dict(market.bars.filter(pl.col("symbol") == "AAPL").select("date", "close").rows())
    for day, shares in ((date(2026, 5, 19), row["shares_outstanding"][0]), (date(2026, 5, 20), 2e10), (UNTIL, 2e10)):
        found = details(on, "AAPL", date=str(day))
        assert found["share_class_shares_outstanding"] == shares
        assert found["market_cap"] == pytest.approx(shares * closes[day])


def test_a_listing_traded_until_it_was_delisted(market):
    gone = market.securities.filter((pl.col("delisted_on") <= UNTIL) & pl.col("shares_outstanding").is_not_null())
    row = gone.filter(pl.col("symbol").str.contains("^[A-Z]+$")).sort("symbol").to_dicts()[0]
    on = exchange(market)
    after = details(on, row["symbol"])
    ended = datetime.combine(row["delisted_on"], time(), ZoneInfo("America/New_York"))  # the day begins there
    assert not after["active"]
    assert datetime.fromisoformat(after["delisted_utc"]) == ended
    assert "market_cap" not in after
    before = details(on, row["symbol"], date=str(market.bars["date"].min()))
    assert before["active"]
    assert "delisted_utc" not in before
    assert before["market_cap"] > 0
