"""A delivery into the store: securities, bars, reference data; all of it or nothing, twice the same as once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

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
from aitrader.store.deliveries import check_basis, check_complete, check_shrink, next_population
from aitrader.store.frames import insert, text
from aitrader.store.home import Home
from aitrader.store.identity import resolve
from aitrader.store.instants import rfc3339, sortable
from aitrader.store.population import Population, populations

NEW_YORK = "America/New_York"


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What a delivery changed. Frames are empty where nothing did.

    new: security, symbol, from_date; closed: security, symbol, delisted_on, reason; renamed: security, old_symbol,
    new_symbol, on; settled: sessions whose bars were provisional and are final now; corrected: session, security of
    bars that were stored with other values; late_actions: security, ex_date, kind of actions that arrived after
    sessions on or after their ex-date had been stored.
    """

    population: int
    changed: bool
    symbols: int
    new: pl.DataFrame
    closed: pl.DataFrame
    renamed: pl.DataFrame
    sessions_written: tuple[date, ...]
    settled: tuple[date, ...]
    corrected: pl.DataFrame
    late_actions: pl.DataFrame
    rows: dict[str, int]
    quarantined: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    listed: pl.DataFrame  # symbol, security: what the delivery says is listed
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
    bars, strays = _on_sessions(delivery.bars, calendar)
    newest = bars["date"].max()
    stored_last = max(stored_files) if stored_files else None
    last_session = newest if isinstance(newest, date) else stored_last or calendar.last_on_or_before(at.date())
    if (delivery.partial or delivery.cumulative) and stored_last is not None:  # what it adds is known from now on
        last_session = max(last_session, stored_last)
    listed = _listed(delivery, last_session)
    symbols = (bars if delivery.securities.is_empty() else listed)["symbol"].n_unique()
    check_basis(delivery, past)
    check_shrink(delivery, symbols, past, accept_shrink=accept_shrink)
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
        # A source that shares its market does not tell of listings that have ended: their bars stay.
        replaces=force_refresh and not delivery.partial and not delivery.cumulative,
        settles=force_refresh and not delivery.partial,
        verify=force_refresh,
        progress=progress,
        feed=delivery.feed,
        provisional=delivery.provisional,
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
        provenance=_provenance(delivery, resolution.segments, last_session),
        last_session=max(last_session, stored_last or last_session),
        authoritative=not delivery.partial
        and not securities.is_empty()
        and (stored_last is None or last_session >= stored_last),
        source=delivery.source,
    )
    frames, unknown = _reference_rows(delivery, resolution.segments)
    population = next_population(
        delivery,
        past,
        at=at,
        bars=((session, digest) for session, _, digest in sessions),
        stored=stored_files,
        symbols=symbols,
    )
    same = bool(past) and past[-1].digest == population.digest
    if same:  # an equal delivery was stored in full, in one transaction
        frames = {name: frame.clear() for name, frame in frames.items()}
    quarantine = pl.concat([delivery.quarantine.select(list(QUARANTINE)), strays, repeated, unknown])
    plan = _Plan(
        listed=listed.join(resolution.rows, on="row", how="left").select("symbol", "security"),
        bars=changes,
        company=company,
        attributes=added,
        actions=reference.new_actions(_beside(connection, frames["actions"]), frames["actions"], at),
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
        settled=tuple(
            sorted(
                file.session
                for file in (*changes.files, *changes.flagged)
                if not file.provisional and file.session in stored_files and stored_files[file.session].provisional
            )
        ),
        corrected=changes.corrected.sort("session", "security"),
        late_actions=late.select("security", "ex_date", "kind"),
        rows=rows,
        quarantined=dict(counts.iter_rows()),
    )


def latest_bar_files(connection: sqlite3.Connection, known_until: datetime | None = None) -> dict[date, BarFile]:
    """The bar file that stands for each session, of those known by ``known_until``."""
    where, parameters = ("", []) if known_until is None else ("WHERE known_at <= ?", [sortable(known_until)])
    columns = "session, digest, file, rows, feed, provisional"
    found = {}
    for row in connection.execute(f"SELECT {columns} FROM bar_files {where} ORDER BY session, known_at", parameters):
        day = date.fromisoformat(row[0])
        found[day] = BarFile(
            session=day, digest=row[1], file=row[2], rows=row[3], feed=row[4], provisional=bool(row[5])
        )
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


def _listed(delivery: Delivery, last_session: date) -> pl.DataFrame:
    """Row and symbol of what the delivery says is listed in the last session."""
    gone = pl.col("delisted_on") <= last_session
    rows = delivery.securities.with_row_index("row")
    return rows.filter(~gone.fill_null(value=False)).select("row", "symbol")


def _provenance(delivery: Delivery, segments: pl.DataFrame, last_session: date) -> pl.DataFrame:
    """Security and provenance, the last told of each."""
    rows = reference.assign(delivery.provenance, segments, pl.lit(last_session))
    return rows.drop_nulls().unique("security", keep="last").select("security", "provenance")


def _with_values(bars: pl.DataFrame, caps: pl.DataFrame, segments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars by session and security with the market cap; of two rows for one security and session the first stays.

    All bars of a first population are hundreds of megabytes: what is not stored is left out before anything is copied.
    """
    aligned = caps.height == bars.height and caps["symbol"].equals(bars["symbol"]) and caps["date"].equals(bars["date"])
    if aligned:
        bars = bars.with_columns(caps["market_cap"])
    elif not caps.is_empty():
        unique = caps.unique(["symbol", "date"], keep="last").select("symbol", "date", "market_cap")
        bars = bars.join(unique, on=["symbol", "date"], how="left", maintain_order="left")
    else:
        bars = bars.with_columns(market_cap=pl.lit(None, dtype=pl.Float64))
    rows = reference.assign(bars.select("symbol", "date", *BAR_VALUES), segments, pl.col("date"))
    keys = rows.select(session_key()).to_series()
    double = pl.DataFrame(schema=QUARANTINE)
    if keys.n_unique() < rows.height:
        first = keys.is_first_distinct()
        double = _quarantined("bars", rows.filter(~first), "duplicate", "a second row for the security and session")
        rows = rows.filter(first)
        keys = keys.filter(first)
    rows = rows.select("security", "date", *BAR_VALUES)
    if not keys.is_sorted():
        rows = rows[keys.arg_sort()]
    return rows, double


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


def _beside(connection: sqlite3.Connection, delivered: pl.DataFrame) -> pl.DataFrame:
    """The stored actions that delivered ones may repeat or change: those from the first ex-date on."""
    first = delivered["ex_date"].min()
    return reference.actions(connection, after=first - timedelta(days=1) if isinstance(first, date) else None)


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
            "INSERT INTO bar_files (session, known_at, digest, file, rows, feed, provisional) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest, file = excluded.file, "
            "rows = excluded.rows, feed = excluded.feed, provisional = excluded.provisional",
            [
                (text(f.session), sortable(at), f.digest, f.file, f.rows, f.feed, int(f.provisional))
                for f in plan.bars.files
            ],
        )
        connection.executemany(
            "UPDATE bar_files SET feed = ?, provisional = ? WHERE session = ? AND known_at = "
            "(SELECT max(known_at) FROM bar_files last WHERE last.session = bar_files.session)",
            [(f.feed, int(f.provisional), text(f.session)) for f in plan.bars.flagged],
        )
        rows["bar_files"] = len(plan.bars.files) + len(plan.bars.flagged)
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
        check_complete(connection, plan.listed)
    return number, rows
