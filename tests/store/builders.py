"""Small deliveries and runs for the store's tests: symbols by name, sessions by position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, MARKET_CAPS, NEWS, SECURITIES, Delivery
from aitrader.domain.run import QUALIFICATIONS, LayerSummary, ScanRun
from aitrader.domain.sessions import xnys
from aitrader.store.home import Home
from aitrader.store.store import Store

CALENDAR = xnys()
START = CALENDAR.ordinal(date(2024, 1, 2))
OPENED: list[Store] = []
NOON = datetime(2025, 7, 1, 12, 0, tzinfo=UTC)


def day(position: int) -> date:
    """The session at a position, 0 being 2024-01-02."""
    return CALENDAR.session_at(START + position)


def frame(schema: dict[str, Any], rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    rows = list(rows)
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema=schema)


def listing(symbol: str, **values: Any) -> dict[str, Any]:
    return {"symbol": symbol, "name": f"{symbol} Inc", "exchange": "NYSE", "security_type": "common", **values}


def bars(symbol: str, positions: Iterable[int], close: float = 10.0) -> list[dict[str, Any]]:
    return [
        {"symbol": symbol, "date": day(p), "open": close, "high": close, "low": close, "close": close, "volume": 1000.0}
        for p in positions
    ]


def change(old: str, new: str, position: int) -> dict[str, Any]:
    return {"symbol": old, "new_symbol": new, "ex_date": day(position), "kind": "symbol_change"}


def delivery(
    listings: Sequence[dict[str, Any]] = (),
    bar_rows: Sequence[dict[str, Any]] = (),
    *,
    actions: Sequence[dict[str, Any]] = (),
    caps: Sequence[dict[str, Any]] = (),
    fundamentals: Sequence[dict[str, Any]] = (),
    news: Sequence[dict[str, Any]] = (),
    source: str = "dataset-test",
    **more: Any,
) -> Delivery:
    return Delivery(
        source=source,
        adjustment="raw",
        offers=frozenset({"bars.close"}),
        securities=frame(SECURITIES, listings),
        bars=frame(BARS, bar_rows),
        market_caps=frame(MARKET_CAPS, caps),
        actions=frame(ACTIONS, actions),
        fundamentals=frame(FUNDAMENTALS, fundamentals),
        news=frame(NEWS, news),
        **more,
    )


def new_store(root: Path, market: str = "dataset-test") -> Store:
    store = Store.open(Home(root, "development", market), write=True, create=True)
    OPENED.append(store)
    return store


def summary(layer: int, symbols: int) -> LayerSummary:
    return LayerSummary(
        layer=layer,
        symbols=symbols,
        counted=symbols,
        reached=symbols,
        failed=0,
        unknown=0,
        qualification_rate=0.25,
        change_rate=0.0,
        added=0,
        removed=0,
        seconds=0.001,
    )


def scan_run(
    run_id: str,
    session: date,
    members: dict[int, Sequence[int]],
    *,
    universe: int = 20,
    previous: str | None = None,
    result: str = "",
    **more: Any,
) -> ScanRun:
    """A run over securities 1..universe; ``members`` by layer, everybody reaches Layer 1, members reach the next."""
    reached: Sequence[int] = range(1, universe + 1)
    parts = []
    for layer in (1, 2, 3):
        chosen = list(members.get(layer, ()))
        inside = [security in chosen for security in reached]
        parts.append(
            pl.DataFrame(
                {
                    "layer": [layer] * len(reached),
                    "security": list(reached),
                    "symbol": [f"S{security:03d}" for security in reached],
                    "verdict": [int(x) for x in inside],
                    "member": inside,
                    "score": [0.5] * len(reached),
                    "rank": [chosen.index(s) + 1 if x else None for s, x in zip(reached, inside, strict=True)],
                    "cause": ["passed" if x else f"rule{layer}" for x in inside],
                },
                schema=QUALIFICATIONS,
            )
        )
        reached = chosen
    ids = np.arange(1, universe + 1, dtype=np.uint32)
    detail = pl.DataFrame(
        {
            "security": ids,
            "symbol": [f"S{security:03d}" for security in ids],
            "volume": ids.astype(np.float64) * 1000,
            "run": [float(len(run_id))] * universe,
            "bar_date": [session] * universe,
            "L1.min_volume": np.ones(universe, dtype=np.uint8),
        }
    )
    counts = {0: universe, **{layer: len(list(members.get(layer, ()))) for layer in (1, 2, 3)}}
    values: dict[str, Any] = {
        "run_id": run_id,
        "session": session,
        "as_of": CALENDAR.scheduled_as_of(session),
        "kind": "final",
        "config_version": "c0ffee",
        "previous_run": previous,
        "input_digest": "in",
        "result_digest": result or f"result of {run_id}",
        "source": "dataset-test",
        "environment": "development",
        "layers": tuple(summary(layer, count) for layer, count in counts.items()),
        "qualifications": pl.concat(parts),
        "detail": detail,
        "membership": np.full((2, universe), float(len(run_id))),
        "header": {"notices": []},
        "seconds": {"total": 0.01},
    }
    return ScanRun(**{**values, **more})
