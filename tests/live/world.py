"""A small market behind a simulated exchange that counts what it is asked, and a project that populates from it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from aitrader import app
from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK, xnys
from aitrader.exchange.answer import Answer
from aitrader.exchange.exchange import Exchange
from aitrader.exchange.faults import conditions
from aitrader.simulation.market import MarketSpec, generate
from aitrader.store.home import Home
from aitrader.store.store import Store
from aitrader.web.exchange_server import ExchangeServer
from tests.support.projects import Project, Told

ROOT = Path(__file__).resolve().parents[2]
START, UNTIL = date(2026, 4, 20), date(2026, 6, 15)
SEED = 9  # a listing arrives on 2026-06-10, one is renamed on 2026-06-11, one ends on 2026-06-12
BEFORE, NEXT, ARRIVAL = date(2026, 6, 8), date(2026, 6, 9), date(2026, 6, 10)
RENAME, END = date(2026, 6, 11), date(2026, 6, 12)
VENDORS = ("alpaca", "polygon", "sec")
CANARIES = {
    "ALPACA_API_KEY": "AKCANARYKEY1111",
    "ALPACA_SECRET_KEY": "SKCANARYSECRET22",
    "POLYGON_API_KEY": "PKCANARYPOLYGON3",
    "SEC_USER_AGENT": "Canary Tester canary@example.org",
}
OF_VENDOR = {
    "alpaca": ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    "polygon": ("POLYGON_API_KEY",),
    "sec": ("SEC_USER_AGENT",),
}
PRICES = ("open", "high", "low", "close", "volume")
Query = Sequence[tuple[str, str]]
Edit = Callable[[str, dict[str, str], Answer], Answer]


def keys(*vendors: str) -> dict[str, str]:
    """The variables of these vendors."""
    return {name: CANARIES[name] for vendor in vendors for name in OF_VENDOR[vendor]}


def at(day: date, hour: int = 17, minute: int = 0) -> datetime:
    """An hour of a day in New York; 17: an hour after the close, the bars are out and may still change."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


@cache
def market() -> Delivery:
    return generate(MarketSpec(seed=SEED, listings=300, start=START, until=UNTIL))


def sessions(last: date, first: date = START) -> list[date]:
    return xnys().between(first, last)


def listed(day: date) -> dict[str, str]:
    """Symbol -> type of what is listed in the evening of a day, under the symbol of that day."""
    told, renames = market().securities, market().actions.filter(pl.col("kind") == "symbol_change")
    there = told.filter(
        (pl.col("listed_on") <= day) & (pl.col("delisted_on").is_null() | (pl.col("delisted_on") > day))
    )
    types = dict(there.select("symbol", "security_type").iter_rows())
    for old, new, on in renames.sort("ex_date").select("symbol", "new_symbol", "ex_date").iter_rows():
        if on <= day and old in types:
            types[new] = types.pop(old)
    return types


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that arrived."""

    at: float  # monotonic seconds
    vendor: str
    path: str
    query: dict[str, str]
    status: int

    @property
    def page(self) -> tuple[str, str]:
        """What tells a question from another: path and query."""
        return self.path, json.dumps(self.query, sort_keys=True)


class Watched(Exchange):
    """An exchange that remembers what it was asked, cuts lists into smaller pages, and lies where it is told to."""

    def __init__(
        self, clock: datetime, *, told: Delivery | None = None, limits: Mapping[str, Any] | None = None
    ) -> None:
        plenty = {vendor: {"requests": 100_000, "seconds": 1.0} for vendor in VENDORS}
        super().__init__(told or market(), clock, conditions=conditions({"limits": {**plenty, **(limits or {})}}))
        self.seen: list[Seen] = []
        self.edits: list[tuple[str, Edit]] = []  # path prefix, what becomes of the answer
        self.pages: dict[str, int] = {}  # path -> rows of a page at most
        self.latency = 0.0
        self._counting = threading.Lock()

    def answer(self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        asked = list(query)
        if path in self.pages and "cursor" not in dict(asked):
            asked = [pair for pair in asked if pair[0] != "limit"] + [("limit", str(self.pages[path]))]
        found = super().answer(method, path, asked, headers, body)
        with self._counting:
            edits = [edit for prefix, edit in self.edits if path.startswith(prefix)]
            for edit in edits:
                found = edit(path, dict(query), found)
            vendor = "alpaca" if "apca-api-key-id" in headers else "polygon" if "authorization" in headers else "sec"
            self.seen.append(
                Seen(at=time.monotonic(), vendor=vendor, path=path, query=dict(query), status=found.status)
            )
        if self.latency:
            time.sleep(self.latency)
        return found

    def asked(self, path: str) -> list[Seen]:
        """The requests for what begins so."""
        return [seen for seen in self.seen if seen.path.startswith(path)]

    def lie(self, path: str, edit: Edit) -> None:
        """From now on, answers about a path are what ``edit`` makes of them."""
        self.edits.append((path, edit))

    def forget(self) -> None:
        """Count from 0, tell the truth."""
        self.seen.clear()
        self.edits.clear()


def content(answer: Answer) -> Any:
    return json.loads(answer.body)


def saying(answer: Answer, told: Any) -> Answer:
    """The same answer with another body."""
    return Answer(status=200, headers=answer.headers, body=json.dumps(told).encode())


def failing(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
    return Answer(status=500, headers=answer.headers, body=b'{"message":"internal"}')


def once(edit: Edit) -> Edit:
    """The edit for the first answer alone."""
    left = [edit]

    def edited(path: str, query: dict[str, str], answer: Answer) -> Answer:
        return left.pop()(path, query, answer) if left else answer

    return edited


@contextmanager
def serving(exchange: Exchange) -> Iterator[str]:
    with ExchangeServer(exchange, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@dataclass(kw_only=True)
class Listened(Told):
    """A report that keeps the progress too."""

    progressed: list[tuple[float, str, int, int]] = field(default_factory=list)

    def progress(self, label: str, done: int, total: int) -> None:
        super().progress(label, done, total)
        self.progressed.append((time.monotonic(), label, done, total))


@dataclass(kw_only=True)
class Desk:
    """A project whose vendors are one exchange; ``now`` is its clock and ours."""

    root: Path
    exchange: Watched
    url: str
    told: Listened = field(default_factory=Listened)
    env: dict[str, str] = field(default_factory=dict)  # further settings of every populate

    def __post_init__(self) -> None:
        self.project = Project(root=self.root)

    def moved(self, now: datetime) -> Desk:
        """Time passes: the exchange's clock and ours; what the cache has is too old by then."""
        self.exchange.move(now)
        self.exchange.forget()
        shutil.rmtree(self.cache, ignore_errors=True)
        self.told = Listened()
        return self

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def environ(self, *vendors: str, **settings: str) -> dict[str, str]:
        """The environment of a populate with the keys of ``vendors``; ``settings`` as LIVE__SESSIONS="30"."""
        own = "AI_TRADER__SOURCES__"
        return {
            "AI_TRADER_ENV": "development",
            "AI_TRADER_HOME": str(self.home.root),
            f"{own}ALPACA__TRADING_URL": self.url,
            f"{own}ALPACA__DATA_URL": self.url,
            f"{own}POLYGON__URL": self.url,
            f"{own}SEC__DATA_URL": self.url,
            f"{own}SEC__WWW_URL": self.url,
            f"{own}NASDAQ_TRADER__URL": self.url,
            **{f"{own}{vendor.upper()}__LIMIT__REQUESTS": "1000" for vendor in VENDORS},
            **{f"{own}{vendor.upper()}__LIMIT__SECONDS": "1" for vendor in VENDORS},
            f"{own}LIVE__CACHE": str(self.cache),
            f"{own}LIVE__NOW": self.exchange.now.isoformat(),
            f"{own}LIVE__SESSIONS": "30",
            f"{own}LIVE__LISTINGS": "[alpaca, polygon, sec]",
            f"{own}LIVE__LAST_RESORT": "none",
            f"{own}LIVE__ATTEMPTS": "2",
            f"{own}LIVE__FIRST_WAIT_SECONDS": "0.01",
            **{own + name: value for name, value in {**self.env, **settings}.items()},
            **keys(*vendors),
        }

    def populate(
        self, source: str | None, *vendors: str, refresh: bool = False, path: Path | None = None, **settings: str
    ) -> app.PopulateResult:
        """``universe --populate`` in this process, with the keys of ``vendors`` (by default those of ``source``)."""
        environ = self.environ(*(vendors or ((source,) if source in OF_VENDOR else ())), **settings)
        return app.populate(
            settings=self.project.settings(environ),
            source=source,
            path=path,
            file=None,
            force_refresh=refresh,
            accept_shrink=False,
            market=None,
            report=self.told,
            environ=environ,
        )

    def command(self, environ: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
        """A command as a process of its own, with the project's own files."""
        system = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, str(ROOT / "ai_trader.py"), *words],
            env={**system, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def home(self) -> Home:
        return Home(self.root / "state", "development", "live")

    def store(self) -> Store:
        return Store.open(self.home, write=False)

    def bars(self, *days: date) -> pl.DataFrame:
        """Stored bars as symbol, date and values; the symbol is the security's present one."""
        with self.store() as store:
            names = store.securities().select(security="id", symbol="symbol")
            told = [store.bars(day).with_columns(date=pl.lit(day)) for day in days or store.sessions()]
        frame = pl.concat(told).join(names, on="security", how="left")
        return frame.select("symbol", "date", *PRICES).sort("symbol", "date")

    def active(self) -> dict[str, str]:
        """Symbol -> type of the open listings."""
        rows = self.rows("SELECT symbol, security_type FROM companies WHERE active = 1")
        return dict(rows)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.home.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def security(self, symbol: str) -> int:
        ((found,),) = self.rows(f"SELECT id FROM companies WHERE symbol = '{symbol}' AND active = 1")
        return int(found)


def market_bars(days: Sequence[date], symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """What is right: the market's own bars."""
    frame = market().bars.filter(pl.col("date").is_in(list(days)))
    if symbols is not None:
        frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
    return frame.select("symbol", "date", *PRICES).sort("symbol", "date")
