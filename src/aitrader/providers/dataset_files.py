"""Reading one file of a dataset: found, opened, its columns mapped to ours; every way to be broken is one line."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.domain.errors import ConfigError, SourceError
from aitrader.providers.dataset_description import SUFFIXES, FileSpec
from aitrader.providers.dataset_format import Kind
from aitrader.settings.suggestions import did_you_mean

_MAGIC: Final = b"PAR1"
_TAIL: Final = 1 << 16
_ROLE_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "symbol": ("text",),
    "text": ("text", "whole numbers", "booleans"),
    "number": ("numbers", "whole numbers", "text"),
    "date": ("dates", "instants", "text"),
    "instant": ("dates", "instants", "text"),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file's rows under our column names, as the file types them; ``row`` counts its data rows from 1."""

    shown: str  # the file's name in errors and in the quarantine
    frame: pl.DataFrame
    unknown: tuple[str, ...]  # its columns that nothing reads


def read_tables(folder: Path, kind: Kind, spec: FileSpec) -> Iterator[Table]:
    """The table of each file that ``spec.path`` names, in the order of their names.

    Raises SourceError for a file that is not there, cannot be opened, is damaged or lacks a required column.
    """
    for path in _paths(folder, spec.path):
        yield _read(path, kind, spec)


def _paths(folder: Path, pattern: str) -> list[Path]:
    if "*" not in pattern:
        return [folder / pattern]
    head = Path(pattern)
    base = folder / Path(*head.parts[: _first_star(head)])
    found = sorted(path for path in base.glob(str(Path(*head.parts[_first_star(head) :]))) if path.is_file())
    if not found:
        raise SourceError(f"{pattern} matches no file", why=f"looked in {base}", do="correct the path in dataset.yml")
    return found


def _first_star(path: Path) -> int:
    return next(position for position, part in enumerate(path.parts) if "*" in part)


def _read(path: Path, kind: Kind, spec: FileSpec) -> Table:
    shown = path.name
    if path.suffix.lower() not in SUFFIXES:
        raise SourceError(f"{shown} is of no kind that can be read", do=f"use one of {', '.join(SUFFIXES)}")
    _check_bytes(path, shown)
    try:
        with _panics_held_back():
            scan = _scan(path, spec)
            schema = scan.collect_schema()
            chosen, unknown = _choose(schema, kind, spec, shown)
            _check_types(schema, chosen, kind, spec, shown)
            columns = [pl.col("row"), *(pl.col(theirs).alias(ours) for ours, theirs in chosen.items())]
            frame = scan.with_row_index("row", offset=1).select(columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _damaged(shown, error) from None
    if path.suffix.lower() != ".parquet":  # a blank line is no row
        frame = frame.filter(pl.any_horizontal(pl.col(*chosen).is_not_null()))
    if not frame.height:
        raise SourceError(
            f"{shown} has no rows", why="only a header is there", do="give a file with data, or leave it out"
        )
    constants = [pl.lit(value).alias(ours) for ours, value in spec.constants.items()]
    return Table(shown=shown, frame=frame.with_columns(constants), unknown=unknown)


@contextmanager
def _panics_held_back() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and drop it where Polars panics over a damaged file.

    The panic's own text and stack come from below Python; an error of ours is one line.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        panicked = False
        try:
            yield
        except pl.exceptions.PanicException:
            panicked = True
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            if not panicked and held.seek(0, os.SEEK_END):
                held.seek(0)
                with open(2, "wb", closefd=False) as stream:
                    stream.write(held.read())


def _check_bytes(path: Path, shown: str) -> None:
    try:
        if path.is_dir():
            raise SourceError(f"{shown} is a folder, not a file", do="name a file, or folder/*.parquet for several")
        with path.open("rb") as file:
            head = file.read(4)
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
            first = b""
            if path.suffix.lower() != ".parquet":
                file.seek(0)
                first = file.readline(_TAIL)
    except FileNotFoundError:
        raise SourceError(
            f"{shown} is not there", why=f"looked in {path.parent}", do="correct the path in dataset.yml"
        ) from None
    except PermissionError:
        raise SourceError(
            f"{shown} cannot be opened", why="permission denied", do="let this user read the file"
        ) from None
    except OSError as error:
        raise SourceError(
            f"{shown} cannot be read", why=(error.strerror or "unreadable").lower(), do="check the disk"
        ) from None
    if not size:
        raise SourceError(f"{shown} is empty", do="fetch the file again")
    if path.suffix.lower() == ".parquet":
        if head != _MAGIC:
            raise SourceError(f"{shown} is not a Parquet file", do="check what it is; a text file must end in .csv")
        if tail[-4:] != _MAGIC:
            raise SourceError(f"{shown} is cut off", why="its footer is missing", do="fetch the file again")
    else:
        _check_text(head, first, tail, shown)


def _check_text(head: bytes, first: bytes, tail: bytes, shown: str) -> None:
    if head == _MAGIC:
        raise SourceError(f"{shown} is a Parquet file with a text file's name", do="rename it to .parquet")
    if b"\0" in first or b"\0" in tail:
        raise SourceError(f"{shown} is not a text file", why="it holds binary data", do="check what it is")
    last = tail.rpartition(b"\n")[2]
    if last and b"\n" in tail:  # the last line does not end: it may have been cut
        for separator in (b",", b"|", b"\t", b";"):
            wanted = first.count(separator)
            if wanted and b'"' not in last and last.count(separator) < wanted:
                what = f"it has {last.count(separator) + 1} of {wanted + 1} fields"
                raise SourceError(f"{shown} is cut off in its last row", why=what, do="fetch the file again")
            if wanted:
                return


def _scan(path: Path, spec: FileSpec) -> pl.LazyFrame:
    if path.suffix.lower() == ".parquet":
        return pl.scan_parquet(path, glob=False, hive_partitioning=False)
    separator = spec.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
    return pl.scan_csv(path, separator=separator, infer_schema=False, glob=False)  # every field is text: NA is a symbol


def _choose(schema: pl.Schema, kind: Kind, spec: FileSpec, shown: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which of the file's columns is which of ours, and which are none."""
    names = list(schema)
    if repeated := [name.removesuffix("_duplicated_0") for name in names if name.endswith("_duplicated_0")]:
        raise SourceError(f"{shown} has the column {repeated[0]} twice", do="leave one of them out")
    chosen: dict[str, str] = {}
    for ours, theirs in spec.columns.items():
        if theirs not in schema:
            raise SourceError(
                f"{shown} has no column {theirs}",
                why=f"dataset.yml reads {ours} from it",
                do=did_you_mean(theirs, names),
            )
        chosen[ours] = theirs
    free = [name for name in names if name not in spec.ignore and name not in spec.columns.values()]
    for ours in kind.columns:
        if ours in chosen or ours in spec.constants:
            continue
        same = [name for name in free if _plain(name) == ours]
        if len(same) > 1:
            raise SourceError(
                f"{shown} has both {same[0]} and {same[1]}", why=f"either could be {ours}", do="map one in dataset.yml"
            )
        if same:
            chosen[ours] = same[0]
    given = {*chosen, *spec.constants, *(("known_on",) if spec.known_on else ())}
    for ours in kind.required:
        if ours not in given:
            raise SourceError(
                f"{shown} has no column {ours}",
                why=f"{kind.name} need it; it has {', '.join(names[:12])}",
                do="map it in dataset.yml",
            )
    used = set(chosen.values())
    return chosen, tuple(name for name in free if name not in used)


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().replace("-", " ").split())


def _check_types(schema: pl.Schema, chosen: dict[str, str], kind: Kind, spec: FileSpec, shown: str) -> None:
    for ours, theirs in chosen.items():
        role, held = kind.columns[ours], _held(schema[theirs])
        allowed = _ROLE_TYPES[role] + (("whole numbers",) if role in ("date", "instant") and spec.date_format else ())
        if held != "nothing" and held not in allowed:
            raise SourceError(
                f"{shown}: the column {theirs} holds {held}",
                why=f"{ours} must be {' or '.join(allowed)}",
                do="map another column in dataset.yml, or give date_format"
                if held == "whole numbers"
                else "map another column in dataset.yml",
            )


def _held(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "whole numbers"
    if dtype.is_numeric():
        return "numbers"
    words = {pl.String: "text", pl.Categorical: "text", pl.Enum: "text", pl.Boolean: "booleans", pl.Date: "dates"}
    words |= {pl.Datetime: "instants", pl.Null: "nothing"}
    return words.get(dtype.base_type(), f"{str(dtype).lower()} values")


def _damaged(shown: str, error: BaseException) -> SourceError | ConfigError:
    text = " ".join(str(error).split())
    if "more fields than defined" in text:
        return SourceError(
            f"{shown} has a row with more fields than its header",
            do="correct the row, or give separator in dataset.yml",
        )
    if "utf-8" in text.lower():
        return SourceError(f"{shown} is not UTF-8", do="save the file as UTF-8")
    if "could not parse" in text:
        return SourceError(f"{shown} has a quote that is never closed", why=text[:80], do="correct the row")
    return SourceError(f"{shown} is damaged", why=text[:160], do="fetch the file again")
