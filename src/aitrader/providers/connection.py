"""How the vendors are reached: keys from the environment, limits, breaker and cache as the settings have them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aitrader.domain.errors import RefusedError, SourceError
from aitrader.settings.core import leave_no_core
from aitrader.settings.keys import VARIABLES, Keys, keys_of, secrets_of, wanted
from aitrader.settings.models import Limit, Sources
from aitrader.transport.breaker import Breaker
from aitrader.transport.cache import AnswerCache, private_folder
from aitrader.transport.counters import read_counters
from aitrader.transport.folder import counters_file, limit_file, transport_folder
from aitrader.transport.http_sender import HttpSender, Timeouts, host_of
from aitrader.transport.limiter import SlidingWindow
from aitrader.transport.redaction import Redactor
from aitrader.transport.transport import Retries, Transport

NAMES: Final = ("alpaca", "polygon", "sec", "nasdaq_trader")


def lacking(source: str) -> RefusedError:
    """The error for a source without its keys."""
    do = f"set {wanted(source)}"
    return RefusedError(f"{source} cannot be asked", why="its keys are not in the environment", do=do)


def limits_of(settings: Sources) -> dict[str, Limit]:
    """The limit of each source."""
    return {
        "alpaca": settings.alpaca.limit,
        "polygon": settings.polygon.limit,
        "sec": settings.sec.limit,
        "nasdaq_trader": settings.nasdaq_trader.limit,
    }


def addresses_of(settings: Sources) -> dict[str, tuple[str, ...]]:
    """Where each source is asked."""
    return {
        "alpaca": (settings.alpaca.trading_url, settings.alpaca.data_url),
        "polygon": (settings.polygon.url,),
        "sec": (settings.sec.data_url, settings.sec.www_url),
        "nasdaq_trader": (settings.nasdaq_trader.url,),
    }


def _headers(source: str, values: tuple[str, ...]) -> dict[str, str]:
    if source == "alpaca":
        return {"APCA-API-KEY-ID": values[0], "APCA-API-SECRET-KEY": values[1]}
    if source == "polygon":
        return {"Authorization": f"Bearer {values[0]}"}
    return {"User-Agent": values[0]}


@dataclass(frozen=True)
class Connection:
    """An open way to the vendors, and what is known of it."""

    transport: Transport
    keys: Keys
    windows: Mapping[str, SlidingWindow]
    breaker: Breaker
    folder: Path  # limits and counters, shared by the processes of a state folder
    sender: HttpSender

    def close(self) -> None:
        """Close the connections and keep the counters."""
        self.sender.close()
        with suppress(OSError):  # a full disk must not hide what was answered
            self.transport.save_counters(counters_file(self.folder))


def connect(
    settings: Sources,
    environ: Mapping[str, str],
    home: Path,
    *,
    refresh: bool = False,
    log: logging.Logger | None = None,
) -> Connection:
    """Ready to ask; nothing is sent yet. ``refresh``: no stored answer is used.

    Raises SourceError for a key that no header can hold or a folder that is not ours alone.
    """
    leave_no_core()
    log = log or logging.getLogger(__name__)
    live, keys, folder = settings.live, keys_of(environ), transport_folder(home)
    try:
        with private_folder(folder):
            pass
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise SourceError(f"{folder} cannot be used", why=why, do="the rate limits are kept there: make room") from None
    timeouts = Timeouts(
        connect=min(5.0, live.timeout_seconds),
        read=min(30.0, live.timeout_seconds),
        write=min(10.0, live.timeout_seconds),
        pool=live.timeout_seconds,
        total=live.timeout_seconds,
    )
    addresses = addresses_of(settings)
    credentials = {
        (source, host_of(url)): _headers(source, values)
        for source, values in keys.values.items()
        if values
        for url in addresses[source]
    }
    limits = limits_of(settings)
    sender = HttpSender(credentials, timeouts=timeouts, connections=sum(limit.concurrency for limit in limits.values()))
    windows = {
        source: SlidingWindow(
            limit_file(folder, source),
            limit.requests,
            limit.seconds,
            timeout_seconds=live.timeout_seconds + 5,
        )
        for source, limit in limits.items()
    }
    breaker = Breaker(failures=live.breaker_failures, cool_down_seconds=live.breaker_seconds)
    transport = Transport(
        sender=sender,
        limits=windows,
        breaker=breaker,
        cache=AnswerCache(Path(live.cache), now=time.time(), refresh=refresh, log=log),
        redactor=Redactor(secrets_of(environ)),
        retries=Retries(attempts=live.attempts, first=live.first_wait_seconds),
        variables={source: tuple(each[0] for each in names) for source, names in VARIABLES.items()},
        log=log,
        counted=read_counters(counters_file(folder)),
    )
    return Connection(transport=transport, keys=keys, windows=windows, breaker=breaker, folder=folder, sender=sender)
