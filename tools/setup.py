"""Make the project's ``.venv`` from a hashed lock: ``python tools/setup.py base|sources|dev``. Standard library only.

The packages go in by the pip that Python already has, so that the environment itself needs none; where Python has no
pip of its own, or one older than 22.3, the environment gets the bundled one. The package is put on the path by a
``.pth`` file: nothing is built, and an edited line counts at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NOT_COMPILED = r"/tests?/|/(polars/_typing|pyarrow/vendored)/"


class SetupError(Exception):
    """A step that ended badly; its text says what to do."""


def main(words: list[str]) -> int:
    """Install the locks named (``base``, ``sources``, ``dev``); returns 0, or 1 with one line on stderr."""
    started = time.monotonic()
    try:
        installer = environment()
        step("environment", started)
        for word in words:
            install(installer, ROOT / "requirements" / f"{word}.lock")
            step(f"packages of requirements/{word}.lock", started)
        put_on_path()
        compile_packages()
        step("compiled", started)
    except SetupError as failure:
        print(f"setup failed: {failure}", file=sys.stderr)
        return 1
    return 0


def step(what: str, started: float) -> None:
    """One line of progress with the elapsed time."""
    print(f"setup: {what:<40} {time.monotonic() - started:5.1f} s", flush=True)


def environment() -> list[str]:
    """Make ``.venv`` where it is missing or broken; returns the command that installs into it."""
    own_pip = has_pip([sys.executable, "-m", "pip"])
    if not works(PYTHON):
        options = ["--without-pip"] if own_pip else []
        run(
            [sys.executable, "-m", "venv", "--clear", *options, str(VENV)],
            "install the venv module of your system (Debian: apt install python3-venv)",
        )
    if has_pip([str(PYTHON), "-m", "pip"]):
        return [str(PYTHON), "-m", "pip"]
    if own_pip:
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    run([str(PYTHON), "-m", "ensurepip"], "install pip for your Python (Debian: apt install python3-pip)")
    return [str(PYTHON), "-m", "pip"]


def works(python: Path) -> bool:
    """Whether an environment's interpreter starts and is new enough."""
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def has_pip(pip: list[str]) -> bool:
    """Whether a pip answers that can install into another environment (22.3 and newer)."""
    answer = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    if answer.returncode or len(words) < 2:
        return False
    return tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit()) >= (22, 3)


def install(installer: list[str], lock: Path) -> None:
    """Install exactly the files whose hashes the lock names."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "--require-hashes"]
    run(
        [*installer, "install", *options, "--only-binary", ":all:", "-r", str(lock)],
        "check the network or your pip's index, then run it again: what is installed already is kept",
    )


def put_on_path() -> None:
    """Let the environment import the package from ``src``."""
    site = next((VENV / "lib").glob("python3.*")) / "site-packages"
    (site / "aitrader.pth").write_text(f"{ROOT / 'src'}\n", encoding="utf-8")


def compile_packages() -> None:
    """Byte-compile what is installed, on every core, so that the first command starts as fast as the second."""
    site = next((VENV / "lib").glob("python3.*")) / "site-packages"
    # A file that does not compile is one that nothing here imports: the exit code says nothing.
    command = [str(PYTHON), "-m", "compileall", "-q", "-j", str(os.cpu_count() or 1), "-x", NOT_COMPILED, str(site)]
    subprocess.run([*command, str(ROOT / "src")], check=False, capture_output=True)


def run(command: list[str], advice: str) -> None:
    """Run a command quietly; on failure its last lines and the advice are the error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "WARNING" not in line]
        raise SetupError(f"{' '.join(command[:4])} ...: {' / '.join(said[-2:]) or 'no output'}; {advice}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["base"]))
