"""Laws of the simulated market: what holds for every bar, listing and action, whatever the seed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np
import polars as pl
import pytest

from aitrader.domain.errors import UsageError
from aitrader.domain.frames import ACTION_KINDS, ACTIONS, BARS, FUNDAMENTALS, NEWS, SECURITIES, Delivery
from aitrader.domain.security_type import SecurityType
from aitrader.domain.sessions import NEW_YORK, xnys
from aitrader.domain.symbols import canonical
from aitrader.simulation.market import MarketSpec, generate

from .conftest import UNTIL

SMALL = {"listings": 300, "until": date(2025, 6, 13)}
NAMED = ("AAPL", "MSFT", "GOOGL", "GOOG", "BRK.A", "BRK.B", "SPY", "QQQ", "NA", "NAN", "ON", "TRUE", "NO", "Y")


def digest(delivery: Delivery) -> tuple[int, ...]:
    frames = (delivery.securities, delivery.bars, delivery.actions, delivery.fundamentals, delivery.news)
    return tuple(int(frame.hash_rows(seed=1).sum()) for frame in frames)


def test_the_same_spec_gives_the_same_market_and_another_seed_another() -> None:
    first, again, other = (generate(MarketSpec(seed=seed, **SMALL)) for seed in (3, 3, 4))
    assert digest(first) == digest(again)
    assert all(a != b for a, b in zip(digest(first), digest(other), strict=True))


def test_the_delivery_has_the_neutral_schemas_and_names_what_it_offers(market: Delivery) -> None:
    assert (market.source, market.adjustment) == ("simulated", "raw")
    frames = (market.securities, market.bars, market.actions, market.fundamentals, market.news)
    for frame, schema in zip(frames, (SECURITIES, BARS, ACTIONS, FUNDAMENTALS, NEWS), strict=True):
        assert dict(frame.schema) == schema
    assert market.market_caps.is_empty()
    offered = {"bars.high", "securities.sector", "corporate_actions.ratio", "fundamentals.total_debt", "news.sentiment"}
    assert offered <= market.offers
    assert not {"bars.vwap", "bars.trades", "market_caps.market_cap"} & market.offers


def test_bars_are_whole_sorted_and_obey_the_law_of_the_bar(market: Delivery) -> None:
    bars = market.bars
    values = bars.select("open", "high", "low", "close", "volume").to_numpy()
    assert np.isfinite(values).all()
    opened, high, low, close, volume = values.T
    assert (low > 0).all()
    assert (high >= np.maximum(opened, close)).all()
    assert (low <= np.minimum(opened, close)).all()
    assert ((volume >= 0) & (volume == np.round(volume))).all()
    still = volume == 0
    assert still.any()
    assert (opened[still] == close[still]).all()
    assert (high[still] == low[still]).all()
    keys = bars.select("date", "symbol")
    assert keys.equals(keys.sort("date", "symbol"))
    assert keys.is_unique().all()
    assert bars["date"].unique().sort().to_list() == xnys().between(date(2025, 4, 21), UNTIL)


def test_prices_stand_at_their_tick(market: Delivery) -> None:
    for name in ("open", "high", "low", "close"):
        price = market.bars[name].to_numpy()
        tick = np.where(price >= 1, 100, 10_000)
        assert np.abs(price * tick - np.round(price * tick)).max() < 1e-6 * tick.max()


def test_listings_are_well_formed(market: Delivery) -> None:
    first = market.securities.filter(pl.col("known_on").is_null())
    assert (
        first.select("name", "exchange", "security_type", "listed_on", "figi", "symbol")
        .null_count()
        .sum_horizontal()[0]
        == 0
    )
    assert first["figi"].is_unique().all()
    assert set(first["exchange"]) <= {"NYSE", "NASDAQ", "ARCA", "AMEX", "BATS"}
    assert set(first["security_type"]) <= {str(t) for t in SecurityType}
    assert [canonical(s) for s in first["symbol"]] == first["symbol"].to_list()
    assert set(NAMED) <= set(first["symbol"])
    calendar = xnys()
    assert all(calendar.is_session(d) for d in first["listed_on"].unique())
    lines = first.filter(pl.col("security_type").is_in(["preferred", "warrant", "unit", "right", "note"]))
    companies = first.filter(pl.col("security_type").is_in(["common", "adr", "reit"]))
    assert set(lines["cik"]) <= set(companies["cik"])
    same = dict(first.filter(pl.col("symbol").is_in(NAMED)).select("symbol", "cik").rows())
    assert same["BRK.A"] == same["BRK.B"] != same["GOOGL"] == same["GOOG"]


def intervals(market: Delivery) -> pl.DataFrame:
    """symbol, figi, from, to (exclusive) of every listing."""
    rows = market.securities.filter(pl.col("known_on").is_null())
    changes = market.actions.filter(pl.col("kind") == "symbol_change").sort("ex_date")
    out = []
    far = date(9999, 1, 1)
    for symbol, figi, begin, end in rows.select("symbol", "figi", "listed_on", "delisted_on").rows():
        own, since = symbol, begin
        for old, on, new in changes.select("symbol", "ex_date", "new_symbol").rows():
            if old == own and since < on <= (end or far):
                out.append((own, figi, since, on))
                own, since = new, on
        out.append((own, figi, since, end or far))
    return pl.DataFrame(out, schema=["symbol", "figi", "from", "to"], orient="row")


def test_a_symbol_means_one_listing_at_a_time_and_bars_stay_in_its_interval(market: Delivery) -> None:
    held = intervals(market).sort("symbol", "from")
    following = held.with_columns(nxt=pl.col("from").shift(-1).over("symbol"))
    assert following.filter(pl.col("nxt") < pl.col("to")).is_empty()
    inside = market.bars.select("symbol", "date").join(held, on="symbol")
    inside = inside.filter(pl.col("date").is_between("from", "to", closed="left"))
    assert inside.height == market.bars.height
    acted = market.actions.select("symbol", "ex_date", "kind").join(held, on="symbol")
    acted = acted.filter(pl.col("ex_date").is_between("from", "to")).unique(["symbol", "ex_date", "kind"])
    assert acted.height == market.actions.unique(["symbol", "ex_date", "kind"]).height


def test_actions_are_of_known_kinds_and_carry_what_their_kind_needs(market: Delivery) -> None:
    actions = market.actions
    assert set(actions["kind"]) <= set(ACTION_KINDS)
    assert {"dividend", "split", "delisting", "symbol_change"} <= set(actions["kind"])
    assert (actions.filter(pl.col("kind") == "split")["ratio"] > 0).all()
    paid = actions.filter(pl.col("kind").is_in(["dividend", "special_dividend", "spinoff", "merger"]))
    assert (paid["cash"] > 0).all()
    assert actions.filter(pl.col("kind") == "symbol_change")["new_symbol"].null_count() == 0
    gone = actions.filter(pl.col("kind") == "delisting").select("symbol", "ex_date")
    last = market.bars.join(gone, on="symbol").filter(pl.col("date") >= pl.col("ex_date"))
    reused = market.securities.group_by("symbol").agg(pl.col("figi").n_unique()).filter(pl.col("figi") > 1)["symbol"]
    assert last.filter(~pl.col("symbol").is_in(reused.implode())).is_empty()
    ended = market.securities["delisted_on"].drop_nulls().sort().to_list()
    assert gone["ex_date"].sort().to_list() == ended


def test_a_split_moves_price_and_volume_by_its_ratio() -> None:
    found = generate(MarketSpec(seed=2, listings=2_000, until=date(2025, 12, 5)))
    bars = found.bars.sort("symbol", "date").with_columns(
        before=pl.col("close").shift().over("symbol"),
        quiet=pl.col("volume").rolling_mean(10).shift().over("symbol"),
        then=pl.col("volume").rolling_mean(10).shift(-9).over("symbol"),
    )
    splits = found.actions.filter(pl.col("kind") == "split").select("symbol", "ratio", date="ex_date")
    seen = bars.join(splits, on=["symbol", "date"]).drop_nulls(["quiet", "then"]).filter(pl.col("quiet") > 100)
    assert seen.height >= 10
    log = np.log(seen["close"] / seen["before"] * seen["ratio"])
    assert np.abs(np.median(log)) < 0.06
    assert (np.abs(log) < 0.5).mean() > 0.9
    trade = np.log(seen["then"] / seen["quiet"] / seen["ratio"])
    assert np.abs(np.median(trade)) < 0.6  # volumes of the cheapest wander; the ratios go down to 1:50, 3.9 in logs


@pytest.mark.parametrize("stop", [date(2025, 4, 21), date(2025, 4, 30), date(2025, 7, 3), date(2025, 10, 8)])
def test_a_later_until_only_appends(market: Delivery, stop: date) -> None:
    short = generate(MarketSpec(seed=11, listings=800, until=stop))
    assert short.bars.equals(market.bars.filter(pl.col("date") <= stop))
    assert short.actions.equals(market.actions.filter(pl.col("ex_date") <= stop))
    end = datetime.combine(stop, time(23, 59, 59), NEW_YORK).astimezone(UTC)
    assert short.fundamentals.equals(market.fundamentals.filter(pl.col("known_at") <= end))
    assert short.news.equals(market.news.filter(pl.col("published_at") <= end))
    known = market.securities.filter(
        pl.col("listed_on") <= stop, (pl.col("known_on") <= stop) | pl.col("known_on").is_null()
    )
    known = known.with_columns(pl.when(pl.col("delisted_on") <= stop).then("delisted_on").alias("delisted_on"))
    assert short.securities.equals(known)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (MarketSpec(listings=199), "199 listings are no market"),
        (MarketSpec(until=date(2025, 4, 20)), "no session from 2025-04-21 to 2025-04-20"),
        (MarketSpec(regime="calm"), "unknown regime 'calm'"),
    ],
)
def test_a_spec_that_is_no_market_is_refused(spec: MarketSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        generate(spec)
    assert caught.value.why
    assert caught.value.do


def test_the_least_market_has_every_named_listing() -> None:
    found = generate(MarketSpec(listings=200, until=date(2025, 4, 22)))
    assert set(NAMED) <= set(found.bars["symbol"])


def test_the_whole_market_at_full_size() -> None:
    found = generate(MarketSpec(seed=1))
    last = found.bars.filter(pl.col("date") == date(2026, 6, 30))
    facts = found.securities.sort("listed_on").unique("symbol", keep="last").select("symbol", "security_type")
    changed = found.actions.filter(pl.col("kind") == "symbol_change").join(facts, on="symbol")
    facts = pl.concat([facts, changed.select("security_type", symbol="new_symbol").select("symbol", "security_type")])
    kinds = last.join(facts.unique("symbol", keep="last"), on="symbol")["security_type"]
    counted = kinds.is_in(["common", "adr", "reit", "etf"]).sum()
    assert 8_000 <= counted <= 11_000
    assert 10_000 <= last.height <= 12_000
    assert found.bars["date"].n_unique() == 300
    assert 0.33 <= (kinds == "etf").mean() <= 0.45
