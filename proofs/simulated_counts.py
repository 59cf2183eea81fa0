"""The funnel's counts on simulated markets of seeds that nothing was tuned on, and in a stressed regime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aitrader.funnel.engine import SessionResult, fresh
from aitrader.funnel.replay import Position, fold, replay
from aitrader.providers.simulated import SimulatedSource
from aitrader.settings.models import Simulated
from proofs._markets import populated

NAME = "simulated_counts"
COVERS = (
    "src/aitrader/features",
    "src/aitrader/criteria",
    "src/aitrader/funnel",
    "src/aitrader/simulation",
    "src/aitrader/exchange",
    "src/aitrader/transport/transport.py",
    "src/aitrader/providers/alpaca*.py",
    "src/aitrader/providers/exchange_*.py",
    "src/aitrader/providers/polygon*.py",
    "src/aitrader/providers/sec*.py",
    "src/aitrader/providers/simulated*.py",
    *(
        f"src/aitrader/providers/{name}.py"
        for name in ("bodies", "fetching", "plain_bars", "quarantine", "row_rules", "values")
    ),
    "config/scanners",
    "config/sources.yml",
    "proofs/_markets.py",
)

SEEDS = range(901, 921)  # used nowhere else
STRESSED = (901, 902, 903)
RANGES = {0: (8_000, 11_000), 1: (2_000, 3_000), 2: (50, 200), 3: (20, 50)}
RATE = (0.20, 0.30)
LEAST = 18


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """The last session of each market; at least 18 of 20 lie in every range, every stressed one leaves some."""
    usual = []
    for seed in SEEDS:
        usual.append({"seed": seed, **counted(Simulated(seed=seed))})
        progress(str(usual[-1]))
    stressed = []
    for seed in STRESSED:
        stressed.append({"seed": seed, **counted(Simulated(seed=seed, regime="stressed"))})
        progress(f"stressed {stressed[-1]}")
    within = sum(one["within"] for one in usual)
    assert within >= LEAST, f"{within} of {len(usual)} markets lie in the ranges"
    assert not any(one["within"] for one in stressed), "a stressed market lies in the ranges"
    return {"within": within, "markets": len(usual), "usual": usual, "stressed": stressed}


def counted(spec: Simulated, *, judged: int = 20) -> dict[str, Any]:
    """Counts of the last session, judged as a first scan does: 20 sessions from an empty membership."""
    with populated(SimulatedSource(spec)) as market:
        rules = market.rules()
        span = market.store.sessions()
        events = market.walk.market(after=None, until=span[-1])
        position = Position(fresh(events.listings.ids))
        fold(market.walk, events, position, span[:-judged], None)
        last: SessionResult | None = None
        changes: list[float] = []
        for result in replay(market.walk, events, position, span[-judged:], rules):
            last = result
            if result.layers[3].change_rate is not None and result.session > span[-judged + 5]:
                changes.append(result.layers[3].change_rate)
        assert last is not None
        counts = {f"layer{one.layer}": one.counted for one in last.layers}
        rate = last.layers[1].qualification_rate or 0.0
        within = all(low <= counts[f"layer{n}"] <= high for n, (low, high) in RANGES.items())
        within = within and RATE[0] <= rate <= RATE[1]
        change = round(sorted(changes)[len(changes) // 2], 3) if changes else None
        return {**counts, "rate1": round(rate, 3), "change3_median": change, "within": within}
