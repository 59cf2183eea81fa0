"""What is sent, how often, and what a question ends with; then a real socket under the whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aitrader.domain.errors import SourceError
from aitrader.providers.fetching import gather
from aitrader.transport.breaker import Breaker
from aitrader.transport.cache import AnswerCache
from aitrader.transport.counters import Counters, read_counters
from aitrader.transport.http_sender import HttpSender, Timeouts, UnansweredError, host_of
from aitrader.transport.limiter import SlidingWindow
from aitrader.transport.redaction import Redactor
from aitrader.transport.transport import Retries, Stopped, Transport
from aitrader.transport.wire import Request, Response

KEPT = ("good", "html", "echo")  # the connection stays open after these
BOMB = gzip.compress(bytes(50_000_000), 1)  # a thousandth of its size
CANARY = "CANARY/secret+0123456789"
ASKED = Request(source="alpaca", url="https://data.alpaca.markets/v2/stocks/bars", params=(("symbols", "AAPL"),))
WALL = 1_800_000_000.0
Step = Response | Exception


class FakeTime:
    """A clock that only sleeping moves; ``wall`` runs beside it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL + self.now - 1_000

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Script:
    """Answers by a script; the last step is repeated."""

    def __init__(self, *steps: Step, clock: FakeTime) -> None:
        self.steps, self.clock, self.sent = list(steps), clock, list[float]()

    def send(self, request: Request) -> Response:
        step = self.steps[min(len(self.sent), len(self.steps) - 1)]
        self.sent.append(self.clock.now - 1_000)
        if isinstance(step, Exception):
            raise step
        return step


class Longest(random.Random):
    """Always the longest wait of full jitter."""

    def uniform(self, a: float, b: float) -> float:
        return b


def ok(body: bytes = b"[]", **headers: str) -> Response:
    return Response(status=200, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def status(code: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status=code, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def unanswered(reason: Any) -> UnansweredError:
    return UnansweredError(ASKED, reason, "it happened")


def whole_json(response: Response) -> None:
    try:
        json.loads(response.body)
    except ValueError:
        raise SourceError("alpaca", why="no JSON") from None


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


@pytest.fixture
def make(tmp_path: Path, fake: FakeTime) -> Callable[..., tuple[Transport, Script]]:
    def made(*steps: Step, limit: int | None = None, window: float = 60.0, **more: Any) -> tuple[Transport, Script]:
        script = Script(*steps, clock=fake)
        if limit is not None:
            own = SlidingWindow(tmp_path / "limits" / "alpaca", limit, window, clock=fake, sleep=fake.sleep)
            more["limits"] = {"alpaca": own}
        settings: dict[str, Any] = {
            "breaker": Breaker(failures=100, clock=fake),
            "redactor": Redactor([CANARY]),
            "rng": Longest(),
        } | more
        return Transport(sender=script, clock=fake, wall=fake.wall, sleep=fake.sleep, **settings), script

    return made


Make = Callable[..., tuple[Transport, Script]]


@pytest.mark.parametrize(
    ("first", "sent"),
    [
        (unanswered("timeout"), [0, 0.5]),
        (unanswered("connect"), [0, 0.5]),
        (unanswered("name"), [0, 0.5]),
        (unanswered("reset"), [0, 0.5]),
        (unanswered("cut_body"), [0, 0.5]),
        (SourceError("the exchange is down"), [0, 0.5]),
        (status(500), [0, 0.5]),
        (status(502), [0, 0.5]),
        (status(503, retry_after="7"), [0, 7]),
        (status(429), [0, 0.5]),
        (status(429, retry_after="7"), [0, 7]),
        (status(429, retry_after="0"), [0, 0]),
        (status(429, retry_after="nonsense"), [0, 0.5]),
        (status(429, retry_after="-5"), [0, 0.5]),
        (status(429, retry_after=format_datetime(datetime.fromtimestamp(WALL + 9, UTC), usegmt=True)), [0, 9]),
        (status(429, retry_after=format_datetime(datetime.fromtimestamp(WALL - 9, UTC), usegmt=True)), [0, 0]),
        (ok(b'{"bars": [1, 2'), [0, 0.5]),
        (ok(b"<html>Maintenance</html>"), [0, 0.5]),
        (ok(b""), [0, 0.5]),
    ],
)
@pytest.mark.parametrize("limit", [None, 100])
def test_what_is_tried_again(make: Make, first: Step, sent: list[float], limit: int | None) -> None:
    transport, script = make(first, ok(), limit=limit)
    assert transport.fetch(ASKED, check=whole_json) == ok()
    assert script.sent == pytest.approx(sent)
    counters = transport.counters()["alpaca"]
    assert (counters.requests, counters.retries, counters.failures) == (2, 1, 0)
    assert counters.last_success is not None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, b"no"), ["HTTP 401: no", "check ALPACA_API_KEY and ALPACA_SECRET_KEY"]),
        (status(403, b"recent SIP"), ["HTTP 403: recent SIP", "check ALPACA_API_KEY and ALPACA_SECRET_KEY"]),
        (status(301, location="https://evil.example/x?key=1"), ["redirect refused: HTTP 301 to evil.example"]),
        (status(302), ["redirect refused: HTTP 302 to another address"]),
        (status(307, location="//[bad"), ["redirect refused"]),
        (status(308, location="/here"), ["redirect refused"]),
        (status(400, b'{"message": "bad symbol"}'), ["HTTP 400", "bad symbol"]),
        (status(404), ["HTTP 404"]),
        (status(422, b"x" * 1_000), ["HTTP 422: " + "x" * 150]),
        (status(304), ["redirect refused: HTTP 304"]),
        (status(100), ["HTTP 100"]),
        (status(0), ["HTTP 0"]),
        (unanswered("tls"), ["tls: it happened"]),
        (unanswered("insecure"), ["insecure: it happened"]),
        (unanswered("foreign_host"), ["foreign_host: it happened"]),
        (unanswered("too_large"), ["too_large: it happened"]),
        (status(429, retry_after="86400"), ["HTTP 429", "left alone for 86400 s"]),
    ],
)
def test_what_is_an_error_at_once(make: Make, answer: Step, words: list[str]) -> None:
    transport, script = make(answer, ok())
    with pytest.raises(SourceError) as error:
        transport.fetch(ASKED)
    assert script.sent == [0]
    assert error.value.what == "alpaca /v2/stocks/bars"
    for word in words:
        assert word in str(error.value)
    assert len(error.value.why) <= 200
    assert transport.counters()["alpaca"].failures == 1
    assert transport.counters()["alpaca"].last_error == str(error.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (status(503, b"busy"), "HTTP 503: busy, 5 attempts"),
        (unanswered("timeout"), "timeout: it happened, 5 attempts"),
        (ok(b"{"), "HTTP 200, but no JSON, 5 attempts"),
        (status(429), "HTTP 429, 5 attempts"),
    ],
)
def test_the_back_off_doubles_and_ends(make: Make, answer: Step, why: str) -> None:
    transport, script = make(answer)
    with pytest.raises(SourceError) as error:
        transport.fetch(ASKED, check=whole_json)
    assert script.sent == pytest.approx([0, 0.5, 1.5, 3.5, 7.5])
    assert error.value.why == why


def test_no_back_off_is_too_long(make: Make) -> None:
    transport, script = make(status(500), retries=Retries(attempts=4, first=1, longest=1.5))
    with pytest.raises(SourceError):
        transport.fetch(ASKED)
    assert script.sent == pytest.approx([0, 1, 2.5, 4])


def test_the_jitter_is_full(make: Make) -> None:
    transport, script = make(status(500), rng=random.Random(1), retries=Retries(attempts=200, first=1, longest=1))
    with pytest.raises(SourceError):
        transport.fetch(ASKED)
    waits = [later - sooner for sooner, later in zip(script.sent, script.sent[1:], strict=False)]
    assert 0 <= min(waits) < 0.1 < 0.9 < max(waits) <= 1.000001


def test_the_breaker_ends_the_attempts(make: Make, fake: FakeTime) -> None:
    transport, script = make(status(500, b"oops"), breaker=Breaker(failures=3, cool_down_seconds=30, clock=fake))
    with pytest.raises(SourceError, match=r"alpaca is left alone: .*HTTP 500: oops"):
        transport.fetch(ASKED)
    assert len(script.sent) == 3
    with pytest.raises(SourceError, match="left alone"):
        transport.fetch(ASKED)
    assert len(script.sent) == 3
    fake.now += 30
    script.steps = [ok()]
    assert transport.fetch(ASKED) == ok()
    assert transport.breaker.state("alpaca") == "closed"


@pytest.mark.parametrize(("answer", "state"), [(status(429), "closed"), (status(404), "closed"), (ok(b"{"), "open")])
def test_what_opens_the_breaker(make: Make, fake: FakeTime, answer: Response, state: str) -> None:
    transport, _ = make(answer, breaker=Breaker(failures=1, clock=fake))
    with pytest.raises(SourceError):
        transport.fetch(ASKED, check=whole_json)
    assert transport.breaker.state("alpaca") == state


def test_the_limit_is_kept_and_each_wait_is_one_line(
    make: Make, fake: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    transport, script = make(ok(), limit=2, window=10)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            transport.fetch(ASKED)
    assert script.sent == pytest.approx([0, 0, 10, 10, 20], abs=0.01)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["rate_limit: alpaca waits 10.000 s"] * 2


def test_retries_take_slots_too(make: Make) -> None:
    transport, script = make(status(500), status(500), ok(), limit=1, window=10)
    transport.fetch(ASKED)
    assert script.sent == pytest.approx([0, 10, 20], abs=0.01)


@pytest.mark.parametrize(
    ("headers", "second"),
    [
        ({}, 0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(WALL) + 20)}, 20),
        ({"x_ratelimit_remaining": "1", "x_ratelimit_reset": str(int(WALL) + 20)}, 0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(WALL) - 20)}, 0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(WALL) + 99_999)}, 60),  # a window at most
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, 0),
        ({"x_ratelimit_remaining": "0"}, 0),
        ({"x_ratelimit_limit": "1"}, 60),
        ({"x_ratelimit_limit": "0"}, 0),
        ({"x_ratelimit_limit": "9999"}, 0),
        ({"x_ratelimit_limit": "1e3", "x_ratelimit_remaining": "NaN", "x_ratelimit_reset": "inf"}, 0),
        (  # the source's clock runs an hour ahead of ours
            {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(WALL) + 3_620),
                "date": format_datetime(datetime.fromtimestamp(WALL + 3_600, UTC), usegmt=True),
            },
            20,
        ),
    ],
)
def test_what_the_source_says_of_its_limit(make: Make, headers: dict[str, str], second: float) -> None:
    transport, script = make(ok(**headers), limit=100)
    transport.fetch(ASKED)
    transport.fetch(ASKED)
    assert script.sent == pytest.approx([0, second], abs=0.01)


def test_a_429_stops_the_other_requests_too(make: Make) -> None:
    transport, script = make(status(429, retry_after="30"), ok(), limit=100, retries=Retries(attempts=1))
    with pytest.raises(SourceError):
        transport.fetch(ASKED)
    transport.fetch(ASKED)
    assert script.sent == pytest.approx([0, 30], abs=0.01)


@pytest.mark.parametrize(
    ("first", "max_age", "sent"),
    [
        (ok(b'{"a": 1}'), 60, 1),
        (ok(b'{"a": 1}'), None, 2),  # not asked for
        (status(206, b"[]"), 60, 2),
    ],
)
def test_the_cache(make: Make, tmp_path: Path, first: Response, max_age: float | None, sent: int) -> None:
    transport, script = make(first, cache=AnswerCache(tmp_path / "cache", now=0))
    bodies = [transport.fetch(ASKED, max_age=max_age, check=whole_json).body for _ in range(2)]
    assert bodies == [first.body] * 2
    assert len(script.sent) == sent
    assert transport.counters()["alpaca"].cache_hits == 2 - sent


def test_a_broken_answer_is_not_cached(make: Make, tmp_path: Path) -> None:
    transport, _ = make(ok(b"{"), cache=AnswerCache(tmp_path / "cache", now=0))
    with pytest.raises(SourceError):
        transport.fetch(ASKED, max_age=60, check=whole_json)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stored_answer_that_no_longer_passes_is_asked_again(make: Make, tmp_path: Path) -> None:
    transport, script = make(ok(b"{"), ok(b"[]"), cache=AnswerCache(tmp_path / "cache", now=0))
    transport.fetch(ASKED, max_age=60)
    assert transport.fetch(ASKED, max_age=60, check=whole_json).body == b"[]"
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    "step",
    [
        status(401, b"bad key " + CANARY.encode()),
        status(400, b"x" * 190 + CANARY.encode()),  # the cut goes through it
        status(500, b"CANARY%2Fsecret%2B0123456789"),
        status(302, location=f"https://{CANARY}.example/"),
        SourceError("it failed", why=f"with {CANARY}", do=CANARY),
    ],
)
def test_no_secret_in_an_error(make: Make, step: Step, caplog: pytest.LogCaptureFixture) -> None:
    transport, _ = make(step)
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as error:
        transport.fetch(ASKED)
    shown = "".join(traceback.format_exception(error.value)) + caplog.text + repr(transport.counters())
    for part in ("CANARY", "0123456789", "secret"):
        assert part not in shown.replace("test_no_secret_in_an_error", "")


def test_the_counters_go_on(make: Make, tmp_path: Path) -> None:
    transport, _ = make(status(500), ok())
    transport.fetch(ASKED)
    transport.save_counters(tmp_path / "counters.json")
    stored = read_counters(tmp_path / "counters.json")
    instant = datetime.fromtimestamp(WALL + 0.5, UTC)
    assert stored == {"alpaca": Counters(requests=2, retries=1, last_success=instant)}
    again, _ = make(ok(), counted=stored)
    again.fetch(ASKED)
    assert again.counters()["alpaca"].requests == 3


def test_what_two_processes_count_is_added(make: Make, fake: FakeTime, tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    first, _ = make(ok())
    first.fetch(ASKED)
    first.save_counters(path)
    slow, _ = make(ok(), counted=read_counters(path))
    quick, _ = make(status(404), counted=read_counters(path))
    idle, _ = make(ok(), counted=read_counters(path))
    fake.now += 9
    slow.fetch(ASKED)
    with pytest.raises(SourceError):
        quick.fetch(ASKED)
    for each in (slow, quick, idle, slow):  # saved twice is counted once
        each.save_counters(path)
    told = read_counters(path)["alpaca"]
    assert (told.requests, told.failures) == (3, 1)
    assert told.last_success == datetime.fromtimestamp(WALL + 9, UTC)
    assert "HTTP 404" in (told.last_error or "")


def test_an_open_circuit_is_kept_until_the_source_answers(make: Make, fake: FakeTime, tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    failing, _ = make(status(500), breaker=Breaker(failures=1, clock=fake), retries=Retries(attempts=1))
    with pytest.raises(SourceError):
        failing.fetch(ASKED)
    fake.now += 7
    failing.save_counters(path)
    assert read_counters(path)["alpaca"].open_since == datetime.fromtimestamp(WALL, UTC)
    idle, _ = make(ok(), counted=read_counters(path))  # asks nothing: it knows no better
    idle.save_counters(path)
    assert read_counters(path)["alpaca"].open_since == datetime.fromtimestamp(WALL, UTC)
    well, _ = make(ok(), counted=read_counters(path))
    well.fetch(ASKED)
    well.save_counters(path)
    assert read_counters(path)["alpaca"].open_since is None


@pytest.mark.parametrize(
    ("code", "absent", "failures", "answered"),
    [(404, True, 0, True), (404, False, 1, False), (403, True, 1, False), (500, True, 1, False)],
)
def test_that_there_is_no_such_thing_is_an_answer_where_it_may_be(
    make: Make, code: int, absent: bool, failures: int, answered: bool
) -> None:
    transport, _ = make(status(code), retries=Retries(attempts=1))
    with pytest.raises(SourceError):
        transport.fetch(ASKED, absent=absent)
    told = transport.counters()["alpaca"]
    assert (told.requests, told.failures, told.last_success is not None) == (1, failures, answered)


def test_the_moment_of_a_failure_is_counted(make: Make) -> None:
    transport, _ = make(ok(), status(401))
    transport.fetch(ASKED)
    assert transport.counters()["alpaca"].last_failure is None
    with pytest.raises(SourceError):
        transport.fetch(ASKED)
    assert transport.counters()["alpaca"].last_failure is not None


def test_the_secs_word_for_too_many_requests_is_waited_out(make: Make, fake: FakeTime) -> None:
    """A wrong key would be no reason to ask again; being over the limit is, ten minutes later."""
    transport, _ = make(status(403, b"<h1>Request Rate Threshold Exceeded</h1>"), ok())
    before = fake()
    assert transport.fetch(ASKED).status == 200
    assert fake() - before == pytest.approx(600)


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"a": 5}', b"\xff"])
def test_damaged_counters_are_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "c").write_bytes(content)
    assert read_counters(tmp_path / "c") == {}


class Many:
    """Answers with the number that the request asks for; ``bad`` fails for good, ``slow`` takes its time."""

    def __init__(self) -> None:
        self.asked, self.lock = list[str](), threading.Lock()

    def send(self, request: Request) -> Response:
        number = request.params[0][1]
        with self.lock:
            self.asked.append(number)
        if number.startswith("bad"):
            return status(404, number.encode())
        time.sleep(0.3 if number.startswith("slow") else 0.001)
        return ok(number.encode())


def numbered(*numbers: str) -> list[Request]:
    return [Request(source="sec", url="https://data.sec.gov/x", params=(("n", number),)) for number in numbers]


def together(transport: Transport, requests: list[Request], concurrency: int) -> list[Response]:
    def one(request: Request, stopped: Stopped) -> Response:
        return transport.fetch(request, stopped=stopped)

    return gather([partial(one, request) for request in requests], concurrency)


def test_all_in_their_order() -> None:
    numbers = ["slow", *map(str, range(50))]
    answers = together(Transport(sender=Many()), numbered(*numbers), 8)
    assert [answer.body.decode() for answer in answers] == numbers
    assert together(Transport(sender=Many()), [], 8) == []


def test_the_first_error_wins_and_ends_the_rest() -> None:
    many = Many()
    transport = Transport(sender=many)
    with pytest.raises(SourceError, match="HTTP 404: bad1"):
        together(transport, numbered("slow", "bad1", *(f"slow{i}" for i in range(50)), "bad2"), 2)
    assert len(many.asked) <= 4
    assert transport.counters()["sec"].failures == 1


def test_an_error_does_not_wait_for_the_limit(tmp_path: Path) -> None:
    window = SlidingWindow(tmp_path / "l" / "sec", 1, 60)
    began = time.monotonic()
    with pytest.raises(SourceError, match="HTTP 404: bad"):  # whichever comes first; the others wait for its slot
        together(Transport(sender=Many(), limits={"sec": window}), numbered(*["bad"] * 4), 4)
    assert time.monotonic() - began < 5


# The sender, on a real socket.


class Handler(BaseHTTPRequestHandler):
    """Does what its path says."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, body: bytes, code: int = 200, *, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body) if length is None else length))
        if self.path.strip("/") not in KEPT:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        word = self.path.strip("/").partition("?")[0]
        with contextlib.suppress(OSError):
            getattr(self, f"do_{word}")()
        if word not in KEPT:
            self.close_connection = True

    def do_good(self) -> None:
        self.answer(b'{"a": 1}', X_RateLimit_Limit="200", Set_Cookie="session=1; path=/")

    def do_html(self) -> None:
        self.answer(b"<html></html>")

    def do_echo(self) -> None:
        self.answer(b"{}", X_Echo=self.headers.get("APCA-API-SECRET-KEY", ""))

    def do_zipped(self) -> None:
        self.answer(gzip.compress(b'{"a":') + gzip.compress(b" 1}"), Content_Encoding="gzip")

    def do_redirect(self) -> None:
        self.answer(b"", 302, Location="/good")

    def do_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def do_silence(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_cut(self) -> None:
        self.answer(b'{"a"', length=1_000)

    def do_cut_chunks(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[1,2,\r\n")

    def do_cut_zip(self) -> None:
        self.answer(gzip.compress(bytes(1_000))[:-9], Content_Encoding="gzip")

    def do_no_zip(self) -> None:
        self.answer(b"this is no gzip", Content_Encoding="gzip")

    def do_brotli(self) -> None:
        self.answer(b"?", Content_Encoding="br")

    def do_large(self) -> None:
        self.answer(bytes(2_000_000))

    def do_bomb(self) -> None:
        self.answer(BOMB, Content_Encoding="gzip")

    def do_no_http(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    def do_drip(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self._drip()

    def do_drip_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        self._drip()

    def _drip(self) -> None:
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def do_late(self) -> None:
        time.sleep(0.6)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Own", (Handler,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        found.daemon_threads, found.block_on_close = True, False
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def at(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def sender(at: str) -> Iterator[HttpSender]:
    found = HttpSender(
        {("alpaca", host_of(at)): {"APCA-API-KEY-ID": "PKID", "APCA-API-SECRET-KEY": CANARY}},
        timeouts=Timeouts(connect=1, read=0.4, total=0.8),
        max_body_bytes=1_000_000,
    )
    yield found
    found.close()


def asked(url: str, source: str = "alpaca") -> Request:
    return Request(source=source, url=url)


@pytest.mark.parametrize(
    ("word", "code", "body"),
    [
        ("good", 200, b'{"a": 1}'),
        ("zipped", 200, b'{"a": 1}'),
        ("html", 200, b"<html></html>"),
        ("redirect", 302, b""),
    ],
)
def test_an_answer(sender: HttpSender, at: str, word: str, code: int, body: bytes) -> None:
    answer = sender.send(asked(f"{at}/{word}"))
    assert (answer.status, answer.body) == (code, body)
    assert all(name == name.lower() for name in answer.headers)


def test_what_is_sent(sender: HttpSender, server: Any, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    request = Request(source="alpaca", url=f"{at}/good", params=(("symbols", "BRK.B,A&B"), ("q", "a b")))
    assert sender.send(request).headers["x-ratelimit-limit"] == "200"
    sender.send(request)
    for seen in server.RequestHandlerClass.seen:
        assert seen["path"] == "/good?symbols=BRK.B%2CA%26B&q=a%20b"
        assert (seen["apca-api-key-id"], seen["apca-api-secret-key"]) == ("PKID", CANARY)
        assert seen["accept-encoding"] == "gzip"
        assert "cookie" not in seen
        assert "httpx" not in seen["user-agent"]


def test_a_user_agent_of_its_own_is_the_only_one(server: Any, at: str) -> None:
    """Two headers of one name, in two spellings, would be two lines: the SEC would read the first."""
    lines: list[str] = []
    server.RequestHandlerClass.parse_request = _noting(server.RequestHandlerClass.parse_request, lines)
    sender = HttpSender({("sec", host_of(at)): {"User-Agent": "Jane jane@example.org"}})
    sender.send(asked(f"{at}/good", "sec"))
    sender.close()
    assert lines == ["Jane jane@example.org"]


def _noting(parse: Any, lines: list[str]) -> Any:
    def noted(handler: Any) -> Any:
        found = parse(handler)
        lines.extend(handler.headers.get_all("user-agent"))
        return found

    return noted


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("reset", "reset"),
        ("silence", "reset"),
        ("cut", "cut_body"),
        ("cut_chunks", "cut_body"),
        ("cut_zip", "cut_body"),
        ("no_zip", "encoding"),
        ("brotli", "encoding"),
        ("large", "too_large"),
        ("bomb", "too_large"),
        ("no_http", "protocol"),
        ("drip", "timeout"),
        ("drip_head", "timeout"),
        ("late", "timeout"),
    ],
)
def test_no_answer(sender: HttpSender, at: str, word: str, reason: str) -> None:
    began = time.monotonic()
    with pytest.raises(UnansweredError) as error:
        sender.send(asked(f"{at}/{word}"))
    assert error.value.reason == reason
    assert error.value.why.startswith(f"{reason}: ")
    assert time.monotonic() - began < 2
    assert error.value.__cause__ is None
    assert sender.send(asked(f"{at}/good")).status == 200  # and nothing is left behind


def test_no_wait_outlasts_the_deadline(at: str) -> None:
    sender = HttpSender({}, timeouts=Timeouts(read=5, total=0.2))
    with pytest.raises(UnansweredError, match="timeout: "):
        sender.send(asked(f"{at}/late"))
    sender.close()


def test_a_bomb_does_not_fill_the_memory(sender: HttpSender, at: str) -> None:
    import tracemalloc

    sender.send(asked(f"{at}/good"))  # what is loaded once does not count
    tracemalloc.start()
    try:
        with pytest.raises(UnansweredError, match="too_large"):
            sender.send(asked(f"{at}/bomb"))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_nobody_listens(sender: HttpSender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UnansweredError, match="connect: "):
            sender.send(asked(f"http://127.0.0.1:{taken.getsockname()[1]}/", "sec"))


def test_no_tls(sender: HttpSender, at: str) -> None:
    with pytest.raises(UnansweredError, match="tls: "):
        sender.send(asked(at.replace("http:", "https:") + "/good", "sec"))


def test_no_name(sender: HttpSender, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object, **more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(UnansweredError, match="name: "):
        sender.send(asked("https://nowhere.invalid/", "sec"))


@pytest.mark.parametrize(
    ("source", "url", "reason"),
    [
        ("sec", "http://data.sec.gov/x", "insecure"),
        ("alpaca", "http://data.alpaca.markets/x", "insecure"),
        ("sec", "http://127.0.0.1.evil.example/x", "insecure"),
        ("sec", "http://localhost.evil.example/x", "insecure"),
        ("sec", "http://10.0.0.1/x", "insecure"),
        ("sec", "http://127.0.0.1@evil.example/x", "insecure"),
        ("sec", "ftp://127.0.0.1/x", "insecure"),
        ("sec", "file:///etc/passwd", "insecure"),
        ("sec", "//data.sec.gov/x", "insecure"),
        ("sec", "https://user:pass@data.sec.gov/x", "bad_url"),
        ("sec", "https:///x", "bad_url"),
        ("sec", "https://data.sec.gov:99999/x", "bad_url"),
        ("sec", "https://data.sec.gov/\x00", "bad_url"),
        ("alpaca", "https://evil.example/v2/assets", "foreign_host"),
        ("alpaca", "https://data.alpaca.markets.evil.example/", "foreign_host"),
        ("alpaca", "http://127.0.0.1:1/", "foreign_host"),
        ("alpaca", "http://localhost/", "foreign_host"),
    ],
)
def test_what_is_never_sent(
    sender: HttpSender, source: str, url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **more: object) -> None:
        pytest.fail("it was sent")

    monkeypatch.setattr(socket, "create_connection", fails)
    with pytest.raises(UnansweredError) as error:
        sender.send(asked(url, source))
    assert error.value.reason == reason


def test_keys_stay_with_their_source(sender: HttpSender, server: Any, at: str) -> None:
    sender.send(asked(f"{at}/good", "sec"))
    assert "apca-api-secret-key" not in server.RequestHandlerClass.seen[0]


@pytest.mark.parametrize(
    "key", ["", " ", CANARY + "\n", " " + CANARY, CANARY + "\r\nx: y", CANARY + "ü", CANARY + "\0"]
)
def test_a_key_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(SourceError) as error:
        HttpSender({("alpaca", "x"): {"APCA-API-SECRET-KEY": key}})
    assert "alpaca: the header APCA-API-SECRET-KEY cannot be sent" in str(error.value)
    assert "CANARY" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://data.alpaca.markets/v2", "data.alpaca.markets"),
        ("https://Data.Alpaca.Markets:443/v2", "data.alpaca.markets"),
        ("https://data.alpaca.markets:8443/v2", "data.alpaca.markets:8443"),
        ("http://127.0.0.1:9000", "127.0.0.1:9000"),
        ("http://localhost:80/", "localhost"),
        ("http://[::1]:5/", "::1:5"),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["https://[x/", "https://x:99999/", "https://x:y/"])
def test_no_url(url: str) -> None:
    with pytest.raises(SourceError, match="is no address"):
        host_of(url)


def test_no_log_shows_a_key(sender: HttpSender, at: str) -> None:
    out = io.StringIO()
    handler, root = logging.StreamHandler(out), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        for word in ("good", "echo", "reset", "cut", "no_http"):  # echo sends the key back in a header
            try:
                sender.send(asked(f"{at}/{word}"))
            except SourceError:
                logging.getLogger("a test").exception("it failed")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    shown = out.getvalue()
    assert "x-echo" in shown.lower()
    assert "HTTP Request" in shown
    assert "secret+0123456789" not in shown
    assert "PKID" not in shown
    assert repr(sender) == "HttpSender(alpaca)"


def test_everything_together(sender: HttpSender, at: str, tmp_path: Path) -> None:
    transport = Transport(
        sender=sender,
        limits={"alpaca": SlidingWindow(tmp_path / "l" / "alpaca", 50, 1)},
        cache=AnswerCache(tmp_path / "c", now=0),
        redactor=Redactor([CANARY]),
        retries=Retries(attempts=2, first=0.01),
    )
    assert transport.fetch(asked(f"{at}/good"), max_age=60).body == b'{"a": 1}'
    assert transport.fetch(asked(f"{at}/good"), max_age=60).body == b'{"a": 1}'
    for word, why in (
        ("html", "HTTP 200, but no JSON, 2 attempts"),
        ("cut", "cut_body"),
        ("redirect", "redirect refused"),
    ):
        with pytest.raises(SourceError, match=why):
            transport.fetch(asked(f"{at}/{word}"), check=whole_json)
    counters = transport.counters()["alpaca"]
    assert (counters.requests, counters.retries, counters.failures, counters.cache_hits) == (6, 2, 3, 1)
    assert len(together(transport, [asked(f"{at}/good")] * 20, 4)) == 20


def test_httpx_is_loaded_by_the_first_request_only() -> None:
    code = (
        "import sys; from aitrader.transport import transport, http_sender\n"
        "http_sender.HttpSender({}); assert 'httpx' not in sys.modules\n"
        "sys.modules['httpx'] = sys.modules['httpcore'] = None\n"
        "from aitrader.transport.wire import Request\n"
        "try: http_sender.HttpSender({}).send(Request(source='sec', url='https://x.invalid/'))\n"
        "except http_sender.UnansweredError as error: print(error.reason)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")},
    )
    assert (done.stdout, done.stderr) == ("no_client\n", "")
