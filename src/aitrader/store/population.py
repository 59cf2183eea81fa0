"""What was populated, when and from where: one row a delivery that said something new."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from aitrader.store.instants import instant, rfc3339

_COLUMNS = (
    "id, at, seen_at, source, adjustment, offers, missing, notices, symbols, partial, first_session, last_session, "
    "sessions, quarantined, digest"
)


@dataclass(frozen=True, kw_only=True)
class Population:
    """``symbols``: listed in the delivery's last session; ``digest``: SHA-256 of what was delivered.

    ``at`` is when the delivery was first stored, ``seen_at`` when an equal one was last seen; ``partial``: the source
    says nothing about what it leaves out. Sessions are those stored after it.
    """

    id: int
    at: datetime
    seen_at: datetime
    source: str
    adjustment: str
    offers: frozenset[str]
    missing: dict[str, str]
    notices: tuple[str, ...]
    symbols: int
    partial: bool
    first_session: date | None
    last_session: date | None
    sessions: int
    quarantined: int
    digest: str

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert the row; the caller holds the transaction."""
        values = (
            self.id,
            rfc3339(self.at),
            rfc3339(self.seen_at),
            self.source,
            self.adjustment,
            json.dumps(sorted(self.offers)),
            json.dumps(self.missing, sort_keys=True),
            json.dumps(list(self.notices)),
            self.symbols,
            int(self.partial),
            self.first_session and self.first_session.isoformat(),
            self.last_session and self.last_session.isoformat(),
            self.sessions,
            self.quarantined,
            self.digest,
        )
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO populations ({_COLUMNS}) VALUES ({marks})", values)


def populations(connection: sqlite3.Connection, *, last: int | None = None) -> list[Population]:
    """The populations in order of time; ``last`` limits them to the newest ones."""
    limit = "" if last is None else f"LIMIT {last:d}"
    rows = connection.execute(f"SELECT {_COLUMNS} FROM populations ORDER BY id DESC {limit}").fetchall()
    return [_population(row) for row in reversed(rows)]


def main_source(past: Sequence[Population]) -> str | None:
    """Whose market it is: the last source that spoke of all of it, else the last that spoke; None before the first."""
    found = next((one for one in reversed(past) if not one.partial), past[-1] if past else None)
    return None if found is None else found.source


def _population(row: tuple[object, ...]) -> Population:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))

    def day(name: str) -> date | None:
        return date.fromisoformat(str(values[name])) if values[name] else None

    return Population(
        id=int(str(values["id"])),
        at=instant(str(values["at"])),
        seen_at=instant(str(values["seen_at"])),
        source=str(values["source"]),
        adjustment=str(values["adjustment"]),
        offers=frozenset(json.loads(str(values["offers"]))),
        missing=json.loads(str(values["missing"])),
        notices=tuple(json.loads(str(values["notices"]))),
        symbols=int(str(values["symbols"])),
        partial=bool(values["partial"]),
        first_session=day("first_session"),
        last_session=day("last_session"),
        sessions=int(str(values["sessions"])),
        quarantined=int(str(values["quarantined"])),
        digest=str(values["digest"]),
    )
