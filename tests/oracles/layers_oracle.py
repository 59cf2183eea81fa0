"""Layer 1 a second time, in plain pandas from the raw screener files; nothing here comes from the product.

Volumes are shares, prices and market caps dollars. Every predicate is a column of its own, so that a reader can
choose which of them a comparison needs.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Frame = Any  # a pandas DataFrame

NIGHTLY = Path("universe") / "nightly_2024_2025.parquet"
NO_SESSIONS = (date(2025, 7, 12),)  # a Saturday whose rows repeat the Friday
WINDOW, KNOWN, HISTORY = 20, 15, 60  # sessions
MIN_VOLUME, MIN_MARKET_CAP, MIN_PRICE = 1_000_000, 100_000_000, 1.00
ADMITTED = ("common", "adr", "reit", "etf")

# The first pattern that a screener name or symbol meets decides; what meets none is a common share.
TYPE_BY_NAME = (
    ("warrant", r"\bwarrants?\b"),
    ("adr", r"\badrs?\b|\badss?\b|american deposit[ao]ry|sponsored depositary"),
    ("right", r"\brights?\b"),
    ("common", r"common units?\b|limited partner"),
    ("fund", r"trust units?\b|royalty trust"),
    ("unit", r"\bunits?\b"),
    ("note", r"\bnotes?\b|debentures?\b|mortgage bonds?\b|\bsenior\b.*\bdue\b|% .*\bdue\b"),
    ("preferred", r"preferred (?:stock|shares?|securities|units?)|\bpreference\b|deposit[ao]ry|\d% .*\bseries\b"),
    (
        "fund",
        r"\bfunds?\b|\bmuni\w*\b|\b(?:income|term|municipal|opportunit\w+|allocation|bond) trust\b",
    ),
    ("reit", r"\breit\b|real estate investment trust"),
)


def layer1(data: Path, session: date = date(2025, 8, 21)) -> Frame:
    """One row per symbol of ``session``: its inputs, each predicate (True, False) and the judged type.

    Columns: symbol (as the screener spells it), canonical, close, volume_mean (NaN with fewer than 15 known),
    known (sessions), market_cap (0 is missing: NaN), bars, judged_type, and the predicates volume_ok, price_ok,
    market_cap_ok, history_ok, type_ok. A missing input fails its predicate.
    """
    nightly = pd.read_parquet(data / NIGHTLY, columns=["symbol", "session", "close", "volume", "market_cap"])
    nightly = nightly[~nightly["session"].isin(NO_SESSIONS) & (nightly["session"] <= session)]
    close = nightly.pivot(index="session", columns="symbol", values="close").sort_index()
    volume = nightly.pivot(index="session", columns="symbol", values="volume").sort_index()
    repeats = (close == close.shift(1)) & (volume == volume.shift(1))
    last = volume.mask(repeats, 0.0).tail(WINDOW)
    known = last.notna().sum()
    today = nightly[nightly["session"] == session].set_index("symbol")
    out = pd.DataFrame(
        {
            "close": today["close"],
            "volume_mean": (last.sum() / known).where(known >= KNOWN).reindex(today.index),
            "known": known.reindex(today.index),
            "market_cap": today["market_cap"].where(today["market_cap"] != 0, np.nan),
            "bars": close.notna().sum().reindex(today.index),
        }
    )
    names = screener_names(data, session)
    out["judged_type"] = [judged_type(str(s), names.get(str(s), "")) for s in out.index]
    out["volume_ok"] = out["volume_mean"] >= MIN_VOLUME
    out["price_ok"] = out["close"] >= MIN_PRICE
    out["market_cap_ok"] = out["market_cap"] >= MIN_MARKET_CAP
    out["history_ok"] = out["bars"] >= HISTORY
    out["type_ok"] = out["judged_type"].isin(ADMITTED)
    out = out.reset_index()
    out.insert(1, "canonical", [canonical(str(s)) for s in out["symbol"]])
    return out


def passing(frame: Frame, *predicates: str) -> set[str]:
    """The screener symbols for which all the named predicates hold."""
    return set(frame.loc[frame[list(predicates)].all(axis=1), "symbol"])


def screener_names(data: Path, session: date) -> dict[str, str]:
    """Name by symbol from the latest screener snapshot taken up to ``session``."""
    files = sorted((data / "universe").glob("snapshot_*.parquet"))
    usable = [f for f in files if f.stem.removeprefix("snapshot_") <= session.strftime("%Y%m%d")]
    if not usable:
        return {}
    frame = pd.read_parquet(usable[-1], columns=["symbol", "name"])
    return {str(s).strip(): str(n) for s, n in zip(frame["symbol"], frame["name"], strict=True)}


def judged_type(symbol: str, name: str) -> str:
    """A type by the plainest reading of symbol and name: a caret is a preferred, then the first pattern that fits."""
    if "^" in symbol:
        return "preferred"
    for security_type, pattern in TYPE_BY_NAME:
        if re.search(pattern, name, re.IGNORECASE):
            return security_type
    return "common"


def canonical(symbol: str) -> str:
    """The screener's ``BRK/B`` as ``BRK.B``, its ``ABR^D`` as ``ABR-P-D`` and ``ABC^`` as ``ABC-P``."""
    return symbol.replace("/", ".").replace("^", "-P-").removesuffix("-")


def counts(frame: Frame) -> dict[str, int]:
    """Symbols that pass each predicate alone, the three of volume, market cap and price, and all five."""
    single = ("volume_ok", "price_ok", "market_cap_ok", "history_ok", "type_ok")
    out = {"symbols": len(frame), **{name: int(frame[name].sum()) for name in single}}
    out["volume, market cap, price"] = len(passing(frame, "volume_ok", "market_cap_ok", "price_ok"))
    out["and history"] = len(passing(frame, "volume_ok", "market_cap_ok", "price_ok", "history_ok"))
    out["all five"] = len(passing(frame, *single))
    return out
