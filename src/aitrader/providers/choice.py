"""Which source a population reads: the one that was named, or the one that the settings choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from logging import Logger
from pathlib import Path
from typing import Final

from aitrader.domain.errors import ConfigError, RefusedError, UsageError
from aitrader.domain.frames import Held
from aitrader.domain.report import Report, Silent
from aitrader.providers import LIVE, Source
from aitrader.settings.keys import keys_of
from aitrader.settings.load import Settings

VENDORS: Final = (LIVE, "alpaca", "polygon", "sec")
LIVE_SOURCES: Final = (*VENDORS, "manual")  # that share the live market


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line says of the source."""

    source: str | None = None  # None: as the settings say
    path: Path | None = None
    file: Path | None = None
    refresh: bool = False  # nothing that is held or stored counts


def source_name(settings: Settings, named: str | None, environ: Mapping[str, str]) -> str:
    """The source's name. ``auto`` is the live market where it may be changed and a vendor can be asked."""
    chosen = named or settings.sources.default
    if chosen != "auto":
        return chosen
    live = settings.place.environment_is_set and keys_of(environ).any_vendor
    return LIVE if live else "simulated"


def guard(settings: Settings, name: str, *, named: bool) -> None:
    """Refuse simulated data in production that nobody named, and the live market where no environment is named."""
    place = settings.place
    if place.environment == "production" and name == "simulated" and not named:
        raise RefusedError(
            "simulated data is refused in production",
            why="AI_TRADER_ENV is production and no source was named",
            do="set a vendor's keys, or name --source simulated if that is what you want",
        )
    if name in LIVE_SOURCES and not place.environment_is_set:
        raise RefusedError(
            f"source {name} changes the live market",
            why="AI_TRADER_ENV is not set, so it is not known whether this is production",
            do="set AI_TRADER_ENV=development or AI_TRADER_ENV=production",
        )


def market_of(settings: Settings, name: str, path: Path | None) -> str:
    """The market that a source fills, without reading it."""
    if name in LIVE_SOURCES:
        return LIVE
    return _plain(settings, Wish(source=name, path=path), name).market


@contextmanager
def opened(
    settings: Settings,
    wish: Wish,
    *,
    environ: Mapping[str, str],
    held: Callable[[], Held],
    now: Callable[[], datetime],
    report: Report,
    log: Logger,
) -> Iterator[Source]:
    """The source, ready to deliver; its connections are closed afterwards.

    ``held`` is asked only by a source that delivers what is missing.
    """
    name = source_name(settings, wish.source, environ)
    guard(settings, name, named=wish.source is not None)
    if name not in VENDORS:
        yield _plain(settings, wish, name, report)
        return
    from aitrader.providers.connection import connect
    from aitrader.providers.live import LiveSource
    from aitrader.providers.polygon_flat_files import files_by_day

    sources = settings.sources
    clock = live_clock(settings, now)
    connection = connect(sources, environ, settings.place.home, refresh=wish.refresh, log=log)
    try:
        yield LiveSource(
            name=name,
            settings=sources,
            connection=connection,
            held=held(),
            now=clock,
            report=report,
            manual=_plain(settings, Wish(), "manual") if sources.live.last_resort == "manual" else None,
            files={} if wish.path is None else files_by_day(wish.path),
        )
    finally:
        connection.close()


def live_clock(settings: Settings, now: Callable[[], datetime]) -> Callable[[], datetime]:
    """The clock of the live market: ``now``, or the instant that the settings put in its place."""
    told = settings.sources.live.now
    if told is None:
        return now
    if settings.place.environment == "production":
        raise RefusedError("sources.live.now is set", why="in production the clock is the real one", do="remove it")
    try:
        instant = datetime.fromisoformat(told)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ConfigError(
            f"sources.live.now is {told!r}", why="it is no instant", do="write one such as 2026-06-30T17:00:00-04:00"
        )
    return lambda: instant


def _plain(settings: Settings, wish: Wish, name: str, report: Report | None = None) -> Source:
    """A source that needs no connection."""
    if name == "manual":
        from aitrader.providers.manual import ManualSource

        return ManualSource(wish.file or settings.place.config_dir / settings.sources.manual.file)
    if name == "dataset":
        from aitrader.providers.dataset import DatasetSource

        configured = settings.sources.dataset.path
        folder = wish.path or (Path(configured) if configured else None)
        if folder is None:
            raise UsageError("no dataset folder", why="--source dataset needs one", do="give --path FOLDER")
        return DatasetSource(folder if folder.is_absolute() or wish.path else settings.place.root / folder)
    if name == "simulated":
        from aitrader.providers.simulated import SimulatedSource

        if wish.path is not None:
            raise UsageError("--path goes with --source dataset", why="the simulated market reads no folder")
        return SimulatedSource(settings.sources.simulated, report or Silent())
    raise UsageError(f"no source is called {name!r}", do="choose simulated, dataset, manual or " + ", ".join(VENDORS))
