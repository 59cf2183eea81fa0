"""The Makefile's words, and what they say where they cannot work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("help", "setup", "sources", "scan", "test", "lint", "prove", "prove-stale", "bench", "docs", "lock", "clean")


def make(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", *words], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_make_alone_prints_every_word() -> None:
    done = make()
    assert done.returncode == 0
    assert re.findall(r"^  make ([a-z-]+)  +\S", done.stdout, flags=re.MULTILINE) == list(WORDS)


def test_continuous_integration_runs_the_tests_words() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("python", ["/bin/false", "no-such-python"])
def test_no_python_that_is_new_enough_is_one_line(tmp_path: Path, python: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in ("requirements", "tools", "src"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "requirements" / "base.lock", tmp_path / "requirements")
    shutil.copy(ROOT / "tools" / "setup.py", tmp_path / "tools")
    done = make("setup", f"PYTHON={python}", cwd=tmp_path)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    found = f"Python 3.11 or newer is needed and {python} is what was found"
    assert said == [f"{found}; install it, or name it: make PYTHON=/path/to/python3.12"]
    assert not (tmp_path / ".venv").exists()


def test_a_scan_sets_up_first() -> None:
    done = make("--dry-run", "--always-make", "scan")
    assert done.returncode == 0
    assert done.stdout.index("tools/setup.py base") < done.stdout.index("ai_trader.py scan")


def test_the_readme_names_no_word_that_make_does_not_have() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        if page.exists():
            assert set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))) <= set(WORDS), page.name
