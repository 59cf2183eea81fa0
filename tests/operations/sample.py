"""A small market, published: twelve symbols, three sessions, one configuration; every verdict written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aitrader.domain.frames import BARS, SECURITIES, Delivery
from aitrader.domain.run import QUALIFICATIONS, LayerSummary, ScanRun
from aitrader.domain.verdict import Verdict
from aitrader.store.home import Home, set_current_market
from aitrader.store.store import Store

SESSIONS = (date(2025, 8, 19), date(2025, 8, 20), date(2025, 8, 21))
STORED_AT = datetime(2025, 8, 22, 1, tzinfo=UTC)
PUBLISHED_AT = datetime(2025, 8, 22, 1, 30, tzinfo=UTC)
NOW = datetime(2025, 8, 22, 3, tzinfo=UTC)
VERSION = "0123456789ab"
F, P, U, N, S, A = (int(one) for one in Verdict)


def _criterion(name: str, factors: list[str], op: str, value: Any, **more: Any) -> dict[str, Any]:
    common = {
        "name": name,
        "text": f"{name}.",
        "factor": factors[0],
        "factors": factors,
        "op": op,
        "unit": "",
        "input": "bar",
        "value": value,
        "exit": None,
        "role": "required",
        "weight": 1.0,
        "missing": "fail",
        "available": True,
        "decimals": 2,
        "sour_text": "",
    }
    return common | more


CONTENT: dict[str, Any] = {
    "layers": [
        {
            "number": 0,
            "name": "universe",
            "min_score": 0.0,
            "criteria": [_criterion("exchanges", ["exchange"], "in", ["NYSE", "NASDAQ"], input="listing")],
        },
        {
            "number": 1,
            "name": "liquidity",
            "min_score": 0.0,
            "criteria": [
                _criterion("min_volume", ["volume"], ">=", 1_000_000, unit="shares", decimals=0),
                _criterion("min_price", ["price"], ">=", 1, unit="dollars"),
                _criterion("max_spread_pct", ["spread_pct"], "<=", 2, unit="%", missing="skip"),
            ],
        },
        {
            "number": 2,
            "name": "technical",
            "min_score": 0.5,
            "criteria": [
                _criterion("min_rsi", ["rsi"], ">=", 30),
                _criterion("uptrend", ["price", "sma20", "sma50"], "is", True, role="scored"),
                _criterion("macd_cross", ["macd_cross_age"], "<", 5, unit="sessions", role="scored", decimals=0),
            ],
        },
        {
            "number": 3,
            "name": "fundamental",
            "min_score": 0.5,
            "criteria": [
                _criterion("max_pe", ["pe"], "<=", 25, unit="x", input="filing", sour_text="negative earnings"),
                _criterion(
                    "min_revenue_growth_pct", ["revenue_growth_pct"], ">=", 5, unit="%", input="filing", role="scored"
                ),
                _criterion(
                    "min_news_sentiment", ["news_sentiment"], ">=", 0.3, input="news", role="scored", missing="skip"
                ),
            ],
        },
    ]
}
# symbol: exchange, volume, price, rsi, sma20, macd_cross_age, pe, growth, sentiment
VALUES: dict[str, tuple[Any, ...]] = {
    "AAPL": ("NASDAQ", 5e7, 230.0, 55.0, 220.0, 2.0, 24.0, 9.0, 0.4),
    "MSFT": ("NASDAQ", 2e7, 410.0, 50.0, 420.0, None, 23.0, 15.0, None),
    "GOOGL": ("NASDAQ", 3e7, 190.0, 60.0, 180.0, 1.0, 25.5, 12.0, 0.1),
    "NEGE": ("NYSE", 2e6, 12.0, 45.0, 11.0, 0.0, None, 30.0, 0.9),
    "BRK.B": ("NYSE", 4e6, 480.0, 48.0, 490.0, None, 16.0, 4.0, None),
    "NEAR": ("NYSE", 981_204.0, 20.0, 50.0, 19.0, 3.0, 12.0, 8.0, None),
    "TINY": ("NASDAQ", 1_000.0, 0.5, 50.0, 0.4, None, None, None, None),
    "NODATA": ("NASDAQ", None, None, None, None, None, None, None, None),
    "NA": ("NYSE", 1e6, 1.0, 29.999, 1.0, None, 10.0, 5.0, None),
    "TRUE": ("NASDAQ", 1.5e6, 3.0, 20.0, 2.9, None, 11.0, 6.0, None),
    "OTCX": ("OTC", 9e6, 8.0, 50.0, 7.0, 1.0, 9.0, 9.0, None),
    "ABR-P-D": ("NYSE", 50_000.0, 18.0, 50.0, 17.0, None, None, None, None),
}
CODES: dict[str, dict[str, int]] = {
    symbol: dict(
        zip(
            ("exchanges", "min_volume", "min_price", "min_rsi", "uptrend", "macd_cross", "max_pe", "growth", "news"),
            codes,
            strict=True,
        )
    )
    for symbol, codes in {
        "AAPL": (P, P, P, P, P, P, P, P, P),
        "MSFT": (P, P, P, P, F, F, P, P, S),
        "GOOGL": (P, P, P, P, P, P, F, P, F),
        "NEGE": (P, P, P, P, P, P, F, P, P),
        "BRK.B": (P, P, P, P, F, F, P, F, S),
        "NEAR": (P, F, P, P, P, P, P, P, S),
        "TINY": (P, F, F, P, P, F, U, U, S),
        "NODATA": (P, U, U, U, U, U, U, U, S),
        "NA": (P, P, P, F, F, F, P, P, S),
        "TRUE": (P, P, P, F, P, F, P, P, S),
        "OTCX": (F, P, P, P, P, P, P, P, S),
        "ABR-P-D": (P, F, P, P, P, F, U, U, S),
    }.items()
}
# layer: symbol: (verdict, member, score, rank, cause)
PLACES: dict[int, dict[str, tuple[int, bool, float | None, int | None, str]]] = {
    0: {
        symbol: (F, False, None, None, "exchanges") if symbol == "OTCX" else (P, True, None, None, "passed")
        for symbol in VALUES
    },
    1: {
        **dict.fromkeys(("AAPL", "MSFT", "GOOGL", "NEGE", "BRK.B", "NA", "TRUE"), (P, True, None, None, "passed")),
        "NEAR": (F, False, None, None, "min_volume"),
        "TINY": (F, False, None, None, "min_volume"),
        "ABR-P-D": (F, False, None, None, "min_volume"),
        "NODATA": (U, False, None, None, "min_volume"),
    },
    2: {
        "AAPL": (P, True, 1.0, 1, "passed"),
        "GOOGL": (P, True, 1.0, 2, "passed"),
        "NEGE": (P, True, 1.0, 3, "passed"),
        "MSFT": (F, False, 0.0, None, "score below the minimum"),
        "BRK.B": (F, False, 0.0, None, "score below the minimum"),
        "NA": (F, False, 0.0, None, "min_rsi"),
        "TRUE": (F, False, 0.5, None, "min_rsi"),
    },
    3: {
        "AAPL": (P, True, 0.9, 1, "passed"),
        "MSFT": (P, True, 0.7, 2, "held by band"),
        "GOOGL": (F, False, 0.5, None, "max_pe"),
        "NEGE": (F, False, 0.8, None, "max_pe"),
    },
}
EARLIER = {
    **PLACES,
    3: {
        "MSFT": (P, True, 0.8, 1, "passed"),
        "GOOGL": (P, True, 0.75, 2, "passed"),
        "AAPL": (F, False, 0.3, None, "score below the minimum"),
    },
}
_CODE_COLUMNS = {
    "exchanges": "L0.exchanges",
    "min_volume": "L1.min_volume",
    "min_price": "L1.min_price",
    "min_rsi": "L2.min_rsi",
    "uptrend": "L2.uptrend",
    "macd_cross": "L2.macd_cross",
    "max_pe": "L3.max_pe",
    "growth": "L3.min_revenue_growth_pct",
    "news": "L3.min_news_sentiment",
}


def delivery(source: str) -> Delivery:
    """The listings and bars of the sample; NODATA never trades."""
    symbols = list(VALUES)
    securities = pl.DataFrame(
        {
            "symbol": symbols,
            "name": [f"{symbol} Incorporated" for symbol in symbols],
            "exchange": [VALUES[symbol][0] for symbol in symbols],
            "security_type": ["preferred" if symbol == "ABR-P-D" else "common" for symbol in symbols],
            "sector": [None if symbol == "MSFT" else "Technology" for symbol in symbols],
        },
        schema_overrides=SECURITIES,
    )
    rows = [
        (symbol, day, VALUES[symbol][2], VALUES[symbol][1] + at)
        for symbol in symbols
        if VALUES[symbol][2] is not None
        for at, day in enumerate(SESSIONS)
        if (symbol, day) != ("AAPL", SESSIONS[1])
    ]
    bars = pl.DataFrame(rows, schema=["symbol", "date", "close", "volume"], orient="row", schema_overrides=BARS)
    return Delivery(
        source=source,
        adjustment="raw",
        offers=frozenset({"bars.close", "bars.volume", "securities.exchange"}),
        securities=_filled(securities, SECURITIES),
        bars=_filled(bars, BARS),
        provenance=pl.DataFrame({"symbol": ["MSFT"], "provenance": ["name:alpaca security_type:polygon"]}),
    )


def _filled(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in schema.items())


def run(
    ids: dict[str, int],
    session: date,
    places: dict[int, dict[str, tuple[int, bool, float | None, int | None, str]]],
    *,
    number: int = 1,
    previous: str | None = None,
    environment: str = "development",
    source: str = "simulated",
    change: float | None = 0.25,
    version: str = VERSION,
    kind: str = "final",
) -> ScanRun:
    """One run as the engine hands it to the store."""
    return ScanRun(
        run_id=f"{session}.{number}",
        session=session,
        as_of=datetime(session.year, session.month, session.day, 20, 30, tzinfo=UTC),
        kind=kind,
        config_version=version,
        previous_run=previous,
        input_digest="in",
        result_digest=f"out {session} {number}",
        source=source,
        environment=environment,
        layers=_summaries(places, change),
        qualifications=_qualifications(ids, places),
        detail=_detail(ids, session, places),
        membership=np.zeros((4, max(ids.values()) + 1)),
        header={
            "unavailable": {"1": ["max_spread_pct"]},
            "missing": {"max_spread_pct": "skip", "min_news_sentiment": "skip"},
            "sector_cap_relaxed_by": {"3": 1},
            "unknown": {"1": {"min_volume": 0.0909}},
        },
        seconds={"judge": 0.01},
    )


def _summaries(places: dict[int, Any], change: float | None) -> tuple[LayerSummary, ...]:
    sizes = {layer: sum(one[1] for one in rows.values()) for layer, rows in places.items()}
    return tuple(
        LayerSummary(
            layer=layer,
            symbols=sizes[layer],
            counted=sizes[layer],
            reached=len(rows),
            failed=sum(one[0] == F for one in rows.values()),
            unknown=sum(one[0] == U for one in rows.values()),
            qualification_rate=sizes[layer] / sizes[layer - 1] if layer else None,
            change_rate=change if layer == 3 else 0.0,
            added=1 if layer == 3 else 0,
            removed=1 if layer == 3 else 0,
            seconds=0.001,
        )
        for layer, rows in places.items()
    )


def _qualifications(ids: dict[str, int], places: dict[int, Any]) -> pl.DataFrame:
    rows = [
        (layer, ids[symbol], symbol, verdict, member, score, rank, cause)
        for layer, ones in places.items()
        for symbol, (verdict, member, score, rank, cause) in ones.items()
    ]
    return pl.DataFrame(rows, schema=QUALIFICATIONS, orient="row").sort("layer", "security")


def _detail(ids: dict[str, int], session: date, places: dict[int, Any]) -> pl.DataFrame:
    rows = []
    for symbol, (exchange, volume, price, rsi, sma20, age, pe, growth, news) in VALUES.items():
        row = {
            "security": ids[symbol],
            "symbol": symbol,
            "exchange": exchange,
            "volume": volume,
            "price": price,
            "spread_pct": None,
            "rsi": rsi,
            "sma20": sma20,
            "sma50": None if sma20 is None else sma20 - 1,
            "macd_cross_age": age,
            "pe": pe,
            "revenue_growth_pct": growth,
            "news_sentiment": news,
            "session": session,
            "bar_date": None if price is None else session,
            "filing_date": None if growth is None else date(2025, 7, 31),
            "news_date": None if news is None else date(2025, 8, 18),
            "L1.max_spread_pct": A,
        }
        row |= {_CODE_COLUMNS[name]: code for name, code in CODES[symbol].items()}
        row |= {f"L{layer}.verdict": places[layer].get(symbol, (N,))[0] for layer in range(4)}
        rows.append(row)
    kinds = {"security": pl.UInt32, **{name: pl.UInt8 for name in rows[0] if name.startswith("L")}}
    names = ("volume", "price", "spread_pct", "rsi", "sma20", "sma50", "macd_cross_age", "pe")
    floats = dict.fromkeys(names, pl.Float64)
    dates = dict.fromkeys(("session", "bar_date", "filing_date", "news_date"), pl.Date)
    return pl.DataFrame(rows, schema_overrides={**kinds, **floats, **dates}, infer_schema_length=None).sort("security")


def publish(
    root: Path,
    *,
    environment: str = "development",
    source: str = "simulated",
    runs: int = 3,
    last_change: float | None = 0.25,
) -> Home:
    """A home with the sample stored and its first ``runs`` sessions published."""
    home = Home(root, environment, source)
    with Store.open(home, write=True, create=True) as store, store.writer_lock(lambda: STORED_AT):
        store.ingest(delivery(source), at=STORED_AT)
        ids = identities(store)
        store.save_config_version(VERSION, CONTENT, author="test", at=STORED_AT, cause="first initialisation")
        previous = None
        for at, session in enumerate(SESSIONS[:runs]):
            made = run(
                ids,
                session,
                PLACES if at == 2 else EARLIER,
                previous=previous,
                environment=environment,
                source=source,
                change=last_change if at else None,
            )
            store.publish([made], at=PUBLISHED_AT)
            previous = made.run_id
    set_current_market(root, environment, source)
    return home


def identities(store: Store) -> dict[str, int]:
    """Security ids by symbol."""
    return dict(store.securities().select("symbol", "id").iter_rows())
