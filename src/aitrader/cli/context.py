"""Where the reading commands read: environment, home and market, from the environment's variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aitrader.domain.errors import StoreError, UsageError
from aitrader.settings.place import Place, locate
from aitrader.settings.suggestions import did_you_mean
from aitrader.store.home import Home, current_market


@dataclass(frozen=True, kw_only=True)
class ReadContext:
    """What a reading command needs to know before it opens the store."""

    home: Home
    environment: str
    source: str  # simulated, dataset-NAME, live: the market's own name


def clock() -> datetime:
    """Now, in UTC; the reading commands' only clock, used to say how old an answer is."""
    return datetime.now(UTC)


def chosen_market(place: Place, market: str | None) -> str | None:
    """The market to work on: the one named, else AI_TRADER_MARKET's, else the one last populated; None: none yet."""
    return market or place.market or current_market(place.home, place.environment)


def read_context(environ: Mapping[str, str], *, market: str | None = None) -> ReadContext:
    """Find the store to read.

    Raises StoreError in a home where nothing was populated yet, UsageError for a market that the home does not have.
    """
    place = locate(environ)
    name = chosen_market(place, market)
    folder = place.home / place.environment
    if name is None:
        raise StoreError(
            f"no market in {folder}", why="nothing was populated there", do="run scan, or universe --populate"
        )
    home = Home(place.home, place.environment, name)
    if not home.database.exists():
        known = sorted(one.parent.name for one in folder.glob("*/aitrader.db"))
        if known:
            raise UsageError(f"no market {name!r} in {folder}", do=did_you_mean(name, known))
        raise StoreError(
            f"no store for market {name!r} in {folder}", why="nothing was populated there", do="run universe --populate"
        )
    return ReadContext(home=home, environment=place.environment, source=name)
