"""A delivery is stored whole or not at all, twice the same as once, and nothing stored is overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import RefusedError, SourceError, StoreError
from aitrader.domain.frames import QUARANTINE, Delivery
from aitrader.store.store import Store
from tests.store.builders import CALENDAR, NOON, bars, day, delivery, frame, listing, new_store

LATER = NOON + timedelta(days=1)


def filing(symbol: str, known: datetime, **values: float | None) -> dict[str, object]:
    return {
        "symbol": symbol,
        "period_end": date(2023, 12, 31),
        "known_at": known,
        "fiscal_period": "Q4",
        "form": "10-K",
        **values,
    }


def headline(symbol: str, at: datetime, text: str, sentiment: float | None = None) -> dict[str, object]:
    return {"symbol": symbol, "published_at": at, "headline": text, "sentiment": sentiment, "source": "wire"}


def full() -> Delivery:
    known = CALENDAR.scheduled_as_of(day(2))
    return delivery(
        [listing("A", sector="Energy", listed_on=day(0)), listing("B")],
        [*bars("A", range(6)), *bars("B", range(6))],
        caps=[{"symbol": "A", "date": day(1), "market_cap": 5e9}],
        actions=[{"symbol": "A", "ex_date": day(3), "kind": "split", "ratio": 2.0}],
        fundamentals=[filing("A", known, revenue=10.0)],
        news=[headline("B", known, "B rises", 0.5)],
    )


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the lock and the instant at which a delivery was last seen."""
    connection = store._connection
    names = [
        n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'locks'")
    ]
    found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    found["populations"] = [row[:2] + row[3:] for row in found["populations"]]
    return found


def test_the_same_delivery_twice_writes_nothing_new(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    first = store.ingest(full(), at=NOON)
    before, files = tables(store), sorted(path.stat().st_mtime_ns for path in store.home.bars.iterdir())
    second = store.ingest(full(), at=LATER)
    assert (first.changed, second.changed) == (True, False)
    assert not any(second.rows.values())
    assert second.corrected.is_empty()
    assert tables(store) == before
    assert sorted(path.stat().st_mtime_ns for path in store.home.bars.iterdir()) == files
    population = store.population()
    assert population is not None
    assert (population.at, population.seen_at) == (NOON, LATER)


def test_what_was_delivered_is_read_back(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    found = store.ingest(full(), at=NOON)
    assert found.sessions_written == tuple(day(p) for p in range(6))
    assert found.new.rows() == [(1, "A", day(0)), (2, "B", day(0))]
    assert store.sessions() == [day(p) for p in range(6)]
    assert store.bars(day(1)).rows() == [
        (1, 10.0, 10.0, 10.0, 10.0, 1000.0, 5e9),
        (2, 10.0, 10.0, 10.0, 10.0, 1000.0, None),
    ]
    assert store.bars(day(1)).schema["security"] == pl.UInt32
    assert store.bars(day(99)).is_empty()
    known = CALENDAR.scheduled_as_of(day(2))
    assert store.actions().select("security", "ex_date", "kind", "ratio").rows() == [(1, day(3), "split", 2.0)]
    assert store.fundamentals().select("security", "known_at", "revenue", "assets").rows() == [(1, known, 10.0, None)]
    assert store.news().select("security", "published_at", "headline", "sentiment").rows() == [
        (2, known, "B rises", 0.5)
    ]
    assert store.attributes().select("security", "known_on", "sector").rows() == [
        (1, date(1, 1, 1), "Energy"),
        (2, date(1, 1, 1), None),
    ]
    population = store.population()
    assert population is not None
    assert (population.symbols, population.sessions, population.last_session) == (2, 6, day(5))
    assert population.offers == frozenset({"bars.close"})


@pytest.mark.parametrize(
    ("bound", "found"), [(timedelta(0), 1), (timedelta(microseconds=-1), 0), (timedelta(microseconds=1), 1)]
)
def test_nothing_after_the_bound_is_read(tmp_path: Path, bound: timedelta, found: int) -> None:
    store = new_store(tmp_path)
    store.ingest(full(), at=NOON)
    known = CALENDAR.scheduled_as_of(day(2)) + bound
    assert store.fundamentals(known_until=known).height == found
    assert store.news(until=known).height == found
    assert store.fundamentals(known_after=known).height == 1 - found
    assert store.news(after=known).height == 1 - found
    assert store.fundamentals(known_until=known, securities=[2]).height == 0


def test_a_changed_bar_is_a_correction_with_a_file_of_its_own(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(full(), at=NOON)
    digest = store.bar_digests()[day(3)]
    rows = [*bars("A", range(6)), *bars("B", [0, 1, 2, 4, 5]), *bars("B", [3], close=11.0)]
    found = store.ingest(replace(full(), bars=frame(dict(full().bars.schema), rows)), at=LATER)
    assert found.corrected.rows() == [(day(3), 2)]
    assert found.sessions_written == (day(3),)
    assert store.bars(day(3))["close"].to_list() == [10.0, 11.0]
    assert store.bars(day(3), known_until=NOON)["close"].to_list() == [10.0, 10.0]
    assert store.bars(day(3), known_until=NOON - timedelta(seconds=1)).is_empty()
    assert store.bar_digests(known_until=NOON)[day(3)] == digest != store.bar_digests()[day(3)]


@pytest.mark.parametrize(
    ("more", "asked", "changed"),
    [
        ({}, 5, []),
        ({"bars": [*bars("A", range(6)), *bars("B", [0, 1, 2, 4, 5]), *bars("B", [3], close=11.0)]}, 5, [2]),
        ({"bars": [*bars("A", range(6)), *bars("B", [0, 1, 2, 4, 5]), *bars("B", [3], close=11.0)]}, 2, []),
        ({"bars": [*bars("A", range(7)), *bars("B", range(7))]}, 5, []),
        ({"actions": [{"symbol": "B", "ex_date": day(2), "kind": "split", "ratio": 2.0}]}, 5, [2]),
        ({"actions": [{"symbol": "B", "ex_date": day(6), "kind": "split", "ratio": 2.0}]}, 5, []),
        ({"fundamentals": [filing("B", CALENDAR.scheduled_as_of(day(1)), revenue=1.0)]}, 5, [2]),
        ({"news": [headline("A", CALENDAR.scheduled_as_of(day(9)), "later")]}, 5, []),
    ],
)
def test_only_what_a_delivery_changed_in_the_past_is_told_since(
    tmp_path: Path, more: dict[str, list[dict[str, object]]], asked: int, changed: list[int]
) -> None:
    store = new_store(tmp_path)
    first = store.ingest(full(), at=NOON)
    schemas = {name: dict(getattr(full(), name).schema) for name in more}
    later = replace(full(), **{name: frame(schemas[name], rows) for name, rows in more.items()})
    store.ingest(later, at=LATER)
    assert store.changed_since(population=first.population, session=day(asked)).tolist() == changed


def test_missing_values_and_missing_rows_take_nothing_away(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(full(), at=NOON)
    poor = [{**row, "high": None} for row in bars("A", range(6))]
    found = store.ingest(delivery([listing("A"), listing("B")], poor), at=LATER)
    assert found.sessions_written == ()
    assert store.bars(day(1))["high"].to_list() == [10.0, 10.0]
    assert store.bars(day(1))["market_cap"].to_list() == [5e9, None]
    # A forced refresh of a complete source takes its sessions as they are; nulls still overwrite nothing.
    found = store.ingest(delivery([listing("A"), listing("B")], poor), at=LATER, force_refresh=True)
    assert found.corrected["security"].unique().to_list() == [2]
    assert store.bars(day(1)).select("security", "high").rows() == [(1, 10.0)]


def test_a_lost_or_damaged_bar_file_is_written_again_on_a_forced_refresh(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(full(), at=NOON)
    lost, damaged = sorted(store.home.bars.iterdir())[:2]
    lost.unlink()
    damaged.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(StoreError, match=r"damaged.*--force-refresh"):
        store.bars(day(1))
    store.ingest(full(), at=LATER, force_refresh=True)
    assert store.bars(day(0)).height == store.bars(day(1)).height == 2
    assert len(list(store.home.bars.iterdir())) == 6


def test_a_clock_that_was_put_back_does_not_hide_a_correction(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(delivery([listing("A")], bars("A", range(3))), at=NOON)
    for close, at in ((11.0, NOON - timedelta(hours=1)), (12.0, NOON), (13.0, NOON - timedelta(days=9))):
        store.ingest(delivery([listing("A")], bars("A", range(3), close=close)), at=at)
        assert store.bars(day(1))["close"].to_list() == [close]
    assert store.bars(day(1), known_until=NOON)["close"].to_list() == [10.0]


def test_days_without_a_session_never_reach_the_store(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    saturday = date(2025, 7, 12)
    rows = [*bars("A", range(3)), {**bars("A", [0])[0], "date": saturday}]
    found = store.ingest(delivery([listing("A")], rows), at=NOON)
    assert found.quarantined == {"not_a_session": 1}
    assert store.sessions() == [day(0), day(1), day(2)]


@pytest.mark.parametrize(("symbols", "refused"), [(9, False), (8, True)])
def test_a_discovery_under_nine_tenths_of_the_last_changes_nothing(tmp_path: Path, symbols: int, refused: bool) -> None:
    store = new_store(tmp_path)
    rows = [listing(f"S{n}") for n in range(10)]
    prices = [bar for n in range(10) for bar in bars(f"S{n}", range(3))]
    store.ingest(delivery(rows, prices), at=NOON)
    before = tables(store)
    shrunk = delivery(rows[:symbols], [bar for n in range(symbols) for bar in bars(f"S{n}", range(5))])
    if not refused:
        assert store.ingest(shrunk, at=LATER).closed["symbol"].to_list() == ["S9"]
        return
    with pytest.raises(RefusedError, match=r"8 symbols, the last one 10.*accept-shrink"):
        store.ingest(shrunk, at=LATER)
    assert tables(store) == before
    assert store.ingest(shrunk, at=LATER, accept_shrink=True).closed["symbol"].to_list() == ["S8", "S9"]


def test_a_source_that_delivers_nothing_is_an_error(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with pytest.raises(SourceError, match="no listed symbol"):
        store.ingest(delivery(), at=NOON)


def test_attributes_count_from_the_day_they_were_known(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.ingest(delivery([listing("A", sector="Energy", shares_outstanding=1e6)], bars("A", range(3))), at=NOON)
    store.ingest(delivery([listing("A", sector="Tech", shares_outstanding=None)], bars("A", range(6))), at=LATER)
    assert store.attributes().select("known_on", "sector", "shares_outstanding").rows() == [
        (date(1, 1, 1), "Energy", 1e6),
        (day(5), "Tech", 1e6),
    ]
    assert store.securities()["sector"].to_list() == ["Tech"]
    dated = [listing("A", sector="Energy", known_on=day(0)), listing("A", sector="Tech", known_on=day(5))]
    assert not store.ingest(delivery(dated, bars("A", range(6))), at=LATER).rows["attributes"]
    store.ingest(delivery([listing("A", sector=None)], bars("A", range(7))), at=LATER)
    assert store.attributes()["sector"].to_list() == ["Energy", "Tech"]


def test_dated_attributes_with_an_undated_beginning_are_the_same_twice_and_revised_in_their_place(
    tmp_path: Path,
) -> None:
    def told(exchange: str) -> Delivery:
        rows = [
            listing("A", sector=None),
            listing("A", sector="Energy", known_on=day(1)),
            {**listing("A", sector="Tech", known_on=day(9)), "exchange": exchange},
        ]
        return delivery(rows, bars("A", range(3)))

    store = new_store(tmp_path)
    store.ingest(told("NYSE"), at=NOON)
    stored = [(date(1, 1, 1), None, "NYSE"), (day(1), "Energy", "NYSE"), (day(9), "Tech", "NYSE")]
    assert store.attributes().select("known_on", "sector", "exchange").rows() == stored
    assert not store.ingest(told("NYSE"), at=LATER).changed
    assert store.ingest(told("NASDAQ"), at=LATER).rows["attributes"] == 1
    assert store.attributes().select("known_on", "exchange").rows()[2] == (day(9), "NASDAQ")
    assert store._connection.execute("SELECT count(*) FROM company_attributes").fetchone() == (4,)
    assert not store.ingest(told("NASDAQ"), at=LATER).changed


def test_a_changed_filing_is_a_revision_known_from_its_arrival(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    known = CALENDAR.scheduled_as_of(day(2))
    one = delivery([listing("A")], bars("A", range(3)), fundamentals=[filing("A", known, revenue=10.0, assets=5.0)])
    two = delivery([listing("A")], bars("A", range(3)), fundamentals=[filing("A", known, revenue=12.0)])
    store.ingest(one, at=NOON)
    assert store.ingest(two, at=LATER).rows["fundamentals"] == 1
    assert store.fundamentals().select("known_at", "revenue", "assets").rows() == [
        (known, 10.0, 5.0),
        (LATER, 12.0, 5.0),
    ]
    for again in (two, one, two):
        store.ingest(again, at=LATER + timedelta(days=1))
    assert store.fundamentals().height == 2


def test_a_revision_that_arrives_before_its_filing_counts_is_told_once(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    known = LATER + timedelta(days=30)
    for revenue, rows in ((10.0, 1), (12.0, 1), (12.0, 0)):
        told = delivery([listing("A")], bars("A", range(3)), fundamentals=[filing("A", known, revenue=revenue)])
        more = replace(told, notices=(str(rows),))  # so that it is not the same delivery again
        assert store.ingest(more, at=NOON).rows["fundamentals"] == rows
    assert sorted(store.fundamentals()["revenue"]) == [10.0, 12.0]


def test_a_changed_action_stands_as_last_told_and_late_ones_are_reported(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    def told(ratio: float, *more: dict[str, object]) -> Delivery:
        split = {"symbol": "A", "ex_date": day(1), "kind": "split", "ratio": ratio}
        return delivery([listing("A")], bars("A", range(3)), actions=[split, *more])

    assert store.ingest(told(2.0), at=NOON).late_actions.is_empty()
    late = store.ingest(told(3.0), at=LATER)
    assert late.late_actions.rows() == [(1, day(1), "split")]
    assert store.actions().select("ratio", "known_at").rows() == [(3.0, LATER)]
    assert store.ingest(told(3.0), at=LATER).rows["corporate_actions"] == 0
    cash = {"symbol": "A", "ex_date": day(2), "kind": "dividend"}
    store.ingest(told(3.0, {**cash, "cash": 0.25}, {**cash, "cash": 0.5}, {**cash, "cash": 0.5}), at=LATER)
    assert store.actions().filter(pl.col("kind") == "dividend")["cash"].to_list() == [0.75]


def test_a_known_headline_only_gains_the_sentiment_that_it_lacked(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    at = CALENDAR.scheduled_as_of(day(1))
    for value in (None, 0.25, -1.0, None):
        store.ingest(delivery([listing("A")], bars("A", range(3)), news=[headline("A", at, "x", value)]), at=NOON)
    assert store.news().select("headline", "sentiment").rows() == [("x", 0.25)]


def test_reference_rows_follow_whoever_held_the_symbol_then(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    rows = [listing("X", listed_on=day(0), delisted_on=day(10)), listing("X", listed_on=day(12))]
    prices = [*bars("X", range(10)), *bars("X", range(12, 20))]
    texts = {p: headline("X", CALENDAR.scheduled_as_of(day(p)), f"on {p}") for p in (5, 11, 12, 15)}
    found = store.ingest(
        delivery(
            rows,
            prices,
            news=[*texts.values(), headline("NOBODY", NOON, "lost"), headline("NOBODY", NOON, "lost too")],
            actions=[{"symbol": "X", "ex_date": day(10), "kind": "delisting"}],
        ),
        at=NOON,
    )
    owners = dict(store.news().select("headline", "security").iter_rows())
    assert owners == {"on 5": 1, "on 11": 1, "on 12": 2, "on 15": 2}
    assert store.actions()["security"].to_list() == [1]
    assert found.quarantined == {"unknown_symbol": 1}
    assert store._connection.execute("SELECT symbol, detail FROM quarantine").fetchall() == [("NOBODY", "2 rows")]


def test_quarantined_rows_are_kept_with_their_reason(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    bad = frame(QUARANTINE, [{"file": "bars", "row": 7, "symbol": "A", "reason": "negative_price", "detail": "-1"}])
    found = store.ingest(replace(full(), quarantine=bad), at=NOON)
    assert found.quarantined == {"negative_price": 1}
    assert store.reader.quarantine_counts() == {"negative_price": 1}


def test_symbols_that_look_like_values_stay_symbols(tmp_path: Path) -> None:
    names = ["NA", "NAN", "TRUE", "ON", "BRK.B", "ABR-P-D", "1"]
    store = new_store(tmp_path)
    store.ingest(delivery([listing(n) for n in names], [b for n in names for b in bars(n, range(2))]), at=NOON)
    assert sorted(store.securities()["symbol"]) == sorted(names)
    assert store.reader.company(store.reader.resolve_symbol("NAN")).symbol == "NAN"


def test_instants_survive_to_the_microsecond_and_sort_as_text(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    at = datetime(2024, 1, 3, 20, 0, 0, tzinfo=UTC)
    moments = [at, at + timedelta(microseconds=1), at + timedelta(milliseconds=500), at + timedelta(seconds=1)]
    store.ingest(
        delivery([listing("A")], bars("A", range(3)), news=[headline("A", m, str(m)) for m in reversed(moments)]),
        at=NOON,
    )
    assert store.news()["published_at"].to_list() == moments
    assert store.news(after=at)["published_at"].to_list() == moments[1:]
    assert store.news(until=moments[1])["published_at"].to_list() == moments[:2]


def test_progress_tells_how_far_the_sessions_are(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    new_store(tmp_path).ingest(full(), at=NOON, progress=lambda *step: told.append(step))
    assert {what for what, _, _ in told} == {"securities", "bars", "reference data", "tables"}
    assert sorted(done for what, done, _ in told if what == "bars") == [1, 2, 3, 4, 5, 6]
