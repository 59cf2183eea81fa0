"""The check of each source that the orders name: its keys, and whether it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from aitrader.operations.checks import Check
from aitrader.operations.external_apis import RUNBOOK, ExternalApi, external_apis, in_use
from aitrader.operations.log import scanner_log
from aitrader.providers.choice import live_clock
from aitrader.providers.connection import connect
from aitrader.providers.probes import Purpose, probe
from aitrader.settings.keys import wanted
from aitrader.settings.load import Settings
from aitrader.settings.models import Sources
from aitrader.store.home import Home, current_market

ATTEMPTS: Final = 2  # a test is to say soon what is wrong
PARTS: Final = ("listings", "bars", "actions", "fundamentals", "news")
FINANCIAL: Final = ("fundamentals", "news")


def source_checks(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    market: str | None,
    purpose: Purpose,
    ask: bool,
    now: Callable[[], datetime],
) -> list[Check]:
    """A check for each source; with ``ask`` those that have their keys get one request each, past the cache.

    A source that does not answer is critical where some order asks it first, else a warning. Where no vendor of
    listings has its keys nobody is asked, for the market is the simulated one then. Waits stand in the market's log.
    """
    place = settings.place
    name = market or place.market or current_market(place.home, place.environment)
    with ExitStack() as stack:
        log = None
        if name is not None:
            home = Home(place.home, place.environment, name)
            log = stack.enter_context(scanner_log(place, home.logs, environ))
        clock = live_clock(settings, now)
        return _checked(settings.sources, environ, place.home, purpose, now(), clock(), log, ask=ask)


def _checked(
    settings: Sources,
    environ: Mapping[str, str],
    home: Path,
    purpose: Purpose,
    now: datetime,
    market_now: datetime,
    log: logging.Logger | None,
    *,
    ask: bool,
) -> list[Check]:
    parts = FINANCIAL if purpose == "financial-apis" else PARTS
    names = [name for name in in_use(settings) if any(name in getattr(settings.live, part) for part in parts)]
    apis = external_apis(settings, environ, home, now=now, names=names)
    ready = [api.name for api in apis if not api.lacking]
    if not {"alpaca", "polygon"} & set(ready) and (purpose == "data-sources" or not ready):
        return [_idle(api) for api in apis]
    firsts = {_first(settings, part, ready) for part in parts}
    if not ask:
        return [_unkeyed(api, settings, parts, ready) if api.lacking else api.check() for api in apis]
    brief = replace(settings, live=replace(settings.live, attempts=min(ATTEMPTS, settings.live.attempts)))
    connection = connect(brief, environ, home, log=log)
    try:
        answers = {each.source: each for each in probe(settings, connection, ready, purpose, market_now)}
    finally:
        connection.close()
    found = []
    for api in apis:
        if api.lacking:
            found.append(_unkeyed(api, settings, parts, ready))
            continue
        told = answers[api.name]
        if told.seconds is not None:
            keys = "keys set" if wanted(api.name) else "needs no keys"
            found.append(_check(api, "ok", f"{keys}, answered in {told.seconds * 1000:,.0f} ms", told.seconds))
            continue
        found.append(_check(api, "critical" if api.name in firsts else "warning", f"no answer: {told.fault}"))
    return found


def _first(settings: Sources, part: str, ready: list[str]) -> str | None:
    """Whom an order asks first, of those that can be asked."""
    return next((name for name in getattr(settings.live, part) if name in ready), None)


def _idle(api: ExternalApi) -> Check:
    lacking = f"; {' and '.join(api.lacking)} not set" if api.lacking else ""
    return _check(api, "unknown", f"not asked: no vendor of listings and bars has its keys{lacking}")


def _unkeyed(api: ExternalApi, settings: Sources, parts: tuple[str, ...], ready: list[str]) -> Check:
    """A source that is named and cannot be asked: what to set, and for whom the others stand in."""
    alone = [part for part in parts if api.name in getattr(settings.live, part) and not _first(settings, part, ready)]
    half = len(api.lacking) < len(wanted(api.name).split(" and "))
    message = f"not asked: {' and '.join(api.lacking)} not set"
    if alone:
        return _check(api, "warning", f"{message}; nobody else is asked for {' and '.join(alone)}")
    return _check(api, "warning" if half else "unknown", f"{message}; the other sources stand in")


def _check(api: ExternalApi, status: str, message: str, seconds: float | None = None) -> Check:
    return Check(
        name=api.name,
        title=f"Source {api.name}",
        status=status,
        value=seconds,
        target="keys set, and an answer",
        message=message,
        unit="seconds",
        runbook=RUNBOOK,
    )
