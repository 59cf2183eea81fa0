"""What goes over the wire: a request, its answer, and whoever can send the one and return the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question to a source. Credentials are not in it: the sender adds them as headers, never to the URL."""

    source: str  # alpaca, polygon, sec, nasdaq_trader: whose limits, breaker and credentials apply
    url: str  # without a query
    params: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        """The URL with its query, spelled the same for the same parameters."""
        return self.url + (f"?{urlencode(self.params, quote_via=quote)}" if self.params else "")


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer: its status, its headers with lower-case names, its decoded body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Sender(Protocol):
    """Anything that answers requests: a connection to the vendor, or an exchange in the same process."""

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; a SourceError where there is none."""
