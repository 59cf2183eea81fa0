"""Verdicts: the answer of a criterion or of a layer. Unknown is a value, never a guess."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """Stored as one byte; printed as its lower-case name."""

    FAILED = 0
    PASSED = 1
    UNKNOWN = 2
    NOT_REACHED = 3
    SKIPPED = 4  # a criterion whose missing input the policy says to pass over
    UNAVAILABLE = 5  # a criterion whose input the source never offers

    @property
    def word(self) -> str:
        """The printed form: passed, failed, unknown, not_reached, skipped, unavailable."""
        return self.name.lower()
