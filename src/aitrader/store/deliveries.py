"""What a delivery means after those before it: what it may replace, what it adds to, and whether all of it arrived."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import polars as pl

from aitrader.domain.errors import RefusedError, SourceError, StoreError
from aitrader.domain.frames import Delivery
from aitrader.store.frames import read_frame
from aitrader.store.population import Population

LEAST_SHARE = 0.9  # of the last discovery's symbols
ENDED = ("delisting", "reuse", "inferred")  # reasons to close a listing that a delivery may still name
NAMED = 5  # symbols in an error


def check_basis(delivery: Delivery, past: Sequence[Population]) -> None:
    """Raise RefusedError where a market's sources would mix prices on different bases."""
    if not delivery.cumulative or not past or past[-1].adjustment == delivery.adjustment:
        return
    raise RefusedError(
        f"{delivery.source} delivers {delivery.adjustment} prices, this market holds {past[-1].adjustment} ones",
        why="prices on two bases cannot be compared",
        do="populate another market with --market NAME",
    )


def check_shrink(delivery: Delivery, symbols: int, past: Sequence[Population], *, accept_shrink: bool) -> None:
    """Raise where a source that is complete lists nothing, or suspiciously few symbols.

    It is compared with its own last discovery, or where it made none with the last of any complete source.
    """
    if delivery.partial:
        return
    if symbols == 0:
        raise SourceError(
            "the source delivered no listed symbol",
            why="a source is complete or it is an error",
            do="check the source; the stored universe was kept",
        )
    complete = [one for one in past if not one.partial]
    own = [one for one in complete if one.source == delivery.source]
    if accept_shrink or not complete:
        return
    before = (own or complete)[-1].symbols
    if symbols >= LEAST_SHARE * before:
        return
    raise RefusedError(
        f"discovery returned {symbols:,} symbols, the last one {before:,}",
        why=f"under {LEAST_SHARE:.0%} of the last, so nothing was stored and nothing deactivated",
        do="check the source, or accept it with --accept-shrink",
    )


def next_population(
    delivery: Delivery,
    past: Sequence[Population],
    *,
    at: datetime,
    bars: Iterable[tuple[date, str]],
    stored: Iterable[date],
    symbols: int,
) -> Population:
    """The population that a delivery makes; ``bars`` are its sessions with their digests, ``stored`` those before.

    What the sources of a cumulative market offered before stays offered, and their policies stay, unless told anew.
    """
    bars = list(bars)
    last = past[-1] if past and delivery.cumulative else None
    days = sorted({session for session, _ in bars} | set(stored))
    return Population(
        id=(past[-1].id if past else 0) + 1,
        at=at,
        seen_at=at,
        source=delivery.source,
        adjustment=delivery.adjustment,
        offers=frozenset(delivery.offers) | (last.offers if last else frozenset()),
        missing={**(last.missing if last else {}), **delivery.missing},
        notices=tuple(delivery.notices),
        symbols=symbols,
        partial=delivery.partial,
        first_session=days[0] if days else None,
        last_session=days[-1] if days else None,
        sessions=len(days),
        quarantined=delivery.quarantine.height,
        digest=_digest(delivery, bars),
    )


def _digest(delivery: Delivery, bars: Iterable[tuple[date, str]]) -> str:
    """SHA-256 of what was delivered."""
    total = hashlib.sha256()
    for session, digest in bars:
        total.update(f"{session}{digest}".encode())
    frames = (delivery.securities, delivery.actions, delivery.fundamentals, delivery.news, delivery.quarantine)
    for frame in (*frames, delivery.provenance):
        total.update(_frame_digest(frame))
    told: list[object] = [
        delivery.source,
        delivery.adjustment,
        sorted(delivery.offers),
        delivery.missing,
        delivery.notices,
    ]
    if delivery.feed or delivery.provisional:
        told += [delivery.feed, sorted(str(session) for session in delivery.provisional)]
    total.update(json.dumps(told, sort_keys=True).encode())
    return total.hexdigest()


def _frame_digest(frame: pl.DataFrame) -> bytes:
    """SHA-256 over the values as text, in the order of the rows."""
    if frame.is_empty():
        return b""
    lines = frame.select(
        pl.concat_str(pl.all().cast(pl.String).fill_null("\x00"), separator="\x1f").alias("line")
    ).to_series()
    return hashlib.sha256("\x1e".join(lines.to_list()).encode()).digest()


def check_complete(connection: sqlite3.Connection, listed: pl.DataFrame) -> None:
    """Raise StoreError unless every listed symbol of a delivery is a security of the store that is listed too.

    ``listed`` has symbol and security, null where it became none; the caller holds the transaction that wrote them. A
    listing that an action or another source ended is not lost.
    """
    types = {"security": pl.UInt32, "active": pl.Boolean, "closed_by": pl.String}
    sql = f"SELECT id, active, closed_by FROM companies WHERE active = 1 OR closed_by IN {ENDED}"
    stored = read_frame(connection, sql, types).select("security")
    found = listed.join(stored, on="security", how="semi").select("symbol")
    lost = listed.select("symbol").join(found, on="symbol", how="anti")["symbol"].unique().sort().to_list()
    if not lost:
        return
    named = ", ".join(str(symbol) for symbol in lost[:NAMED]) + (" ..." if len(lost) > NAMED else "")
    total = listed["symbol"].n_unique()
    raise StoreError(
        f"{len(lost):,} of {total:,} delivered listings did not arrive in the store: {named}",
        why="what is received is stored whole or not at all, so nothing was changed",
        do="run it again; if it stays, report it with these symbols",
    )
