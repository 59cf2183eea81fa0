"""How answers are written: aligned tables, CSV, JSON, Parquet. Nothing is decided here, only laid out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from aitrader.domain.errors import UsageError

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: its key in the rows, its heading, its side and how a value is printed."""

    key: str
    heading: str
    right: bool = False
    show: Callable[[Any], str] = lambda value: "-" if value is None else str(value)


def printable(text: str) -> str:
    """Text without control characters: names come from files, a terminal must not obey them."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def write_table(out: TextIO, columns: Sequence[Column], rows: Iterable[Row], *, indent: str = "") -> None:
    """Aligned columns under one heading line; trailing spaces are left out."""
    cells = [[printable(column.show(row.get(column.key))) for column in columns] for row in rows]
    headings = [column.heading for column in columns]
    widths = [max(map(len, one)) for one in zip(headings, *cells, strict=True)]
    for line in (headings, *cells):
        padded = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        out.write((indent + "  ".join(padded)).rstrip() + "\n")


def write_csv(out: TextIO, keys: Sequence[str], rows: Iterable[Row]) -> None:
    """RFC 4180 with a heading; null is an empty field."""
    import csv

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([row.get(key) for key in keys] for row in rows)


def write_json(out: TextIO, payload: Mapping[str, Any]) -> None:
    """One object; indented for a reader at a terminal."""
    out.write(json_text(payload, out, indent=2 if out.isatty() else None) + "\n")


def json_text(payload: Mapping[str, Any], out: TextIO, *, indent: int | None = None) -> str:
    """JSON that ``out`` can hold whatever its encoding; NaN and infinities become null."""
    return json.dumps(finite(payload), ensure_ascii=not speaks_unicode(out), indent=indent, default=str)


def write_parquet(out: TextIO, keys: Sequence[str], rows: Iterable[Row]) -> None:
    """One Parquet file to stdout; a terminal is refused."""
    if out.isatty():
        raise UsageError("a Parquet file is not for a terminal", do="redirect it: ... --format parquet > layer.parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    listed = list(rows)
    table = pa.table({key: [row.get(key) for row in listed] for key in keys})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    out.flush()
    out.buffer.write(sink.getvalue())
    out.buffer.flush()


def finite(value: Any) -> Any:
    """The same value with NaN and infinities as None: numbers are numbers or null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def percent(value: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    """A fraction as a percentage, ``unknown`` for null."""
    return "unknown" if value is None else f"{value * 100:{'+' if sign else ''}.{decimals}f} %"


def bar(share: float, cells: int, *, unicode: bool = True) -> str:
    """A text bar: ``share`` (0..1) of ``cells``, to an eighth of a cell; what is there at all shows a sliver."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8) or (1 if share > 0 else 0)
    if not unicode:
        return "#" * max(round(eighths / 8), 1 if eighths else 0)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def speaks_unicode(out: TextIO) -> bool:
    """Whether block characters can be written."""
    return (getattr(out, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")
