"""What the processes of one state folder share about the sources: how much of each limit is used, and the counters."""

from __future__ import annotations

from pathlib import Path


def transport_folder(home: Path) -> Path:
    """Where a state folder keeps limits and counters."""
    return home / "transport"


def counters_file(folder: Path) -> Path:
    """The counters of all sources."""
    return folder / "counters.json"


def limit_file(folder: Path, source: str) -> Path:
    """The requests of one source in the last window."""
    return folder / f"limit-{source}"
