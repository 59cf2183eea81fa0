"""The Nasdaq Trader directories asked: every listing of all exchanges, ETFs flagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from aitrader.providers import nasdaq_trader
from aitrader.providers.bodies import Page
from aitrader.providers.fetching import ask
from aitrader.providers.vendor import HOUR
from aitrader.settings.models import NasdaqTrader
from aitrader.transport.transport import Transport


@dataclass
class NasdaqTraderSource:
    """Lister; it needs no key."""

    settings: NasdaqTrader
    transport: Transport
    name: str = "nasdaq_trader"

    def listings(self) -> Page:
        """The listings of NASDAQ and of the other exchanges (schema SECURITIES)."""
        return self._read(HOUR)

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        """Those that the directories have when they are read again."""
        return frozenset(self._read(None).frame.filter(pl.col("symbol").is_in(list(symbols)))["symbol"])

    def _read(self, max_age: float | None) -> Page:
        url = self.settings.url
        own = nasdaq_trader.nasdaq_listed_request(url), nasdaq_trader.parse_nasdaq_listed
        others = nasdaq_trader.other_listed_request(url), nasdaq_trader.parse_other_listed
        found = [ask(self.transport, request, parse, max_age=max_age) for request, parse in (own, others)]
        frame = pl.concat([page.frame for page in found]).unique("symbol", keep="first", maintain_order=True)
        return Page(frame=frame.sort("symbol"), quarantine=pl.concat([page.quarantine for page in found]))
