"""The audit log: append-only, each entry's hash covers the entry before it. Standard library only."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aitrader.store.instants import rfc3339

GENESIS = "0" * 64


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """``broken_at`` is the sequence number of the first entry that does not fit, None where the chain holds."""

    entries: int
    broken_at: int | None
    head: str


def append_audit(
    connection: sqlite3.Connection, *, action: str, actor: str, detail: Mapping[str, Any], at: datetime
) -> int:
    """Append an entry in the caller's transaction; its sequence number."""
    last = connection.execute("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    entry = (seq, rfc3339(at), actor, action, text)
    row = (*entry, previous, _hash(previous, entry))
    connection.execute(
        "INSERT INTO audit_log (seq, at, actor, action, detail, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", row
    )
    return seq


def verify_audit(connection: sqlite3.Connection) -> AuditReport:
    """Recompute the whole chain: a changed, removed or inserted entry breaks it at that place."""
    previous, count = GENESIS, 0
    sql = "SELECT seq, at, actor, action, detail, previous_hash, hash FROM audit_log ORDER BY seq"
    for row in connection.execute(sql):
        count += 1
        if row[0] != count or row[5] != previous or row[6] != _hash(previous, row[:5]):
            return AuditReport(entries=count, broken_at=count, head=previous)
        previous = row[6]
    return AuditReport(entries=count, broken_at=None, head=previous)


def _hash(previous: str, entry: tuple[Any, ...]) -> str:
    canonical = json.dumps([previous, *entry], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
