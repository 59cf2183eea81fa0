"""Stores of the made-up market and scans of them, with layers that let a handful of its symbols through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import xnys
from aitrader.funnel import scan as scanning
from aitrader.funnel.engine import Rules
from aitrader.funnel.replay import Walk
from aitrader.funnel.rules import rules_for
from aitrader.settings.layer_file import layer_from_content
from aitrader.settings.models import Funnel, Sentiment
from aitrader.settings.scanner import ScannerConfig
from aitrader.store.home import Home
from aitrader.store.store import Store
from tests.support.markets import STORED_AT, day

LAYERS: dict[int, dict[str, Any]] = {
    0: {"layer": {"number": 0, "name": "universe"}, "exchanges": ["NYSE", "NASDAQ"]},
    1: {
        "layer": {"number": 1, "name": "liquidity"},
        "types": ["common", "adr", "reit", "etf"],
        "min_volume": 1_000_000,
        "min_market_cap": 100_000_000,
        "min_price": 3,
        "max_spread_pct": {"value": 2.0, "missing": "skip"},
        "min_history": 20,
        "explained_jumps": True,
    },
    2: {
        "layer": {"number": 2, "name": "technical", "min_score": 0.45, "min_coverage": 0.5, "max_symbols": 14},
        "uptrend": {"value": True, "role": "scored", "weight": 20},
        "max_rsi": {"value": 70, "role": "scored", "weight": 10},
        "min_volume_surge": {"value": 1.0, "role": "scored", "weight": 10},
        "inside_bollinger": {"value": True, "role": "scored", "weight": 10},
        "macd_cross": {"value": 15, "role": "scored", "weight": 10},
        "ranking": {"components": {"trend": {"weight": 40, "factors": {"relative_strength_pct": 1, "adx": 1}}}},
    },
    3: {
        "layer": {
            "number": 3,
            "name": "fundamental",
            "min_score": 0.4,
            "min_coverage": 0.5,
            "max_symbols": 6,
            "min_symbols": 2,
        },
        "types": ["common", "adr", "reit"],
        "max_pe": {"value": 60, "role": "scored", "weight": 10},
        "max_debt_equity": {"value": 1.0, "role": "scored", "weight": 10},
        "min_revenue_growth_pct": {"value": 5, "role": "scored", "weight": 10},
        "min_news_sentiment": {"value": 0.0, "role": "scored", "weight": 5, "missing": "skip"},
        "ranking": {
            "sector_cap": 0.15,
            "components": {"trend": {"weight": 40, "factors": {"relative_strength_pct": 1, "pb": 1}}},
        },
        "bands": {"exit_rank": 10, "max_age": 5, "max_stale": 2},
    },
}


def config(changes: Mapping[int, Mapping[str, Any]] | None = None, *, first_scan_sessions: int = 20) -> ScannerConfig:
    """The layers with some keys of some files replaced (None: removed)."""
    layers = []
    for number, content in LAYERS.items():
        merged = {**content, **(changes or {}).get(number, {})}
        layers.append(layer_from_content({key: value for key, value in merged.items() if value is not None}))
    return ScannerConfig(
        layers=(layers[0], layers[1], layers[2], layers[3]),
        funnel=Funnel(first_scan_sessions=first_scan_sessions),
        sentiment=Sentiment(),
    )


def stored(root: Path, delivery: Delivery, *, hours: int = 0) -> Store:
    """A store opened for writing that holds a delivery; the caller closes it."""
    store = Store.open(Home(root, "development", delivery.source), write=True, create=True)
    store.ingest(delivery, at=STORED_AT + timedelta(hours=hours))
    return store


def rules(store: Store, changes: Mapping[int, Mapping[str, Any]] | None = None) -> Rules:
    """The layers bound to what the store's source offers."""
    population = store.population()
    assert population is not None
    return rules_for(config(changes), offers=population.offers, missing=population.missing)


def walk(store: Store) -> Walk:
    """How the engine reads the store."""
    population = store.population()
    assert population is not None
    return Walk(store=store, calendar=xnys(), adjustment=population.adjustment)


OCCASION = scanning.Occasion(source="dataset-made", environment="development")


def scanned(
    store: Store, until: int | date, *, first: int = 20, changes: Mapping[int, Mapping[str, Any]] | None = None
) -> scanning.Outcome:
    """The runs of a scan up to a session, not yet published."""
    session = until if isinstance(until, date) else day(until)
    return scanning.scan(
        store, walk(store), rules(store, changes), OCCASION, session=session, first_scan_sessions=first
    )


def published(store: Store, until: int | date, *, first: int = 20) -> scanning.Outcome:
    """The same, published."""
    outcome = scanned(store, until, first=first)
    store.publish(outcome.runs, at=STORED_AT + timedelta(days=1), force=True)
    return outcome


def digests(outcome: scanning.Outcome) -> dict[date, str]:
    """Result digests by session."""
    return {run.session: run.result_digest for run in outcome.runs}
