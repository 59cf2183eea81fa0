"""The composition root: the only place that builds sources, stores and the clock, and puts them to work."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from logging import Logger
from pathlib import Path
from types import MappingProxyType

from aitrader.domain.errors import RefusedError, ScannerError, StoreError
from aitrader.domain.frames import Delivery, Held
from aitrader.domain.report import Report
from aitrader.domain.sessions import xnys
from aitrader.funnel import scan as scanning
from aitrader.funnel.engine import Rules, SessionResult
from aitrader.funnel.replay import Progress, Walk
from aitrader.funnel.rules import kept, rules_for
from aitrader.funnel.what_if import ConfigTest, compare
from aitrader.operations.checks import Check
from aitrader.operations.feeds import check_volumes
from aitrader.operations.log import LoggedReport, scanner_log
from aitrader.operations.refresh import RefreshResult, refresh
from aitrader.operations.source_checks import source_checks
from aitrader.providers import LIVE
from aitrader.providers.choice import LIVE_SOURCES, Wish, guard, market_of, opened, source_name
from aitrader.providers.probes import Purpose
from aitrader.settings.load import Settings
from aitrader.settings.scanner import ScannerConfig, scanner_from_content
from aitrader.store.home import Home, current_market, set_current_market
from aitrader.store.population import Population
from aitrader.store.store import Store

__all__ = [
    "ConfigTest",
    "PopulateResult",
    "ScanResult",
    "check_sources",
    "populate",
    "refresh_fundamentals",
    "requalify",
    "scan",
    "test_config",
]


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """The run that now stands for the session; ``published`` counts the sessions this call published (0: none new)."""

    home: Home
    run_id: str
    session: date
    published: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PopulateResult:
    """What a population changed; ``scan`` is the scan of its new sessions, None for a dataset (choose the session)."""

    home: Home
    source: str
    symbols: int
    new: int
    closed: int
    renamed: int
    sessions: int
    corrected: int
    first_session: date | None
    last_session: date | None
    quarantined: dict[str, int]
    notices: tuple[str, ...]
    changed: bool
    scan: ScanResult | None


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def actor() -> str:
    """Who is working: the login name, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the machine's user database
        return "unknown"


def populate(
    *,
    settings: Settings,
    source: str | None,
    path: Path | None,
    file: Path | None,
    force_refresh: bool,
    accept_shrink: bool,
    market: str | None,
    report: Report,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> PopulateResult:
    """Discover and store what a source delivers, then qualify its new sessions; of a dataset you choose the session.

    Idempotent. Raises RefusedError for simulated data in production unless it was named, for a shrunk discovery, and
    for a change of the live market while no environment is named.
    """
    name = source_name(settings, source, environ)
    if source is None and name == "simulated" and settings.sources.default == "auto":
        place = settings.place
        chosen = market or place.market or current_market(place.home, place.environment)
        name = LIVE if chosen == LIVE else name  # keys that are gone must not put an invented market in its place
    guard(settings, name, named=source is not None)
    home = Home(settings.place.home, settings.place.environment, market or market_of(settings, name, path))
    if not home.database.exists():  # the first scan adopts these files: better to hear of a fault before
        _check(settings.scanner)
    with scanner_log(settings.place, home.logs, environ) as log:
        try:
            wish = Wish(source=name, path=path, file=file, refresh=force_refresh)
            return _populate(home, settings, wish, environ, log, LoggedReport(report, log), accept_shrink=accept_shrink)
        except ScannerError as fault:
            log.error("populate: %s", fault)
            raise


def _populate(
    home: Home,
    settings: Settings,
    wish: Wish,
    environ: Mapping[str, str],
    log: Logger,
    report: Report,
    *,
    accept_shrink: bool,
) -> PopulateResult:
    def held() -> Held:
        return _held(home, refresh=wish.refresh)

    with opened(settings, wish, environ=environ, held=held, now=now, report=report, log=log) as provider:
        delivery = provider.deliver(until=None)
    report.step(
        f"{provider.name}: {delivery.securities['symbol'].n_unique() or delivery.bars['symbol'].n_unique():,} symbols, "
        f"{delivery.bars.height:,} bars read"
    )
    for notice in delivery.notices:
        report.notice(notice)
    with Store.open(home, write=True, create=True) as store, store.writer_lock(now):
        past = store.population()
        if past is not None and not _together(past.source, delivery):
            why = f"it holds {past.source}; markets are never mixed"
            raise RefusedError(f"market {home.market} cannot take {delivery.source}", why=why, do="give --market NAME")
        ingested = store.ingest(
            delivery,
            at=now(),
            accept_shrink=accept_shrink,
            force_refresh=wish.refresh,
            progress=report.progress,
        )
        set_current_market(home.root, home.environment, home.market)
        stored = store.sessions()
        report.step(
            f"stored: {ingested.symbols:,} listings ({ingested.new.height:,} new, {ingested.closed.height:,} closed), "
            f"{len(ingested.sessions_written):,} sessions, {sum(ingested.quarantined.values()):,} rows quarantined"
        )
        scanned = None
        if stored and not _is_dataset(delivery):
            scanned = _scan(store, settings, as_of=None, force=False, report=report)
        return PopulateResult(
            home=home,
            source=delivery.source,
            symbols=ingested.symbols,
            new=ingested.new.height,
            closed=ingested.closed.height,
            renamed=ingested.renamed.height,
            sessions=len(ingested.sessions_written),
            corrected=ingested.corrected.height,
            first_session=stored[0] if stored else None,
            last_session=stored[-1] if stored else None,
            quarantined=ingested.quarantined,
            notices=delivery.notices,
            changed=ingested.changed,
            scan=scanned,
        )


def scan(*, settings: Settings, market: str | None, as_of: date | None, force: bool, report: Report) -> ScanResult:
    """Run the funnel on what is stored and publish it; a session already published is answered as it stands."""
    with _writing(settings, market) as store:
        return _scan(store, settings, as_of=as_of, force=force, report=report)


def requalify(
    *, settings: Settings, market: str | None, layer: int | None, parallel: bool, force: bool, report: Report
) -> ScanResult:
    """Adopt the files as they are now (one layer's, or all) and judge the last session again from stored data.

    With ``layer`` None every feature is folded again from the bars, in parallel partitions where asked.
    """
    with _writing(settings, market) as store:
        adopted = _adopt(store, settings, layer, report)
        rules, population = _rules(store, adopted)
        check_volumes(store, rules, accept=settings.sources.live.accept_iex_volume)
        walk = _walk(store, population)
        occasion = scanning.Occasion(source=store.source() or population.source, environment=store.home.environment)
        if layer is None:
            workers = settings.performance.workers if parallel else 1
            scanning.rebuild(store, walk, workers=workers, progress=_listen(report, "fold"))
            report.step("features folded again from the bars")
        outcome = scanning.requalify(store, walk, rules, occasion)
        store.publish(outcome.runs, at=now(), force=force)
        run = outcome.runs[-1]
        report.step(f"session {run.session} requalified under config {rules.version}")
        return ScanResult(home=store.home, run_id=run.run_id, session=run.session, published=1, seconds=outcome.seconds)


def refresh_fundamentals(
    *,
    settings: Settings,
    market: str | None,
    layer: int,
    fallback: bool,
    report: Report,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> RefreshResult:
    """Ask the live sources for reports, headlines and industries of a layer's members, and store what they say."""
    home = _home(settings, market)
    return refresh(home, settings, layer=layer, fallback=fallback, environ=environ, now=now, report=report)


def check_sources(
    *, settings: Settings, market: str | None, purpose: Purpose, ask: bool, environ: Mapping[str, str]
) -> list[Check]:
    """A check for each live source: its keys, and with ``ask`` whether it answers."""
    return source_checks(settings, environ, market=market, purpose=purpose, ask=ask, now=now)


def test_config(*, settings: Settings, market: str | None, layer: int, report: Report) -> ConfigTest:
    """The edited file of a layer against the last published session: who enters, who leaves, by which criterion."""
    with _reading(settings, market) as store:
        active, population = _active(store), _population(store)
        if active is None:
            raise StoreError("nothing is published yet", why="no config is active", do="run: python ai_trader.py scan")
        edited = active.with_layer(settings.scanner.layers[layer])
        walk = _walk(store, population)
        old, new = (_bound(config, population) for config in (active, edited))
        results: list[SessionResult] = scanning.what_if(store, walk, (old, new))
        report.step(f"layer {layer} judged twice: active config {old.version}, edited {new.version}")
        return compare(layer, results[0], results[1], old=old.version, new=new.version)


def _scan(store: Store, settings: Settings, *, as_of: date | None, force: bool, report: Report) -> ScanResult:
    config = _active(store)
    if config is None:
        config = _adopt(store, settings, None, report)
    elif config.version != settings.scanner.version:
        report.warn(
            "the config files differ from the active version, which is used; "
            "adopt them with universe --requalify --layer N"
        )
    rules, population = _rules(store, config)
    walk = _walk(store, population)
    session = scanning.target_session(walk, as_of)
    standing = store.reader.run_for_session(session)
    if standing is not None and not scanning.superseded(store, standing):
        report.notice(f"session {session} is already published as run {standing.run_id}")
        return ScanResult(home=store.home, run_id=standing.run_id, session=session, published=0)
    check_volumes(store, rules, accept=settings.sources.live.accept_iex_volume)
    occasion = scanning.Occasion(source=store.source() or population.source, environment=store.home.environment)
    outcome = scanning.scan(
        store,
        walk,
        rules,
        occasion,
        session=session,
        first_scan_sessions=config.funnel.first_scan_sessions,
        progress=_listen(report, "sessions"),
    )
    report.step(f"{len(outcome.runs)} session{'s' if len(outcome.runs) > 1 else ''} judged up to {session}")
    started = now()
    store.publish(outcome.runs, at=started, force=force)
    outcome.seconds["publish"] = (now() - started).total_seconds()
    report.step("published")
    run = outcome.runs[-1]
    return ScanResult(
        home=store.home,
        run_id=run.run_id,
        session=session,
        published=len(outcome.runs),
        seconds=outcome.seconds,
    )


def _held(home: Home, *, refresh: bool) -> Held:
    """What the market has; of a refresh only its names count."""
    if not home.database.exists():
        return Held()
    with Store.open(home, write=True) as store:
        held = store.held()
    return replace(held, sessions=frozenset(), rows=None) if refresh else held


def _together(past: str, delivery: Delivery) -> bool:
    """Whether a delivery may join what a market holds: the same source, or another one of the live market."""
    return past == delivery.source or (delivery.cumulative and past in LIVE_SOURCES)


def _is_dataset(delivery: Delivery) -> bool:
    return delivery.source.startswith("dataset-")


def _home(settings: Settings, market: str | None) -> Home:
    place = settings.place
    name = market or place.market or current_market(place.home, place.environment)
    if name is None:
        raise StoreError(
            f"no market in {place.home / place.environment}",
            why="nothing was populated there",
            do="run: python ai_trader.py universe --populate",
        )
    return Home(place.home, place.environment, name)


@contextmanager
def _writing(settings: Settings, market: str | None) -> Iterator[Store]:
    home = _home(settings, market)
    _no_simulation_by_accident(settings, home, named=market is not None or settings.place.market is not None)
    with Store.open(home, write=True) as store, store.writer_lock(now):
        yield store


@contextmanager
def _reading(settings: Settings, market: str | None) -> Iterator[Store]:
    with Store.open(_home(settings, market), write=False) as store:
        yield store


def _no_simulation_by_accident(settings: Settings, home: Home, *, named: bool) -> None:
    if settings.place.environment == "production" and home.market == "simulated" and not named:
        raise RefusedError(
            "the simulated market is refused in production",
            why="AI_TRADER_ENV is production",
            do="name it with --market simulated if that is what you want",
        )


def _active(store: Store) -> ScannerConfig | None:
    version = store.active_config()
    return None if version is None else scanner_from_content(version.content["scanner"])


def _adopt(store: Store, settings: Settings, layer: int | None, report: Report) -> ScannerConfig:
    """Make the files (one layer's, or all) the active config version; audited, and nothing where they already are."""
    active = _active(store)
    wanted = settings.scanner
    if layer is not None:
        if active is None:
            raise StoreError("nothing is published yet", why="no config is active", do="run: python ai_trader.py scan")
        wanted = active.with_layer(settings.scanner.layers[layer])
    _check(wanted)
    if active is None or active.version != wanted.version:
        cause = "first initialisation" if active is None else f"requalify layer {'all' if layer is None else layer}"
        store.save_config_version(wanted.version, kept(wanted), author=actor(), at=now(), cause=cause, state="active")
        report.step(f"config {wanted.version} adopted ({cause})")
    return wanted


def _check(config: ScannerConfig) -> None:
    """Raise ConfigError for a criterion or factor that does not exist, or bounds that contradict each other."""
    rules_for(config, offers=frozenset(), missing={})


def _population(store: Store) -> Population:
    population = store.population()
    if population is None:
        raise StoreError(
            "the market is empty", why="nothing was populated", do="run: python ai_trader.py universe --populate"
        )
    return population


def _bound(config: ScannerConfig, population: Population) -> Rules:
    return rules_for(config, offers=frozenset(population.offers), missing=population.missing)


def _rules(store: Store, config: ScannerConfig) -> tuple[Rules, Population]:
    population = _population(store)
    stored = store.active_config()
    rules = _bound(config, population)
    return (rules if stored is None else replace(rules, version=stored.version)), population


def _walk(store: Store, population: Population) -> Walk:
    return Walk(store=store, calendar=xnys(), adjustment=population.adjustment)


def _listen(report: Report, label: str) -> Progress:
    return lambda done, total: report.progress(label, done, total)
