"""Layer 3 from day to day on the real bar sets: change with and without bands, overlap, age, the score given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from aitrader.funnel import membership as seats
from aitrader.funnel.engine import fresh, qualify
from aitrader.funnel.membership import AT
from aitrader.funnel.replay import Position, fold, replay
from proofs._markets import populated, real

NAME = "stability"
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

LAST = 60
LIMITS = {"us_2015_2016": (0.10, 0.20), "us_2021_2023": (0.15, 0.25)}  # median and 95th percentile
LEAST_OVERLAP = 0.7


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Over the last 60 sessions of each set; fails where a limit is broken."""
    figures = {}
    for name, (median, tail) in LIMITS.items():
        progress(name)
        figures[name] = measured(name)
        found = figures[name]
        assert found["change_median"] <= median, found
        assert found["change_p95"] <= tail, found
        assert found["share_in_fresh_list"] >= LEAST_OVERLAP, found
        assert found["oldest_pass"] <= found["max_age"], found
    return figures


def measured(name: str, last: int = LAST) -> dict[str, Any]:
    """The figures of one set; ``oldest_pass`` in sessions since a member's last Layer 2 pass."""
    with populated(real(name)) as market:
        rules = market.rules()
        file = market.config.layers[3]
        assert file.bands is not None
        plain = market.rules(market.config.with_layer(msgspec.structs.replace(file, bands=None)))
        stored = market.store.sessions()
        span = market.walk.calendar.between(stored[0], stored[-1])
        events = market.walk.market(after=None, until=span[-1])
        position = Position(fresh(events.listings.ids))
        fold(market.walk, events, position, span[:60], None)
        free = seats.empty(position.state.features.size)
        was = was_free = None
        rows: dict[str, list[float]] = {
            key: [] for key in ("change", "fresh_change", "overlap", "given_up", "size", "fresh_size")
        }
        ages: list[float] = []
        oldest = 0.0
        for at, result in enumerate(replay(market.walk, events, position, span[60:], rules)):
            ordinal = market.walk.calendar.ordinal(result.session)
            view = events.listings.at(result.session)
            other = qualify(result.cross, view, plain, free, ordinal, result.session)
            member, loose = result.places[3].member, other.places[3].member
            if at >= len(span) - 60 - last and was is not None and was_free is not None:
                score = result.judged[3].score
                rows["change"].append(_change(was, member))
                rows["fresh_change"].append(_change(was_free, loose))
                rows["size"].append(int(member.sum()))
                rows["fresh_size"].append(int(loose.sum()))
                if member.any():
                    rows["overlap"].append(float((member & loose).sum() / member.sum()))
                    if loose.any():
                        best = np.sort(score[loose])[::-1][: int(member.sum())]
                        rows["given_up"].append(float(np.nanmean(best) - np.nanmean(score[member])))
                    held = position.state.membership[AT["passed3"]][member]
                    oldest = max(oldest, float((ordinal - held).max()))
                    ages += (ordinal - position.state.membership[AT["entered3"]][member]).tolist()
            was, was_free = member.copy(), loose.copy()
        change = np.array([one for one in rows["change"] if np.isfinite(one)])
        return {
            "sessions": last,
            "change_median": round(float(np.median(change)), 4),
            "change_p95": round(float(np.quantile(change, 0.95)), 4),
            "change_without_bands_median": round(float(np.nanmedian(rows["fresh_change"])), 4),
            "share_in_fresh_list": round(float(np.mean(rows["overlap"])), 4),
            "share_in_fresh_list_quantiles": _spread(rows["overlap"]),
            "score_given_up_mean": round(float(np.mean(rows["given_up"])), 4),
            "size_quantiles": _spread(rows["size"]),
            "size_without_bands_quantiles": _spread(rows["fresh_size"]),
            "age_in_layer_quantiles": _spread(ages),
            "oldest_pass": oldest,
            "max_age": file.bands.max_age,
        }


def _spread(values: list[float]) -> list[float]:
    return [round(float(np.quantile(values, q)), 3) for q in (0, 0.1, 0.5, 0.9, 1)]


def _change(before: np.ndarray, after: np.ndarray) -> float:
    size = int(before.sum())
    return float(((before & ~after).sum() + (after & ~before).sum()) / (2 * size)) if size else float("nan")
