"""A vendor that is told what to do wrong: a small simulated market on loopback, its answers marred by rule."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aitrader.exchange.exchange import Exchange
from tests.faults.injectors import ALIAS, TOKENS, Asked, Injector, Reply

DRIP_SECONDS = 0.05
DRIP_BYTES = 64
HANG_SECONDS = 30.0
SHORT_PAGES = {"/v2/stocks/bars": 45, "/v3/reference/tickers": 100}  # so a small market has several
CREDENTIALS = ("apca-api-key-id", "apca-api-secret-key", "authorization")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Requests of a path number ``nth`` to ``nth + count - 1`` are marred; ``count`` 0: all from then on.

    ``onward``: only those for a further page of a list count.
    """

    path: str
    how: Injector
    nth: int = 1
    count: int = 0
    onward: bool = False

    def about(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether a request counts."""
        within = path == self.path or (self.path.endswith("/") and path.startswith(self.path))
        return within and (not self.onward or any(query.get(name) for name in TOKENS))


@dataclass
class Seen:
    """One request that arrived."""

    path: str
    marred: bool
    credentials: frozenset[str] = frozenset()  # names of the headers that carried keys


@dataclass(kw_only=True)
class Vendor:
    """What stands behind a faulty server: the market, what is wrong with it, and what it saw."""

    exchange: Exchange
    faults: Sequence[Fault] = ()
    elsewhere: str = ""
    open_door: bool = False  # answers without any key, as a host would that wants to be believed
    limited: Mapping[str, int] = field(default_factory=dict)  # rows of one page by path, whatever was asked for
    extra: Mapping[str, bytes] = field(default_factory=dict)  # bodies of paths that the exchange does not have
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts = [0] * len(self.faults)
        self._lock = threading.Lock()

    def reply(self, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Reply:
        """The answer to one request, marred where a fault is due."""

        carried = frozenset(name for name in CREDENTIALS if headers.get(name))
        if self.open_door:
            headers = {**headers, **dict.fromkeys(CREDENTIALS, "Bearer any")}

        def ask(told: Mapping[str, str]) -> Reply:
            return self._right(path, list(told.items()), headers)

        reply, due = self._right(path, query, headers), []
        with self._lock:
            for at, fault in enumerate(self.faults):
                if fault.about(path, dict(query)):
                    self._counts[at] += 1
                    past = self._counts[at] - fault.nth
                    if past >= 0 and (fault.count == 0 or past < fault.count):
                        due.append((fault, self._counts[at]))
            self.seen.append(Seen(path=path, marred=bool(due), credentials=carried))
        for fault, nth in due:
            asked = Asked(path=path, query=dict(query), nth=nth, elsewhere=self.elsewhere, ask=ask)
            reply = fault.how(asked, reply)
        return reply

    def _right(self, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Reply:
        if path in self.extra:
            return Reply(body=self.extra[path], headers={"content-type": "text/plain"})
        told = [(name, value.removesuffix(ALIAS) if name in TOKENS else value) for name, value in query]
        if path in self.limited:
            told = [pair for pair in told if pair[0] != "limit"] + [("limit", str(self.limited[path]))]
        found = self.exchange.answer("GET", path, told, headers)
        return Reply(status=found.status, body=found.body, headers=found.headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, vendor: Vendor) -> None:
        self.vendor, self.closing = vendor, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = HANG_SECONDS
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qsl(parts.query, keep_blank_values=True)
        self._send(self.server.vendor.reply(unquote(parts.path), query, headers))

    def log_message(self, *args: Any) -> None:
        """Say nothing: a request's target may hold a key."""

    def _send(self, reply: Reply) -> None:
        if reply.wire == "hang":
            self.server.closing.wait(HANG_SECONDS)
        if reply.wire in ("hang", "reset", "close"):
            if reply.wire == "reset":  # lingering for no time makes the close a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                os.close(self.connection.detach())  # at once: a shutdown before it would end the connection politely
            else:
                self._end()
            return
        told = {"date": formatdate(usegmt=True), **reply.headers}
        length = {"transfer-encoding": "chunked"} if reply.wire == "cut_chunk" else {"content-length": len(reply.body)}
        self.wfile.write(f"HTTP/1.1 {reply.status} Told\r\n".encode())
        self.wfile.writelines(f"{name}: {value}\r\n".encode() for name, value in {**told, **length}.items())
        self.wfile.write(b"\r\n")
        if reply.wire == "drip":
            self._drip(reply.body)
        elif reply.wire == "whole":
            self.wfile.write(reply.body)
        else:
            half = reply.body[: len(reply.body) // 2]
            self.wfile.write(b"%x\r\n%b" % (len(reply.body), half) if reply.wire == "cut_chunk" else half)
            self.wfile.flush()
            self._end()
            return
        self.wfile.flush()

    def _drip(self, body: bytes) -> None:
        for at in range(0, len(body), DRIP_BYTES):
            self.wfile.write(body[at : at + DRIP_BYTES])
            self.wfile.flush()
            if self.server.closing.wait(DRIP_SECONDS):
                break

    def _end(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


@contextmanager
def serving(vendor: Vendor, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Scheme and host where the vendor answers, for as long as the block lasts."""
    server = _Server(vendor)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
