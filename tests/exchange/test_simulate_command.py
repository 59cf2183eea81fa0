"""``simulate`` as a process: it says where it listens, answers, and ends when it is told to."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.cli.test_schema import check

ROOT = Path(__file__).resolve().parents[2]
# A shell that starts a job in the background has it ignore Ctrl-C; a terminal does not.
LISTENING = (
    "import runpy, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    f"sys.argv[0] = {str(ROOT / 'ai_trader.py')!r}\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def started(home: Path, *words: str) -> subprocess.Popen[str]:
    own = {"LISTINGS": "200", "START": "2025-06-02", "UNTIL": "2025-06-30"}
    environ = {**os.environ, "AI_TRADER_HOME": str(home), "AI_TRADER_ENV": "development"}
    environ |= {f"AI_TRADER__SOURCES__SIMULATED__{key}": value for key, value in own.items()}
    line = [sys.executable, "-c", LISTENING, "simulate", *words]
    return subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("signalled", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "told to end"]
)
def test_it_serves_until_it_is_stopped(tmp_path: Path, signalled: signal.Signals, code: int) -> None:
    with started(tmp_path, "--port", "0", "--clock", "2025-06-20", "--format", "json") as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            check("simulate", told)
            assert (told["source"], told["now"][:10]) == ("simulated", "2025-06-20")
            keys = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
            with urllib.request.urlopen(urllib.request.Request(f"{told['url']}/v2/assets", headers=keys)) as answer:
                assert "AAPL" in {asset["symbol"] for asset in json.load(answer)}
            process.send_signal(signalled)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    port = int(told["url"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


def test_it_ends_while_a_request_is_under_way(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yml"
    faults.write_text("faults:\n  - {kind: latency_ms, path: /v2/clock, count: 0, latency_ms: 60000}\n")
    with started(tmp_path, "--port", "0", "--faults", str(faults), "--format", "json") as process:
        try:
            assert process.stdout is not None
            where = urllib.parse.urlsplit(json.loads(process.stdout.readline())["url"])
            connection = http.client.HTTPConnection(where.netloc, timeout=20)
            connection.request("GET", "/v2/clock", headers={"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"})
            process.send_signal(signal.SIGTERM)
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                connection.getresponse()
            _, err = process.communicate(timeout=20)
            connection.close()
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in err


def test_what_it_cannot_serve_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, said in (
            (["--port", port], f"error: cannot listen on port {port}: "),
            (["--port", "70000"], "65535"),
            (["--port", "0", "--clock", "1999-01-04"], "--clock 1999-01-04 is outside the simulated market"),
            (["--port", "0", "--faults", "/nowhere.yml"], "/nowhere.yml"),
        ):
            with started(tmp_path, *words) as process:
                try:
                    out, err = process.communicate(timeout=60)
                finally:
                    process.kill()
            assert (process.returncode, out) == (3, "")
            assert said in err
            assert "Traceback" not in err
