"""Layer 1 of the screener's set a second time, in plain pandas from the raw file, predicate by predicate.

It adds to the other oracle of the layer what a session needs beyond its own rows: closes and market caps that stand
in for missing ones for a while, and overnight jumps that look like splits. Nothing here comes from the product.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.oracles import layers_oracle as base

Frame = Any  # a pandas DataFrame

STANDS_IN = 20  # sessions for which a close is carried, and a listing read off its bars lasts
CAP_DAYS = 400  # a market cap that is older is unknown
REMEMBERED = 60  # sessions for which an unexplained jump keeps a symbol unknown
FRACTIONS = (2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 75, 80, 100)
# What the plain reading of a name cannot know: the screener's industry makes it a closed-end fund.
BY_INDUSTRY = {"ECC": "fund"}


def layer1(data: Path, session: date) -> Frame:
    """One row a symbol that traded within the last 20 sessions, by canonical symbol.

    Columns: close (the last one), volume_mean, market_cap (the last good one), bars, whole (a row in each of the last
    21 sessions), jumped, judged_type, and the predicates volume_ok, price_ok, market_cap_ok, history_ok, type_ok and
    jumps_ok.
    """
    rows = pd.read_parquet(data / base.NIGHTLY, columns=["symbol", "session", "close", "volume", "market_cap"])
    rows = rows[~rows["session"].isin(base.NO_SESSIONS) & (rows["session"] <= session)]
    close = rows.pivot(index="session", columns="symbol", values="close").sort_index()
    volume = rows.pivot(index="session", columns="symbol", values="volume").sort_index()
    repeats = (close == close.shift(1)) & (volume == volume.shift(1))
    last20 = volume.mask(repeats, 0.0).tail(base.WINDOW)
    known = last20.notna().sum()
    good = rows[rows["market_cap"] > 0].sort_values("session").groupby("symbol").tail(1).set_index("symbol")
    young = good["session"] >= session - timedelta(days=CAP_DAYS)
    out = pd.DataFrame(
        {
            "close": close.ffill(limit=STANDS_IN).iloc[-1],
            "volume_mean": (last20.sum() / known).where(known >= base.KNOWN),
            "bars": close.notna().sum(),
            "whole": close.tail(base.WINDOW + 1).notna().all(),
            "jumped": _jumps(close).tail(REMEMBERED).any(),
        }
    )
    out["market_cap"] = good["market_cap"].where(young).reindex(out.index)
    out = out[out["close"].notna()]
    names = base.screener_names(data, session)
    symbols = [str(symbol) for symbol in out.index]
    judged = {symbol.strip(): base.judged_type(symbol, names.get(symbol, "")) for symbol in symbols}
    out["judged_type"] = [(judged | BY_INDUSTRY)[symbol.strip()] for symbol in symbols]
    out["volume_ok"] = out["volume_mean"] >= base.MIN_VOLUME
    out["price_ok"] = out["close"] >= base.MIN_PRICE
    out["market_cap_ok"] = out["market_cap"] >= base.MIN_MARKET_CAP
    out["history_ok"] = out["bars"] >= base.HISTORY
    out["type_ok"] = out["judged_type"].isin(base.ADMITTED)
    out["jumps_ok"] = ~out["jumped"]
    out.index = pd.Index([base.canonical(symbol) for symbol in symbols])
    return out


def _jumps(close: Frame) -> Frame:
    """Where a close is under 0.55 or over 1.8 times the last one and within 3 % of a simple fraction of it."""
    ratio = close / close.ffill().shift(1)
    times = np.maximum(ratio, 1 / ratio)
    near = np.logical_or.reduce([(times / fraction - 1).abs() <= 0.03 for fraction in FRACTIONS])
    return ((ratio < 0.55) | (ratio > 1.8)) & near
