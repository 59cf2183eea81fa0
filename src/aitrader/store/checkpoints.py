"""Checkpoints: the fold's state after a session, as one raw matrix with a checksum; derivable, so never precious.

A file is 8 bytes of magic, the length of its header, a JSON header, padding to 64 bytes and the float64 values in C
order. Written under a temporary name and renamed; not synced, because a torn one is found by its CRC and ignored.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from aitrader.domain.errors import UsageError
from aitrader.store.files import TEMPORARY, write_file

KEEP_NEWEST = 3
KEEP_EVERY_SESSIONS = 60
_MAGIC = b"AITCHK1\n"
_ALIGN = 64
_PARTS = 8  # the checksum is taken over parts, so that several cores share it
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.ckpt")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after ``session``: ``matrix`` is (rows, securities) float64, the reader's own; ``meta`` as saved."""

    session: date
    input_digest: str
    matrix: np.ndarray
    meta: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckpointHeader:
    """What a checkpoint says of itself, read without its matrix."""

    session: date
    input_digest: str
    shape: tuple[int, int]
    meta: dict[str, Any]


def save_checkpoint(
    folder: Path, *, session: date, version: str, input_digest: str, matrix: np.ndarray, meta: dict[str, Any]
) -> Path:
    """Write one checkpoint, whole or not at all; the path."""
    if matrix.ndim != 2 or matrix.dtype != np.float64:
        raise UsageError("a checkpoint is a two-dimensional float64 matrix", why=f"got {matrix.dtype} {matrix.shape}")
    values = np.ascontiguousarray(matrix)
    head = {
        "session": session.isoformat(),
        "version": version,
        "input_digest": input_digest,
        "shape": list(values.shape),
        "crc32": _checksums(values),
        "meta": meta,
    }
    text = json.dumps(head, sort_keys=True).encode()
    text += b" " * (-(len(_MAGIC) + 8 + len(text)) % _ALIGN)
    place = folder / _safe(version)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{session}.ckpt"
    content = [memoryview(_MAGIC + struct.pack("<Q", len(text)) + text)]
    if values.size:
        content.append(values.data.cast("B"))
    write_file(path, content, durable=False)
    return path


def load_checkpoint(folder: Path, *, version: str, on_or_before: date) -> Checkpoint | None:
    """The newest whole checkpoint up to a session; damaged ones are removed, an older one or None answers."""
    for session in reversed([day for day in checkpoint_sessions(folder, version) if day <= on_or_before]):
        path = folder / _safe(version) / f"{session}.ckpt"
        try:
            head, offset = _header(path)
            matrix = np.fromfile(path, dtype=np.float64, offset=offset).reshape(head["shape"])
            if head["crc32"] == _checksums(matrix) and head["version"] == version:
                return Checkpoint(session=session, input_digest=head["input_digest"], matrix=matrix, meta=head["meta"])
        except (ValueError, KeyError, struct.error):
            pass
        except FileNotFoundError:
            continue
        path.unlink(missing_ok=True)
    return None


def checkpoint_headers(folder: Path, version: str) -> list[CheckpointHeader]:
    """The headers of a version's checkpoints in order of session; unreadable ones are left out."""
    found = []
    for session in checkpoint_sessions(folder, version):
        try:
            head, _ = _header(folder / _safe(version) / f"{session}.ckpt")
            rows, columns = head["shape"]
            found.append(
                CheckpointHeader(
                    session=session, input_digest=head["input_digest"], shape=(rows, columns), meta=head["meta"]
                )
            )
        except (ValueError, KeyError, struct.error, OSError):
            continue
    return found


def checkpoint_sessions(folder: Path, version: str) -> list[date]:
    """The sessions for which a version has checkpoints, in order."""
    place = folder / _safe(version)
    if not place.is_dir():
        return []
    matches = (_NAME.fullmatch(entry.name) for entry in place.iterdir())
    return sorted(date.fromisoformat(match[1]) for match in matches if match)


def prune_checkpoints(folder: Path, version: str, ordinal: Callable[[date], int]) -> list[date]:
    """Keep the newest three and the first of each 60 sessions of ``version``; the sessions removed.

    What a killed writer left under a temporary name goes too; other versions' checkpoints stay.
    """
    sessions = checkpoint_sessions(folder, version)
    keep = set(sessions[-KEEP_NEWEST:])
    blocks: set[int] = set()
    for session in sessions:
        block = ordinal(session) // KEEP_EVERY_SESSIONS
        if block not in blocks:
            blocks.add(block)
            keep.add(session)
    removed = [session for session in sessions if session not in keep]
    for session in removed:
        (folder / _safe(version) / f"{session}.ckpt").unlink(missing_ok=True)
    for path in folder.glob(f"*/.*{TEMPORARY}"):
        path.unlink(missing_ok=True)
    return removed


def _header(path: Path) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC) + 8)
        if start[: len(_MAGIC)] != _MAGIC:
            raise ValueError("not a checkpoint")
        (length,) = struct.unpack("<Q", start[len(_MAGIC) :])
        if length > path.stat().st_size:
            raise ValueError("torn header")
        head = json.loads(file.read(length))
    if not isinstance(head, dict):
        raise ValueError("not a header")
    return head, len(_MAGIC) + 8 + length


def _checksums(matrix: np.ndarray) -> list[int]:
    flat = matrix.reshape(-1).view(np.uint8)
    edges = np.linspace(0, flat.size, _PARTS + 1, dtype=np.int64)
    parts = [flat[a:b] for a, b in pairwise(edges)]
    with ThreadPoolExecutor(_PARTS) as pool:
        return list(pool.map(lambda part: zlib.crc32(part.data) if part.size else 0, parts))


def _safe(version: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", version):
        raise UsageError(f"feature version {version!r} cannot be used", why="it becomes a folder name")
    return version
