"""The read paths over what was published: fast, consistent, and standard library only.

Every call sees one snapshot; :meth:`Reader.snapshot` holds one over several calls. The active-run pointer decides
what "now" is: a scan that is being published is not seen until it is whole.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Self

from aitrader.domain.errors import StoreError, UsageError
from aitrader.store import config as configs
from aitrader.store.database import connect, snapshot, store_errors
from aitrader.store.home import Home
from aitrader.store.instants import instant
from aitrader.store.population import Population, populations


@dataclass(frozen=True, kw_only=True)
class Run:
    """A published run, as its row says."""

    run_id: str
    session: date
    kind: str
    as_of: datetime
    published_at: datetime
    config_version: str
    previous_run: str | None
    input_digest: str
    result_digest: str
    source: str
    environment: str
    detail_file: str
    detail_digest: str
    membership_file: str
    membership_digest: str
    header: dict[str, Any]
    seconds: dict[str, float]


class Layer(NamedTuple):
    """Counts of a layer in a run; rates are fractions 0..1, None where unknown."""

    run_id: str
    layer: int
    symbols: int
    counted: int
    reached: int
    failed: int
    unknown: int
    qualification_rate: float | None
    change_rate: float | None
    added: int
    removed: int
    seconds: float


class Member(NamedTuple):
    """A member of a layer; ``score`` 0..1, ``rank`` 1 is the best."""

    security: int
    symbol: str
    score: float | None
    rank: int | None
    cause: str | None
    name: str | None
    security_type: str | None
    sector: str | None


class Qualification(NamedTuple):
    """The verdict (a Verdict code) on a security at a layer that it reached."""

    run_id: str
    session: str
    layer: int
    security: int
    symbol: str
    verdict: int
    member: bool
    score: float | None
    rank: int | None
    cause: str | None
    config_version: str


class Company(NamedTuple):
    """A security as the table says now."""

    id: int
    symbol: str
    name: str | None
    exchange: str | None
    security_type: str | None
    sector: str | None
    industry: str | None
    cik: str | None
    figi: str | None
    listed_on: str | None
    delisted_on: str | None
    interval_inferred: int
    active: int
    layer_qualification: int | None
    provenance: str | None


_LAYER = ", ".join(Layer._fields)
_QUALIFICATION = ", ".join(f'"{name}"' for name in Qualification._fields)
_COMPANY = ", ".join(Company._fields)


class Reader:
    """Opened by :meth:`open` read-only; a context manager."""

    def __init__(self, home: Home, connection: sqlite3.Connection) -> None:
        self.home, self._connection = home, connection

    @classmethod
    def open(cls, home: Home) -> Self:
        """Open a market for reading; a missing one says how to populate it."""
        return cls(home, connect(home, write=False))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """Several reads of one state, whatever is published meanwhile."""
        with store_errors(f"cannot read the store {self.home.database}"), snapshot(self._connection):
            yield self

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with store_errors(f"cannot read the store {self.home.database}"):
            return self._connection.execute(sql, parameters).fetchall()

    # -- runs ---------------------------------------------------------------------------------------------------

    def active_run(self) -> Run | None:
        """The run that readers see now, None before the first publication."""
        return self._one_run("JOIN active_run a ON a.run_id = r.run_id WHERE a.name = 'active'")

    def run(self, run_id: str) -> Run:
        """A published run; an unknown id is an error."""
        found = self._one_run("WHERE r.run_id = ?", run_id)
        if found is None:
            raise UsageError(f"no run {run_id}", why="it was never published here", do="see `universe --stats`")
        return found

    def run_for_session(self, session: date) -> Run | None:
        """The run that now stands for a session."""
        return self._one_run("JOIN session_runs s ON s.run_id = r.run_id WHERE s.session = ?", session.isoformat())

    def previous_final(self, run: Run) -> Run | None:
        """The run that stands for the last published session before ``run``'s."""
        return self._one_run(
            "JOIN session_runs s ON s.run_id = r.run_id WHERE s.session < ? ORDER BY s.session DESC LIMIT 1",
            run.session.isoformat(),
        )

    def history(
        self, *, sessions: int | None = None, since: date | None = None, until: date | None = None
    ) -> list[tuple[Run, list[Layer]]]:
        """The runs that stand for the last ``sessions``, or for those in [since, until], oldest first."""
        with self.snapshot():
            runs = self._runs(
                "JOIN session_runs s ON s.run_id = r.run_id WHERE s.session >= ? AND s.session <= ? "
                "ORDER BY s.session DESC LIMIT ?",
                "" if since is None else since.isoformat(),
                "9999-12-31" if until is None else until.isoformat(),
                -1 if sessions is None else sessions,
            )
            return [(run, self.layers(run.run_id)) for run in reversed(runs)]

    def _one_run(self, clause: str, *parameters: object) -> Run | None:
        found = self._runs(clause, *parameters)
        return found[0] if found else None

    def _runs(self, clause: str, *parameters: object) -> list[Run]:
        columns = ", ".join(f"r.{name}" for name in Run.__dataclass_fields__)
        return [_run(row) for row in self._rows(f"SELECT {columns} FROM scan_runs r {clause}", *parameters)]

    # -- layers -------------------------------------------------------------------------------------------------

    def layers(self, run_id: str) -> list[Layer]:
        """The layers of a run in order."""
        rows = self._rows(f"SELECT {_LAYER} FROM run_layers WHERE run_id = ? ORDER BY layer", run_id)
        return [Layer._make(row) for row in rows]

    def members(self, run_id: str, layer: int, *, limit: int | None = None) -> list[Member]:
        """A layer's members by rank, then symbol; for Layer 0 without rows of its own, all listed in the session."""
        rows = self._rows(
            'SELECT q.security, q.symbol, q.score, q."rank", q.cause, c.name, c.security_type, c.sector '
            "FROM layer_qualifications q LEFT JOIN companies c ON c.id = q.security "
            "WHERE q.run_id = ? AND q.layer = ? AND q.member = 1 "
            'ORDER BY q."rank" IS NULL, q."rank", q.symbol LIMIT ?',
            run_id,
            layer,
            -1 if limit is None else limit,
        )
        if not rows and layer == 0:
            rows = self._rows(
                "SELECT i.security, i.symbol, NULL, NULL, NULL, c.name, c.security_type, c.sector "
                "FROM scan_runs r JOIN symbol_intervals i ON i.from_date <= r.session "
                "AND (i.to_date IS NULL OR i.to_date > r.session) JOIN companies c ON c.id = i.security "
                "AND (c.listed_on IS NULL OR c.listed_on <= r.session) "
                "WHERE r.run_id = ? ORDER BY i.symbol LIMIT ?",
                run_id,
                -1 if limit is None else limit,
            )
        return [Member._make(row) for row in rows]

    def qualification(self, run_id: str, symbol: str) -> list[Qualification]:
        """The verdicts on whoever held a symbol in a run's session, one a layer that it reached, lowest first."""
        with self.snapshot():
            security = self.resolve_symbol(symbol, self.run(run_id).session)
            return self.qualification_of(run_id, security)

    def qualification_of(self, run_id: str, security: int) -> list[Qualification]:
        """The same by security."""
        sql = f"SELECT {_QUALIFICATION} FROM layer_qualifications WHERE run_id = ? AND layer = ? AND security = ?"
        found = [row for layer in range(4) for row in self._rows(sql, run_id, layer, security)]
        return [_qualification(row) for row in found]

    def qualifications(self, run_id: str, layer: int) -> list[Qualification]:
        """Every verdict of a layer in order of security."""
        sql = f"SELECT {_QUALIFICATION} FROM layer_qualifications WHERE run_id = ? AND layer = ? ORDER BY security"
        return [_qualification(row) for row in self._rows(sql, run_id, layer)]

    # -- securities ---------------------------------------------------------------------------------------------

    def resolve_symbol(self, symbol: str, on: date | None = None) -> int:
        """The security that held a symbol on a date; without a date, where only one ever held it."""
        rows = self._rows(
            "SELECT DISTINCT security, from_date, to_date FROM symbol_intervals WHERE symbol = ? ORDER BY from_date",
            symbol,
        )
        if not rows:
            raise UsageError(f"symbol {symbol!r} is not known", why=self._near(symbol), do="see `universe --layer 0`")
        if on is not None:
            day = on.isoformat()
            held = {row[0] for row in rows if row[1] <= day and (row[2] is None or row[2] > day)}
            if not held:
                raise UsageError(
                    f"nobody held symbol {symbol!r} on {day}", why=_spans(rows), do="ask for a date in between"
                )
        else:
            held = {row[0] for row in rows}
        if len(held) > 1:
            raise UsageError(
                f"symbol {symbol!r} is ambiguous: {len(held)} securities held it", why=_spans(rows), do="give a date"
            )
        return int(held.pop())

    def _near(self, symbol: str) -> str:
        from difflib import get_close_matches

        known = [row[0] for row in self._rows("SELECT DISTINCT symbol FROM symbol_intervals ORDER BY symbol")]
        near = ", ".join(get_close_matches(symbol, known, 3, 0.5))
        return f"near it are {near}" if symbol and near else "nothing like it was populated"

    def company(self, security: int) -> Company:
        """A security's row."""
        rows = self._rows(f"SELECT {_COMPANY} FROM companies WHERE id = ?", security)
        if not rows:
            raise UsageError(f"no security {security}")
        return Company._make(rows[0])

    def companies(self, securities: Sequence[int] | None = None) -> dict[int, Company]:
        """Securities by id; all without ``securities``."""
        if securities is None:
            rows = self._rows(f"SELECT {_COMPANY} FROM companies ORDER BY id")
        else:
            with self.snapshot():
                rows = [
                    row
                    for key in securities
                    for row in self._rows(f"SELECT {_COMPANY} FROM companies WHERE id = ?", key)
                ]
        return {row[0]: Company._make(row) for row in rows}

    # -- details ------------------------------------------------------------------------------------------------

    def detail_row(self, run: Run, security: int) -> dict[str, Any] | None:
        """Every value and verdict of a security in a run; None where the run has no row of it."""
        import pyarrow.parquet as parquet

        path = self.home.runs / run.detail_file
        try:
            with parquet.ParquetFile(path, memory_map=False) as file:
                column = file.schema_arrow.names.index("security")
                for number in range(file.num_row_groups):
                    statistics = file.metadata.row_group(number).column(column).statistics
                    if statistics is not None and not statistics.min <= security <= statistics.max:
                        continue
                    table = file.read_row_group(number)
                    ids = table.column("security").to_pylist()
                    if security in ids:
                        row: dict[str, Any] = table.slice(ids.index(security), 1).to_pylist()[0]
                        return row
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the details of the run of {run.session} cannot be read",
                why="the file is missing" if isinstance(error, FileNotFoundError) else "the file is damaged",
                do="restore a backup, or run the session again with `scan --as-of`",
            ) from error
        return None

    # -- what it came from --------------------------------------------------------------------------------------

    def config(self, version: str) -> configs.ConfigVersion:
        """A stored config version by its digest."""
        with store_errors(f"cannot read the store {self.home.database}"):
            found = configs.by_version(self._connection, version)
        if found is None:
            raise UsageError(f"config version {version} is not known", why="it was never adopted here")
        return found

    def active_config(self) -> configs.ConfigVersion | None:
        """The configuration that scans use."""
        with store_errors(f"cannot read the store {self.home.database}"):
            return configs.active(self._connection)

    def population(self) -> Population | None:
        """What was last populated."""
        with store_errors(f"cannot read the store {self.home.database}"):
            found = populations(self._connection, last=1)
        return found[0] if found else None

    def quarantine_counts(self) -> dict[str, int]:
        """Quarantined rows of the last population by reason."""
        sql = (
            "SELECT reason, count(*) FROM quarantine WHERE population = (SELECT max(id) FROM populations) "
            "GROUP BY reason ORDER BY reason"
        )
        return dict(self._rows(sql))

    def last_session(self) -> date | None:
        """The newest session with bars."""
        found = self._rows("SELECT max(session) FROM bar_files")[0][0]
        return date.fromisoformat(found) if found else None


def _run(row: tuple[Any, ...]) -> Run:
    values = dict(zip(Run.__dataclass_fields__, row, strict=True))
    values["session"] = date.fromisoformat(values["session"])
    for name in ("as_of", "published_at"):
        values[name] = instant(values[name])
    for name in ("header", "seconds"):
        values[name] = json.loads(values[name])
    return Run(**values)


def _qualification(row: tuple[Any, ...]) -> Qualification:
    found = Qualification._make(row)
    return found._replace(member=bool(found.member))


def _spans(rows: list[tuple[Any, ...]]) -> str:
    return "held " + ", ".join(f"{row[1]} to {row[2] or 'now'}" for row in rows)
