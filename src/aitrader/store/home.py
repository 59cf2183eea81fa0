"""Where the state of one market lives: ``<root>/<environment>/<market>/``, never mixed with another's.

Standard library only: the fast read paths import this module.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from aitrader.domain.errors import StoreError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Home:
    """The folder of one environment (development, production) and market (simulated, dataset-NAME, live)."""

    root: Path
    environment: str
    market: str

    def __post_init__(self) -> None:
        _check("environment", self.environment)
        _check("market", self.market)

    @property
    def path(self) -> Path:
        """The folder that holds everything of this market."""
        return self.root / self.environment / self.market

    @property
    def database(self) -> Path:
        """The operational store."""
        return self.path / "aitrader.db"

    @property
    def bars(self) -> Path:
        """One immutable Parquet file a session."""
        return self.path / "bars"

    @property
    def runs(self) -> Path:
        """Run details and memberships, written before a run is published."""
        return self.path / "runs"

    @property
    def checkpoints(self) -> Path:
        """Feature states: derivable, pruned, checked by checksum."""
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        """The scanner log, where no system log folder is used."""
        return self.path / "logs"


def current_market(root: Path, environment: str) -> str | None:
    """The market last populated in this environment, None before the first."""
    _check("environment", environment)
    try:
        name = (root / environment / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {root / environment / 'current'}", why=_why(error)) from None
    return name if _NAME.fullmatch(name) else None


def set_current_market(root: Path, environment: str, market: str) -> None:
    """Name the market that commands use when none is given; atomic, and nothing is written when it stands already."""
    _check("market", market)
    if current_market(root, environment) == market:
        return
    path = root / environment / "current"
    temporary = path.with_name(f".current.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(market + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}", why=_why(error), do="check the folder's permissions") from None


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _check(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{what} name {name!r} cannot be used",
            why="it becomes a folder name",
            do="use letters, digits, dot, dash and underscore only",
        )
