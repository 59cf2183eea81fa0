"""Config versions: what scans use and have used, by digest. Standard library only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aitrader.domain.errors import StoreError
from aitrader.store.instants import instant, rfc3339

STATES = ("candidate", "canary", "active", "retired")


@dataclass(frozen=True, kw_only=True)
class ConfigVersion:
    """``version`` is the digest of ``content``."""

    version: str
    content: dict[str, Any]
    state: str
    author: str
    created_at: datetime
    cause: str | None


def save(
    connection: sqlite3.Connection,
    version: str,
    content: Mapping[str, Any],
    *,
    author: str,
    at: datetime,
    cause: str,
    state: str,
) -> None:
    """Store a version in the caller's transaction; a known one only changes its state, ``active`` is one at most."""
    if state not in STATES:
        raise StoreError(f"config state {state!r} is unknown", why=f"states are {', '.join(STATES)}")
    if state == "active":
        connection.execute(
            "UPDATE config_versions SET state = 'retired' WHERE state = 'active' AND version <> ?", (version,)
        )
    text = json.dumps(content, ensure_ascii=False)  # in the files' order: the first criterion that says no decides
    connection.execute(
        "INSERT INTO config_versions (version, content, state, author, created_at, cause) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (version) DO UPDATE SET state = excluded.state",
        (version, text, state, author, rfc3339(at), cause),
    )


def active(connection: sqlite3.Connection) -> ConfigVersion | None:
    """The active version, None before the first."""
    return _one(connection, "state = 'active'", ())


def by_version(connection: sqlite3.Connection, version: str) -> ConfigVersion | None:
    """A version by its digest, None where it was never stored."""
    return _one(connection, "version = ?", (version,))


def _one(connection: sqlite3.Connection, where: str, parameters: tuple[str, ...]) -> ConfigVersion | None:
    row = connection.execute(
        f"SELECT version, content, state, author, created_at, cause FROM config_versions WHERE {where}", parameters
    ).fetchone()
    if row is None:
        return None
    return ConfigVersion(
        version=row[0],
        content=json.loads(row[1]),
        state=row[2],
        author=row[3],
        created_at=instant(row[4]),
        cause=row[5],
    )
