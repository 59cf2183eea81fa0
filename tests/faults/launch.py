"""The whole product, its command line, with what lies outside of it set by the test.

The names that no resolver knows, the authorities that are trusted, a disk that is full. Nothing of the product itself
is touched. As a process: ``python -m tests.faults.launch WORDS``, the setting as JSON in ``FAULTS_SETTING``.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

VARIABLE = "FAULTS_SETTING"
NO_NAME = ".invalid"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Empty: as it is."""

    authority: str = ""  # a PEM file that is trusted instead of the usual ones
    full: str = ""  # the disk of this folder is full
    log: str = ""  # a file that takes every record of every logger, from DEBUG on

    @property
    def text(self) -> str:
        return json.dumps(asdict(self))


@contextmanager
def surroundings(setting: Setting) -> Iterator[None]:
    """The world as the setting has it."""
    with ExitStack() as stack:
        stack.enter_context(patch("socket.getaddrinfo", _resolver(socket.getaddrinfo)))
        if setting.authority:
            stack.enter_context(patch("certifi.where", lambda: setting.authority))
        if setting.full:
            stack.enter_context(patch("os.open", _full_disk(os.open, setting.full)))
        if setting.log:
            stack.enter_context(_logged(setting.log))
        yield


@contextmanager
def _logged(path: str) -> Iterator[None]:
    root, handler = logging.getLogger(), logging.FileHandler(path)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _resolver(inner: Any) -> Any:
    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.endswith(NO_NAME):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return inner(host, *rest, **more)

    return resolve


def _full_disk(inner: Any, folder: str) -> Any:
    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        at = more.get("dir_fd")
        place = os.fspath(path) if at is None else f"{Path(f'/proc/self/fd/{at}').readlink()}/{path}"
        if flags & os.O_CREAT and place.startswith(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        found: int = inner(path, flags, *rest, **more)
        return found

    return opened


def run(words: Sequence[str], environ: Mapping[str, str], setting: Setting, out: TextIO, err: TextIO) -> int:
    """One command line; the exit code."""
    from aitrader.cli.main import main

    with surroundings(setting):
        return main(words, environ=environ, out=out, err=err)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ, Setting(**json.loads(os.environ[VARIABLE])), sys.stdout, sys.stderr))
