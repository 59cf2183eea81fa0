"""``python ai_trader.py`` from any folder: the project's own environment, or one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one file besides its launcher: a command line that prints what it is given."""
    root = tmp_path / "a project"
    package = root / "src" / "aitrader" / "cli"
    package.mkdir(parents=True)
    (root / "ai_trader.py").write_bytes((ROOT / "ai_trader.py").read_bytes())
    (root / "src" / "aitrader" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "main.py").write_text(
        "import os, sys\n"
        "def main(argv):\n"
        "    print(sys.prefix, os.getcwd(), *argv, sep='|')\n"
        "    return int(argv[0]) if argv else 0\n"
    )
    return root


def run(project: Path, *words: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, project / "ai_trader.py", *words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_venv(project: Path) -> None:
    """A ``.venv`` whose interpreter is a script that says so and ends with 7."""
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" venv "$@"\nexit 7\n')
    python.chmod(0o755)


def test_it_starts_the_environment_of_the_project(project: Path, tmp_path: Path) -> None:
    fake_venv(project)
    done = run(project, "universe", "--layer", "3", "", "a b", cwd=tmp_path)
    assert done.stdout.split("\n")[:-1] == ["venv", f"{project}/ai_trader.py", "universe", "--layer", "3", "", "a b"]
    assert (done.returncode, done.stderr) == (7, "")


def test_it_starts_a_real_environment_once(project: Path, tmp_path: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([base, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    done = run(project, "0", "x", cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
    assert done.stdout == f"{project}/.venv|{tmp_path}|0|x\n"


def test_a_link_to_it_finds_the_project(project: Path, tmp_path: Path) -> None:
    fake_venv(project)
    (tmp_path / "link.py").symlink_to(project / "ai_trader.py")
    done = subprocess.run([sys.executable, tmp_path / "link.py"], capture_output=True, text=True, check=False)
    assert done.stdout == f"venv\n{project}/ai_trader.py\n"


@pytest.mark.parametrize("code", [0, 1, 4, 130])
def test_the_exit_code_is_the_commands(project: Path, code: int) -> None:
    assert run(project, str(code), cwd=project).returncode == code


def test_a_missing_package_is_one_line(project: Path, tmp_path: Path) -> None:
    (project / "src" / "aitrader" / "cli" / "main.py").write_text("import a_package_that_nobody_has.part\n")
    done = run(project, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "ai_trader.py cannot start: the package a_package_that_nobody_has is not installed; "
        f"run make setup in {project}\n"
    )


def test_a_module_of_its_own_that_is_missing_is_a_fault(project: Path) -> None:
    (project / "src" / "aitrader" / "cli" / "main.py").write_text("import aitrader.gone\n")
    done = run(project, cwd=project)
    assert done.returncode == 1
    assert "No module named 'aitrader.gone'" in done.stderr


def test_an_environment_whose_python_is_gone(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.11")
    assert run(project, "5", cwd=project).returncode == 5


def test_the_projects_own_launcher_from_another_folder(tmp_path: Path) -> None:
    done = run(ROOT, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "universe" in done.stdout
