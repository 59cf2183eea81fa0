"""The vendors' own clients, unchanged, before the same faults: what they make of each, a process for each call.

``python -m tests.faults.official`` reads calls from its input, a JSON object a line, and writes what became of them.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, time
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from tests.faults import world
from tests.faults.launch import Setting, surroundings

SECONDS = 12.0  # for one call
KEYS = ("client-key", "client-secret")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a client made of a call: in words, and as one of right, wrong, raised, hung."""

    words: str
    kind: str


class Clients:
    """The clients' process, for as many calls as are wanted."""

    def __init__(self) -> None:
        words = [sys.executable, "-W", "ignore", "-m", "tests.faults.official"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, client: str, what: str, url: str, *, authority: str = "", seconds: float = SECONDS) -> Said:
        """One call of ``client`` (alpaca, massive) for ``what`` (list, bars)."""
        told = {"client": client, "what": what, "url": url, "authority": authority, "seconds": seconds}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return Said(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@contextmanager
def clients() -> Iterator[Clients]:
    found = Clients()
    try:
        yield found
    finally:
        found.close()


def alpaca(what: str, url: str, authority: str) -> Rows:
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import AssetClass, AssetStatus
    from alpaca.trading.requests import GetAssetsRequest

    if authority:
        os.environ["REQUESTS_CA_BUNDLE"] = authority
    if what == "list":
        asked = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY)
        return [(one.symbol,) for one in TradingClient(*KEYS, url_override=url).get_all_assets(asked)]
    day = datetime.combine(world.UNTIL, time(), world.NEW_YORK)
    symbols = sorted(symbol for symbol, *_ in expected("alpaca", "bars"))
    wanted = StockBarsRequest(symbol_or_symbols=symbols, timeframe=TimeFrame.Day, start=day, end=day)
    found = StockHistoricalDataClient(*KEYS, url_override=url).get_stock_bars(wanted)
    return [
        (symbol, bar.timestamp.astimezone(world.NEW_YORK).date(), *(getattr(bar, price) for price in world.PRICES))
        for symbol, bars in found.data.items()
        for bar in bars
    ]


def massive(what: str, url: str, authority: str) -> Rows:
    from massive import RESTClient

    client = RESTClient(KEYS[0], base=url, ca_certs=authority or None)
    if what == "list":
        return [(one.ticker,) for one in client.list_tickers(market="stocks", active=True, limit=1000)]
    day = world.UNTIL
    found = client.get_grouped_daily_aggs(str(day), adjusted=False)
    return [(one.ticker, _day(one.timestamp), *(getattr(one, price) for price in world.PRICES)) for one in found]


def _day(millis: Any) -> Any:
    return datetime.fromtimestamp(millis / 1000, world.NEW_YORK).date() if isinstance(millis, int) else millis


CLIENT_OF = {"alpaca": "alpaca", "polygon": "massive"}
CALLS: dict[str, Callable[[str, str, str], Rows]] = {"alpaca": alpaca, "massive": massive}


def expected(client: str, what: str) -> Rows:
    """What is right, as the client spells it."""
    from aitrader.domain.symbols import spell

    vendor = "alpaca" if client == "alpaca" else "polygon"
    right = world.right(world.UNTIL)
    rows = [(symbol,) for symbol in right.symbols] if what == "list" else right.bars
    return [(spell(row[0], vendor), *row[1:]) for row in rows]


def judged(client: str, what: str, rows: Rows) -> Said:
    """Rows beside the right ones."""
    right = set(expected(client, what))
    if not rows:
        return Said(words="no rows, silently", kind="wrong")
    good, false = right & set(rows), [row for row in rows if row not in right]
    if not false and good == right:
        twice = len(rows) - len(good)
        return Said(words=f"all rows, {twice} of them twice, silently", kind="wrong") if twice else _RIGHT
    parts = [f"{len(good)} of {len(right)} rows"] if len(good) < len(right) else []
    parts += [f"{len(false)} false rows"] if false else []
    return Said(words=f"{' and '.join(parts)}, silently", kind="wrong")


_RIGHT = Said(words="right rows", kind="right")


def _named(fault: BaseException) -> str:
    """An exception by its name, with what the client's own library says is behind it."""
    cause = re.search(r"Caused by (\w+)|\('[^']*', (\w+)\(|too many (\d+) error", str(fault))
    return type(fault).__name__ + (f" ({next(filter(None, cause.groups()))})" if cause else "")


def _one(told: dict[str, Any], to: Connection) -> None:
    """A call in the process made for it."""
    logging.disable()
    warnings.simplefilter("ignore")
    with surroundings(Setting(authority=told["authority"])):
        try:
            rows = CALLS[told["client"]](told["what"], told["url"], told["authority"])
            said = judged(told["client"], told["what"], rows)
        except BaseException as fault:
            said = Said(words=_named(fault), kind="raised")
    to.send(asdict(said))


def _serve() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("alpaca.data.historical.stock", "alpaca.trading.client", "massive"):
            import_module(module)
    for client in CALLS:  # made once, for all the processes that come of this one
        for what in ("list", "bars"):
            expected(client, what)
    fork = multiprocessing.get_context("fork")
    for line in sys.stdin:
        told = json.loads(line)
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=_one, args=(told, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            said = ours.recv() if ours.poll(told["seconds"]) else None
        except EOFError:
            said = asdict(Said(words="the process died", kind="raised"))
        process.kill()
        process.join()
        ours.close()
        hung = asdict(Said(words=f"no answer, stopped after {told['seconds']:g} s", kind="hung"))
        print(json.dumps(said or hung), flush=True)


if __name__ == "__main__":
    _serve()
