"""One market that several sources fill: each adds what it knows, and none takes away what another told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aitrader.domain.errors import RefusedError, StoreError
from aitrader.domain.frames import PROVENANCE, QUARANTINE, SECURITIES, Delivery
from aitrader.providers.manual import ManualSource
from aitrader.store import deliveries, ingest
from aitrader.store.population import Population
from aitrader.store.reference import ATTRIBUTES, new_attributes
from aitrader.store.store import Store
from tests.store.builders import CALENDAR, NOON, bars, change, day, delivery, frame, listing, new_store
from tests.store.test_ingest import filing, headline, tables

HOUR = timedelta(hours=1)
SYMBOLS = [f"S{number}" for number in range(10)]


def alpaca(positions: range = range(6), symbols: list[str] = SYMBOLS, **more: Any) -> Delivery:
    """A complete source that knows every attribute."""
    rows = [listing(symbol, sector="Energy", industry="Oil", cik=symbol, figi=f"F{symbol}") for symbol in symbols]
    prices = [bar for symbol in symbols for bar in bars(symbol, positions)]
    offers = frozenset({"bars.close", "securities.sector"})
    return replace(delivery(rows, prices, source="alpaca", cumulative=True, **more), offers=offers)


def partly(listings: list[dict[str, Any]], offers: frozenset[str] = frozenset(), **more: Any) -> Delivery:
    """A source that says nothing about what it leaves out."""
    return replace(delivery(listings, source="manual", partial=True, cumulative=True, **more), offers=offers)


def last(store: Store) -> Population:
    found = store.population()
    assert found is not None
    return found


# --- what is offered, and on which basis ---


def test_what_one_source_offers_stays_offered_when_another_delivers(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(missing={"max_spread_pct": "skip", "min_pe": "fail"}), at=NOON)
    more = partly([listing("S1")], frozenset({"securities.name"}), missing={"min_pe": "skip"})
    store.ingest(more, at=NOON + HOUR)
    assert last(store).offers == {"bars.close", "securities.sector", "securities.name"}
    assert last(store).missing == {"max_spread_pct": "skip", "min_pe": "skip"}
    assert (last(store).first_session, last(store).last_session, last(store).sessions) == (day(0), day(5), 6)


def test_a_source_with_a_market_of_its_own_says_itself_what_it_offers(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(replace(alpaca(), cumulative=False), at=NOON)
    store.ingest(replace(alpaca(), cumulative=False, offers=frozenset({"bars.close"})), at=NOON + HOUR)
    assert last(store).offers == {"bars.close"}


@pytest.mark.parametrize("other", ["split", "all"])
def test_prices_on_two_bases_are_never_mixed(tmp_path: Path, other: str) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    before = tables(store)
    with pytest.raises(RefusedError, match=rf"delivers {other} prices.*holds raw ones") as caught:
        store.ingest(replace(alpaca(range(7)), adjustment=other), at=NOON + HOUR)
    assert caught.value.do
    assert tables(store) == before


@pytest.mark.parametrize(
    ("sources", "named"),
    [
        ([], None),
        (["manual"], "manual"),
        (["alpaca"], "alpaca"),
        (["alpaca", "manual", "manual"], "alpaca"),
        (["manual", "alpaca", "manual", "polygon"], "polygon"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_a_market_is_that_of_its_last_complete_source(tmp_path: Path, sources: list[str], named: str | None) -> None:
    store = new_store(tmp_path)
    for at, source in enumerate(sources):
        given = partly([listing("S1")]) if source == "manual" else replace(alpaca(), source=source)
        store.ingest(replace(given, notices=(str(at),)), at=NOON)
    assert store.source() == named


# --- the shrink guard ---


@pytest.mark.parametrize(
    ("source", "symbols", "refused"),
    [
        ("alpaca", 9, False),
        ("alpaca", 8, True),  # its own last discovery had ten
        ("polygon", 4, False),  # its own had four
        ("polygon", 3, True),
        ("nasdaq", 4, False),  # it made none: the last complete one was polygon's
        ("nasdaq", 3, True),
    ],
)
def test_a_discovery_is_measured_against_the_same_sources_last_one(
    tmp_path: Path, source: str, symbols: int, refused: bool
) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    # A few symbols of the other source shrink the market, which somebody accepted.
    store.ingest(replace(alpaca(symbols=SYMBOLS[:4]), source="polygon"), at=NOON + HOUR, accept_shrink=True)
    store.ingest(partly([listing("S1")]), at=NOON + 2 * HOUR)
    again = replace(alpaca(symbols=SYMBOLS[:symbols]), source=source)
    if not refused:
        assert store.ingest(again, at=NOON + 3 * HOUR).symbols == symbols
        return
    with pytest.raises(RefusedError, match=f"discovery returned {symbols} symbols"):
        store.ingest(again, at=NOON + 3 * HOUR)


# --- what is partial ---


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"fundamentals": [filing("S1", CALENDAR.scheduled_as_of(day(2)), revenue=5.0)]},
        {"actions": [{"symbol": "S2", "ex_date": day(3), "kind": "split", "ratio": 2.0}]},
        {"news": [headline("S3", CALENDAR.scheduled_as_of(day(2)), "S3 rises")]},
    ],
    ids=["nothing", "fundamentals", "actions", "news"],
)
def test_a_refresh_without_listings_and_bars_changes_nothing_else(tmp_path: Path, more: dict[str, Any]) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    before, population = tables(store), last(store)
    found = store.ingest(partly([], **more), at=NOON + HOUR)
    after = tables(store)
    touched = {"fundamentals", "actions", "news"} & set(more)
    names = {"actions": "corporate_actions"}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"populations"} | {names.get(name, name) for name in touched}
    assert (found.new.height, found.closed.height, found.sessions_written, found.symbols) == (0, 0, (), 0)
    assert last(store).offers == population.offers
    assert last(store).partial


def test_a_manual_list_keeps_what_a_vendor_told(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("S0\nS1,NYSE,unknown\nS2,,,\nNEW,NASDAQ,common,New Inc\n")
    store = new_store(tmp_path / "home")
    store.ingest(alpaca(provenance=told(S1="name:alpaca")), at=NOON)
    facts = ["symbol", "name", "exchange", "security_type", "sector", "industry", "cik", "figi", "active", "provenance"]
    before, prices = store.securities().select(facts), [store.bars(session) for session in store.sessions()]
    listed = ManualSource(path).deliver()
    assert (listed.partial, listed.cumulative) == (True, True)
    found = store.ingest(listed, at=NOON + HOUR)
    assert (found.new["symbol"].to_list(), found.closed.height) == (["NEW"], 0)
    after = store.securities()
    assert after.select(facts).filter(pl.col("symbol") != "NEW").equals(before)
    assert after.filter(symbol="NEW").select("name", "exchange", "active").rows() == [("New Inc", "NASDAQ", True)]
    assert all(store.bars(s).equals(was) for s, was in zip(store.sessions(), prices, strict=True))
    assert "securities.sector" in last(store).offers
    # The next complete discovery is measured against the vendor's, not against the list.
    store.ingest(alpaca(range(7), SYMBOLS[:9]), at=NOON + 2 * HOUR)


def test_the_past_that_a_partial_source_adds_is_known_from_now_on(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    past = partly([listing("S1", sector="Tech")])
    past = replace(past, bars=frame(dict(past.bars.schema), bars("S1", range(-5, 0))))
    store.ingest(past, at=NOON + HOUR)
    assert store.attributes().filter(pl.col("sector") == "Tech")["known_on"].to_list() == [day(5)]
    assert store.securities().filter(symbol="S1").select("first_bar", "last_bar").rows() == [(day(-5), day(5))]


# --- attributes ---

TOLD = {"sector": "Energy", "industry": "Oil", "cik": "7", "figi": "F7", "shares_outstanding": 5e6}


@pytest.mark.parametrize("name", [name for name in SECURITIES if name in ingest.reference.ATTRIBUTES])
@pytest.mark.parametrize("dated", [False, True], ids=["undated", "dated"])
def test_a_null_never_overwrites_what_was_told(tmp_path: Path, name: str, dated: bool) -> None:
    store = new_store(tmp_path)
    store.ingest(delivery([listing("A", **TOLD)], bars("A", range(3))), at=NOON)
    again = {**listing("A", **TOLD), name: None, "known_on": day(4) if dated else None}
    again["industry" if name != "industry" else "sector"] = "Other"  # so that the row says something
    store.ingest(delivery([again], bars("A", range(6))), at=NOON + HOUR)
    kept = store.attributes()[name].to_list()
    assert len(kept) == 2
    assert kept[0] == kept[1] is not None
    if name != "shares_outstanding":
        assert store.securities()[name].to_list() == [kept[0]]


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        ("common", "unknown", "common"),
        ("unknown", "common", "common"),
        ("etf", "common", "common"),
        ("unknown", "unknown", "unknown"),
        (None, "unknown", "unknown"),
        ("unknown", None, "unknown"),
        ("common", None, "common"),
    ],
)
def test_an_unknown_type_replaces_no_known_one(
    tmp_path: Path, first: str | None, then: str | None, stands: str
) -> None:
    store = new_store(tmp_path)
    for kind, length in ((first, 3), (then, 6), (None, 7)):
        store.ingest(delivery([{**listing("A"), "security_type": kind}], bars("A", range(length))), at=NOON)
    assert store.securities()["security_type"].to_list() == [stands]
    assert store.attributes()["security_type"].to_list()[-1] == stands


@pytest.mark.parametrize(
    ("days", "shares", "rows"),
    [(1, 100.0, 1), (89, 100.0, 1), (90, 100.0, 2), (90, None, 1), (1, 200.0, 2)],
)
def test_a_count_of_shares_told_again_long_after_still_holds(days: int, shares: float | None, rows: int) -> None:
    first, then = date(2026, 1, 5), date(2026, 1, 5) + timedelta(days=days)
    nothing = counts().drop("from_date", "first")
    stored = new_attributes(nothing, counts(100.0, first), first)
    added = new_attributes(stored, counts(shares), then)
    assert stored.height + added.height == rows
    assert added["known_on"].to_list() == [then] * (rows - 1)
    assert new_attributes(stored, counts(shares, then), then).height == rows - 1, "whether it is dated or not"


def test_a_count_that_holds_always_is_not_renewed() -> None:
    always = date(1, 1, 1)
    stored = new_attributes(counts().drop("from_date", "first"), counts(100.0, always), always)
    assert new_attributes(stored, counts(100.0), date(2026, 1, 5)).is_empty()


def counts(*told: float | date | None) -> pl.DataFrame:
    """One listing's attributes as a delivery: its shares and the day from which they count."""
    schema = {"security": pl.UInt32, "known_on": pl.Date, **dict.fromkeys(ATTRIBUTES, pl.String)}
    schema |= {"shares_outstanding": pl.Float64, "from_date": pl.Date, "first": pl.Boolean}
    if not told:
        return pl.DataFrame(schema=schema)
    shares, known_on = told if len(told) == 2 else (*told, None)
    row = {"security": 1, "name": "A", "shares_outstanding": shares, "known_on": known_on, "from_date": date(1, 1, 1)}
    return pl.DataFrame([row | {"first": True}], schema=schema)


# --- provenance ---


def told(**by_symbol: str | None) -> pl.DataFrame:
    rows = [{"symbol": symbol, "provenance": text} for symbol, text in by_symbol.items()]
    return frame(PROVENANCE, rows)


def test_the_provenance_of_each_attribute_is_kept_as_last_told(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(provenance=told(S1="name:alpaca", S2="name:alpaca sector:sec", NOBODY="name:x")), at=NOON)
    store.ingest(partly([], provenance=told(S2="name:polygon", S3="name:polygon")), at=NOON + HOUR)
    store.ingest(partly([listing("S1"), listing("S2")], provenance=told(S3=None)), at=NOON + 2 * HOUR)
    kept = dict(store.securities().select("symbol", "provenance").drop_nulls().iter_rows())
    assert kept == {"S1": "name:alpaca", "S2": "name:polygon sector:sec", "S3": "name:polygon"}
    reader = store.reader
    assert reader.company(reader.resolve_symbol("S2")).provenance == "name:polygon sector:sec"


def test_provenance_follows_a_security_to_its_new_symbol(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(delivery([listing("OLD")], bars("OLD", range(6)), provenance=told(OLD="name:alpaca")), at=NOON)
    renamed = delivery([listing("NEW")], bars("NEW", range(6, 8)), actions=[change("OLD", "NEW", 6)])
    store.ingest(renamed, at=NOON + HOUR)
    assert store.securities().select("symbol", "provenance").rows() == [("NEW", "name:alpaca")]


def test_conflicts_between_sources_are_kept_in_quarantine(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    row = {"file": "merge", "symbol": "S1", "reason": "conflict", "detail": "security_type: etf, common"}
    store.ingest(alpaca(quarantine=frame(QUARANTINE, [row])), at=NOON)
    assert store.reader.quarantine_counts() == {"conflict": 1}


# --- nothing is lost on the way ---


def without(connection: Any, changes: Any, lost: tuple[str, ...], write: Any) -> None:
    kept = changes.companies.filter(~pl.col("symbol").is_in(list(lost)))
    write(connection, replace(changes, companies=kept))


@pytest.mark.parametrize("lost", [("S4",), tuple(SYMBOLS[:7])], ids=["one", "many"])
def test_a_listing_that_is_not_written_rolls_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: tuple[str, ...]
) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(symbols=["A", "B"]), at=NOON)
    before = tables(store)
    write = ingest.write_company_changes
    monkeypatch.setattr(ingest, "write_company_changes", lambda c, changes: without(c, changes, lost, write))
    whole = alpaca(symbols=["A", "B", *SYMBOLS])
    with pytest.raises(StoreError) as caught:
        store.ingest(whole, at=NOON + HOUR)
    text = str(caught.value)
    assert f"{len(lost)} of 12 delivered listings did not arrive" in text
    assert [symbol for symbol in SYMBOLS if symbol in text] == list(lost[:5])
    assert tables(store) == before
    monkeypatch.undo()
    assert store.ingest(whole, at=NOON + HOUR).symbols == store.securities()["active"].sum() == 12


def test_a_listing_that_the_resolution_forgets_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = ingest.resolve

    def forgetful(**given: Any) -> Any:
        found = resolve(**given)
        return replace(found, rows=found.rows.head(-1))

    monkeypatch.setattr(ingest, "resolve", forgetful)
    with pytest.raises(StoreError, match="1 of 10 delivered listings did not arrive in the store: S9"):
        new_store(tmp_path).ingest(alpaca(), at=NOON)


@pytest.mark.parametrize("reason", deliveries.ENDED)
def test_what_was_ended_for_a_reason_is_not_lost(tmp_path: Path, reason: str) -> None:
    store = new_store(tmp_path)
    store.ingest(alpaca(), at=NOON)
    store._connection.execute("UPDATE companies SET active = 0, closed_by = ? WHERE symbol = 'S3'", (reason,))
    ids = store.securities().select("symbol", security="id")
    deliveries.check_complete(store._connection, ids)
    store._connection.execute("UPDATE companies SET closed_by = 'absence' WHERE symbol = 'S3'")
    with pytest.raises(StoreError, match=r"1 of 10 .*: S3:"):
        deliveries.check_complete(store._connection, ids)
