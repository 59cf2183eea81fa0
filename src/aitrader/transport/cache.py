"""Answers kept on disk for a while. Losing them, at any time, costs a request and never an error or a wrong body."""

from __future__ import annotations

import errno
import hashlib
import logging
import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from aitrader.domain.errors import SourceError
from aitrader.transport.wire import Request, Response

DEFAULT_ROOT: Final = Path("/tmp/ai_trader_cache/universe")
SUFFIX: Final = ".answer"
LONGEST_AGE: Final = 86_400.0  # seconds; nothing is asked to be kept for longer
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_HEAD: Final = 65_536
_FOR_EVER: Final = 1e12  # seconds; JSON knows no infinity


@contextmanager
def private_folder(path: Path) -> Iterator[int]:
    """A descriptor of a folder that is ours alone (mode 0700, no link); made where there is none.

    Raises SourceError where somebody else could reach into it, OSError where there is no room for it.
    """
    path = path.absolute()
    for part in reversed((path, *path.parents)):
        if not part.is_dir():
            with suppress(FileExistsError):
                part.mkdir(mode=0o700)
    try:
        descriptor = os.open(path, _FOLDER)
    except OSError as fault:
        if fault.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        raise _not_ours(path, "it is a link or no folder") from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise _not_ours(path, "it belongs to another user")
        if stat.S_IMODE(found.st_mode) != 0o700:
            raise _not_ours(path, f"its mode is {stat.S_IMODE(found.st_mode):04o} and not 0700")
        _check_parents(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_parents(path: Path) -> None:
    """Below a folder that all users share, whoever owns a folder on the way can put another one in its place."""
    between, above = [], path.parent.resolve()
    for parent in (above, *above.parents):
        found = parent.stat()
        if found.st_mode & stat.S_ISVTX:
            break
        between.append((parent, found))
    else:
        return
    for parent, found in between:
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise _not_ours(parent, "another user can write to it")


def _not_ours(path: Path, why: str) -> SourceError:
    return SourceError(f"the folder {path} cannot be used", why=why, do="remove it, or name another folder")


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an entry; the digest covers the other fields and the compressed body."""

    source: str
    target: str
    status: int
    stored_at: float  # epoch seconds
    max_age: float  # seconds
    size: int  # bytes of the body before it was compressed
    digest: str = ""


class AnswerCache:
    """Bodies under ``root``, one file an answer; safe to share between threads and processes.

    ``refresh``: nothing is read, everything is asked again and stored. What was stored over a day before ``now`` (epoch
    seconds) is removed. Raises SourceError where ``root`` is not ours.
    """

    def __init__(
        self, root: Path = DEFAULT_ROOT, *, now: float, refresh: bool = False, log: logging.Logger | None = None
    ) -> None:
        self._root, self._refresh = root, refresh
        self._log = log or logging.getLogger(__name__)
        self._warned = False
        try:
            with private_folder(root) as folder:
                _swept(folder, now - LONGEST_AGE)
        except OSError as fault:
            self._warn(fault.strerror or type(fault).__name__)

    def get(self, request: Request, now: float, *, max_age: float = math.inf) -> Response | None:
        """The stored answer, or None where it is absent, damaged, older than it or ``max_age`` (seconds) allows.

        ``now``: epoch seconds. The answer has its status and its body, no headers.
        """
        if self._refresh:
            return None
        try:
            content = self._read(_key(request))
        except (OSError, SourceError, ValueError):  # ValueError: a target that no bytes can spell
            return None
        head, body = _opened(content)
        if head is None or (head.source, head.target) != (request.source, request.target):
            return None
        if not 0 <= now - head.stored_at <= min(head.max_age, max_age):  # one from the future is not to be trusted
            return None
        return Response(status=head.status, body=body)

    def put(self, request: Request, response: Response, now: float, max_age: float) -> None:
        """Keep an answer for ``max_age`` seconds from ``now`` (epoch seconds), if there is room."""
        try:
            self._write(_key(request), _closed(request, response, now, max_age))
        except (OSError, SourceError, ValueError) as fault:
            self._warn(getattr(fault, "strerror", None) or str(fault))

    def _read(self, key: str) -> bytes:
        with private_folder(self._root) as folder:
            descriptor = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - opened by its descriptor
                return file.read()

    def _write(self, key: str, content: bytes) -> None:
        with private_folder(self._root) as folder:
            temporary = f".{key}.{os.getpid()}.{threading.get_ident()}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123
                    file.write(content)
                os.rename(temporary, key, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:  # an interrupt too must leave nothing half done; it is raised again
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            self._log.warning("answers are not cached in %s: %s", self._root, why)


def _swept(folder: int, before: float) -> None:
    """Answers written before an instant (epoch seconds) are removed: their questions may never be asked again."""
    for name in os.listdir(folder):
        if name.endswith((SUFFIX, ".tmp")):
            with suppress(OSError):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before:
                    os.unlink(name, dir_fd=folder)


def _key(request: Request) -> str:
    return hashlib.sha256(f"{request.source}\n{request.target}".encode()).hexdigest() + SUFFIX


def _digest(head: _Head, compressed: bytes) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(head, digest="")) + compressed).hexdigest()


def _closed(request: Request, response: Response, now: float, max_age: float) -> bytes:
    """The content of an entry: its head in one line, then the compressed body."""
    from pyarrow import Codec  # it takes longer to load than a command that reads no cache takes to run

    compressed: bytes = Codec("zstd", compression_level=1).compress(response.body, asbytes=True)
    head = _Head(
        source=request.source,
        target=request.target,
        status=response.status,
        stored_at=float(now),  # the digest is of the text, and 1 is not spelled 1.0
        max_age=float(min(max_age, _FOR_EVER)),
        size=len(response.body),
    )
    head = msgspec.structs.replace(head, digest=_digest(head, compressed))
    return msgspec.json.encode(head) + b"\n" + compressed


def _opened(content: bytes) -> tuple[_Head | None, bytes]:
    """Head and body of an entry; no head where the entry is damaged in any place."""
    from pyarrow import Codec

    line, _, compressed = content.partition(b"\n")
    try:
        head = msgspec.json.decode(line[:_LONGEST_HEAD], type=_Head)
        if head.digest != _digest(head, compressed):
            return None, b""
        return head, Codec("zstd").decompress(compressed, decompressed_size=head.size, asbytes=True)
    except (msgspec.MsgspecError, ValueError, OSError, OverflowError, MemoryError):
        return None, b""
