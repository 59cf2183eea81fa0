"""The throw-away environment that zipline-reloaded is measured in, made on demand under ``build/``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.timing import ROOT, UnmeasuredError

FOLDER = ROOT / "build" / "bench-zipline"
READY = FOLDER / "ready"
INSTALL_SECONDS, RUN_SECONDS = 600, 900


def interpreter() -> Path:
    """The environment's Python, installed with plain pip when it is not there yet.

    Raises UnmeasuredError with the reason when it cannot be made, for instance without a network.
    """
    python = FOLDER / "bin" / "python"
    if READY.exists() and python.exists():
        return python
    _call([sys.executable, "-m", "venv", "--clear", str(FOLDER)], INSTALL_SECONDS)
    _call([str(python), "-m", "pip", "install", "--quiet", "zipline-reloaded"], INSTALL_SECONDS)
    READY.write_text(versions(python), encoding="utf-8")
    return python


def versions(python: Path) -> str:
    """The versions of zipline, NumPy and pandas in the environment, in words."""
    code = "import zipline, numpy, pandas; print(zipline.__version__, numpy.__version__, pandas.__version__)"
    zipline, numpy, pandas = _call([str(python), "-W", "ignore", "-c", code], 60).split()
    return f"zipline-reloaded {zipline} (numpy {numpy}, pandas {pandas})"


def measure(folder: Path, *, sessions: int, repeats: int, chunks: tuple[int, ...]) -> dict[str, Any]:
    """What ``with_zipline.measure`` reports, from the environment's own interpreter."""
    python = interpreter()
    script = str(ROOT / "bench" / "with_zipline.py")
    arguments = [str(folder), str(sessions), str(repeats), *(str(chunk) for chunk in chunks)]
    answer = _call([str(python), "-W", "ignore", script, *arguments], RUN_SECONDS)
    measured: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
    return {**measured, "versions": READY.read_text(encoding="utf-8")}


def _call(argv: list[str], seconds: int) -> str:
    """Standard output of a command that must succeed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnmeasuredError(f"zipline: {type(error).__name__} in `{' '.join(argv[1:5])}`") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnmeasuredError(f"zipline: {last}")
    return done.stdout
