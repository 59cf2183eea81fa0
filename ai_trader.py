#!/usr/bin/env python3
"""Launcher of the scanner: ``python ai_trader.py universe --layer 3``, from any folder and any shell.

It starts the project's own ``.venv`` where there is one, so that a fresh shell and cron need no activation, and says
what to do where there is none. It imports next to nothing, for it may start twice.
"""

import gc
import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
NOT_SET_UP = 3  # the exit code of a usage or configuration error


def main() -> int:
    """Run the command line in the project's environment; returns its exit code."""
    if os.path.exists(PYTHON) and os.path.realpath(sys.prefix) != os.path.realpath(VENV):
        os.execv(PYTHON, [PYTHON, os.path.join(ROOT, "ai_trader.py"), *sys.argv[1:]])
    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may be the one that starts it
        return refuse(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    sys.path[0] = os.path.join(ROOT, "src")
    try:
        from aitrader.cli.main import main as run

        # Tables of a whole market are millions of objects without cycles: at the usual pace looking for some among them
        # takes a quarter of a populate's time.
        gc.set_threshold(100_000, 50, 100)
        return run(sys.argv[1:])
    except ModuleNotFoundError as missing:
        if (missing.name or "aitrader").split(".")[0] == "aitrader":
            raise
        return refuse(f"the package {missing.name} is not installed")


def refuse(why: str) -> int:
    """One line on stderr: what, why, what to do."""
    sys.stderr.write(f"ai_trader.py cannot start: {why}; run make setup in {ROOT}\n")
    return NOT_SET_UP


if __name__ == "__main__":
    sys.exit(main())
