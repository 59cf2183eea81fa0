"""The simulated exchange on a socket: HTTP/1.1 with kept connections, on loopback unless told otherwise."""

from __future__ import annotations

import gzip
import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from aitrader.exchange.answer import Answer
from aitrader.exchange.exchange import Exchange

LOOPBACK: Final = "127.0.0.1"
LONGEST_BODY: Final = 65_536
WORTH_PACKING: Final = 100_000
DRIP: Final = 0.05  # seconds between the pieces of a dripping answer


class ExchangeServer(ThreadingHTTPServer):
    """Listens as soon as it is made; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, exchange: Exchange, *, port: int, host: str = LOOPBACK) -> None:
        self.exchange = exchange
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the server's; anything else is told on stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 60
    server: ExchangeServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a request's target may hold a key."""

    def _answer(self) -> None:
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._send(Answer(status=413, body=b""))
            return
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qsl(parts.query, keep_blank_values=True)
        self._send(self.server.exchange.answer(self.command, unquote(parts.path), query, headers, body))

    def _send(self, answer: Answer) -> None:
        faults = answer.socket
        if faults.latency_ms:
            time.sleep(faults.latency_ms / 1000)
        if faults.reset:  # lingering for no time makes the close a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        body, headers = answer.body, dict(answer.headers)
        taken = self.server.exchange.gzip and "gzip" in self.headers.get("accept-encoding", "")
        if taken and len(body) > WORTH_PACKING and not faults.slow_drip:
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if faults.slow_drip:
            for at in range(0, len(body), 64):
                self.wfile.write(body[at : at + 64])
                self.wfile.flush()
                time.sleep(DRIP)
        else:
            self.wfile.write(body)
        self.wfile.flush()
