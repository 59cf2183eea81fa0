"""The one table from what happened to the exit code of the process; scripts and cron rely on it."""

from __future__ import annotations

from typing import Final

from aitrader.domain.errors import ScannerError

OK: Final = 0
WARNING: Final = 1
CRITICAL: Final = 2
USAGE: Final = 3
REFUSED: Final = 4
UNREACHABLE: Final = 5
FAULT: Final = 70
INTERRUPTED: Final = 130

MEANING: Final[dict[int, str]] = {
    OK: "done, or healthy; also when the reader of a pipe closed it",
    WARNING: "a check is at warning or unknown",
    CRITICAL: "a check is critical",
    USAGE: "the command line or the configuration cannot be used",
    REFUSED: "a guard said no: a lock, a collapsed layer, simulated data in production",
    UNREACHABLE: "a source or the store cannot be reached or read",
    FAULT: "an unexpected fault; --debug shows its traceback",
    INTERRUPTED: "interrupted by Ctrl-C",
}

_BY_ERROR: Final[dict[str, int]] = {
    "usage": USAGE,
    "config": USAGE,
    "refused": REFUSED,
    "source": UNREACHABLE,
    "store": UNREACHABLE,
    "fault": FAULT,
}
_BY_STATUS: Final[dict[str, int]] = {"ok": OK, "warning": WARNING, "unknown": WARNING, "critical": CRITICAL}


def for_error(error: ScannerError) -> int:
    """The exit code of an error; one with a code that the table lacks is a fault."""
    return _BY_ERROR.get(error.code, FAULT)


def for_status(status: str) -> int:
    """The exit code of a check's status: ok, warning, unknown or critical."""
    return _BY_STATUS[status]
