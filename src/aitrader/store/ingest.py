"""A delivery into the store: securities, bars, reference data; all of it or nothing, twice the same as once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from aitrader.domain.errors import RefusedError, SourceError
from aitrader.domain.frames import QUARANTINE, Delivery
from aitrader.domain.sessions import Calendar
from aitrader.store import reference
from aitrader.store.bars import BAR_VALUES, BarChanges, BarFile, Progress, by_session, session_key, write_changes
from aitrader.store.companies import (
    CompanyChanges,
    companies,
    company_changes,
    stored_evidence,
    symbol_intervals,
    write_company_changes,
)
from aitrader.store.database import transaction
from aitrader.store.frames import insert, text
from aitrader.store.home import Home
from aitrader.store.identity import Resolution, resolve
from aitrader.store.instants import rfc3339, sortable
from aitrader.store.population import Population, populations

PARTIAL_SOURCES = frozenset({"manual"})  # lists that say nothing about what they leave out
NEW_YORK = "America/New_York"
LEAST_SHARE = 0.9  # of the last discovery's symbols


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What a delivery changed. Frames are empty where nothing did.

    new: security, symbol, from_date; closed: security, symbol, delisted_on, reason; renamed: security, old_symbol,
    new_symbol, on; corrected: session, security of bars that were stored with other values; late_actions: security,
    ex_date, kind of actions that arrived after sessions on or after their ex-date had been stored.
    """

    population: int
    changed: bool
    symbols: int
    new: pl.DataFrame
    closed: pl.DataFrame
    renamed: pl.DataFrame
    sessions_written: tuple[date, ...]
    corrected: pl.DataFrame
    late_actions: pl.DataFrame
    rows: dict[str, int]
    quarantined: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    resolution: Resolution
    bars: BarChanges
    company: CompanyChanges
    attributes: pl.DataFrame
    actions: pl.DataFrame
    fundamentals: pl.DataFrame
    news: pl.DataFrame
    quarantine: pl.DataFrame
    population: Population


def ingest(
    connection: sqlite3.Connection,
    home: Home,
    calendar: Calendar,
    delivery: Delivery,
    *,
    at: datetime,
    accept_shrink: bool,
    force_refresh: bool,
    progress: Progress | None,
    fence: Callable[[], None],
) -> Ingested:
    """Store a delivery. ``fence`` is called in the transaction and raises where the writer lost its lock."""
    past = populations(connection)
    if past:  # a clock that was put back must not let a correction stand behind what it corrects
        at = max(at, past[-1].seen_at + timedelta(microseconds=1))
    stored_files = latest_bar_files(connection)
    partial = delivery.source in PARTIAL_SOURCES
    bars, strays = _on_sessions(delivery.bars, calendar)
    newest = bars["date"].max()
    stored_last = max(stored_files) if stored_files else None
    last_session = newest if isinstance(newest, date) else stored_last or calendar.last_on_or_before(at.date())
    symbols = _listed(delivery, bars, last_session)
    _check_shrink(symbols, past, partial=partial, accept_shrink=accept_shrink)
    _tell(progress, "securities", 0)
    known, intervals = companies(connection), symbol_intervals(connection)
    securities = delivery.securities.with_row_index("row")
    old_attributes = reference.attributes(connection)
    resolution = resolve(
        stored=stored_evidence(known, intervals, old_attributes, calendar),
        securities=securities,
        bars=bars.select("symbol", "date"),
        actions=delivery.actions,
        calendar=calendar,
        last_session=last_session,
        next_id=int(known["id"].max() or 0) + 1,  # type: ignore[arg-type]
    )
    values, repeated = _with_values(bars, delivery.market_caps, resolution.segments)
    sessions = by_session(values)
    changes = write_changes(
        home.bars,
        sessions,
        stored_files,
        replace=force_refresh and not partial,
        verify=force_refresh,
        progress=progress,
    )
    _tell(progress, "reference data", 0)
    listings = securities.join(resolution.rows, on="row").drop("row")
    added = reference.new_attributes(old_attributes, listings, last_session)
    latest = pl.concat([old_attributes, added]).sort("security", "known_on", maintain_order=True)
    company = company_changes(
        known=known,
        intervals=intervals,
        resolution=resolution,
        attributes=latest.unique("security", keep="last"),
        listings=listings.select("security", "listed_on"),
        traded=values.group_by("security").agg(first_bar=pl.col("date").min(), last_bar=pl.col("date").max()),
        last_session=max(last_session, stored_last or last_session),
        authoritative=not partial
        and not securities.is_empty()
        and (stored_last is None or last_session >= stored_last),
        source=delivery.source,
    )
    frames, unknown = _reference_rows(delivery, resolution.segments)
    population = _population(delivery, at, sessions, stored_files, symbols, past, partial=partial)
    same = bool(past) and past[-1].digest == population.digest
    if same:  # an equal delivery was stored in full, in one transaction
        frames = {name: frame.clear() for name, frame in frames.items()}
    quarantine = pl.concat([delivery.quarantine.select(list(QUARANTINE)), strays, repeated, unknown])
    plan = _Plan(
        resolution=resolution,
        bars=changes,
        company=company,
        attributes=added,
        actions=reference.new_actions(reference.actions(connection), frames["actions"], at),
        fundamentals=reference.new_fundamentals(connection, frames["fundamentals"], at),
        news=frames["news"],
        quarantine=quarantine,
        population=population,
    )
    _tell(progress, "tables", 0)
    number, rows = _write(connection, plan, at=at, same=same, fence=fence)
    _tell(progress, "tables", 1)
    counts = quarantine.group_by("reason").len().sort("reason")
    late = plan.actions.filter(pl.col("ex_date") <= (stored_last or date.min))
    return Ingested(
        population=number,
        changed=any(rows.values()) or not same,
        symbols=symbols,
        new=resolution.new,
        closed=company.closed,
        renamed=company.renamed,
        sessions_written=tuple(sorted(file.session for file in changes.files)),
        corrected=changes.corrected.sort("session", "security"),
        late_actions=late.select("security", "ex_date", "kind"),
        rows=rows,
        quarantined=dict(counts.iter_rows()),
    )


def latest_bar_files(connection: sqlite3.Connection, known_until: datetime | None = None) -> dict[date, BarFile]:
    """The bar file that stands for each session, of those known by ``known_until``."""
    where, parameters = ("", []) if known_until is None else ("WHERE known_at <= ?", [sortable(known_until)])
    sql = f"SELECT session, digest, file, rows FROM bar_files {where} ORDER BY session, known_at"
    found = {}
    for session, digest, file, rows in connection.execute(sql, parameters):
        day = date.fromisoformat(session)
        found[day] = BarFile(session=day, digest=digest, file=file, rows=rows)
    return found


def _tell(progress: Progress | None, what: str, done: int) -> None:
    if progress is not None:
        progress(what, done, 1)


def _quarantined(file: str, rows: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    """Quarantine rows from a frame with symbol and date."""
    return rows.select(
        file=pl.lit(file),
        row=pl.lit(None, dtype=pl.Int64),
        symbol=pl.col("symbol"),
        date=pl.col("date"),
        reason=pl.lit(reason),
        detail=pl.lit(detail),
    )


def _on_sessions(bars: pl.DataFrame, calendar: Calendar) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars on sessions; those on other days, so that no window ever sees them, as quarantine."""
    strange = [day for day in bars["date"].unique() if day is None or not calendar.is_session(day)]
    off = pl.col("date").is_in([day for day in strange if day is not None]) | pl.col("date").is_null()
    off = off | pl.col("symbol").is_null() if bars["symbol"].null_count() else off
    if not strange and not bars["symbol"].null_count():
        return bars, pl.DataFrame(schema=QUARANTINE)
    return bars.filter(~off), _quarantined("bars", bars.filter(off), "not_a_session", "the exchange was closed")


def _listed(delivery: Delivery, bars: pl.DataFrame, last_session: date) -> int:
    """The number of symbols that the delivery says are listed in the last session."""
    if delivery.securities.is_empty():
        return bars["symbol"].n_unique()
    gone = pl.col("delisted_on") <= last_session
    return delivery.securities.filter(~gone.fill_null(value=False))["symbol"].n_unique()


def _check_shrink(symbols: int, past: list[Population], *, partial: bool, accept_shrink: bool) -> None:
    if not partial and symbols == 0:
        raise SourceError(
            "the source delivered no listed symbol",
            why="a source is complete or it is an error",
            do="check the source; the stored universe was kept",
        )
    before = next((one.symbols for one in reversed(past) if not one.partial), None)
    if partial or accept_shrink or before is None or symbols >= LEAST_SHARE * before:
        return
    raise RefusedError(
        f"discovery returned {symbols:,} symbols, the last one {before:,}",
        why=f"under {LEAST_SHARE:.0%} of the last, so nothing was stored and nothing deactivated",
        do="check the source, or accept it with --accept-shrink",
    )


def _with_values(bars: pl.DataFrame, caps: pl.DataFrame, segments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars by security with the session's market cap; of two rows for one security and session the first stays."""
    aligned = caps.height == bars.height and caps["symbol"].equals(bars["symbol"]) and caps["date"].equals(bars["date"])
    if aligned:
        bars = bars.with_columns(caps["market_cap"])
    elif not caps.is_empty():
        unique = caps.unique(["symbol", "date"], keep="last").select("symbol", "date", "market_cap")
        bars = bars.join(unique, on=["symbol", "date"], how="left", maintain_order="left")
    else:
        bars = bars.with_columns(market_cap=pl.lit(None, dtype=pl.Float64))
    rows = reference.assign(bars, segments, pl.col("date"))
    keys = rows.select(session_key()).to_series()
    double = pl.DataFrame(schema=QUARANTINE)
    if keys.n_unique() < rows.height:
        first = keys.is_first_distinct()
        double = _quarantined("bars", rows.filter(~first), "duplicate", "a second row for the security and session")
        rows = rows.filter(first)
    return rows.select("security", "date", *BAR_VALUES), double


def _reference_rows(delivery: Delivery, segments: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Reference rows by security; symbols that nobody holds are quarantined, grouped by symbol."""
    before = pl.when(pl.col("kind").is_in(["symbol_change", "delisting", "merger"])).then(1).otherwise(0)
    days = {
        "actions": pl.col("ex_date") - pl.duration(days=before),
        "fundamentals": pl.col("known_at").dt.convert_time_zone(NEW_YORK).dt.date(),
        "news": pl.col("published_at").dt.convert_time_zone(NEW_YORK).dt.date(),
    }
    frames, strangers = {}, []
    for name, day in days.items():
        rows = reference.assign(getattr(delivery, name), segments, day)
        lost = rows.filter(pl.col("security").is_null()).group_by("symbol").len().sort("symbol")
        strangers.append(
            lost.select(
                file=pl.lit(name),
                row=pl.lit(None, dtype=pl.Int64),
                symbol=pl.col("symbol"),
                date=pl.lit(None, dtype=pl.Date),
                reason=pl.lit("unknown_symbol"),
                detail=pl.format("{} rows", "len"),
            )
        )
        frames[name] = rows.filter(pl.col("security").is_not_null())
    return frames, pl.concat(strangers)


def _population(
    delivery: Delivery,
    at: datetime,
    sessions: list[tuple[date, pl.DataFrame, str]],
    stored: dict[date, BarFile],
    symbols: int,
    past: list[Population],
    *,
    partial: bool,
) -> Population:
    total = hashlib.sha256()
    for session, _, digest in sessions:
        total.update(f"{session}{digest}".encode())
    for frame in (delivery.securities, delivery.actions, delivery.fundamentals, delivery.news, delivery.quarantine):
        total.update(_frame_digest(frame))
    told = [delivery.source, delivery.adjustment, sorted(delivery.offers), delivery.missing, delivery.notices]
    total.update(json.dumps(told, sort_keys=True).encode())
    days = sorted({session for session, _, _ in sessions} | set(stored))
    return Population(
        id=(past[-1].id if past else 0) + 1,
        at=at,
        seen_at=at,
        source=delivery.source,
        adjustment=delivery.adjustment,
        offers=frozenset(delivery.offers),
        missing=dict(delivery.missing),
        notices=tuple(delivery.notices),
        symbols=symbols,
        partial=partial,
        first_session=days[0] if days else None,
        last_session=days[-1] if days else None,
        sessions=len(days),
        quarantined=delivery.quarantine.height,
        digest=total.hexdigest(),
    )


def _frame_digest(frame: pl.DataFrame) -> bytes:
    """SHA-256 over the values as text, in the order of the rows."""
    if frame.is_empty():
        return b""
    lines = frame.select(
        pl.concat_str(pl.all().cast(pl.String).fill_null("\x00"), separator="\x1f").alias("line")
    ).to_series()
    return hashlib.sha256("\x1e".join(lines.to_list()).encode()).digest()


def _write(
    connection: sqlite3.Connection, plan: _Plan, *, at: datetime, same: bool, fence: Callable[[], None]
) -> tuple[int, dict[str, int]]:
    """Everything in one transaction; an equal delivery leaves only the instant at which it was seen."""
    number = plan.population.id - 1 if same else plan.population.id
    with transaction(connection):
        fence()
        write_company_changes(connection, plan.company)
        rows = {"companies": plan.company.companies.height, "intervals": plan.company.intervals.height}
        rows["attributes"] = reference.insert_attributes(connection, plan.attributes, number)
        connection.executemany(
            "INSERT INTO bar_files (session, known_at, digest, file, rows) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET digest = excluded.digest, file = excluded.file, rows = excluded.rows",
            [(text(f.session), sortable(at), f.digest, f.file, f.rows) for f in plan.bars.files],
        )
        rows["bar_files"] = len(plan.bars.files)
        for name, frame in (("corporate_actions", plan.actions), ("fundamentals", plan.fundamentals)):
            rows[name] = insert(
                connection, name, frame.with_columns(population=pl.lit(number)), conflict="ON CONFLICT DO NOTHING"
            )
        rows["news"] = reference.insert_news(connection, plan.news, number)
        if same:
            connection.execute("UPDATE populations SET seen_at = ? WHERE id = ?", (rfc3339(at), number))
        else:
            plan.population.write(connection)
            insert(connection, "quarantine", plan.quarantine.with_columns(population=pl.lit(number)))
    return number, rows
