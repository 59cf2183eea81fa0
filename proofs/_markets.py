"""Markets that the proofs walk over: a source in a store of its own, with the default config bound to it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aitrader.domain.sessions import xnys
from aitrader.funnel.engine import Rules
from aitrader.funnel.replay import Walk
from aitrader.funnel.rules import rules_for
from aitrader.providers import Source
from aitrader.settings.load import load_settings
from aitrader.settings.scanner import ScannerConfig
from aitrader.store.home import Home
from aitrader.store.population import Population
from aitrader.store.store import Store

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = ("us_2015_2016", "us_2021_2023", "us_2024_2025")
AT = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Populated:
    """A stored market ready to be walked."""

    store: Store
    walk: Walk
    config: ScannerConfig
    population: Population
    quarantined: dict[str, int]

    def rules(self, config: ScannerConfig | None = None) -> Rules:
        """The config (the default files unless given) bound to what the source offers."""
        population = self.population
        return rules_for(config or self.config, offers=frozenset(population.offers), missing=dict(population.missing))


def real(name: str) -> Source:
    """One of the real sets, read where it lies."""
    from aitrader.providers.dataset import DatasetSource

    return DatasetSource(ROOT / "datasets" / name)


@contextmanager
def populated(source: Source) -> Iterator[Populated]:
    """Deliver a source into a temporary store."""
    with tempfile.TemporaryDirectory() as folder:
        delivery = source.deliver()
        home = Home(Path(folder), "development", delivery.source)
        config = load_settings(ROOT / "config", {}).scanner
        with Store.open(home, write=True, create=True) as store:
            ingested = store.ingest(delivery, at=AT)
            del delivery
            population = store.population()
            assert population is not None
            yield Populated(
                store=store,
                walk=Walk(store=store, calendar=xnys(), adjustment=population.adjustment),
                config=config,
                population=population,
                quarantined=ingested.quarantined,
            )
