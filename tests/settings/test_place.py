"""Environment, home, config folder and market from the variables alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aitrader.domain.errors import ConfigError
from aitrader.settings.place import locate, project_root

ROOT = Path("/project")


def test_defaults_stand_in_the_project() -> None:
    place = locate({}, root=ROOT)
    assert (place.environment, place.environment_is_set, place.market) == ("development", False, None)
    assert (place.home, place.config_dir) == (ROOT / "state", ROOT / "config")


@pytest.mark.parametrize(("environment", "is_set"), [("", False), ("development", True), ("production", True)])
def test_environment(environment: str, is_set: bool) -> None:
    place = locate({"AI_TRADER_ENV": environment}, root=ROOT)
    assert (place.environment, place.environment_is_set) == (environment or "development", is_set)


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"AI_TRADER_HOME": "/var/lib/x", "AI_TRADER_CONFIG_DIR": "here", "AI_TRADER_MARKET": "dataset-a"}
    place = locate(env, root=ROOT)
    assert (place.home, place.config_dir, place.market) == (Path("/var/lib/x"), tmp_path / "here", "dataset-a")


@pytest.mark.parametrize("environment", ["prod", "Production", "staging", " "])
def test_no_environment_is_guessed(environment: str) -> None:
    with pytest.raises(ConfigError, match=r"is no environment; .*valid: development, production"):
        locate({"AI_TRADER_ENV": environment}, root=ROOT)


@pytest.mark.parametrize("market", ["../live", "a/b", ".", "..", "a\\b", "a\0b"])
def test_a_market_is_a_folder_name(market: str) -> None:
    with pytest.raises(ConfigError, match="is no market"):
        locate({"AI_TRADER_MARKET": market}, root=ROOT)


def test_the_root_is_this_project() -> None:
    assert (project_root() / "ai_trader.py").is_file()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "aitrader.settings.place",
            {"msgspec", "ruamel", "numpy", "polars", "pyarrow", "rich", "dataclasses", "inspect"},
        ),
        ("aitrader.settings.load", {"numpy", "polars", "pyarrow", "rich"}),
    ],
)
def test_settings_start_fast_because_they_import_little(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project_root() / "src"
    )
    assert not absent & set(loaded.stdout.split())
