"""How long work tells what it does: steps, progress, notices and warnings, whoever listens."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Receives the story of one execution; never decides anything and never fails it."""

    def step(self, text: str) -> None:
        """A step was completed or begins: one line with the time since the start."""

    def progress(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of the work named ``label`` are finished."""

    def notice(self, text: str) -> None:
        """Something the reader should know that is no fault."""

    def warn(self, text: str) -> None:
        """Something is wrong and the work goes on."""


class Silent:
    """A report that nobody reads, for callers that only want the result."""

    def step(self, text: str) -> None:
        """Nothing is shown."""

    def progress(self, label: str, done: int, total: int) -> None:
        """Nothing is shown."""

    def notice(self, text: str) -> None:
        """Nothing is shown."""

    def warn(self, text: str) -> None:
        """Nothing is shown."""
