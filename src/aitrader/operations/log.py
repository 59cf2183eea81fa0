"""The scanner log: one line an event, rotated, and never a key in it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from aitrader.domain.errors import ConfigError
from aitrader.domain.report import Report
from aitrader.settings.keys import secrets_of
from aitrader.settings.place import Place
from aitrader.transport.redaction import RedactingFilter, Redactor

SYSTEM: Final = Path("/var/log/ai_trader")
NAME: Final = "scanner.log"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_MOST_BYTES: Final = 20_000_000
_KEPT: Final = 5


def log_file(place: Place, market_logs: Path) -> Path:
    """Where the log is written: the system's folder in production where it can be, else the market's own."""
    if place.environment == "production" and os.access(SYSTEM, os.W_OK):
        return SYSTEM / NAME
    return market_logs / NAME


class _Quiet(RotatingFileHandler):
    """A full disk must not end the work, nor print a traceback in the middle of it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Leave the line out."""


@contextmanager
def scanner_log(place: Place, market_logs: Path, environ: Mapping[str, str]) -> Iterator[logging.Logger]:
    """The logger ``aitrader`` with the log's file open; ``AI_TRADER_LOG_LEVEL`` is its level, INFO unless told.

    A log that cannot be written is no reason not to work: it is left out.
    """
    level = environ.get("AI_TRADER_LOG_LEVEL", "") or "INFO"
    if level not in LEVELS:
        raise ConfigError(f"AI_TRADER_LOG_LEVEL={level} is no level", do=f"write one of {', '.join(LEVELS)}")
    logger = logging.getLogger("aitrader")
    path = log_file(place, market_logs)
    handler: logging.Handler
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Quiet(path, maxBytes=_MOST_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)
    except OSError:
        handler = logging.NullHandler()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RedactingFilter(Redactor(secrets_of(environ))))
    names = ("aitrader", "httpx", "httpcore") if level == "DEBUG" else ("aitrader",)
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield logger
    finally:
        logger.propagate = propagate
        for name in names:
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(before[name])
        with suppress(OSError):  # of a full disk: what could not be written is written once more as it closes
            handler.close()


class LoggedReport:
    """A report that the log has too."""

    def __init__(self, report: Report, log: logging.Logger) -> None:
        self._report, self._log = report, log

    def step(self, text: str) -> None:
        """A step was completed or begins."""
        self._log.info("%s", text)
        self._report.step(text)

    def progress(self, label: str, done: int, total: int) -> None:
        """Not for the log."""
        self._report.progress(label, done, total)

    def notice(self, text: str) -> None:
        """Something the reader should know that is no fault."""
        self._log.info("%s", text)
        self._report.notice(text)

    def warn(self, text: str) -> None:
        """Something is wrong and the work goes on."""
        self._log.warning("%s", text)
        self._report.warn(text)
