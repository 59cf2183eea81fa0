"""Daily bars over HTTP: our transport and parser against alpaca-py, from one simulated exchange in the same run.

``python -m bench.live`` prints bars a second and the ratios, and returns 1 where the aim is missed. The exchange runs
in a process of its own on loopback, with limits that do not bind; the contestants take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from aitrader.domain.sessions import xnys
from aitrader.domain.symbols import spell
from aitrader.providers import alpaca
from aitrader.providers.alpaca_requests import PAGE_ROWS, SYMBOLS_A_REQUEST, assets_request, bars_requests, with_token
from aitrader.transport.http_sender import HttpSender, host_of
from aitrader.transport.limiter import SlidingWindow
from aitrader.transport.transport import Transport
from aitrader.transport.wire import Request
from bench.commands import LAUNCHER
from bench.report import LIVE, span, spread, times
from bench.timing import Figure, UnmeasuredError, figure, machine, warm

UNTIL = date(2026, 6, 30)
SYMBOLS, SESSIONS = 2_000, 60
CONCURRENCY = 8  # as config/sources.yml has it
PLAN, LIMIT = 10_000, 100_000  # requests a minute: ours, as of the paid plan; the exchange's, which binds nobody
AIM = 5.0  # times alpaca-py's bars a second
KEYS = ("key", "secret")

Found = dict[str, Figure | UnmeasuredError]


class _Onward(msgspec.Struct):
    next_page_token: str | None = None


@dataclass(kw_only=True)
class Ours:
    """Our way to the bars: each chunk of symbols page after page, several chunks at once."""

    transport: Transport
    requests: list[Request]
    bodies: list[bytes] = field(default_factory=list)  # of the last round

    def parsed(self, concurrency: int = CONCURRENCY) -> int:
        """How many bars came, as frames; they are parsed in the thread that asked."""

        def read(request: Request) -> int:
            page = alpaca.parse_bars(self.transport.fetch(request).body)
            rows = page.frame.height
            while page.next_token:
                page = alpaca.parse_bars(self.transport.fetch(with_token(request, page.next_token)).body)
                rows += page.frame.height
            return rows

        return sum(self._at_once(read, concurrency))

    def answers(self) -> None:
        """The bodies alone."""

        def read(request: Request) -> list[bytes]:
            bodies = [self.transport.fetch(request).body]
            while token := msgspec.json.decode(bodies[-1], type=_Onward).next_page_token:
                bodies.append(self.transport.fetch(with_token(request, token)).body)
            return bodies

        self.bodies = [body for bodies in self._at_once(read, CONCURRENCY) for body in bodies]

    def parse(self) -> int:
        """The bodies of the last round once more."""
        return sum(alpaca.parse_bars(body).frame.height for body in self.bodies)

    def _at_once(self, read: Callable[[Request], Any], concurrency: int) -> list[Any]:
        with ThreadPoolExecutor(concurrency) as pool:
            return list(pool.map(read, self.requests))


def figures(repeats: int, *, symbols: int = SYMBOLS, sessions: int = SESSIONS) -> tuple[Found, int]:
    """Seconds of each contestant for the same bars, and how many these are."""
    days = xnys().between(date(2000, 1, 1), UNTIL)[-sessions:]
    with tempfile.TemporaryDirectory() as folder, exchange(Path(folder), days) as url:
        keys = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
        sender = HttpSender({("alpaca", host_of(url)): keys})
        limits = {"alpaca": SlidingWindow(Path(folder) / "limits" / "alpaca", PLAN, 60.0)}
        transport = Transport(sender=sender, limits=limits)
        try:
            listed = alpaca.parse_assets(transport.fetch(assets_request(url)).body).frame["symbol"]
            asked = listed.gather_every(max(1, len(listed) // symbols)).head(symbols).to_list()
            wide = Ours(transport=transport, requests=list(bars_requests(url, asked, days[0], days[-1], "sip")))
            fitting = max(1, min(SYMBOLS_A_REQUEST, PAGE_ROWS // sessions))
            full = bars_requests(url, asked, days[0], days[-1], "sip", chunk=fitting)
            ours = Ours(transport=transport, requests=list(full))
            calls: dict[str, Callable[[], int]] = {
                "live.ours": ours.parsed,
                "live.one": lambda: ours.parsed(1),
                "live.wide": wide.parsed,
            }
            out: Found = {}
            try:
                calls |= _alpaca_py(url, asked, days)
            except ImportError as reason:
                out["live.alpaca_py"] = UnmeasuredError(f"alpaca-py cannot be imported: {reason}")
            counted = {name: call() for name, call in calls.items()}
            if len(set(counted.values())) > 1 or not counted["live.ours"]:
                raise UnmeasuredError(f"the contestants differ in the bars that they got: {counted}")
            out |= _in_turns(calls | {"live.answers": ours.answers}, repeats)
            out["live.parse"] = warm(ours.parse, repeats=repeats)
        finally:
            sender.close()
        return out, counted["live.ours"]


def _alpaca_py(url: str, symbols: list[str], days: list[date]) -> dict[str, Callable[[], int]]:
    """What users of alpaca-py call, for all symbols at once: fewer pages than ours. Raises ImportError."""
    with warnings.catch_warnings():  # it imports a part of websockets that is to go
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.historical.stock import StockHistoricalDataClient
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame

    asked = StockBarsRequest(
        symbol_or_symbols=[spell(symbol, "alpaca") for symbol in symbols],
        timeframe=TimeFrame.Day,
        start=datetime.combine(days[0], datetime.min.time()),
        end=datetime.combine(days[-1], datetime.max.time()),
    )
    client = StockHistoricalDataClient(*KEYS, url_override=url)
    raw = StockHistoricalDataClient(*KEYS, url_override=url, raw_data=True)
    return {
        "live.alpaca_py": lambda: sum(map(len, client.get_stock_bars(asked).data.values())),
        "live.alpaca_py.df": lambda: len(client.get_stock_bars(asked).df),
        "live.alpaca_py.raw": lambda: sum(map(len, raw.get_stock_bars(asked).values())),
    }


def _in_turns(calls: Mapping[str, Callable[[], Any]], repeats: int) -> Found:
    """Each call in every round, so that whatever slows the machine slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin, worked = time.perf_counter(), time.process_time()
            call()
            seconds[name].append(time.perf_counter() - begin)
            cpu[name].append(time.process_time() - worked)
    return {name: figure(seconds[name], cpu=cpu[name]) for name in calls}


@contextmanager
def exchange(folder: Path, days: list[date]) -> Iterator[str]:
    """The address of the simulated exchange, on the evening of the last day. Raises UnmeasuredError."""
    faults = folder / "faults.yml"
    faults.write_text(f"limits:\n  alpaca: {{requests: {LIMIT}, seconds: 60}}\n", encoding="utf-8")
    words = [sys.executable, LAUNCHER, "simulate", "--port", "0", "--faults", str(faults), "--format", "json"]
    environment = {
        **os.environ,
        "AI_TRADER_HOME": str(folder / "home"),
        "AI_TRADER_ENV": "development",
        "AI_TRADER__SOURCES__SIMULATED__START": days[0].isoformat(),
        "AI_TRADER__SOURCES__SIMULATED__UNTIL": days[-1].isoformat(),
    }
    said = folder / "said"
    with (
        said.open("w") as stderr,
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith("{"):
                raise UnmeasuredError(f"the exchange did not start: {said.read_text()}")
            yield str(json.loads(line)["url"])
        finally:
            server.terminate()


def table(found: Found, bars: int) -> str:
    """The figures for a terminal."""
    known = {name: value for name, value in found.items() if isinstance(value, Figure)}
    lines = [f"{bars:,} daily bars over HTTP on loopback"]
    for name, words in LIVE:
        if name in known:
            rate = f"{bars / known[name].seconds:>12,.0f} bars/s"
            lines.append(f"{words:62}{rate}  {times(known, name, 'live.ours'):>22}  {spread(known[name])}")
        elif name in found:
            lines.append(f"{words:62}not measured: {found[name]}")
    parse = known["live.parse"].seconds / bars * 10_000
    return "\n".join([*lines, f"our parser: {span(parse)} for 10,000 bars"])


def main(arguments: list[str] | None = None) -> int:
    """Measure and print. Returns 1 when the aim was missed, or could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description="Measure bars over HTTP.")
    parser.add_argument("--repeats", type=int, default=5, help="runs that each median is taken over")
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    options = parser.parse_args(arguments)
    facts = machine()
    found, bars = figures(options.repeats, symbols=options.symbols, sessions=options.sessions)
    print(", ".join(f"{name}: {value}" for name, value in facts.items()))
    print(table(found, bars))
    ours, theirs = found["live.ours"], found["live.alpaca_py"]
    if not isinstance(ours, Figure) or not isinstance(theirs, Figure):
        return 1
    ratio = theirs.seconds / ours.seconds
    known = {name: value for name, value in found.items() if isinstance(value, Figure)}
    print(f"aim: at least {AIM:g} x the bars a second of alpaca-py's models; measured {ratio:.1f} x")
    print(f"a frame against a frame, its `.df`: {times(known, 'live.alpaca_py.df', 'live.ours')}")
    return int(ratio < AIM)


if __name__ == "__main__":
    sys.exit(main())
