"""What happens on the socket: kept connections, resets, drips, delays."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

import pytest

from tests.exchange.conftest import ALPACA, exchange, serving

CLOCK, NEWS, CALENDAR = "/v2/clock", "/v1beta1/news", "/v2/calendar"


def ask(connection, path):
    connection.request("GET", path, headers={k: v for k, v in ALPACA.items() if k != "host"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_faults_of_the_socket_and_a_kept_connection(market):
    faults = [
        {"kind": "latency_ms", "path": CLOCK, "nth": 2, "latency_ms": 200},
        {"kind": "reset", "path": NEWS},
        {"kind": "slow_drip", "path": CALENDAR},
    ]
    with serving(exchange(market, faults=faults)) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        assert ask(connection, CLOCK)[0] == 200
        kept, began = connection.sock, time.monotonic()
        assert ask(connection, CLOCK)[0] == 200
        assert time.monotonic() - began >= 0.2
        assert connection.sock is kept
        began = time.monotonic()
        assert ask(connection, CALENDAR + "?start=2026-06-01&end=2026-06-05")[0] == 200
        assert time.monotonic() - began >= 0.2
        with pytest.raises(ConnectionError):
            ask(connection, NEWS)
        connection.close()


@pytest.mark.parametrize("length", ["-1", "many", "\xb2", "70000"])
def test_a_length_that_is_none_is_refused(market, capfd, length):
    with serving(exchange(market)) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.putrequest("POST", CLOCK)
        connection.putheader("content-length", length.encode("latin-1"))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
    assert "Traceback" not in capfd.readouterr().err
