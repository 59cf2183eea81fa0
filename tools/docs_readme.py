"""Put the output of a first scan, as a newcomer sees it, into README.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "README.md"
BEGIN, END = "<!-- scan -->", "<!-- /scan -->"


def first_scan() -> str:
    """What ``ai_trader.py scan`` prints in an empty home, both streams as they come."""
    with tempfile.TemporaryDirectory() as home:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AI_TRADER")}
        command = [sys.executable, "ai_trader.py", "scan"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env | {"AI_TRADER_HOME": home, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    return done.stdout


def put(text: str, page: str) -> str:
    """``page`` with ``text`` between its marks."""
    block = f"{BEGIN}\n```\n{text.rstrip()}\n```\n{END}"
    return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: block, page, flags=re.DOTALL)


if __name__ == "__main__":
    TARGET.write_text(put(first_scan(), TARGET.read_text(encoding="utf-8")), encoding="utf-8")
