"""What became of the questions to each source, kept in a file from one process to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

_COUNTED: Final = ("requests", "retries", "failures", "cache_hits")


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What became of the questions to one source since the counting began."""

    requests: int = 0  # sent
    retries: int = 0  # of these, repetitions
    failures: int = 0  # questions that ended without an answer
    cache_hits: int = 0
    last_success: datetime | None = None
    last_error: str | None = None
    last_failure: datetime | None = None  # of a question that ended without an answer
    open_since: datetime | None = None  # the breaker's circuit when the counting ended; None: closed


def read_counters(path: Path) -> dict[str, Counters]:
    """The counters of each source from a file; none where it is absent or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Counters])
    except (OSError, msgspec.MsgspecError, ValueError):
        return {}


def merged(
    stored: Mapping[str, Counters], before: Mapping[str, Counters], now: Mapping[str, Counters]
) -> dict[str, Counters]:
    """What is ``stored`` with what one process counted from ``before`` to ``now``: others may have counted too."""
    found = dict(stored)
    for source, own in now.items():
        old, there = before.get(source, Counters()), stored.get(source, Counters())
        if own == old:
            continue
        counted = {name: getattr(there, name) + getattr(own, name) - getattr(old, name) for name in _COUNTED}
        seen = [at for at in (there.last_success, own.last_success) if at is not None]
        failed = [at for at in (there.last_failure, own.last_failure) if at is not None]
        found[source] = Counters(
            **counted,
            last_success=max(seen, default=None),
            last_failure=max(failed, default=None),
            last_error=there.last_error if own.last_error == old.last_error else own.last_error,
            open_since=own.open_since,
        )
    return found
