"""The audit log is append-only: whatever is changed in it later shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrader.store.store import Store
from tests.store.builders import NOON, new_store


def filled(root: Path) -> Store:
    store = new_store(root)
    for number in range(5):
        store.audit("data.repair", actor="operator", detail={"number": number, "what": "Größe"}, at=NOON)
    return store


def test_an_untouched_log_verifies(tmp_path: Path) -> None:
    report = filled(tmp_path).verify_audit()
    assert (report.entries, report.broken_at) == (5, None)
    assert len(report.head) == 64


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    assert new_store(tmp_path).verify_audit().broken_at is None


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        ("UPDATE audit_log SET detail = '{}' WHERE seq = 3", 3),
        ("UPDATE audit_log SET actor = 'somebody' WHERE seq = 1", 1),
        ("UPDATE audit_log SET at = '2020-01-01T00:00:00Z' WHERE seq = 5", 5),
        ("UPDATE audit_log SET hash = '0' WHERE seq = 2", 2),
        ("DELETE FROM audit_log WHERE seq = 2", 2),
        ("DELETE FROM audit_log WHERE seq = 1", 1),
        ("UPDATE audit_log SET seq = 9 WHERE seq = 4", 4),
        ("INSERT INTO audit_log VALUES (6, '', '', '', '', '', '')", 6),
    ],
)
def test_a_changed_entry_is_found_at_its_place(tmp_path: Path, change: str, broken_at: int) -> None:
    store = filled(tmp_path)
    store._connection.execute(change)
    assert store.verify_audit().broken_at == broken_at


def test_a_config_version_is_audited_with_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.save_config_version("v1", {"a": 1}, author="me", at=NOON, cause="first initialisation")
    store.save_config_version("v2", {"a": 2}, author="me", at=NOON, cause="requalify layer 1")
    active = store.active_config()
    assert active is not None
    assert (active.version, active.content, active.created_at, active.cause) == (
        "v2",
        {"a": 2},
        NOON,
        "requalify layer 1",
    )
    assert store.reader.config("v1").state == "retired"
    store.save_config_version("v1", {"a": 1}, author="me", at=NOON, cause="rollback")
    assert store.reader.config("v2").state == "retired"
    actions = store._connection.execute("SELECT action, actor FROM audit_log ORDER BY seq").fetchall()
    assert actions == [("config.active", "me")] * 3
    assert store.verify_audit().broken_at is None
