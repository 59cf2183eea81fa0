"""Publication is atomic, tells the outbox what changed, and never replaces a good layer by a collapsed one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.domain.errors import RefusedError, StoreError
from aitrader.store.publish import Published
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, day, delivery, listing, new_store, scan_run

MEMBERS = {1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3, 4], 3: [1, 2]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    names = [f"S{n:03d}" for n in range(1, 21)]
    opened = new_store(tmp_path)
    opened.ingest(
        delivery([listing(n, listed_on=day(0)) for n in names], [b for n in names for b in bars(n, range(9))]), at=NOON
    )
    return opened


def events(store: Store) -> list[tuple[str, str | None, int | None, str | None]]:
    return store._connection.execute(
        "SELECT name, symbol, layer, cause FROM events WHERE name <> 'layer.completed' ORDER BY seq"
    ).fetchall()


def standing(store: Store) -> dict[str, tuple[int, int | None]]:
    rows = store._connection.execute("SELECT symbol, active, layer_qualification FROM companies").fetchall()
    return {symbol: (active, layer) for symbol, active, layer in rows}


def test_a_published_run_is_read_back(store: Store) -> None:
    run = scan_run("r1", day(5), MEMBERS, header={"skipped": ["min_market_cap"]})
    assert store.publish([run], at=NOON) == Published(active_run="r1", runs=1, events=7)
    found = store.reader.active_run()
    assert found is not None
    assert (found.run_id, found.session, found.as_of, found.published_at) == ("r1", day(5), run.as_of, NOON)
    assert found.header == {"skipped": ["min_market_cap"]}
    assert np.array_equal(store.membership("r1"), run.membership)
    assert store.detail("r1").equals(run.detail)
    assert [layer.symbols for layer in store.reader.layers("r1")] == [20, 6, 4, 2]
    assert [member.symbol for member in store.reader.members("r1", 2)] == ["S001", "S002", "S003", "S004"]


def test_the_first_publication_tells_the_universe_and_layer_3_alone(store: Store) -> None:
    store.publish([scan_run("r1", day(4), MEMBERS), scan_run("r2", day(5), {**MEMBERS, 3: [1, 2, 3]})], at=NOON)
    assert events(store) == [
        ("symbol.qualified", "S001", 3, "passed"),
        ("symbol.qualified", "S002", 3, "passed"),
        ("symbol.qualified", "S003", 3, "passed"),
        ("universe.updated", None, None, None),
    ]
    completed = store._connection.execute("SELECT run_id, layer FROM events WHERE name = 'layer.completed'").fetchall()
    assert completed == [(run, layer) for run in ("r1", "r2") for layer in (0, 1, 2, 3)]


def test_later_publications_tell_each_change_with_its_cause(store: Store) -> None:
    store.publish([scan_run("r1", day(4), MEMBERS)], at=NOON)
    store._connection.execute("DELETE FROM events")
    run = scan_run("r2", day(5), {1: [1, 2, 3, 5, 6, 7], 2: [1, 3, 5], 3: [1, 3]}, previous="r1")
    store.publish([run], at=NOON)
    assert events(store) == [
        ("symbol.qualified", "S007", 1, "passed"),
        ("symbol.qualified", "S005", 2, "passed"),
        ("symbol.qualified", "S003", 3, "passed"),
        ("symbol.disqualified", "S004", 1, "rule1"),
        ("symbol.disqualified", "S002", 2, "rule2"),
        ("symbol.disqualified", "S004", 2, "layer 1: rule1"),
        ("symbol.disqualified", "S002", 3, "layer 2: rule2"),
        ("universe.updated", None, None, None),
    ]
    row = store._connection.execute("SELECT * FROM events WHERE name = 'universe.updated'").fetchone()
    assert json.loads(row[-1]) == {
        "layers": {"0": 20, "1": 6, "2": 3, "3": 2},
        "entered": 3,
        "left": 4,
        "previous_run": "r1",
    }
    assert row[3:9] == (1, "2025-07-01T12:00:00Z", "r2", str(day(5)), "development", "dataset-test")


def test_a_security_that_no_layer_judges_any_more_has_left_the_listings(store: Store) -> None:
    store.publish([scan_run("r1", day(4), MEMBERS)], at=NOON)
    gone = scan_run("r2", day(5), MEMBERS)
    kept = gone.qualifications.filter(pl.col("security") != 2)
    store.publish([scan_run("r2", day(5), MEMBERS, qualifications=kept)], at=NOON)
    assert ("symbol.disqualified", "S002", 3, "not listed") in events(store)


def test_companies_hold_the_highest_layer_of_the_active_run(store: Store) -> None:
    store.publish([scan_run("r1", day(4), MEMBERS)], at=NOON)
    assert standing(store)["S001"] == (1, 3)
    assert standing(store)["S004"] == (1, 2)
    assert standing(store)["S006"] == (1, 1)
    assert standing(store)["S020"] == (1, 0)
    store.publish([scan_run("r2", day(5), {1: [1, 2, 3, 4, 5, 6], 2: [2, 3, 4], 3: [2, 4]})], at=NOON)
    assert standing(store)["S001"] == (1, 1)
    assert standing(store)["S004"] == (1, 3)


def test_companies_delisted_by_the_runs_session_are_not_active(store: Store) -> None:
    names = [f"S{n:03d}" for n in range(1, 21)]
    rows = [listing(n, listed_on=day(0), delisted_on=day(6) if n == "S020" else None) for n in names]
    store.ingest(delivery(rows, [b for n in names for b in bars(n, range(9 if n != "S020" else 6))]), at=NOON)
    store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON)
    assert standing(store)["S020"] == (1, 0)
    store.publish([scan_run("r2", day(6), MEMBERS)], at=NOON)
    assert standing(store)["S020"] == (0, None)


@pytest.mark.parametrize(
    ("layers", "refused"),
    [
        ({1: [1, 2, 3], 2: [1, 2], 3: [1]}, None),  # exactly half
        ({1: [1, 2], 2: [1, 2], 3: [1]}, 1),
        ({1: [1, 2, 3], 2: [1], 3: [1]}, None),  # Layers 2 and 3 move with the market
        ({1: [1, 2, 3], 2: [], 3: [1]}, 2),
        ({1: [1, 2, 3], 2: [1, 2], 3: []}, 3),
        ({1: [], 2: [], 3: []}, 1),
    ],
)
def test_a_collapsed_layer_is_refused_and_the_last_good_one_stays(
    store: Store, layers: dict[int, list[int]], refused: int | None
) -> None:
    store.publish([scan_run("r1", day(4), MEMBERS)], at=NOON)
    run = scan_run("r2", day(5), layers)
    if refused is None:
        assert store.publish([run], at=NOON).active_run == "r2"
        return
    with pytest.raises(RefusedError, match=rf"layer {refused} of {day(5)} has .* the published one.*--force"):
        store.publish([run], at=NOON)
    found = store.reader.active_run()
    assert found is not None
    assert found.run_id == "r1"
    assert store._connection.execute("SELECT count(*) FROM scan_runs").fetchone() == (1,)
    assert store.publish([run], at=NOON, force=True).active_run == "r2"


def test_an_empty_layer_stands_where_nothing_good_was_published_before(store: Store) -> None:
    assert store.publish([scan_run("r1", day(4), {1: [1], 2: [], 3: []})], at=NOON).active_run == "r1"
    assert store.publish([scan_run("r2", day(5), {1: [1], 2: [], 3: []})], at=NOON).active_run == "r2"


def test_an_older_session_is_kept_and_read_by_date_but_moves_no_pointer(store: Store) -> None:
    store.publish([scan_run("r5", day(5), MEMBERS)], at=NOON)
    store.publish([scan_run("r3", day(3), {1: [9], 2: [9], 3: [9]})], at=NOON)
    reader = store.reader
    active, older = reader.active_run(), reader.run_for_session(day(3))
    assert active is not None
    assert older is not None
    assert (active.run_id, older.run_id) == ("r5", "r3")
    assert standing(store)["S009"] == (1, 0)
    assert ("symbol.qualified", "S009", 3, "passed") not in events(store)


def test_a_revision_of_a_session_stands_and_both_runs_are_kept(store: Store) -> None:
    store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON)
    store.publish([scan_run("r1b", day(5), {**MEMBERS, 3: [1, 3]}, kind="requalification")], at=NOON)
    standing_run = store.reader.run_for_session(day(5))
    assert standing_run is not None
    assert standing_run.run_id == "r1b"
    assert store.reader.run("r1").kind == "final"
    assert events(store)[-3:-1] == [
        ("symbol.qualified", "S003", 3, "passed"),
        ("symbol.disqualified", "S002", 3, "rule3"),
    ]


def test_a_run_published_again_changes_nothing_and_never_its_result(store: Store) -> None:
    store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON)
    assert store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON) == Published(active_run="r1", runs=0, events=0)
    with pytest.raises(StoreError, match=r"published already.*never rewritten"):
        store.publish([scan_run("r1", day(5), MEMBERS, result="other")], at=NOON)


def test_files_that_no_run_reaches_are_swept_when_the_store_is_opened_for_writing(store: Store) -> None:
    store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON)
    strays = [store.home.runs / "2024-01-02.detail.dead.parquet", store.home.bars / ".x.parquet.1.tmp"]
    for stray in strays:
        stray.write_bytes(b"left by a crash")
    home = store.home
    store.close()
    with Reader.open(home):
        assert all(stray.exists() for stray in strays)
    with Store.open(home, write=True) as again:
        assert not any(stray.exists() for stray in strays)
        assert again.detail("r1").height == 20
        assert again.bars(day(0)).height == 20


def test_a_changed_run_file_is_never_believed(store: Store) -> None:
    store.publish([scan_run("r1", day(5), MEMBERS)], at=NOON)
    path = store.home.runs / store.reader.run("r1").membership_file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"not what was published.*scan --as-of"):
        store.membership("r1")


def test_ten_thousand_securities_with_thirty_factors_stay_near_two_megabytes(tmp_path: Path) -> None:
    size, generator = 10_500, np.random.default_rng(7)
    prices = np.round(np.exp(generator.normal(3, 1, size)), 2)
    factors = {f"factor{n}": prices * (1 + np.round(generator.normal(0, 0.05, size), 4)) for n in range(26)}
    detail = pl.DataFrame(
        {
            "security": np.arange(1, size + 1, dtype=np.uint32),
            "symbol": [f"S{n:05d}" for n in range(size)],
            **factors,
            "bar_date": [day(5)] * size,
            **{f"L1.criterion{n}": generator.integers(0, 2, size).astype(np.uint8) for n in range(20)},
        }
    ).with_columns(pl.when(pl.col("security") % 4 == 0).then(None).otherwise(pl.col("^factor.*$")).name.keep())
    store = new_store(tmp_path)
    store.publish([scan_run("r1", day(5), MEMBERS, detail=detail)], at=NOON)
    run = store.reader.run("r1")
    assert (store.home.runs / run.detail_file).stat().st_size <= 2_000_000
    row = store.reader.detail_row(run, 7_001)
    assert row is not None
    assert row["symbol"] == "S07000"
    assert row["factor3"] == detail["factor3"][7_000]
