"""The product before a faulty vendor: a populate on top of a good universe, and what became of that universe."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aitrader.store.home import Home
from aitrader.store.store import Store
from tests.faults import canary, world
from tests.faults.catalogue import Outcome, Row
from tests.faults.launch import VARIABLE, Setting, run
from tests.faults.server import Vendor, serving
from tests.faults.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
ATTEMPTS = 3
SECONDS = 45.0  # the most that a command may take
LIVE = "AI_TRADER__SOURCES__LIVE__"
VENDORS = ("alpaca", "polygon")
REFUSALS = (4, 5)
INSTEAD = ("is asked instead", "is left out", "is from the others")  # of a warning that names who stands in
POPULATE = "universe --populate --source {}"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one command left on its streams."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a market serves: every listing, the symbols of Layer 0, its session, that session's stored bars."""

    symbols: frozenset[str]
    layer0: frozenset[str]
    session: str
    bars: frozenset[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A state folder with its cache and a log of everything; nothing else of this machine is written to."""

    folder: Path
    process: bool = False  # run the product as a process of its own
    searched: frozenset[tuple[str, int, int]] = frozenset()  # files that hold no key: those that were copied here
    heard: list[Ran] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def copied(self, to: Path, *, process: bool = False) -> Place:
        """The same state somewhere else; no answer is in its cache."""
        to.mkdir(parents=True)
        shutil.copytree(self.home, to / "home", symlinks=True)
        return Place(folder=to, process=process, searched=canary.stamps(to))

    def leaks(self) -> list[str]:
        """Where a key stands: in the files that came since the start, or in what was printed."""
        found = [f"{name} in {path}" for path, name in canary.found_below(self.folder, but=self.searched)]
        heard = "".join(ran.out + ran.err for ran in self.heard).encode()
        return found + [f"{name} in what was printed" for name in canary.found_in(heard)]

    def environ(
        self, urls: Mapping[str, str], vendor: str, *, beside: bool, now: datetime, patience: float = 10.0
    ) -> dict[str, str]:
        """The environment of a command: ``vendor`` alone with its own keys, or first of them all with everybody's."""
        order = f"[{', '.join([vendor, *(name for name in VENDORS if beside and name != vendor)])}]"
        keys = {name: key for name, key in canary.KEYS.items() if beside or name.lower().startswith(vendor)}
        return {
            **{name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ},
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "PYTHONWARNINGS": "ignore",
            "AI_TRADER_ENV": "development",
            "AI_TRADER_HOME": str(self.home),
            "AI_TRADER_LOG_LEVEL": "DEBUG",
            "AI_TRADER__SOURCES__ALPACA__TRADING_URL": urls["alpaca"],
            "AI_TRADER__SOURCES__ALPACA__DATA_URL": urls["alpaca"],
            "AI_TRADER__SOURCES__POLYGON__URL": urls["polygon"],
            "AI_TRADER__SOURCES__SEC__DATA_URL": urls["sec"],
            "AI_TRADER__SOURCES__SEC__WWW_URL": urls["sec"],
            "AI_TRADER__SOURCES__NASDAQ_TRADER__URL": urls["sec"],
            **{f"AI_TRADER__SOURCES__{name}__LIMIT__REQUESTS": "1000" for name in ("ALPACA", "POLYGON", "SEC")},
            f"{LIVE}CACHE": str(self.cache),
            f"{LIVE}TIMEOUT_SECONDS": str(patience),
            f"{LIVE}ATTEMPTS": str(ATTEMPTS),
            f"{LIVE}FIRST_WAIT_SECONDS": "0.02",
            f"{LIVE}SESSIONS": "25",
            f"{LIVE}LAST_RESORT": "none",
            f"{LIVE}NOW": now.isoformat(),
            **{f"{LIVE}{kind}": order for kind in ("LISTINGS", "BARS", "ACTIONS")},
            **keys,
        }

    def ai(self, words: str, environ: Mapping[str, str], setting: Setting) -> Ran:
        """One command of the product."""
        if self.process:
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "tests.faults.launch", *words.split()],
                    env={**environ, VARIABLE: setting.text},
                    cwd=self.folder,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise AssertionError(f"no end after {SECONDS:g} s: {words}") from None
            ran = Ran(code=done.returncode, out=done.stdout, err=done.stderr)
        else:
            out, err = io.StringIO(), io.StringIO()
            with _patience(SECONDS), patch("resource.setrlimit"):  # what a process gives up is for good
                code = run(words.split(), environ, setting, out, err)
            ran = Ran(code=code, out=out.getvalue(), err=err.getvalue())
        self.heard.append(ran)
        return ran

    def served(self, environ: Mapping[str, str]) -> Served:
        """What the market serves now."""
        listed = json.loads(self.ai("universe --layer 0 --format json", environ, Setting()).out)
        with Store.open(Home(self.home, "development", "live"), write=False) as store:
            companies = store.reader.companies()
            last = store.sessions()[-1]
            rows = store.bars(last).select("security", *world.PRICES).rows()
        return Served(
            symbols=frozenset(
                company.symbol
                for company in companies.values()
                if company.active and (company.delisted_on is None or company.delisted_on > str(last))
            ),
            layer0=frozenset(member["symbol"] for member in listed["symbols"]),
            session=listed["session"],
            bars=frozenset((companies[number].symbol, last, *prices) for number, *prices in rows),
        )

    def counted(self, vendor: str, word: str) -> int:
        """What the product counted of a source."""
        path = self.home / "transport" / "counters.json"
        found = json.loads(path.read_bytes()) if path.exists() else {}
        return int(found.get(vendor, {}).get(word, 0))

    @property
    def log(self) -> str:
        """The scanner log."""
        return "".join(path.read_text() for path in sorted(self.home.rglob("scanner.log")))


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """A command that takes longer is interrupted, as by Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def good(folder: Path, vendor: str, *, beside: bool) -> Place:
    """A state folder that holds the market as it was the session before; checked."""
    place = Place(folder=folder)
    sound = Vendor(exchange=world.exchange(world.OLD), extra=world.directory_files(world.BEFORE))
    with serving(sound) as url:
        environ = place.environ(dict.fromkeys((*VENDORS, "sec"), url), vendor, beside=beside, now=world.OLD)
        ran = place.ai(POPULATE.format("live" if beside else vendor), environ, Setting())
        assert ran.code == 0, ran.err
        served, right = place.served(environ), as_served(world.BEFORE, vendor, beside=beside)
        for name in ("session", "symbols", "layer0", "bars"):
            assert getattr(served, name) == getattr(right, name), f"{name}; {ran.err}"
    assert not place.leaks()
    return place


def as_served(session: date, vendor: str, *, beside: bool) -> Served:
    """What is right. Alpaca has no types: where nobody else is asked, a trust's common shares are a common stock's."""
    right = world.right(session)
    layer0 = right.layer0 | (right.trusts if vendor == "alpaca" and not beside else frozenset())
    return Served(symbols=right.symbols, layer0=layer0, session=str(session), bars=right.bars)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a fault came to: the outcome, and the words for it."""

    outcome: Outcome
    code: int
    words: str


def met(row: Row, vendor: str, beside: bool, stage: Stage, place: Place) -> Seen:
    """Populate before the fault; AssertionError where a universe is served that is neither the old nor the right."""
    urls = {**dict.fromkeys((*VENDORS, "sec"), stage.sound), vendor: stage.marred}
    setting = Setting(authority=stage.authority, full=str(place.cache) if row.place == "full_disk" else "")
    environ = place.environ(urls, vendor, beside=beside, now=world.NEW, patience=row.patience)
    environ |= {f"{LIVE}{name}": value for name, value in row.settings}
    retries, log = place.counted(vendor, "retries"), len(place.log)
    began = time.monotonic()
    ran = place.ai(POPULATE.format("live" if beside else vendor), environ, setting)
    assert time.monotonic() - began >= row.waits, "it did not wait as it was asked to"
    served = place.served(environ)
    before, right = (as_served(session, vendor, beside=beside) for session in (world.BEFORE, world.UNTIL))
    again = place.counted(vendor, "retries") - retries
    assert "Traceback" not in ran.err, ran.err
    if ran.code in REFUSALS:
        assert served == before, f"not as before; {ran.err}"
        errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, ran.err
        assert "ERROR" in place.log[log:], "nothing in the log"
        return Seen(outcome="refused", code=ran.code, words=errors[0].removeprefix("error: "))
    assert ran.code == 0, f"exit code {ran.code}: {ran.err}"
    warned = [line.removeprefix("warning: ") for line in ran.err.splitlines() if line.startswith("warning: ")]
    aside = [line for line in ran.out.splitlines() if line.startswith("quarantined ")]
    logged = [line.partition(" WARNING aitrader ")[2] for line in place.log[log:].splitlines() if " WARNING " in line]
    assert served.session == right.session, f"published {served.session}; {ran.err}"
    _check(served, right, aside, ran)
    outcome: Outcome = "unmoved"
    if any(word in line for line in warned for word in INSTEAD):
        outcome = "fallback"
    elif aside:
        outcome = "set aside"
    elif any("asking again" in line for line in warned):
        outcome = "read again"
    elif again:
        assert logged, "the retry is not in the log"
        outcome = "retried"
    return Seen(outcome=outcome, code=ran.code, words="; ".join(warned + aside or logged))


def _check(served: Served, right: Served, aside: list[str], ran: Ran) -> None:
    """The universe is the right one, every stored bar is true, and none is missing in silence."""
    for name, have, wanted in (
        ("listings", served.symbols, right.symbols),
        ("Layer 0", served.layer0, right.layer0),
    ):
        assert have == wanted, f"{name}: {sorted(have ^ wanted)[:8]} of {len(wanted)} differ; {ran.out}{ran.err}"
    false, missing = served.bars - right.bars, right.bars - served.bars
    assert not false, f"{len(false)} stored bars are not the market's, such as {next(iter(false))}; {ran.out}{ran.err}"
    assert not missing or aside, f"{len(missing)} bars are missing, and nothing says so; {ran.out}{ran.err}"
