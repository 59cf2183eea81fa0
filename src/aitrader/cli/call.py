"""What every action is handed besides its flags: streams, format, environment, clock, the way to store and engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from aitrader.cli.context import ReadContext, read_context
from aitrader.domain.report import Report

if TYPE_CHECKING:
    from aitrader.app import ConfigTest, PopulateResult, ScanResult
    from aitrader.operations.checks import Check
    from aitrader.operations.refresh import RefreshResult
    from aitrader.providers.probes import Purpose
    from aitrader.settings.load import Settings
    from aitrader.store.reader import Reader


class Facade(Protocol):
    """What the composition root does for commands that write."""

    def populate(
        self,
        *,
        settings: Settings,
        source: str | None,
        path: Path | None,
        file: Path | None,
        force_refresh: bool,
        accept_shrink: bool,
        market: str | None,
        report: Report,
        environ: Mapping[str, str],
    ) -> PopulateResult:
        """Discover, store, and judge Layer 1."""

    def scan(
        self, *, settings: Settings, market: str | None, as_of: date | None, force: bool, report: Report
    ) -> ScanResult:
        """Run Layers 1 to 3 on what is stored and publish."""

    def requalify(
        self, *, settings: Settings, market: str | None, layer: int | None, parallel: bool, force: bool, report: Report
    ) -> ScanResult:
        """Adopt the files and run a layer and those above it again; all layers where ``layer`` is None."""

    def refresh_fundamentals(
        self,
        *,
        settings: Settings,
        market: str | None,
        layer: int,
        fallback: bool,
        report: Report,
        environ: Mapping[str, str],
    ) -> RefreshResult:
        """Ask for the reports and headlines of a layer's members and store them."""

    def check_sources(
        self, *, settings: Settings, market: str | None, purpose: Purpose, ask: bool, environ: Mapping[str, str]
    ) -> list[Check]:
        """Whether each live source has its keys and, with ``ask``, answers."""

    def test_config(self, *, settings: Settings, market: str | None, layer: int, report: Report) -> ConfigTest:
        """Judge with the edited files and write nothing."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the command line."""

    environ: Mapping[str, str] = field(repr=False)  # it holds keys
    out: TextIO
    err: TextIO
    format: str | None
    market: str | None
    clock: Callable[[], datetime]
    report: Report
    facade: Callable[[], Facade]

    @property
    def json(self) -> bool:
        """Whether the answer is to be JSON."""
        return self.format == "json"

    def context(self) -> ReadContext:
        """The store to read."""
        return read_context(self.environ, market=self.market)

    def reader(self) -> AbstractContextManager[Reader]:
        """The store, opened for reading without anything but the standard library."""
        from aitrader.store.reader import Reader

        return Reader.open(self.context().home)

    def tell_source(self, source: str) -> None:
        """The notice on stderr that keeps simulated data from passing for real."""
        if source == "simulated":
            self.report.notice("simulated data")

    def settings(self) -> Settings:
        """The effective configuration, read now."""
        from aitrader.settings.load import load_settings
        from aitrader.settings.place import locate

        return load_settings(locate(self.environ).config_dir, self.environ)


def engine() -> Facade:
    """The composition root; imported only by the commands that write, for it brings the whole engine along."""
    from aitrader import app

    return cast(Facade, app)
