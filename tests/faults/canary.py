"""Keys that stand nowhere else, and the search for them in everything that a run leaves behind."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Set
from pathlib import Path
from urllib.parse import quote

KEYS = {
    "ALPACA_API_KEY": "PKCANARY7Q+x/41=",
    "ALPACA_SECRET_KEY": "s3cr3t/CANARY+alpaca==%40Zz9",
    "POLYGON_API_KEY": "poly_CANARY/b64+&key=81",
    "SEC_USER_AGENT": "Canary Runner canary+agent@example.org",
}


def spellings(value: str) -> set[bytes]:
    """A key as it is, percent-encoded, in Base64 and in hexadecimal."""
    raw = value.encode()
    forms = {raw, quote(value).encode(), quote(value, safe="").encode(), raw.hex().encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw)
        forms |= {whole, whole.rstrip(b"=")}
        for before in range(3):  # in the Base64 of a longer text
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            forms.add(encode(b"\0" * before + raw)[first:last])
    return forms


FORMS = {form: name for name, value in KEYS.items() for form in spellings(value)}


def found_in(content: bytes) -> set[str]:
    """The names of the keys that a content holds in some spelling."""
    return {name for form, name in FORMS.items() if form in content}


def found_below(folder: Path, *, but: Set[tuple[str, int, int]] = frozenset()) -> Iterator[tuple[Path, str]]:
    """Files below a folder that hold a key, in their name or their content, and its name.

    ``but``: files searched before, as :func:`stamps` has them.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _stamp(path, folder) in but:
            continue
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for name in found_in(str(path).encode()) | found_in(content) | found_in(_unpacked(content)):
            yield path, name


def stamps(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of each file below a folder."""
    return frozenset(_stamp(path, folder) for path in folder.rglob("*") if path.is_file())


def _stamp(path: Path, folder: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path.relative_to(folder)), found.st_size, found.st_mtime_ns


def _unpacked(content: bytes) -> bytes:
    """What a file of answers or rows holds once it is decompressed; nothing where it is no such file."""
    head, _, packed = content.partition(b"\n")
    if head.startswith(b"{") and packed[:4] == b"\x28\xb5\x2f\xfd":
        from pyarrow import BufferReader, CompressedInputStream

        return bytes(CompressedInputStream(BufferReader(packed), "zstd").read())
    if content[:2] == b"\x1f\x8b":
        return zlib.decompress(content, wbits=31)
    if content[:4] == b"PAR1":
        import io

        from pyarrow.parquet import read_table

        return str(read_table(io.BytesIO(content)).to_pydict()).encode()
    return b""
