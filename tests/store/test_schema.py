"""Migrations are ordered, named and applied once; a newer store is refused by every way in."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import StoreError
from aitrader.store import schema
from aitrader.store.bars import by_session
from aitrader.store.home import Home
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, day, delivery, listing, new_store


def test_migrations_are_in_order_without_holes_and_named() -> None:
    assert [m.version for m in schema.MIGRATIONS] == list(range(1, schema.LATEST + 1))
    assert len({m.name for m in schema.MIGRATIONS}) == schema.LATEST


def test_a_new_store_is_at_the_latest_version(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    rows = store._connection.execute("SELECT version, name FROM schema_version ORDER BY version").fetchall()
    assert rows == [(m.version, m.name) for m in schema.MIGRATIONS]
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    home = store.home
    store._connection.execute("INSERT INTO schema_version VALUES (?, 'from the future')", (schema.LATEST + 1,))
    for opening in (
        lambda: Reader.open(home),
        lambda: Store.open(home, write=False),
        lambda: Store.open(home, write=True),
    ):
        with pytest.raises(StoreError, match=rf"schema version {schema.LATEST + 1}.*upgrade the program"):
            opening()


def test_an_older_store_is_migrated_when_written_and_refused_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_store(tmp_path).home
    later = schema.Migration(schema.LATEST + 1, "notes", ("CREATE TABLE notes (text TEXT)",))
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))
    monkeypatch.setattr(schema, "LATEST", later.version)
    monkeypatch.setattr("aitrader.store.database.LATEST", later.version)
    with pytest.raises(StoreError, match="universe --populate"):
        Reader.open(home)
    for _ in range(2):
        with Store.open(home, write=True) as store:
            assert store._connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    with Reader.open(home) as reader:
        assert reader.active_run() is None


FROZEN = {1: "754f335d02810c19"}


@pytest.mark.parametrize("version", FROZEN)
def test_a_migration_that_stores_were_made_with_never_changes(version: int) -> None:
    text = "\n".join(" ".join(one.split()) for one in schema.MIGRATIONS[version - 1].statements)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FROZEN[version]


def version_1(root: Path) -> Home:
    """A store as the first version wrote it: one security with one session's bars."""
    home = Home(root, "development", "dataset-test")
    for folder in (home.path, home.bars, home.runs, home.checkpoints, home.logs):
        folder.mkdir(parents=True)
    frame = pl.DataFrame({"security": [1], "date": [day(0)]}, schema={"security": pl.UInt32, "date": pl.Date})
    frame = frame.with_columns(
        **{name: pl.lit(10.0) for name in ("open", "high", "low", "close")}, volume=pl.lit(1000.0)
    )
    ((_, values, digest),) = by_session(frame.with_columns(market_cap=pl.lit(None, dtype=pl.Float64)))
    values.write_parquet(home.bars / "a.parquet")
    with sqlite3.connect(home.database) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        for statement in schema.MIGRATIONS[0].statements:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (1, 'securities, reference data, runs and outbox')")
        connection.execute(
            "INSERT INTO companies VALUES (1, 'A', 'A Inc', 'NYSE', 'common', NULL, NULL, NULL, NULL, ?, NULL, NULL, "
            "1, 1, 1, 3, 'dataset-test', ?, ?)",
            (str(day(0)),) * 3,
        )
        connection.execute(
            "INSERT INTO company_attributes VALUES (1, '0001-01-01', 'A Inc', 'NYSE', 'common', NULL, NULL, NULL, "
            "NULL, NULL, 1)"
        )
        connection.execute("INSERT INTO symbol_intervals VALUES (1, 'A', '0001-01-01', NULL)")
        known = "2024-01-02T23:00:00.000000Z"
        connection.execute("INSERT INTO bar_files VALUES (?, ?, ?, 'a.parquet', 1)", (str(day(0)), known, digest))
        connection.execute(
            "INSERT INTO populations VALUES (1, ?, ?, 'dataset-test', 'raw', '[]', '{}', '[]', 1, 0, ?, ?, 1, 0, 'x')",
            (known, known, str(day(0)), str(day(0))),
        )
    connection.close()
    return home


def test_a_store_of_version_1_is_taken_over_whole(tmp_path: Path) -> None:
    home = version_1(tmp_path)
    with pytest.raises(StoreError, match=r"schema version 1.*universe --populate"):
        Reader.open(home)
    with Store.open(home, write=True) as store:
        assert schema.schema_version(store._connection) == schema.LATEST
        row = store.securities().row(0, named=True)
        assert (row["symbol"], row["layer_qualification"], row["provenance"]) == ("A", 3, None)
        assert (store.provisional_sessions(), store.feeds(9)) == (frozenset(), {None})
        assert (store.held().sessions, store.held().symbols) == ({day(0)}, {"A"})
        assert store.bars(day(0))["close"].to_list() == [10.0]
        more = delivery([listing("A")], bars("A", range(2)), feed="sip", provisional=frozenset[date]({day(1)}))
        found = store.ingest(more, at=NOON + timedelta(days=1))
        assert (found.new.height, found.sessions_written) == (0, (day(1),))
        assert store.provisional_sessions() == {day(1)}
    with Reader.open(home) as reader:
        assert reader.company(1).provenance is None


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = new_store(tmp_path).home
    broken = schema.Migration(schema.LATEST + 1, "broken", ("CREATE TABLE half (x TEXT)", "CREATE NONSENSE"))
    latest = schema.LATEST
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        patch.setattr(schema, "LATEST", broken.version)
        with pytest.raises(StoreError, match="cannot open the store"):
            Store.open(home, write=True)
    with Store.open(home, write=True) as store:
        assert schema.schema_version(store._connection) == latest
        with pytest.raises(sqlite3.OperationalError):
            store._connection.execute("SELECT * FROM half")


def test_tables_that_are_dumped_alone_refer_to_nothing_outside(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for table in ("companies", "layer_qualifications"):
        assert store._connection.execute(f"PRAGMA foreign_key_list({table})").fetchall() == []
    indexes = {name for (name,) in store._connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert "idx_companies_active_layer" in indexes
