"""Dates and instants as the store writes them: ISO dates and RFC 3339 UTC, text that sorts as time does.

Standard library only: the fast read paths import this module.
"""

from __future__ import annotations

from datetime import UTC, datetime

ALWAYS = "0001-01-01"  # the valid-from of what was always known
SORTABLE = "%Y-%m-%dT%H:%M:%S.%fZ"  # fixed width, so that text order is time order


def sortable(at: datetime) -> str:
    """A UTC instant with six decimals: used wherever rows are compared by time."""
    return _utc(at).strftime(SORTABLE).rjust(27, "0")


def rfc3339(at: datetime) -> str:
    """A UTC instant for people and JSON: no decimals where there are none."""
    text = _utc(at).replace(tzinfo=None).isoformat(timespec="auto")
    return text + "Z"


def instant(text: str) -> datetime:
    """The aware UTC instant that either form stands for."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC)
