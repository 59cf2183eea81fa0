"""Cross-sections and layers by hand: a few securities with the numbers that a test is about, the rest unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from aitrader.criteria.layer import Layer, bind
from aitrader.domain.factors import FACTORS
from aitrader.funnel.cross_section import FLAGS, frame
from aitrader.funnel.listings import Listings, ListingView
from aitrader.settings.layer_file import layer_from_content

DAY = date(2015, 9, 1)
ATTRIBUTES = ("exchange", "security_type", "sector", "industry")
HEADS = {0: "universe", 1: "liquidity", 2: "technical", 3: "fundamental"}
OFFERS = frozenset(
    one for factor in FACTORS.values() for need in factor.needs for one in ((need,) if isinstance(need, str) else need)
) | {"securities.exchange", "securities.security_type", "securities.sector"}


def view(rows: Iterable[Mapping[str, Any]]) -> ListingView:
    """Listings of these attributes, ids from 1; common stock on NYSE where nothing is said."""
    rows = [{"security_type": "common", "exchange": "NYSE", **row} for row in rows]
    ids = pl.Series("id", range(1, len(rows) + 1), dtype=pl.UInt32)
    securities = pl.DataFrame(
        {
            "id": ids,
            "symbol": [row.get("symbol", f"S{at:02d}") for at, row in enumerate(rows, 1)],
            "cik": pl.Series([row.get("cik") for row in rows], dtype=pl.String),
            "listed_on": pl.Series([row.get("listed_on") for row in rows], dtype=pl.Date),
            "delisted_on": pl.Series([row.get("delisted_on") for row in rows], dtype=pl.Date),
            "interval_inferred": [bool(row.get("inferred", False)) for row in rows],
        }
    )
    attributes = pl.DataFrame(
        {
            "security": ids,
            "known_on": pl.Series([None] * len(rows), dtype=pl.Date),
            **{name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in ATTRIBUTES},
        }
    )
    intervals = pl.DataFrame(schema={"security": pl.UInt32, "symbol": pl.String, "from_date": pl.Date})
    return Listings(securities, attributes, intervals).at(DAY)


def cross(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """A cross-section as the engine gathers it; numbers by factor, ``None`` and NaN both unknown, flags false."""
    names = {*FACTORS, "bar_age", *FLAGS, *(n for row in rows for n, v in row.items() if isinstance(v, float))}
    zero = {"bar_age", *FLAGS}
    columns = {
        name: np.array([float(row.get(name, 0.0 if name in zero else np.nan)) for row in rows])
        for name in sorted(names)
    }
    return frame(columns, view(rows))


def layer(
    number: int = 1,
    *,
    criteria: Mapping[str, Any] | None = None,
    offers: frozenset[str] = OFFERS,
    missing: Mapping[str, str] | None = None,
    ranking: Mapping[str, Any] | None = None,
    bands: Mapping[str, Any] | None = None,
    types: Iterable[str] = (),
    **head: Any,
) -> Layer:
    """A bound layer of these criteria, as its file would have them."""
    content: dict[str, Any] = {"layer": {"number": number, "name": HEADS[number], **head}, **(criteria or {})}
    content |= {"ranking": ranking} if ranking else {}
    content |= {"bands": dict(bands)} if bands is not None else {}
    content |= {"types": tuple(types)} if types else {}
    return bind(layer_from_content(content), offers=offers, missing=dict(missing or {}))


def ranked(sector_cap: float | None = None, **weights: float) -> dict[str, Any]:
    """A ranking of one component."""
    head = {} if sector_cap is None else {"sector_cap": sector_cap}
    return {**head, "components": {"all": {"weight": 1, "factors": weights}}}
