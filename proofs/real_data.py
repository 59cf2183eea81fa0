"""The funnel on the real sets: counts at three dates each, unknown shares, the Layer 3 names with their sectors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from aitrader.funnel.engine import fresh
from aitrader.funnel.replay import Position, fold, replay
from aitrader.funnel.scan import header
from proofs._markets import populated, real

NAME = "real_data"
COVERS = (
    "src/aitrader/features",
    "src/aitrader/criteria",
    "src/aitrader/funnel",
    "src/aitrader/providers/dataset*.py",
    "src/aitrader/providers/quarantine.py",
    "src/aitrader/providers/row_rules.py",
    "src/aitrader/providers/values.py",
    "config/scanners",
    "datasets",
    "proofs/_markets.py",
)

DATES = {
    "us_2015_2016": (date(2015, 9, 30), date(2015, 12, 31), date(2016, 3, 31)),
    "us_2021_2023": (date(2021, 11, 8), date(2022, 6, 30), date(2023, 2, 28)),
    "us_2024_2025": (date(2024, 12, 31), date(2025, 4, 30), date(2025, 8, 21)),
}


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Walk each set once from its first bar; the membership is empty at the first session whose history suffices."""
    figures: dict[str, Any] = {}
    for name, dates in DATES.items():
        progress(name)
        figures[name] = _scanned(name, dates)
    return figures


def _scanned(name: str, dates: tuple[date, ...]) -> dict[str, Any]:
    with populated(real(name)) as market:
        rules = market.rules()
        sessions = market.store.sessions()
        span = market.walk.calendar.between(sessions[0], sessions[-1])
        events = market.walk.market(after=None, until=span[-1])
        position = Position(fresh(events.listings.ids))
        fold(market.walk, events, position, span[:60], None)
        out: dict[str, Any] = {"dates": {}}
        caps = {2: 0, 3: 0}
        counts: dict[int, list[int]] = {1: [], 2: [], 3: []}
        walked = 0
        for result in replay(market.walk, events, position, span[60:], rules):
            walked += 1
            for layer in (2, 3):
                caps[layer] += result.places[layer].bound
            for layer in counts:
                counts[layer].append(result.layers[layer].symbols)
            if result.session in dates:
                out["dates"][str(result.session)] = _told(result, rules)
        out["sessions"] = walked
        out["cap_bound_share"] = {str(layer): round(hits / walked, 3) for layer, hits in caps.items()}
        out["counts"] = {
            str(layer): [int(sorted(c)[min(int(q * len(c)), len(c) - 1)]) for q in (0, 0.1, 0.5, 0.9, 1)]
            for layer, c in counts.items()
        }
        out["quarantined"] = market.quarantined
        assert len(out["dates"]) == len(dates), "a date is no session of the set"
        return out


def _told(result: Any, rules: Any) -> dict[str, Any]:
    told = header(result, rules)
    places = result.places[3]
    order = sorted((int(places.rank[at]), int(at)) for at in places.member.nonzero()[0])
    cross, scores = result.cross, result.judged[3].score
    return {
        "layers": [
            {
                "layer": one.layer,
                "symbols": one.symbols,
                "reached": one.reached,
                "unknown": one.unknown,
                "rate": None if one.qualification_rate is None else round(one.qualification_rate, 4),
            }
            for one in result.layers
        ],
        "types": told["types"],
        "unavailable": told["unavailable"],
        "unknown": told["unknown"],
        "members": [[cross["symbol"][at], cross["sector"][at], round(float(scores[at]), 3)] for _, at in order],
    }
