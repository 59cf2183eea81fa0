"""Migrations are ordered, named and applied once; a newer store is refused by every way in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aitrader.domain.errors import StoreError
from aitrader.store import schema
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.store.builders import new_store


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
