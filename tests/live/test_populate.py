"""The live market populated over HTTP, session after session: what is stored is what the market is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import polars as pl
import pytest

from aitrader.domain.errors import RefusedError
from aitrader.exchange.answer import Answer
from tests.live.world import (
    ARRIVAL,
    BEFORE,
    END,
    NEXT,
    PRICES,
    RENAME,
    Desk,
    at,
    content,
    listed,
    market,
    market_bars,
    saying,
    sessions,
)

WINDOW = sessions(BEFORE)[-30:]
TABLES = {
    "companies": "SELECT * FROM companies ORDER BY id",
    "intervals": "SELECT * FROM symbol_intervals ORDER BY security, from_date",
    "attributes": "SELECT * FROM company_attributes ORDER BY security, known_on",
    "bars": "SELECT session, digest, file, rows, feed, provisional FROM bar_files ORDER BY session",
    "actions": "SELECT security, ex_date, kind, ratio, cash FROM corporate_actions ORDER BY 1, 2, 3",
    "runs": "SELECT run_id, session, kind, result_digest FROM scan_runs ORDER BY session, run_id",
}


def stored(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    tables = {name: desk.rows(sql) for name, sql in TABLES.items()}
    told = ((row[:-1], sorted(row[-1].split())) for row in tables["companies"])  # who told what, in any order
    return {**tables, "companies": list(told)}


def span(desk: Desk, path: str = "/v2/stocks/bars") -> set[tuple[str, str]]:
    """The days that bars were asked for."""
    return {(seen.query["start"][:10], seen.query["end"][:10]) for seen in desk.exchange.asked(path)}


def renamed() -> tuple[str, str]:
    """The one listing that gets another symbol: the old one, the new one."""
    ((old, new),) = market().actions.filter(pl.col("kind") == "symbol_change").select("symbol", "new_symbol").rows()
    return old, new


def arrived() -> str:
    (symbol,) = set(listed(ARRIVAL)) - set(listed(NEXT))
    return symbol


# -- the first population -----------------------------------------------------------------------------------------


def test_what_alpaca_tells_is_stored(desk: Desk) -> None:
    result = desk.populate("alpaca")
    assert (result.first_session, result.last_session, result.sessions) == (WINDOW[0], BEFORE, 30)
    assert result.quarantined == {}
    assert desk.told.warnings == []
    assert set(desk.active()) == set(listed(BEFORE))
    assert desk.bars().equals(market_bars(WINDOW, list(listed(BEFORE))))
    assert desk.rows("SELECT DISTINCT feed FROM bar_files") == [("sip",)]
    assert desk.rows("SELECT session FROM bar_files WHERE provisional = 1") == [(str(BEFORE),)]
    assert desk.rows("SELECT source, adjustment FROM populations") == [("alpaca", "raw")]


def test_actions_are_stored(desk: Desk) -> None:
    desk.populate("alpaca")
    found = desk.rows("SELECT symbol, ex_date, kind, ratio FROM corporate_actions ORDER BY symbol, ex_date, kind")
    told = market().actions.filter(pl.col("ex_date").is_between(WINDOW[0], BEFORE))
    told = told.filter(pl.col("symbol").is_in(list(listed(BEFORE)))).sort("symbol", "ex_date", "kind")
    assert [row[:3] for row in found] == [(s, str(d), k) for s, d, k in told.select("symbol", "ex_date", "kind").rows()]
    ratios = zip((row[3] for row in found), told["ratio"], strict=True)
    assert all(have == right or have == pytest.approx(right, rel=1e-5) for have, right in ratios)  # 1 for 15: 0.0666667


def test_types_and_their_origin(desk: Desk) -> None:
    """Polygon knows the types and every source says where what it tells is from."""
    desk.populate(None, "alpaca", "polygon", "sec")
    types, truth = desk.active(), listed(BEFORE)
    # No vendor has a word for a real estate trust: its name alone tells.
    trust = dict.fromkeys(("common", "reit"), "company")
    assert {s: trust.get(k, k) for s, k in types.items()} == {s: trust.get(k, k) for s, k in truth.items()}
    told = dict(desk.rows("SELECT symbol, provenance FROM companies WHERE active = 1"))
    assert all("security_type:polygon" in words and "exchange:alpaca" in words for words in told.values())
    filers = {s for s, cik in market().securities.select("symbol", "cik").iter_rows() if cik} & set(truth)
    unread = {row[0] for row in desk.rows("SELECT detail FROM quarantine WHERE file LIKE 'sec%'")}
    found = {s for s, words in told.items() if "cik:sec" in words}
    assert found < filers
    assert len(filers - found) == len(unread)  # spellings that the SEC alone has


def counted() -> dict[str, float]:
    """What is right of shares: the newest count that a company filed, times its splits since."""
    told, rows = market(), {}
    lines = told.securities.filter(
        pl.col("symbol").is_in(list(listed(BEFORE)))
        & pl.col("cik").is_not_null()
        & pl.col("security_type").is_in(["common", "reit"])
    ).unique("symbol")
    companies = lines["cik"].to_list()
    ciks = dict(
        lines.filter(pl.col("cik").is_in([c for c in companies if companies.count(c) == 1]))
        .select("cik", "symbol")
        .iter_rows()
    )
    of_symbol = dict(told.securities.select("symbol", "cik").iter_rows())
    known = told.fundamentals.filter(
        (pl.col("known_at") <= at(BEFORE).astimezone(UTC))
        & pl.col("shares_outstanding").is_not_null()
        & (pl.col("period_end") >= BEFORE - timedelta(days=365))
    )
    for symbol, end, shares in (
        known.sort("period_end", "known_at").select("symbol", "period_end", "shares_outstanding").iter_rows()
    ):
        if (own := ciks.get(of_symbol[symbol])) is not None:
            rows[own] = (end, shares)
    splits = told.actions.filter(
        (pl.col("kind") == "split") & (pl.col("ex_date") <= BEFORE) & (pl.col("ex_date") >= WINDOW[0])
    )
    for symbol, on, ratio in splits.sort("ex_date").select("symbol", "ex_date", "ratio").iter_rows():
        if symbol in rows and rows[symbol][0] < on <= rows[symbol][0] + timedelta(days=90):
            del rows[symbol]  # it may have been filed after the split, and restated for it
        elif symbol in rows and on > rows[symbol][0]:
            rows[symbol] = (rows[symbol][0], rows[symbol][1] * ratio)
    return {symbol: shares for symbol, (_, shares) in rows.items()}


def test_shares_are_those_that_companies_filed_scaled_by_splits(desk: Desk) -> None:
    desk.populate("alpaca", "alpaca", "sec", "polygon")
    found = dict(
        desk.rows(
            "SELECT symbol, told.shares_outstanding FROM companies JOIN company_attributes AS told "
            "ON told.security = companies.id WHERE told.shares_outstanding IS NOT NULL AND provenance LIKE '%:sec%'"
        )
    )
    right = counted()
    assert len(right) > 100
    mine = {symbol: shares for symbol, shares in found.items() if symbol in right}
    assert set(right) <= set(found)
    assert mine == pytest.approx(right)


def test_shares_stay_scaled_long_after_the_split(desk: Desk) -> None:
    """Of later sessions only the actions of the last month are read; the splits since the count are needed all."""
    desk.moved(at(NEXT, 7)).populate("alpaca", "alpaca", "sec")
    before = desk.rows("SELECT * FROM company_attributes")
    desk.moved(at(NEXT, 8)).populate("alpaca", "alpaca", "sec")
    assert desk.rows("SELECT * FROM company_attributes") == before


def test_no_bars_where_no_source_of_bars_is_listed(desk: Desk) -> None:
    result = desk.populate("alpaca", LIVE__BARS="[]")
    assert (result.symbols, result.sessions, result.scan) == (len(listed(BEFORE)), 0, None)
    assert [seen.path for seen in desk.exchange.seen] == ["/v2/assets"]
    later = desk.populate("alpaca")
    assert later.sessions == 30
    assert desk.bars().equals(market_bars(WINDOW, list(listed(BEFORE))))


def test_alpaca_and_polygon_tell_of_the_same_market(desks: Callable[..., Desk]) -> None:
    one, two = desks(name="one"), desks(name="two")
    one.populate("alpaca", "alpaca")
    two.populate("polygon", "polygon")
    assert set(one.active()) == set(two.active()) == set(listed(BEFORE))
    listed_now = list(listed(BEFORE))
    assert one.bars().equals(two.bars().filter(pl.col("symbol").is_in(listed_now)))
    # Polygon lists what has ended too: its past is not of survivors alone.
    assert two.bars().equals(market_bars(WINDOW))


# -- the second population ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
def test_again_in_the_same_evening_nothing_changes(desk: Desk, vendor: str) -> None:
    for _ in range(2):
        desk.populate(vendor, vendor, "sec")
    before = stored(desk)
    desk.exchange.forget()
    result = desk.populate(vendor, vendor, "sec")
    assert not result.changed
    assert (result.new, result.closed, result.renamed, result.corrected, result.sessions) == (0, 0, 0, 0, 0)
    assert stored(desk) == before
    # Every answer is still fresh; what the SEC does not have yet is asked for again.
    assert [(seen.vendor, seen.status) for seen in desk.exchange.seen if seen.status != 404] == []


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
def test_when_all_is_final_no_bars_are_asked_for(desk: Desk, vendor: str) -> None:
    desk.moved(at(NEXT, 7)).populate(vendor, vendor, "sec")
    assert desk.rows("SELECT count(*) FROM bar_files WHERE provisional = 1") == [(0,)]
    before = stored(desk)
    desk.moved(at(NEXT, 8)).populate(vendor, vendor, "sec")
    assert desk.exchange.asked("/v2/stocks/bars") == desk.exchange.asked("/v2/aggs/") == []
    assert stored(desk) == before


def test_of_the_next_session_only_that_one_is_asked_for(desk: Desk) -> None:
    desk.moved(at(NEXT, 7)).populate("alpaca")
    assert desk.moved(at(NEXT, 17)).populate("alpaca").sessions == 1
    assert span(desk) == {(str(NEXT), str(NEXT))}
    assert desk.bars(NEXT).equals(market_bars([NEXT], list(listed(NEXT))))


def test_of_the_next_session_polygon_is_asked_once(desk: Desk) -> None:
    desk.moved(at(NEXT, 7)).populate("polygon")
    desk.moved(at(NEXT, 17)).populate("polygon")
    assert [seen.path.rsplit("/", 1)[1] for seen in desk.exchange.asked("/v2/aggs/")] == [str(NEXT)]
    assert desk.bars(NEXT).equals(market_bars([NEXT], list(listed(NEXT))))


def corrected_upwards(symbol: str) -> Callable[[str, dict[str, str], Answer], Answer]:
    """The vendor's evening answer: everything as it will be, but for one close."""

    def edit(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        for bar in told["bars"].get(symbol, []):
            if bar["t"].startswith(str(BEFORE)):
                bar["c"] = round(bar["l"] + (bar["h"] - bar["l"]) / 3, 4)
        return saying(answer, told)

    return edit


def test_in_the_morning_the_provisional_session_is_read_again_and_judged_as_final(desk: Desk) -> None:
    symbol = market_bars([BEFORE], list(listed(BEFORE))).filter(pl.col("high") > pl.col("low") + 0.1)["symbol"][0]
    desk.exchange.lie("/v2/stocks/bars", corrected_upwards(symbol))
    first = desk.populate("alpaca")
    assert first.scan is not None
    assert not desk.bars(BEFORE).equals(market_bars([BEFORE], list(listed(BEFORE))))
    result = desk.moved(at(NEXT, 7)).populate("alpaca")
    assert span(desk) == {(str(BEFORE), str(BEFORE))}
    assert (result.corrected, result.sessions) == (1, 1)
    assert desk.bars(BEFORE).equals(market_bars([BEFORE], list(listed(BEFORE))))
    with desk.store() as store:
        assert store.provisional_sessions() == frozenset()
    assert result.scan is not None
    assert (result.scan.session, result.scan.published) == (BEFORE, 1)
    assert result.scan.run_id != first.scan.run_id


def test_in_the_morning_equal_values_become_final(desk: Desk) -> None:
    desk.populate("alpaca")
    result = desk.moved(at(NEXT, 7)).populate("alpaca")
    assert result.corrected == 0
    assert desk.rows("SELECT count(*) FROM bar_files WHERE provisional = 1") == [(0,)]


def test_before_the_bars_are_out_the_session_is_not_asked_for(desk: Desk) -> None:
    """16:15, a minute before: the last session is the one before."""
    result = desk.moved(at(BEFORE, 16, 15)).populate("alpaca")
    assert result.last_session == sessions(BEFORE)[-2]
    assert desk.moved(at(BEFORE, 16, 16)).populate("alpaca").last_session == BEFORE


# -- what happens to listings ---------------------------------------------------------------------------------------


def test_a_listing_that_is_new_to_us_gets_its_whole_past(desk: Desk) -> None:
    late = market_bars([BEFORE], list(listed(BEFORE)))["symbol"][7]

    def without(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        return saying(answer, [row for row in content(answer) if row["symbol"] != late])

    desk.moved(at(NEXT, 7)).exchange.lie("/v2/assets", without)
    desk.populate("alpaca")
    assert late not in desk.active()
    result = desk.moved(at(NEXT, 8)).populate("alpaca")
    assert result.new == 1
    asked = desk.exchange.asked("/v2/stocks/bars")
    assert [(seen.query["symbols"], seen.query["start"][:10]) for seen in asked] == [(late, str(WINDOW[0]))]
    assert desk.bars().equals(market_bars(WINDOW, list(listed(BEFORE))))


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
def test_over_the_days_one_arrives_one_is_renamed_one_ends(desk: Desk, vendor: str) -> None:
    desk.moved(at(NEXT, 18)).populate(vendor)
    old, new = renamed()
    security = desk.security(old)
    assert desk.moved(at(ARRIVAL, 18)).populate(vendor).new == 1
    result = desk.moved(at(RENAME, 18)).populate(vendor)
    assert (result.renamed, result.new, result.closed) == (1 if vendor == "alpaca" else result.renamed, 0, 0)
    assert desk.security(new) == security
    result = desk.moved(at(END, 18)).populate(vendor)
    ended = set(listed(RENAME)) - set(listed(END))
    assert result.closed == len(ended) > 0
    assert set(desk.active()) == set(listed(END))
    for day in (ARRIVAL, RENAME):
        assert desk.bars(day).height == market_bars([day], [*listed(day)]).height
    assert market_bars([END], [*listed(END)]).equals(desk.bars(END).filter(pl.col("symbol").is_in([*listed(END)])))


def test_the_past_of_what_ended_stays_after_a_refresh(desk: Desk) -> None:
    desk.moved(at(NEXT, 7)).populate("alpaca")
    before = desk.bars(BEFORE)
    desk.moved(at(END, 18)).populate("alpaca")
    ended = set(listed(RENAME)) - set(listed(END))
    assert ended <= set(desk.bars(BEFORE)["symbol"])
    desk.moved(at(END, 19)).populate("alpaca", refresh=True)
    assert desk.bars(BEFORE).height == before.height
    assert ended <= set(desk.bars(BEFORE)["symbol"])


# -- refresh -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
def test_a_refresh_reads_all_again_past_the_cache(desk: Desk, vendor: str) -> None:
    desk.moved(at(NEXT, 7)).populate(vendor, vendor, "sec")
    first = sorted(seen.page for seen in desk.exchange.seen)
    before = stored(desk)
    desk.exchange.forget()  # the clock and the cache stay
    result = desk.populate(vendor, vendor, "sec", refresh=True)
    again = sorted(seen.page for seen in desk.exchange.seen)
    lists = {"/v2/stocks/bars", "/v2/assets", "/v2/aggs/grouped/locale/us/market/stocks/" + str(BEFORE)}
    assert {page for page in first if page[0] in lists} <= set(again)
    assert (result.corrected, result.sessions) == (0, 0)
    assert {name: rows for name, rows in stored(desk).items() if name != "runs"} == {
        name: rows for name, rows in before.items() if name != "runs"
    }


def test_a_refresh_takes_what_the_vendor_changed(desk: Desk) -> None:
    symbol, day = market_bars([WINDOW[3]], list(listed(BEFORE)))["symbol"][0], WINDOW[3]

    def other(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        for bar in told["bars"].get(symbol, []):
            if bar["t"].startswith(str(day)):
                bar["v"] += 100
        return saying(answer, told)

    desk.moved(at(NEXT, 7)).populate("alpaca")
    desk.exchange.lie("/v2/stocks/bars", other)
    assert desk.populate("alpaca").corrected == 0  # what is final is not asked for again
    assert desk.populate("alpaca", refresh=True).corrected == 1
    row, right = (
        frame.filter(pl.col("symbol") == symbol).row(0, named=True) for frame in (desk.bars(day), market_bars([day]))
    )
    assert row == {**right, "volume": right["volume"] + 100}
    assert set(PRICES) < set(row)


def test_the_days_are_what_they_are_said_to_be() -> None:
    assert [len(set(listed(d)) ^ set(listed(e))) for d, e in ((BEFORE, NEXT), (NEXT, ARRIVAL), (ARRIVAL, RENAME))] == [
        0,
        1,
        2,
    ]
    assert set(listed(RENAME)) - set(listed(END))


def test_what_polygon_does_not_tell_of_shares_is_read_from_the_next_source(desk: Desk) -> None:
    desk.moved(at(RENAME, 18)).populate("live", "alpaca", "polygon")
    kinds = {kind for (kind,) in desk.rows("SELECT DISTINCT kind FROM corporate_actions")}
    assert {"split", "dividend", "symbol_change"} <= kinds


def test_keys_that_are_gone_are_no_success(desk: Desk) -> None:
    with pytest.raises(RefusedError, match="alpaca cannot be asked"):
        desk.populate("live", "sec")
    assert not desk.home.database.exists()


def test_a_source_that_lacks_its_keys_is_named(desk: Desk) -> None:
    desk.populate("live", "alpaca")
    assert any("polygon is not asked" in text and "POLYGON_API_KEY" in text for text in desk.told.notices)


def test_a_refresh_dates_no_attribute_back(desk: Desk) -> None:
    """What is told anew of a known listing counts from now on, however it is read."""
    desk.populate("alpaca", "alpaca", "sec")
    changed = next(iter(listed(BEFORE)))

    def other(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        rows = content(answer)
        return saying(answer, [{**row, "name": "Another Name"} if row["symbol"] == changed else row for row in rows])

    desk.moved(at(BEFORE, 18)).exchange.lie("/v2/assets", other)
    desk.populate("alpaca", "alpaca", "sec", refresh=True)
    told = desk.rows(
        "SELECT told.known_on, told.name FROM company_attributes AS told "
        "JOIN companies ON companies.id = told.security "
        f"WHERE companies.symbol = '{changed}' AND told.name = 'Another Name' ORDER BY told.known_on"
    )
    assert [day for day, _ in told] == [str(BEFORE)]


def test_a_gap_longer_than_the_first_reading_is_closed(desk: Desk) -> None:
    desk.moved(at(sessions(BEFORE)[-12], 18)).populate("alpaca", LIVE__SESSIONS="20")
    desk.moved(at(BEFORE, 18)).populate("alpaca", LIVE__SESSIONS="3")
    stored = [day for (day,) in desk.rows("SELECT DISTINCT session FROM bar_files ORDER BY session")]
    assert stored == [str(day) for day in sessions(BEFORE)[-31:]]
