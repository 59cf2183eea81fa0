"""The simulated market as a source: the default where nothing else is configured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from aitrader.domain.frames import Delivery
from aitrader.settings.models import Simulated
from aitrader.simulation.market import MarketSpec, generate


@dataclass(frozen=True)
class SimulatedSource:
    """Generates the market that the settings describe; the same settings deliver the same rows."""

    settings: Simulated

    @property
    def name(self) -> str:
        """Always ``simulated``: such data can never pass for real."""
        return "simulated"

    @property
    def market(self) -> str:
        """A market of its own."""
        return self.name

    def deliver(self, *, until: date | None = None) -> Delivery:
        """The market up to ``until``, at most up to its own last session; a later date only appends rows.

        Raises UsageError where that leaves no session.
        """
        own = self.settings
        return generate(
            MarketSpec(
                seed=own.seed,
                listings=own.listings,
                start=own.start,
                until=own.until if until is None else min(until, own.until),
                regime=None if own.regime == "normal" else own.regime,
                regime_until=own.until,
            )
        )
