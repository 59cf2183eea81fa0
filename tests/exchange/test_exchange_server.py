"""What happens on the socket: kept connections, resets, drips, delays."""

from __future__ import annotations

import gzip
import http.client
import time
from urllib.parse import urlsplit

import pytest

from tests.exchange.conftest import ALPACA, exchange, serving

CLOCK, NEWS, CALENDAR, ASSETS = "/v2/clock", "/v1beta1/news", "/v2/calendar", "/v2/assets"
SENT = {name: value for name, value in ALPACA.items() if name != "host"}


def ask(connection, path):
    connection.request("GET", path, headers=SENT)
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


@pytest.mark.parametrize("packs", [True, False])
def test_long_bodies_are_packed_where_the_file_says_so(market, packs):
    on = exchange(market, gzip=packs)
    with serving(on) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        for path, taken, packed in (
            (ASSETS, "gzip, deflate", packs),
            (ASSETS, "identity", False),
            (CLOCK, "gzip", False),  # too short to be worth it
        ):
            connection.request("GET", path, headers={**SENT, "accept-encoding": taken})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.headers["content-encoding"] == ("gzip" if packed else None)
            assert int(answer.headers["content-length"]) == len(body)
            plain = gzip.decompress(body) if packed else body
            assert plain == on.answer("GET", path, [], ALPACA).body
        connection.close()
