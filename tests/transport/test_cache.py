"""A stored answer is the answer, or none: never an error, never another body."""

from __future__ import annotations

import errno
import logging
import os
import random
import shutil
from pathlib import Path

import pytest

from aitrader.domain.errors import SourceError
from aitrader.transport.cache import DEFAULT_ROOT, AnswerCache
from aitrader.transport.wire import Request, Response

ASKED = Request(source="sec", url="https://data.sec.gov/x.json", params=(("a", "1"),))
BODY = b'{"figures": [1, 2, 3]}' * 50


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "universe"


@pytest.fixture
def cache(root: Path) -> AnswerCache:
    return AnswerCache(root, now=0)


def put(cache: AnswerCache, body: bytes = BODY, *, now: float = 100.0, max_age: float = 60.0) -> None:
    cache.put(ASKED, Response(status=200, body=body, headers={"x": "y"}), now, max_age)


def entry(root: Path) -> Path:
    (found,) = root.glob("*.answer")
    return found


def test_the_default_place() -> None:
    assert str(DEFAULT_ROOT) == "/tmp/ai_trader_cache/universe"


@pytest.mark.parametrize("body", [BODY, b"", b"\0", bytes(range(256)) * 1_000, b"\n\n{}\n"])
def test_it_gives_back_what_it_got(cache: AnswerCache, body: bytes) -> None:
    put(cache, body)
    assert cache.get(ASKED, 100) == Response(status=200, body=body)


@pytest.mark.parametrize(
    ("now", "max_age", "there"),
    [
        (100, 1e9, True),
        (160, 1e9, True),
        (160.01, 1e9, False),  # older than it may get
        (130, 30, True),
        (130.01, 30, False),  # older than the reader wants
        (99, 1e9, False),  # stored by a clock that ran ahead
        (100, 0, True),
        (101, 0, False),
        (101, float("nan"), True),
    ],
)
def test_its_age(cache: AnswerCache, now: float, max_age: float, there: bool) -> None:
    put(cache)
    assert (cache.get(ASKED, now, max_age=max_age) is not None) is there


def test_what_is_older_than_a_day_is_swept_when_it_is_opened(root: Path, cache: AnswerCache) -> None:
    put(cache)
    kept = entry(root)
    (root / "mine").write_text("x")
    written = kept.stat().st_mtime
    AnswerCache(root, now=written + 86_300)
    assert kept.exists()
    AnswerCache(root, now=written + 86_500)
    assert not kept.exists()
    assert (root / "mine").exists()


def test_for_ever(cache: AnswerCache) -> None:
    put(cache, max_age=float("inf"))
    assert cache.get(ASKED, 4e9)


@pytest.mark.parametrize(
    "other",
    [
        Request(source="alpaca", url=ASKED.url, params=ASKED.params),
        Request(source="sec", url=ASKED.url, params=(("a", "2"),)),
        Request(source="sec", url=ASKED.url),
    ],
)
def test_another_question_has_another_answer(cache: AnswerCache, other: Request) -> None:
    put(cache)
    assert cache.get(other, 100) is None


def test_an_entry_under_another_name_is_none(cache: AnswerCache, root: Path) -> None:
    other = Request(source="sec", url="https://data.sec.gov/y.json")
    put(cache)
    kept = entry(root).rename(root / "kept")
    cache.put(other, Response(status=200, body=b"other"), 100, 60)
    kept.replace(entry(root))
    assert cache.get(other, 100) is None


def test_the_newest_answer_counts(cache: AnswerCache, root: Path) -> None:
    put(cache, b"old")
    put(cache, b"new", now=110)
    got = cache.get(ASKED, 120)
    assert got is not None
    assert got.body == b"new"
    assert [path.name for path in root.iterdir()] == [entry(root).name]


def test_refresh_reads_nothing_and_stores(root: Path) -> None:
    put(AnswerCache(root, now=0), b"old")
    fresh = AnswerCache(root, now=0, refresh=True)
    assert fresh.get(ASKED, 100) is None
    put(fresh, b"new")
    got = AnswerCache(root, now=0).get(ASKED, 100)
    assert got is not None
    assert got.body == b"new"


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_entry_is_none(cache: AnswerCache, root: Path, seed: int) -> None:
    put(cache)
    rng, path = random.Random(seed), entry(root)
    content = bytearray(path.read_bytes())
    match seed % 4:
        case 0:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case 1:
            del content[rng.randrange(len(content)) :]
        case 2:
            content = bytearray(rng.randbytes(rng.randrange(200)))
        case 3:
            content += b"\0"
    path.write_bytes(content)
    got = cache.get(ASKED, 100)
    assert got is None or got == Response(status=200, body=BODY)
    if seed % 4:
        assert got is None


@pytest.mark.parametrize("old", [b'"status":200', b'"max_age":60.0', b'"stored_at":100.0'])
def test_the_head_is_covered_too(cache: AnswerCache, root: Path, old: bytes) -> None:
    put(cache)
    content = entry(root).read_bytes()
    assert old in content
    entry(root).write_bytes(content.replace(old, old.replace(b"0", b"1")))
    assert cache.get(ASKED, 100) is None


def test_its_first_line_can_be_read(cache: AnswerCache, root: Path) -> None:
    put(cache)
    line = entry(root).read_bytes().partition(b"\n")[0]
    assert line.startswith(b'{"source":"sec","target":"https://data.sec.gov/x.json?a=1","status":200,')


def test_the_folder_may_go_at_any_time(cache: AnswerCache, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(cache)
    shutil.rmtree(root.parent)
    assert cache.get(ASKED, 100) is None
    put(cache)
    assert cache.get(ASKED, 100) is not None
    assert not caplog.records


@pytest.mark.parametrize("call", ["open", "rename"])
def test_no_room_is_one_warning(
    cache: AnswerCache, root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = os.open

    def full(path: str, *args: object, **more: object) -> int:
        if call == "rename" or str(path).endswith(".tmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, call, full)
    for _ in range(3):
        put(cache)
    assert cache.get(ASKED, 100) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"answers are not cached in {root}: No space left on device"
    ]
    assert list(root.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_done(cache: AnswerCache, root: Path) -> None:
    """A real write that fails in the middle: the file may not grow that far."""
    import resource
    import signal

    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        put(cache, random.Random(1).randbytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert cache.get(ASKED, 100) is None
    assert list(root.iterdir()) == []


def spoil(root: Path, how: str) -> None:
    root.parent.mkdir(mode=0o700, exist_ok=True)
    match how:
        case "link":
            (root.parent / "elsewhere").mkdir(mode=0o700)
            root.symlink_to(root.parent / "elsewhere")
        case "dangling":
            root.symlink_to(root.parent / "nowhere")
        case "file":
            root.write_bytes(b"")
        case "mode":
            root.mkdir(mode=0o755)
        case "owner":
            root.mkdir(mode=0o700)
            os.chown(root, 12_345, -1)
        case "parent":
            root.mkdir(mode=0o700)
            os.chown(root.parent, 12_345, -1)


@pytest.mark.parametrize("how", ["link", "dangling", "file", "mode", "owner", "parent"])
def test_a_folder_that_is_not_ours_is_refused(root: Path, tmp_path: Path, how: str) -> None:
    if how in ("owner", "parent") and os.geteuid():
        pytest.skip("needs root to give a folder away")
    if how == "parent":
        tmp_path.chmod(0o1777)  # a folder that everybody shares, like /tmp
    spoil(root, how)
    with pytest.raises(SourceError, match=r"cannot be used.*remove it"):
        AnswerCache(root, now=0)


def test_a_folder_exchanged_later_is_not_used(cache: AnswerCache, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(cache)
    root.rename(root.parent / "elsewhere")
    root.symlink_to(root.parent / "elsewhere")
    assert cache.get(ASKED, 100) is None
    put(cache)
    put(cache)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_entry_that_is_a_link_is_none(cache: AnswerCache, root: Path) -> None:
    put(cache)
    path = entry(root)
    path.rename(root / "kept")
    path.symlink_to(root / "kept")
    assert cache.get(ASKED, 100) is None


def test_what_it_makes_is_private(cache: AnswerCache, root: Path) -> None:
    put(cache)
    assert [path.stat().st_mode & 0o777 for path in (root.parent, root, entry(root))] == [0o700, 0o700, 0o600]
