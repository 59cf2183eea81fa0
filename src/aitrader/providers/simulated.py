"""The simulated market as a source: the default where nothing else is configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from aitrader.domain.frames import Delivery
from aitrader.domain.report import Report, Silent
from aitrader.settings.models import Simulated
from aitrader.simulation.market import MarketSpec, generate


@dataclass(frozen=True)
class SimulatedSource:
    """The market that the settings describe, asked of the simulated exchange in this process as vendors are asked.

    The same settings deliver the same rows.
    """

    settings: Simulated
    report: Report = field(default_factory=Silent)

    @property
    def name(self) -> str:
        """Always ``simulated``: such data can never pass for real."""
        return "simulated"

    @property
    def market(self) -> str:
        """A market of its own."""
        return self.name

    def spec(self, until: date | None = None) -> MarketSpec:
        """The market up to ``until``, at most up to its own last session; a later date only appends rows."""
        own = self.settings
        return MarketSpec(
            seed=own.seed,
            listings=own.listings,
            start=own.start,
            until=own.until if until is None else min(until, own.until),
            regime=None if own.regime == "normal" else own.regime,
            regime_until=own.until,
        )

    def generated(self, *, until: date | None = None) -> Delivery:
        """The market as it is made, for an exchange to serve. Raises UsageError where there is no session."""
        return generate(self.spec(until))

    def deliver(self, *, until: date | None = None) -> Delivery:
        """What the vendors' interfaces tell of the market. Raises UsageError where there is no session."""
        from aitrader.providers.simulated_delivery import told  # commands that only name the source need none of it

        spec = self.spec(until)
        made, sessions = generate(spec), spec.sessions()
        self.report.step(f"simulated market: {len(sessions)} sessions")
        return told(made, sessions, self.report)
