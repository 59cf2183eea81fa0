"""The live source at full size before a simulated exchange 30 ms away: its speed, its limits, its end at any moment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from aitrader.domain.sessions import xnys
from aitrader.simulation.market import MarketSpec, generate
from tests.live.test_limits import most_in_a_window, slow, told_left
from tests.live.world import BEFORE, UNTIL, Desk, Watched, at, keys, serving

NAME = "live"
COVERS = (
    "src/aitrader/app.py",
    "src/aitrader/providers",
    "src/aitrader/transport",
    "src/aitrader/store",
    "src/aitrader/exchange",
    "src/aitrader/web/exchange_server.py",
    "config/sources.yml",
    "tests/live",
)
ROOT = Path(__file__).resolve().parents[1]
OWN = "AI_TRADER__SOURCES__"
LISTINGS, SESSIONS = 10_500, 300
LAST, NEXT = date(2026, 6, 29), date(2026, 6, 30)
LATENCY_MS = 30
REFRESHES = 3
PLENTY = {"requests": 1_000_000, "seconds": 1.0}
AIMS = {"layer0_seconds": 5.0, "first_seconds": 30.0, "first_peak_mb": 1000.0, "refresh_seconds": 3.0}
FREE = (5, 1.0)  # Polygon's free plan: five requests a second instead of a minute
SHARED = (40, 1.0)


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Fails where an aim is missed, a limit is broken, a time left is untrue or a kill leaves half a universe."""
    figures = full_size(progress, LISTINGS, SESSIONS)
    for name, most in AIMS.items():
        assert figures[name] <= most, f"{name}: {figures[name]}, at most {most}"
    progress("free plan")
    figures["free_plan"] = free_plan(SESSIONS)
    progress("two processes")
    figures["two_processes"] = two_processes(SESSIONS)
    progress("kills")
    figures["kills"] = kills()
    return figures


# -- full size ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One populate as a process."""

    seconds: float
    stored: float  # seconds until everything was stored; what is left is the scan
    peak_mb: float
    requests: int
    told: dict[str, Any]


def full_size(progress: Callable[[str], None], listings: int, sessions: int) -> dict[str, Any]:
    """Layer 0 alone, the first population, the next session; each in a process of its own, its cache empty."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulated(folder, listings, sessions) as url:
            progress("layer 0")
            layer0 = populate(folder, url, "layer0", LAST, sessions, LIVE__BARS="[]")
            progress("first population")
            first = populate(folder, url, "first", LAST, sessions)
            assert (first.told["sessions_written"], first.told["last_session"]) == (sessions, str(LAST)), first.told
            body = json.dumps({"now": at(NEXT).isoformat()}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{url}/simulate/clock", data=body, method="POST")).close()
            # The exchange works a day out when it is first asked about it: of several refreshes the middle one counts.
            refreshes = []
            for number in range(REFRESHES):
                progress(f"next session, {number + 1} of {REFRESHES}")
                home = f"next{number}"
                shutil.copytree(folder / "first", folder / home)
                refreshes.append(populate(folder, url, home, NEXT, sessions))
                told = refreshes[-1].told
                assert (told["sessions_written"], told["last_session"]) == (1, str(NEXT)), told
    refresh = sorted(refreshes, key=lambda ran: ran.stored)[REFRESHES // 2]
    return {
        "listings": layer0.told["symbols"],
        "sessions": sessions,
        "latency_ms": LATENCY_MS,
        "layer0_seconds": round(layer0.seconds, 2),
        "layer0_requests": layer0.requests,
        "first_seconds": round(first.seconds, 2),
        "first_peak_mb": round(first.peak_mb),
        "first_requests": first.requests,
        "refresh_seconds": round(refresh.stored, 2),
        "refreshes_seconds": [round(ran.stored, 2) for ran in refreshes],
        "refresh_and_scan_seconds": round(refresh.seconds, 2),
        "refresh_peak_mb": round(refresh.peak_mb),
        "refresh_requests": refresh.requests,
    }


@contextmanager
def simulated(folder: Path, listings: int, sessions: int) -> Iterator[str]:
    """``ai_trader.py simulate`` as a process, every answer late; where it listens."""
    faults = folder / "faults.yml"  # JSON is YAML
    late = {"kind": "latency_ms", "path": "/", "nth": 1, "count": 0, "latency_ms": LATENCY_MS}
    faults.write_text(json.dumps({"faults": [late], "limits": dict.fromkeys(("alpaca", "polygon", "sec"), PLENTY)}))
    calendar = xnys()
    start = calendar.session_at(calendar.ordinal(LAST) - sessions - 5)
    own = {"LISTINGS": str(listings), "START": str(start), "UNTIL": str(NEXT)}
    environ = {
        **_system(),
        "AI_TRADER_ENV": "development",
        "AI_TRADER_HOME": str(folder / "exchange"),
        **{f"{OWN}SIMULATED__{name}": value for name, value in own.items()},
    }
    words = ["simulate", "--port", "0", "--clock", str(LAST), "--faults", str(faults), "--format", "json"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "ai_trader.py"), *words], env=environ, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            yield url
        finally:
            process.terminate()


def populate(folder: Path, url: str, home: str, day: date, sessions: int, **settings: str) -> Ran:
    """``universe --populate`` in the evening of a day, within 10,000 requests a minute."""
    addresses = ("ALPACA__TRADING_URL", "ALPACA__DATA_URL", "POLYGON__URL", "SEC__DATA_URL", "SEC__WWW_URL")
    environ = {
        **_system(),
        "AI_TRADER_ENV": "development",
        "AI_TRADER_HOME": str(folder / home),
        **{OWN + name: url for name in addresses},
        f"{OWN}ALPACA__LIMIT__REQUESTS": "10000",
        f"{OWN}POLYGON__LIMIT__REQUESTS": "10000",
        f"{OWN}LIVE__LISTINGS": "[alpaca, polygon, sec]",
        f"{OWN}LIVE__SESSIONS": str(sessions),
        f"{OWN}LIVE__NOW": at(day).isoformat(),
        f"{OWN}LIVE__CACHE": str(folder / f"cache-{home}-{day}"),
        **{OWN + name: value for name, value in settings.items()},
        **keys("alpaca", "polygon", "sec"),
    }
    out = folder / f"{home}-{day}.json"
    words = ["universe", "--populate", "--source", "alpaca", "--format", "json"]
    before, started = _requests(folder / home), time.monotonic()
    with out.open("w") as file, (folder / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "ai_trader.py"), *words], env=environ, stdout=file, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    told = (folder / "err").read_text()
    assert process.returncode == 0, told
    steps = {text: float(at) for at, text in re.findall(r"^\[ *([0-9.]+) s\] (\w+)", told, re.MULTILINE)}
    return Ran(
        seconds=seconds,
        stored=seconds - (max(steps.values()) - steps["stored"]),
        peak_mb=usage.ru_maxrss / 1024,
        requests=_requests(folder / home) - before,
        told=json.loads(out.read_text()),
    )


def _requests(home: Path) -> int:
    """Requests that a home has counted."""
    path = home / "transport" / "counters.json"
    return sum(each["requests"] for each in json.loads(path.read_bytes()).values()) if path.exists() else 0


def _system() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}


# -- limits and kills -----------------------------------------------------------------------------------------------


@contextmanager
def desk_of(sessions: int, **limits: Any) -> Iterator[Desk]:
    """A small market of many sessions behind an exchange that counts."""
    calendar = xnys()
    start = calendar.session_at(calendar.ordinal(BEFORE) - sessions - 5)
    told = generate(MarketSpec(seed=9, listings=300, start=start, until=UNTIL))
    exchange = Watched(at(BEFORE), told=told, limits=limits)
    with tempfile.TemporaryDirectory() as folder, serving(exchange) as url:
        desk = Desk(root=Path(folder) / "desk", exchange=exchange, url=url)
        desk.env["LIVE__SESSIONS"] = str(sessions)
        yield desk


def free_plan(sessions: int) -> dict[str, Any]:
    """Polygon alone under its free plan, a minute scaled to a second: time and the time left that was told."""
    requests, seconds = FREE
    with desk_of(sessions) as desk:
        desk.populate("polygon", **slow(requests, seconds, LIVE__LISTINGS="[polygon]"))
        seen = [each.at for each in desk.exchange.asked("/")]
        took, expected = seen[-1] - seen[0], len(seen) / requests * seconds
        shown = told_left(desk, "polygon")
        worst = max(abs(says - true) / whole for says, true, whole in shown)
        most = most_in_a_window(desk.exchange.seen, seconds)
    assert abs(took / expected - 1) <= 0.1, f"{took:.1f} s, {expected:.1f} s by the limit"
    assert worst <= 0.2, f"the time left was untrue by {worst:.0%} of the whole"
    assert most <= requests, f"{most} requests in {seconds} s"
    return {
        "limit": f"{requests} in {seconds:g} s",
        "requests": len(seen),
        "seconds": round(took, 1),
        "seconds_by_limit": round(expected, 1),
        "worst_time_left": round(worst, 3),
        "most_in_a_window": most,
    }


def two_processes(sessions: int) -> dict[str, Any]:
    """Two populates of one home at once before an exchange that refuses one request too many."""
    requests, seconds = SHARED
    with desk_of(sessions, alpaca={"requests": requests, "seconds": seconds}) as desk:
        desk.exchange.pages["/v2/stocks/bars"] = 500
        both = [
            desk.command(
                desk.environ("alpaca", **slow(requests, seconds, LIVE__CACHE=str(desk.root / f"cache{number}"))),
                *("universe", "--populate", "--source", "alpaca"),
            )
            for number in range(2)
        ]
        told = [process.communicate(timeout=600)[1] for process in both]
        codes = sorted(process.returncode for process in both)
        seen = desk.exchange.seen
        refused = sum(each.status == 429 for each in seen)
        most = most_in_a_window(seen, seconds)
    assert codes in ([0, 0], [0, 4]), told
    assert refused == 0, f"{refused} of {len(seen)} requests were too many"
    assert most <= requests, f"{most} requests in {seconds} s"
    return {
        "limit": f"{requests} in {seconds:g} s",
        "requests": len(seen),
        "refused": refused,
        "most_in_a_window": most,
    }


def kills() -> int:
    """The test of the killed populate at proof size; how many kills it makes."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/live/test_kill.py"],
        cwd=ROOT,
        env={**os.environ, "AITRADER_PROVE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return 20
