"""Requests sent over TLS, each in bounded time and size, its keys to their own host only.

httpx is imported when the first request is sent: it takes longer to load than most commands to run.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from aitrader.domain.errors import SourceError
from aitrader.transport.redaction import RedactingFilter, Redactor
from aitrader.transport.wire import Request, Response

if TYPE_CHECKING:
    import httpx

Reason = Literal[
    "timeout",
    "connect",
    "tls",
    "name",
    "reset",
    "cut_body",
    "protocol",
    "too_large",
    "encoding",
    "insecure",
    "foreign_host",
    "bad_url",
    "no_client",
]
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
NEVER_SENT: Final = frozenset({"insecure", "foreign_host", "bad_url", "no_client"})
WORTH_A_RETRY: Final = frozenset({"timeout", "connect", "name", "reset", "cut_body", "protocol", "encoding"})
_PORTS: Final = {"https": 443, "http": 80}
_PIECE: Final = 1 << 16  # bytes decompressed at once
_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


class UnansweredError(SourceError):
    """A request without a usable answer; ``reason`` is a stable word, and the first one of ``why``."""

    def __init__(self, request: Request, reason: Reason, detail: str, *, do: str = "") -> None:
        super().__init__(f"{request.source} did not answer {request.url}", why=f"{reason}: {detail}", do=do)
        self.reason: Reason = reason


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds; ``total`` is for a whole request, from its start to the last byte of its answer."""

    connect: float = 5.0
    read: float = 30.0
    write: float = 10.0
    pool: float = 30.0
    total: float = 60.0


class HttpSender:
    """Sends requests; safe to share between threads.

    ``credentials``: for a source and a host (as ``host_of`` spells it) the headers that carry its keys. A source that
    has credentials is asked at their hosts only. Raises SourceError for a key that no header can hold.
    """

    def __init__(
        self,
        credentials: Mapping[tuple[str, str], Mapping[str, str]],
        *,
        timeouts: Timeouts | None = None,
        max_body_bytes: int = 256 << 20,
        connections: int = 16,
    ) -> None:
        for (source, _), headers in credentials.items():
            for name, value in headers.items():
                if not (value and value.isascii() and value.isprintable() and value.strip() == value):
                    why = "its value is empty, or has blanks at its ends or characters that no header can hold"
                    raise SourceError(f"{source}: the header {name} cannot be sent", why=why)
        self._credentials = {key: dict(headers) for key, headers in credentials.items()}
        self._guarded = {source for source, _ in credentials}
        self._timeouts, self._most, self._connections = timeouts or Timeouts(), max_body_bytes, connections
        self._redactor = Redactor(value for headers in credentials.values() for value in headers.values())
        self._filter = RedactingFilter(self._redactor)  # a source may send a key back, and httpx logs what it gets
        self._client: httpx.Client | None = None
        self._deadline = threading.local()
        self._lock = threading.Lock()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._filter)

    def __repr__(self) -> str:
        """Its sources; nothing of their keys."""
        return f"HttpSender({', '.join(sorted(self._guarded))})"

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._filter)

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; redirects are answers. Raises UnansweredError where there is none."""
        client = self._opened(request)
        import httpx

        fault: UnansweredError
        try:
            url = httpx.URL(request.target)
            headers = self._headers(request, url)
            self._deadline.at = time.monotonic() + self._timeouts.total
            with client.stream("GET", url, headers=headers) as response:
                body = b"".join(self._body(request, response))
                return Response(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=body,
                )
        except UnansweredError:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, RuntimeError) as found:
            reason, detail = _reason(found)
            fault = UnansweredError(request, reason, self._redactor.text(detail))
        raise fault  # outside of the handler: no exception of httpx, which holds the request, hangs on it

    def _opened(self, request: Request) -> httpx.Client:
        with self._lock:
            if self._client is None:
                try:
                    self._client = _client(self._timeouts, self._connections, self._deadline)
                except ImportError:
                    do = "run: make sources"
                    raise UnansweredError(request, "no_client", "httpx is not installed", do=do) from None
            return self._client

    def _headers(self, request: Request, url: httpx.URL) -> Mapping[str, str]:
        """The headers with the keys for this host; an error, before anything is sent, where they would be exposed."""
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise UnansweredError(request, "insecure", "only https is sent, http to this machine alone")
        if url.userinfo or not url.host or not 0 < (url.port or 443) < 65_536:
            raise UnansweredError(request, "bad_url", "it names a user, no host, or a port that there is not")
        own = self._credentials.get((request.source, _host(url.scheme, url.host, url.port)))
        if own is None and request.source in self._guarded:
            raise UnansweredError(request, "foreign_host", f"{url.host} is no host of {request.source}")
        told = {name.lower(): value for name, value in (own or {}).items()}  # two spellings would be two headers
        return {"user-agent": "aitrader", "accept": "*/*", "accept-encoding": "gzip", **told}

    def _body(self, request: Request, response: httpx.Response) -> Iterator[bytes]:
        """The pieces of the decompressed body, as long as they are few enough."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "", "gzip", "x-gzip"):
            raise UnansweredError(request, "encoding", f"content-encoding {self._redactor.text(coding)[:40]}")
        raw = response.iter_raw()
        size = 0
        for piece in _inflated(request, raw) if "gzip" in coding else raw:
            size += len(piece)
            if size > self._most:
                raise UnansweredError(request, "too_large", f"its body is larger than {self._most} bytes")
            yield piece
            if time.monotonic() > self._deadline.at:
                raise UnansweredError(request, "timeout", f"not whole after {self._timeouts.total:g} s")


def host_of(url: str) -> str:
    """The host of a URL, with its port where that is not the scheme's own: the second part of a credential's key.

    Raises SourceError for what is no URL.
    """
    try:
        parts = urlsplit(url)
        return _host(parts.scheme, parts.hostname or "", parts.port)
    except ValueError as fault:
        raise SourceError(f"{url!r} is no address of a source", why=str(fault)) from None


def _host(scheme: str, host: str, port: int | None) -> str:
    return host if port in (None, _PORTS.get(scheme)) else f"{host}:{port}"


def _inflated(request: Request, raw: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip body in small pieces: a bomb is seen before it fills the memory."""
    unpacker = zlib.decompressobj(wbits=31)
    started = False
    try:
        for piece in raw:
            rest = piece
            while rest:
                if unpacker.eof:  # another member
                    unpacker = zlib.decompressobj(wbits=31)
                started = True
                yield unpacker.decompress(rest, _PIECE)
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error:
        raise UnansweredError(request, "encoding", "its body is no gzip") from None
    if started and not unpacker.eof:
        raise UnansweredError(request, "cut_body", "its gzip body ends early")


def _reason(found: Exception) -> tuple[Reason, str]:
    """The stable word for an exception of httpx, and what it says."""
    import httpx

    chain: list[BaseException] = [found]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 10:
        chain.append(cause)
    detail = f"{type(found).__name__}: {found}" if str(found) else type(found).__name__
    if isinstance(found, httpx.LocalProtocolError):
        return "bad_url", type(found).__name__  # its text quotes what was to be sent
    if isinstance(found, httpx.TimeoutException):
        return "timeout", type(found).__name__
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return "tls", detail
    if any(isinstance(cause, gaierror) for cause in chain):
        return "name", detail
    if isinstance(found, httpx.ConnectError):
        return "connect", detail
    if isinstance(found, httpx.RemoteProtocolError):
        text = str(found)
        if "incomplete" in text or "without sending complete" in text:
            return "cut_body", detail
        return ("reset", detail) if "disconnected" in text else ("protocol", detail)
    if isinstance(found, httpx.NetworkError | OSError):
        return "reset", detail
    return ("protocol", detail) if isinstance(found, httpx.HTTPError) else ("bad_url", type(found).__name__)


def _client(timeouts: Timeouts, connections: int, deadline: Any) -> httpx.Client:
    """A client that trusts neither environment nor cookies and whose every read and write ends at the deadline."""
    import httpcore
    import httpx

    def left(timeout: float | None, kind: type[Exception]) -> float:
        seconds: float = deadline.at - time.monotonic()
        if seconds <= 0:
            raise kind("the deadline of the whole request")
        return seconds if timeout is None else min(timeout, seconds)

    class Stream(httpcore.NetworkStream):
        """A connection; a source that sends a byte now and then cannot keep a request longer than its deadline."""

        def __init__(self, inner: httpcore.NetworkStream) -> None:
            self._inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return self._inner.read(max_bytes, left(timeout, httpcore.ReadTimeout))

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self._inner.write(buffer, left(timeout, httpcore.WriteTimeout))

        def close(self) -> None:
            self._inner.close()

        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore.NetworkStream:
            seconds = left(timeout, httpcore.ConnectTimeout)
            return Stream(self._inner.start_tls(ssl_context, server_hostname, seconds))

        def get_extra_info(self, info: str) -> Any:
            return self._inner.get_extra_info(info)

    class Backend(httpcore.SyncBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Any = None,
        ) -> httpcore.NetworkStream:
            seconds = left(timeout, httpcore.ConnectTimeout)
            return Stream(super().connect_tcp(host, port, seconds, local_address, socket_options))

    transport = httpx.HTTPTransport(trust_env=False)
    # httpx has no public way to give its pool a network backend.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=30.0,
        network_backend=Backend(),
    )
    return httpx.Client(
        transport=transport,
        timeout=httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )
