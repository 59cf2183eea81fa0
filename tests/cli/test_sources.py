"""The commands around live sources: what they print, their exit codes, and that no key is in any of it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aitrader.operations.checks import Check
from tests.cli.conftest import Ai, Said
from tests.cli.test_writing import Fake
from tests.operations import sample

ROOT = Path(__file__).resolve().parents[2]
CANARY = "CANARYkey/0123+456789"
KEYS = {"ALPACA_API_KEY": CANARY, "ALPACA_SECRET_KEY": "s" + CANARY, "POLYGON_API_KEY": "p" + CANARY}
ALL = KEYS | {"SEC_USER_AGENT": "A Tester tester@example.org"}


def counted(home: Path, **sources: dict[str, Any]) -> dict[str, str]:
    """The environment of a home whose sources were counted so; the others answered just now."""
    answered = {"requests": 1, "last_success": sample.NOW.isoformat()}
    told = {**dict.fromkeys(("alpaca", "polygon", "sec", "nasdaq_trader"), answered), **sources}
    (home / "transport").mkdir(mode=0o700)
    (home / "transport" / "counters.json").write_text(json.dumps(told))
    return {**ALL, "AI_TRADER_HOME": str(home)}


OLD = {"last_success": (sample.NOW - timedelta(days=4)).isoformat()}


@pytest.mark.parametrize(
    ("sources", "status", "code"),
    [
        ({}, "ok", 0),
        ({"sec": OLD}, "warning", 1),
        ({"sec": {}}, "unknown", 1),
        ({"sec": {}, "polygon": OLD}, "warning", 1),
        ({"sec": OLD, "alpaca": {"open_since": sample.NOW.isoformat()}}, "critical", 2),
    ],
    ids=["ok", "old", "never", "old-and-never", "open"],
)
def test_status_is_that_of_the_worst_source(
    ai: Ai, tmp_path: Path, sources: dict[str, Any], status: str, code: int
) -> None:
    env = counted(tmp_path, **sources)
    for line in ("status --component external-apis", "status"):
        said = ai(line, env=env)
        assert (said.code, said.out.splitlines()[-1]) == (code, f"{status}: external-apis")
        told = ai(f"{line} --format json", env=env)
        assert (told.code, told.json["status"]) == (code, status)


def test_status_alone_names_the_market(ai: Ai, tmp_path: Path) -> None:
    assert ai("status").out.splitlines()[0].startswith("environment development, market simulated, home ")
    empty = ai("status", env={"AI_TRADER_HOME": str(tmp_path)})
    assert empty.out.splitlines()[0] == f"environment development, market none yet, home {tmp_path}"
    assert "environment" not in ai("status --component external-apis").out.splitlines()[0]


def test_status_has_a_line_a_source_and_its_last_error(ai: Ai, tmp_path: Path) -> None:
    env = counted(tmp_path, sec={"requests": 3, "failures": 1, "last_error": "sec /x: HTTP 503\x1b[31m: gone"})
    lines = [line for line in ai("status", env=env).out.splitlines() if line.startswith("external-api ")]
    assert [line.split()[1] for line in lines] == ["alpaca", "polygon", "sec", "nasdaq_trader", "sec"]
    assert lines[-1] == "external-api sec last_error: sec /x: HTTP 503?[31m: gone"


def test_status_loads_neither_polars_nor_httpx(published: Path) -> None:
    code = (
        "import sys\n"
        "from aitrader.cli.main import main\n"
        "main(['status'])\n"
        "print([name for name in ('polars', 'numpy', 'httpx', 'pyarrow') if name in sys.modules], file=sys.stderr)\n"
    )
    env = {"AI_TRADER_HOME": str(published), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == "[]\n"


def check(name: str, status: str, value: float | None, message: str) -> Check:
    return Check(name=name, title=name, status=status, value=value, target="", message=message, unit="seconds")


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("validate --component data-sources", ("data-sources", True)),
        ("validate --component data-sources --test-connection", ("data-sources", True)),
        ("validate --component financial-apis", ("financial-apis", False)),
        ("validate --component financial-apis --test-connection", ("financial-apis", True)),
    ],
)
def test_data_sources_are_asked_and_financial_apis_on_demand(ai: Ai, line: str, given: tuple[str, bool]) -> None:
    asked: list[tuple[str, bool]] = []

    def check_sources(*, purpose: str, ask: bool, **_: Any) -> list[Check]:
        asked.append((purpose, ask))
        return [check("sec", "ok", 0.25, "keys set, answered in 250 ms")]

    said = ai(line, env=ALL, facade=SimpleNamespace(check_sources=check_sources))
    assert (said.code, asked) == (0, [given])
    assert said.out.splitlines()[-1] == f"ok: {given[0]}"


@pytest.mark.parametrize(
    ("statuses", "status", "code"),
    [
        (["ok", "ok"], "ok", 0),
        (["ok", "unknown"], "unknown", 1),
        (["warning", "unknown"], "warning", 1),
        (["critical", "ok"], "critical", 2),
    ],
)
def test_validate_ends_with_the_worst(ai: Ai, statuses: list[str], status: str, code: int) -> None:
    found = [check(f"source{at}", one, None, one) for at, one in enumerate(statuses)]
    facade = SimpleNamespace(check_sources=lambda **_: found)
    said = ai("validate --component data-sources", facade=facade)
    assert (said.code, said.out.splitlines()[-1]) == (code, f"{status}: data-sources")
    told = ai("validate --component data-sources --format json", facade=facade)
    assert (told.code, told.json["status"], len(told.json["checks"])) == (code, status, 2)


def test_without_any_key_nobody_is_asked_and_nothing_is_known(ai: Ai) -> None:
    said = ai("validate --component data-sources")
    assert said.code == 1
    assert "ALPACA_API_KEY and ALPACA_SECRET_KEY not set" in said.out
    assert [line.split()[0] for line in said.out.splitlines()[1:5]] == ["unknown"] * 4


@pytest.mark.parametrize("line", ["validate", "validate --component nothing", "status --component nothing"])
def test_a_component_that_is_not_there_is_a_usage_error(ai: Ai, line: str) -> None:
    assert ai(line).code == 3


REFRESH = "universe --refresh-fundamentals"


@pytest.mark.parametrize(
    ("line", "given"),
    [
        (REFRESH, {"layer": 2, "fallback": False}),
        (f"{REFRESH} --layer 2", {"layer": 2, "fallback": False}),
        (f"{REFRESH} --layer 1 --use-fallback-data", {"layer": 1, "fallback": True}),
    ],
)
def test_a_refresh_hands_on_its_flags_and_tells_what_changed(
    ai: Ai, published: Path, line: str, given: dict[str, Any]
) -> None:
    fake = Fake(published)
    said = ai(line, facade=fake)
    assert (said.code, fake.asked) == (0, [("refresh_fundamentals", {"market": None, **given})])
    assert said.out.splitlines() == [
        f"Layer {given['layer']}, 3 members",
        "reports from sec: 5 new, 1 revised",
        "headlines from nobody: 0 new",
        "sectors and industries from sec: 2 changed",
        "quarantined 1 rows: bad_date",
        "next: python ai_trader.py universe --requalify --layer 3",
    ]


def test_the_simulated_market_has_nothing_to_refresh(ai: Ai) -> None:
    said = ai(REFRESH)
    assert (said.code, said.out) == (0, "Layer 2, 3 members\nnothing was asked\n")
    assert "notice: the simulated market has all its reports and headlines: there is nothing to refresh\n" in said.err


def test_requalify_with_fallback_data_refreshes_the_members_of_layer_2_first(ai: Ai, published: Path) -> None:
    fake = Fake(published)
    said = ai("universe --requalify --layer 3 --use-fallback-data", facade=fake)
    assert [name for name, _ in fake.asked] == ["refresh_fundamentals", "requalify"]
    assert fake.asked[0][1] == {"market": None, "layer": 2, "fallback": True}
    assert said.out.splitlines()[0] == "reports of 3 members of Layer 2 from sec: 5 new, 1 revised"
    told = ai("universe --requalify --layer 3 --use-fallback-data --format json", facade=Fake(published)).json
    assert (told["refreshed"]["sources"]["reports"], told["refreshed"]["new_reports"]) == ("sec", 5)
    assert "refreshed" not in ai("universe --requalify --layer 3 --format json", facade=Fake(published)).json


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_fallback_data_goes_with_layer_3_alone(ai: Ai, published: Path, layer: int) -> None:
    fake = Fake(published)
    said = ai(f"universe --requalify --layer {layer} --use-fallback-data", facade=fake)
    assert (said.code, fake.asked) == (3, [])
    assert said.err == "error: --use-fallback-data goes with --layer 3; write --requalify --layer 3\n"


def test_health_verbose_has_the_numbers_and_the_sources(ai: Ai) -> None:
    plain, verbose = ai("universe --health"), ai("universe --health --verbose", env=ALL)
    assert verbose.out.startswith(plain.out)
    assert "\n  members 11, reached 12, failed 1, unknown 0\n" in verbose.out
    assert "\nexternal-api polygon status=unknown budget_left=5 " in verbose.out
    told = ai("universe --health --verbose --format json", env=ALL).json
    assert [one["name"] for one in told["sources"]] == ["alpaca", "polygon", "sec", "nasdaq_trader"]
    details = {one["name"]: one["details"] for one in told["checks"]}
    assert details["layer0_symbols"] == {"members": 11, "reached": 12, "failed": 1, "unknown": 0}
    short = ai("universe --health --format json").json
    assert "sources" not in short
    assert "details" not in short["checks"][0]


@pytest.mark.parametrize("flags", ["", " --debug", " --format json", " --debug --format json"])
@pytest.mark.parametrize("kind", ["known", "unknown", "os", "chained"])
def test_no_key_is_in_an_error(ai: Ai, flags: str, kind: str) -> None:
    from aitrader.domain.errors import SourceError

    def fail(**_: Any) -> Any:
        match kind:
            case "known":
                raise SourceError(f"asked with {CANARY}", why=f"why {CANARY}", do=f"do {CANARY}")
            case "os":
                raise OSError(5, f"key {CANARY}", f"/tmp/{CANARY}")
            case "chained":
                try:
                    raise ValueError(f"inner {CANARY}")
                except ValueError as fault:
                    raise RuntimeError("outer CANARYkey%2F0123%2B456789") from fault
            case _:
                raise ZeroDivisionError(CANARY)

    said = ai(f"scan{flags}", env=KEYS, facade=SimpleNamespace(scan=fail, populate=fail))
    assert said.code in (5, 70)
    assert not shows(said)
    assert "***" in said.err
    if "--debug" in flags:
        assert "Traceback (most recent call last)" in said.err


def test_without_keys_an_error_stands_as_it_is(ai: Ai) -> None:
    from aitrader.domain.errors import SourceError

    def fail(**_: Any) -> Any:
        raise SourceError(f"asked with {CANARY}")

    assert ai("scan", facade=SimpleNamespace(scan=fail)).err == f"error: asked with {CANARY}\n"


def test_the_text_of_a_call_has_no_environment(ai: Ai) -> None:
    seen: list[str] = []
    facade = SimpleNamespace(check_sources=lambda **given: seen.append(repr(given["settings"])) or [])
    ai("validate --component data-sources", env=KEYS, facade=facade)
    assert seen
    assert CANARY not in seen[0]
    from aitrader.cli.call import Call

    call = Call(environ=KEYS, out=None, err=None, format=None, market=None, clock=None, report=None, facade=None)  # type: ignore[arg-type]
    assert CANARY not in repr(call)


def shows(said: Said) -> bool:
    return any(part in said.err + said.out for part in (CANARY, "0123", "456789"))
