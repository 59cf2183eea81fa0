"""The exception tree, one screen of it. Every error says what happened, why, and what to do.

``code`` is a stable word; ``cli.exit_codes`` is the one place that maps it to a process exit code.
"""

from __future__ import annotations


class ScannerError(Exception):
    """Anything the scanner refuses or cannot do; shown as one line, never as a traceback."""

    code = "fault"

    def __init__(self, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.do = what, why, do

    def __str__(self) -> str:
        """One line: what: why; do."""
        line = self.what + (f": {self.why}" if self.why else "")
        return line + (f"; {self.do}" if self.do else "")


class UsageError(ScannerError):
    """A command line that means nothing: unknown symbol, bad date, flags that contradict."""

    code = "usage"


class ConfigError(ScannerError):
    """A configuration file or setting that cannot be used."""

    code = "config"


class RefusedError(ScannerError):
    """A guard said no: another writer, production refuses simulated data, a collapsed layer."""

    code = "refused"


class SourceError(ScannerError):
    """A source cannot deliver: unreachable, unreadable, or its files break the format."""

    code = "source"


class StoreError(ScannerError):
    """The store cannot be read or written: missing, damaged, full disk, newer schema."""

    code = "store"
