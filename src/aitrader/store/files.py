"""Files that are whole or absent: temporary name, fsync, rename; and the sweep of what nothing refers to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

TEMPORARY = ".tmp"


def write_file(path: Path, content: Sequence[bytes | memoryview], *, durable: bool = True) -> None:
    """Write the parts of ``content`` under a temporary name, sync it and rename it to ``path``.

    ``durable=False`` leaves the sync out: for files that can be derived again and carry a checksum.
    The caller syncs the folder once a batch.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        try:
            for part in content:
                view = memoryview(part)
                while view:
                    view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:  # an interrupt too must leave nothing half done; it is raised again
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the renames in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(content: bytes | memoryview) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sweep(folder: Path, reached: Iterable[str]) -> int:
    """Remove the files of ``folder`` that are not in ``reached``; the number removed.

    Only safe while no other writer can create files there: the caller holds the write transaction and has seen
    that no live writer exists.
    """
    if not folder.is_dir():
        return 0
    keep = set(reached)
    removed = 0
    for path in folder.iterdir():
        if path.name not in keep and not path.is_dir():
            path.unlink()
            removed += 1
    return removed
