"""The operational tables as ordered, named migrations. Portable SQL; standard library only.

Dates are ISO text, instants RFC 3339 UTC text, booleans 0/1, JSON is text. ``companies`` and
``layer_qualifications`` reference nothing outside the pair, so that they can be dumped and restored alone.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from aitrader.domain.errors import StoreError


class Migration(NamedTuple):
    """One step of the schema; applied once, in order, in a transaction of its own."""

    version: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        1,
        "securities, reference data, runs and outbox",
        (
            """CREATE TABLE companies (
                id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, name TEXT, exchange TEXT, security_type TEXT,
                sector TEXT, industry TEXT, cik TEXT, figi TEXT, listed_on TEXT, delisted_on TEXT,
                closed_by TEXT, interval_inferred INTEGER NOT NULL, declared INTEGER NOT NULL,
                active INTEGER NOT NULL, layer_qualification INTEGER, source TEXT NOT NULL,
                first_bar TEXT, last_bar TEXT)""",
            "CREATE INDEX idx_companies_active_layer ON companies (active, layer_qualification)",
            "CREATE INDEX idx_companies_symbol ON companies (symbol)",
            """CREATE TABLE company_attributes (
                security INTEGER NOT NULL, known_on TEXT NOT NULL, name TEXT, exchange TEXT, security_type TEXT,
                sector TEXT, industry TEXT, shares_outstanding REAL, cik TEXT, figi TEXT, population INTEGER NOT NULL,
                PRIMARY KEY (security, known_on, population)) WITHOUT ROWID""",
            """CREATE TABLE symbol_intervals (
                security INTEGER NOT NULL, symbol TEXT NOT NULL, from_date TEXT NOT NULL, to_date TEXT,
                PRIMARY KEY (symbol, from_date, security)) WITHOUT ROWID""",
            "CREATE INDEX idx_symbol_intervals_security ON symbol_intervals (security)",
            """CREATE TABLE bar_files (
                session TEXT NOT NULL, known_at TEXT NOT NULL, digest TEXT NOT NULL, file TEXT NOT NULL,
                rows INTEGER NOT NULL, PRIMARY KEY (session, known_at)) WITHOUT ROWID""",
            """CREATE TABLE corporate_actions (
                security INTEGER NOT NULL, symbol TEXT NOT NULL, ex_date TEXT NOT NULL, kind TEXT NOT NULL,
                ratio REAL, cash REAL, new_symbol TEXT, known_at TEXT, population INTEGER NOT NULL,
                PRIMARY KEY (security, ex_date, kind, population)) WITHOUT ROWID""",
            """CREATE TABLE fundamentals (
                security INTEGER NOT NULL, symbol TEXT NOT NULL, period_end TEXT NOT NULL, known_at TEXT NOT NULL,
                fiscal_period TEXT NOT NULL, form TEXT NOT NULL, revenue REAL, net_income REAL, eps_diluted REAL,
                assets REAL, liabilities REAL, total_debt REAL, equity REAL, operating_cash_flow REAL,
                capital_expenditure REAL, shares_outstanding REAL, revised INTEGER NOT NULL,
                population INTEGER NOT NULL,
                PRIMARY KEY (known_at, security, period_end, fiscal_period, form)) WITHOUT ROWID""",
            """CREATE TABLE news (
                security INTEGER NOT NULL, symbol TEXT NOT NULL, published_at TEXT NOT NULL, headline TEXT NOT NULL,
                summary TEXT, sentiment REAL, source TEXT, population INTEGER NOT NULL,
                PRIMARY KEY (published_at, security, headline)) WITHOUT ROWID""",
            "CREATE INDEX idx_fundamentals_security ON fundamentals (security)",
            "CREATE INDEX idx_news_security ON news (security)",
            "CREATE INDEX idx_fundamentals_population ON fundamentals (population)",
            "CREATE INDEX idx_news_population ON news (population)",
            "CREATE INDEX idx_corporate_actions_population ON corporate_actions (population)",
            """CREATE TABLE quarantine (
                population INTEGER NOT NULL, file TEXT, "row" INTEGER, symbol TEXT, date TEXT, reason TEXT NOT NULL,
                detail TEXT)""",
            "CREATE INDEX idx_quarantine_population ON quarantine (population)",
            """CREATE TABLE populations (
                id INTEGER PRIMARY KEY, at TEXT NOT NULL, seen_at TEXT NOT NULL, source TEXT NOT NULL,
                adjustment TEXT NOT NULL, offers TEXT NOT NULL, missing TEXT NOT NULL, notices TEXT NOT NULL,
                symbols INTEGER NOT NULL, partial INTEGER NOT NULL, first_session TEXT, last_session TEXT,
                sessions INTEGER NOT NULL, quarantined INTEGER NOT NULL, digest TEXT NOT NULL)""",
            """CREATE TABLE scan_runs (
                run_id TEXT PRIMARY KEY, session TEXT NOT NULL, kind TEXT NOT NULL, as_of TEXT NOT NULL,
                published_at TEXT NOT NULL, config_version TEXT NOT NULL, previous_run TEXT,
                input_digest TEXT NOT NULL, result_digest TEXT NOT NULL, source TEXT NOT NULL,
                environment TEXT NOT NULL, detail_file TEXT NOT NULL, detail_digest TEXT NOT NULL,
                membership_file TEXT NOT NULL, membership_digest TEXT NOT NULL, header TEXT NOT NULL,
                seconds TEXT NOT NULL)""",
            "CREATE INDEX idx_scan_runs_session ON scan_runs (session)",
            """CREATE TABLE run_layers (
                run_id TEXT NOT NULL, layer INTEGER NOT NULL, symbols INTEGER NOT NULL, counted INTEGER NOT NULL,
                reached INTEGER NOT NULL, failed INTEGER NOT NULL, unknown INTEGER NOT NULL,
                qualification_rate REAL, change_rate REAL, added INTEGER NOT NULL, removed INTEGER NOT NULL,
                seconds REAL NOT NULL, PRIMARY KEY (run_id, layer)) WITHOUT ROWID""",
            """CREATE TABLE layer_qualifications (
                run_id TEXT NOT NULL, session TEXT NOT NULL, layer INTEGER NOT NULL, security INTEGER NOT NULL,
                symbol TEXT NOT NULL, verdict INTEGER NOT NULL, member INTEGER NOT NULL, score REAL,
                "rank" INTEGER, cause TEXT, config_version TEXT NOT NULL,
                PRIMARY KEY (run_id, layer, security)) WITHOUT ROWID""",
            "CREATE TABLE session_runs (session TEXT PRIMARY KEY, run_id TEXT NOT NULL)",
            "CREATE TABLE active_run (name TEXT PRIMARY KEY, run_id TEXT NOT NULL)",
            """CREATE TABLE config_versions (
                version TEXT PRIMARY KEY, content TEXT NOT NULL, state TEXT NOT NULL, author TEXT NOT NULL,
                created_at TEXT NOT NULL, cause TEXT)""",
            """CREATE TABLE audit_log (
                seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
                detail TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL)""",
            """CREATE TABLE events (
                seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
                schema_version INTEGER NOT NULL, occurred_at TEXT NOT NULL, run_id TEXT, session TEXT,
                environment TEXT NOT NULL, source TEXT NOT NULL, symbol TEXT, layer INTEGER, cause TEXT,
                data TEXT NOT NULL)""",
            """CREATE TABLE locks (
                name TEXT PRIMARY KEY, host TEXT NOT NULL, boot_id TEXT NOT NULL, pid INTEGER NOT NULL,
                started_at TEXT NOT NULL, heartbeat_at TEXT NOT NULL, token INTEGER NOT NULL)""",
        ),
    ),
    Migration(
        2,
        "which source told what, and bars that may still change",
        (
            "ALTER TABLE companies ADD COLUMN provenance TEXT",
            "ALTER TABLE bar_files ADD COLUMN feed TEXT",
            "ALTER TABLE bar_files ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0",
        ),
    ),
)
LATEST = MIGRATIONS[-1].version


def schema_version(connection: sqlite3.Connection) -> int:
    """The version that the database is at; 0 for an empty one, an error for one newer than this program."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    version = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] if found else 0
    if (version or 0) > LATEST:
        raise StoreError(
            f"the store has schema version {version}",
            why=f"this program knows versions up to {LATEST}",
            do="upgrade the program, or restore a backup made by it",
        )
    return int(version or 0)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that the database lacks; each is a transaction, a crash leaves a whole version."""
    if schema_version(connection) == LATEST:
        return
    for migration in MIGRATIONS:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if schema_version(connection) < migration.version:
                if migration.version == 1:
                    connection.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
                for statement in migration.statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO schema_version VALUES (?, ?)", (migration.version, migration.name))
            connection.execute("COMMIT")
        except BaseException:  # an interrupt too must leave nothing half done; it is raised again
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
