"""A seeded mutator of bodies: whatever a source answers, a parse function gives a frame or a SourceError.

Run by hand: ``python -m tests.providers.parse_fuzzer 20000 [NAME ...]``.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

import aitrader.providers
from aitrader.domain.errors import SourceError

Parse = Callable[[bytes], object]
# Name of the function as module.parse_x -> how to call it with a body, and bodies that it reads.
# A module of seeds beside this one (``seeds_*.py``) adds its own with :func:`seeded`.
PARSERS: dict[str, tuple[Parse, list[bytes]]] = {}

HOSTILE: list[bytes] = [
    b"",
    b" ",
    b"null",
    b"{}",
    b"[]",
    b"0",
    b'""',
    b"true",
    b"[null]",
    b"[[]]",
    b"[{}]",
    b"NaN",
    b"\xef\xbb\xbf{}",
    b"\x00" * 16,
    b"\xff\xfe{\x00}\x00",
    b"<!DOCTYPE html><html><body>Service unavailable</body></html>",
    b'{"message": "forbidden."}',
    b'{"code": 42910000, "message": "rate limit exceeded"}',
    b'{"status": "ERROR", "error": "Unknown API Key"}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"[" * 5_000 + b"]" * 5_000,
    b"1" * 10_000,
    b"\x1f\x8b" + b"\x00" * 20,
]
VALUES: list[object] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
    10**40,
    10**4000,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "NA",
    "NaN",
    "TRUE",
    "\ud800",
    "a\x00b",
    "🚀" * 10,
    "x" * 5_000,
    "0000-00-00",
    "2024-02-30",
    "9999-12-31",
    "0001-01-01",
    "+292277026596-12-04T15:30:08Z",
    "2024-01-02T05:00:00Z",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "2024-13-45T99:99:99Z",
    "25:61",
    "http://[::1",
    "https://evil.example/v3/x?apiKey=1",
    [],
    {},
    [None],
    {"a": 1},
    [[[[[]]]]],
]
TOKENS: list[bytes] = [
    *(b"null", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1e-400", b"9" * 400, b"-1", b"0", b"true"),
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b'"\\ud800"', b"\\u0000", b"\xff", b"\xc0\x80", b"<html>"),
    *(b"\n", b"\r\n", b"\t", b'""', b'"NA"', b"1.5", b"1e5", b".5", b"+1"),
]


def seeded(name: str, parse: Parse, *bodies: bytes) -> None:
    """Register a parse function under ``module.parse_x`` with bodies that it reads."""
    assert bodies, f"{name} needs a body"
    PARSERS[name] = (parse, list(bodies))


def found() -> dict[str, Callable[..., object]]:
    """Every ``parse_*`` of the provider modules that reads a body, as module.parse_x."""
    functions: dict[str, Callable[..., object]] = {}
    for module in pkgutil.iter_modules(aitrader.providers.__path__):
        loaded = importlib.import_module(f"aitrader.providers.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if not name.startswith("parse_") or function.__module__ != loaded.__name__:
                continue
            first = next(iter(inspect.signature(function).parameters.values()), None)
            if first is not None and first.annotation in ("bytes", bytes):
                functions[f"{module.name}.{name}"] = function
    return functions


def mutated(body: bytes, rng: random.Random) -> bytes:
    """One to four damages to a body: of its bytes, of its tokens or of its structure."""
    for _ in range(rng.randint(1, 4)):
        body = rng.choice((flipped, cut, swapped, spliced, restructured, restructured, restructured))(body, rng)
    if rng.random() < 0.02:
        body = gzip.compress(body, mtime=0)[: rng.choice((None, -3, 12))]
    return body


def flipped(body: bytes, rng: random.Random) -> bytes:
    """A few bytes changed."""
    data = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(body: bytes, rng: random.Random) -> bytes:
    """The end, the start or a piece missing."""
    if not body:
        return body
    start, end = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    return rng.choice((body[:end], body[start:], body[:start] + body[end:]))


def swapped(body: bytes, rng: random.Random) -> bytes:
    """A token put in the place of a few bytes."""
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(TOKENS) + body[at + rng.choice((0, 0, 1, 3)) :]


def spliced(body: bytes, rng: random.Random) -> bytes:
    """A value after a colon or comma replaced by a token."""
    marks = [at for at, byte in enumerate(body) if byte in b":,"]
    if not marks:
        return body
    start = rng.choice(marks) + 1
    ends = [at for at in (body.find(mark, start) for mark in b",}]\n") if at >= 0]
    return body[:start] + rng.choice(TOKENS) + body[min(ends, default=len(body)) :]


def restructured(body: bytes, rng: random.Random) -> bytes:
    """A key or element dropped, doubled, renamed, given another value, or nested deeply."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return swapped(body, rng)
    places = list(_places(document))
    if not places:
        return json.dumps(rng.choice(VALUES[:17])).encode()
    holder, key = rng.choice(places)
    _damage(holder, key, rng)
    try:
        text = json.dumps(document)
    except (ValueError, RecursionError):
        return body
    if rng.random() < 0.01:
        depth = rng.choice((50, 900, 20_000))
        text = '{"results":' * depth + text + "}" * depth
    return text.encode()


def _damage(holder: dict | list, key: object, rng: random.Random) -> None:
    how = rng.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 2, 50)))
    elif how == 2 and isinstance(holder, dict):
        holder[rng.choice(("x", "", "\ud800", str(key) + " ", "NA"))] = holder.pop(key)
    elif how == 3:
        holder[key] = rng.choice(([holder[key]], {"value": holder[key]}, str(holder[key])[:200]))
    elif how == 4 and isinstance(holder, list):
        rng.shuffle(holder)
    else:
        holder[key] = rng.choice(VALUES)


def _places(node: object) -> Iterator[tuple[dict | list, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield node, key
            yield from _places(value)
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield node, at
            yield from _places(value)


def run(name: str, count: int, *, seed: int = 20240702) -> int:
    """Feed ``count`` bodies to a parse function; how many it read. Anything but a SourceError fails, with its body."""
    parse, bodies = PARSERS[name]
    rng = random.Random(f"{seed}/{name}")
    read = 0
    hostile = iter(HOSTILE)
    for _ in range(count):
        body = next(hostile, None)
        if body is None:
            body = mutated(rng.choice(bodies), rng)
        try:
            readable(parse(body))
        except SourceError as error:
            line = str(error)
            assert "\n" not in line, f"{name}: {line!r}"
            assert line.encode("utf-8")
        except BaseException as fault:  # a panic of Polars is none of the ordinary exceptions
            if isinstance(fault, KeyboardInterrupt):
                raise
            shown = body if len(body) < 3_000 else body[:1_500] + b" ... " + body[-500:]
            raise AssertionError(f"{name} let {type(fault).__name__} out: {fault}\nbody: {shown!r}") from fault
        else:
            read += 1
    return read


def readable(answer: object) -> None:
    """Nothing where every value of the frames of an answer can be held by Python: Polars knows a year 0."""
    for frame in vars(answer).values() if hasattr(answer, "__dict__") else [answer]:
        if isinstance(frame, pl.DataFrame) and frame.height:
            days = [name for name, dtype in frame.schema.items() if dtype in (pl.Date, pl.Datetime)]
            frame.select(days).rows()


def load_seeds() -> None:
    """Import every module of seeds beside this one."""
    for path in sorted(Path(__file__).parent.glob("seeds_*.py")):
        importlib.import_module(f"tests.providers.{path.stem}")


if __name__ == "__main__":
    from tests.providers import parse_fuzzer, test_parse_fuzz  # noqa: F401  (registers its seeds)

    parse_fuzzer.load_seeds()
    for each in sys.argv[2:] or sorted(parse_fuzzer.PARSERS):
        begun = time.perf_counter()
        good = parse_fuzzer.run(each, int(sys.argv[1]))
        print(f"{each}: {good} of {sys.argv[1]} read, {time.perf_counter() - begun:.0f} s", flush=True)
