"""Sources of market data behind one small interface each; what they deliver is in the neutral schemas."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from aitrader.domain.frames import Delivery

LIVE = "live"  # the market that every source of real, present listings shares


class Source(Protocol):
    """Anything that knows listings and their bars: an offline dataset, the simulated market, a vendor."""

    @property
    def name(self) -> str:
        """How the source is called in every output: simulated, dataset-NAME, alpaca ..."""

    @property
    def market(self) -> str:
        """The market that it fills: simulated, dataset-NAME, live; markets are never mixed."""

    def deliver(self, *, until: date | None = None) -> Delivery:
        """Everything the source knows up to the end of the day ``until`` (New York), or all of it.

        Raises a ScannerError where the source cannot be reached or read; bad rows are quarantined instead.
        """
