"""One answer of the exchange, and what a vendor refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from aitrader.domain.sessions import NEW_YORK
from aitrader.domain.symbols import canonical

JSON: Final = {"content-type": "application/json; charset=utf-8"}


@dataclass(frozen=True, kw_only=True)
class SocketFaults:
    """What the server is to do to the connection rather than to the body."""

    latency_ms: int = 0
    reset: bool = False
    slow_drip: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers with lower-case names, body, and what befalls it on its way."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    socket: SocketFaults = SocketFaults()

    def having(self, headers: Mapping[str, str]) -> Answer:
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


class RefusalError(Exception):
    """A request that the vendor answers with an error status; each router gives it the vendor's own shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Query:
    """The parameters of a request; a value that cannot be read is the client's fault, never the server's."""

    pairs: Sequence[tuple[str, str]]

    def text(self, name: str, default: str = "") -> str:
        """The last value given; empty counts as not given."""
        return next((value for key, value in reversed(self.pairs) if key == name and value), default)

    def words(self, name: str) -> list[str]:
        """A comma-separated list."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def number(self, name: str, default: int, *, at_most: int) -> int:
        """A whole number from 1 to ``at_most``."""
        told = self.text(name)
        if not told:
            return default
        if not (told.isascii() and told.isdigit() and len(told) < 10 and 1 <= int(told) <= at_most):
            raise RefusalError(400, f"invalid {name}: a whole number from 1 to {at_most}")
        return int(told)

    def word(self, name: str, default: str, known: Sequence[str]) -> str:
        """One of the known words."""
        told = self.text(name, default).lower()
        if told not in known:
            raise RefusalError(400, f"invalid {name}: one of {', '.join(known)}")
        return told

    def instant(self, name: str) -> datetime | None:
        """An instant; a date is its midnight in New York."""
        told = self.text(name)
        return parse_instant(told, name) if told else None

    def first_day(self, name: str) -> date | None:
        """The first day whose New York midnight is not before the instant."""
        found = self.instant(name)
        if found is None:
            return None
        local = found.astimezone(NEW_YORK)
        return local.date() if local.time().isoformat() == "00:00:00" else local.date() + timedelta(days=1)

    def last_day(self, name: str) -> date | None:
        """The last day whose New York midnight is not after the instant."""
        found = self.instant(name)
        return None if found is None else found.astimezone(NEW_YORK).date()


def parse_instant(told: str, name: str) -> datetime:
    """An instant in UTC from a date or an RFC 3339 text; years at the ends of the calendar are refused."""
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        raise RefusalError(400, f"invalid {name}: expected YYYY-MM-DD or RFC 3339") from None
    if not 1900 <= found.year <= 2200:
        raise RefusalError(400, f"invalid {name}: out of range")
    return (found if found.tzinfo else found.replace(tzinfo=NEW_YORK)).astimezone(UTC)


def parse_day(told: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise RefusalError(400, f"invalid date {told[:40]!r}: expected YYYY-MM-DD") from None


def parse_symbol(told: str) -> str:
    """A symbol in its canonical spelling."""
    found = canonical(told)
    if found is None:
        raise RefusalError(400, f"invalid ticker {told[:40]!r}")
    return found


def as_json(content: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status=status, body=msgspec.json.encode(content))
