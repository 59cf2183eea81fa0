"""Polygon's day aggregates as flat files: a folder of CSV files, one a session, as the vendor's archive holds them."""

from __future__ import annotations

import zlib
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import BARS
from aitrader.providers.bodies import Page, bars_page, canonical_texts, new_york_day

REQUIRED: Final = ("ticker", "volume", "close", "window_start")
_NUMBERS: Final = ("open", "high", "low", "close", "volume", "transactions")
_LAST_NANOSECOND: Final = 4_398_046_511_104_000_000  # in the year 2109
_MOST_BYTES: Final = 1_000_000_000  # a session's file has about a megabyte
_PACKED: Final = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x28\xb5\x2f\xfd")  # gzip, zlib, zstd


def files_by_day(folder: Path) -> dict[date, Path]:
    """The files at or below ``folder`` by the day in their names, as the vendor names them: 2026-06-30.csv.gz."""
    if not folder.is_dir():
        raise _fault(folder, "there is no such folder", "give the folder that holds the day aggregates")
    found: dict[date, Path] = {}
    for path in sorted({*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")}):
        try:
            day = date.fromisoformat(path.name.partition(".")[0])
        except ValueError:
            raise _fault(path, "its name is no day", "name it as the vendor does: 2026-06-30.csv.gz") from None
        if day in found:
            raise _fault(path, f"there is another file of {day}", "remove one of them")
        found[day] = path
    if not found:
        raise _fault(folder, "it holds no .csv or .csv.gz file", "give the folder that holds the day aggregates")
    return found


def read_flat_file(path: Path) -> Page:
    """The bars (schema BARS) of one file."""
    return parse_flat_file(_read(path), name=path.name)


def read_flat_files(folder: Path) -> Page:
    """The bars (schema BARS) of all ``*.csv`` and ``*.csv.gz`` files at or below ``folder``."""
    if not folder.is_dir():
        raise _fault(folder, "there is no such folder", "give the folder that holds the day aggregates")
    paths = sorted({*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")})
    if not paths:
        raise _fault(folder, "it holds no .csv or .csv.gz file", "give the folder that holds the day aggregates")
    pages = [parse_flat_file(_read(path), name=str(path.relative_to(folder))) for path in paths]
    bars = pl.concat([page.frame for page in pages]).sort("symbol", "date")
    repeated = bars.filter(pl.struct("symbol", "date").is_duplicated())
    if repeated.height:
        symbol, day = repeated.row(0)[:2]
        raise _fault(folder, f"{repeated.height} bars stand in two files, such as {symbol} {day}", "remove one of them")
    return Page(frame=bars, quarantine=pl.concat([page.quarantine for page in pages]))


def parse_flat_file(body: bytes, *, name: str = "day_aggs.csv") -> Page:
    """The bars (schema BARS) of one file, gzipped or plain; the time stamp is midnight New York in nanoseconds."""
    path = Path(name)
    if body[:2] == b"\x1f\x8b":
        body = _unpacked(body, path)
        if body.startswith(_PACKED):
            raise _fault(path, "the file is packed twice", "download it again")
    elif body.startswith(_PACKED):
        raise _fault(path, "the file is packed in another way than gzip", "download it again")
    if not body.strip():
        raise _fault(path, "the file is empty", "download it again")
    if body.lstrip()[:1] in (b"<", b"{"):
        raise _fault(path, "the file is a web page or JSON, not CSV", "download it again")
    try:
        # Everything is text at first: NA, NAN, TRUE and ON are symbols.
        table = pl.read_csv(body, infer_schema=False)
    except (pl.exceptions.PolarsError, ValueError, OSError) as fault:
        lines = str(fault).splitlines() or [""]
        raise _fault(path, f"the file is no CSV of one width ({lines[0][:120]})", "download it again") from None
    if missing := [column for column in REQUIRED if column not in table.columns]:
        raise _fault(path, f"columns are missing: {', '.join(missing)}", "give files of day aggregates")
    if not table.height:
        raise _fault(path, "the file has a header and no row", "download it again")
    if not body.endswith(b"\n"):
        raise _fault(path, "the last line is cut off", "download it again")
    return bars_page(_typed(table, path), BARS)


def _typed(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    text = {name: pl.col(name).str.strip_chars() for name in table.columns}
    stamp = text["window_start"].cast(pl.Int64, strict=False)
    in_era = pl.when(stamp.is_between(0, _LAST_NANOSECOND)).then(stamp)
    frame = table.select(
        row=pl.int_range(1, pl.len() + 1),
        file=pl.lit(f"polygon/flat_files {path.as_posix()}"),
        symbol=canonical_texts(table["ticker"]),
        date=new_york_day(in_era.cast(pl.Datetime("ns", "UTC"))),
        **{name: text[name].cast(pl.Float64, strict=False) for name in _NUMBERS if name in text},
        **{f"raw:{name}": _raw(text[name]) for name in _NUMBERS if name in text},
        **{"raw:symbol": pl.col("ticker")},
    )
    return frame.rename({"transactions": "trades", "raw:transactions": "raw:trades"}, strict=False)


def _raw(text: pl.Expr) -> pl.Expr:
    return pl.when((text != "") & text.cast(pl.Float64, strict=False).is_null()).then(text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise _fault(path, f"it cannot be read: {fault.strerror}", "check its permissions") from None


def _unpacked(body: bytes, path: Path) -> bytes:
    try:
        unpacked = zlib.decompressobj(wbits=31)
        text = unpacked.decompress(body, _MOST_BYTES)
        if not unpacked.eof:
            raise EOFError
    except (EOFError, zlib.error):
        raise _fault(path, "the gzip file is damaged or cut off", "download it again") from None
    return text


def _fault(path: Path, why: str, do: str) -> SourceError:
    return SourceError(f"polygon flat files, {path}", why=why, do=do)
