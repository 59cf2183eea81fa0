"""``dataset.yml``: what a folder of foreign files is called, and how each file is read where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from aitrader.domain.errors import ConfigError, UsageError
from aitrader.domain.symbols import PROVIDERS
from aitrader.providers.dataset_format import KINDS, READERS, Kind
from aitrader.settings.convert import to_model
from aitrader.settings.suggestions import did_you_mean
from aitrader.settings.yaml_file import KeyPath, read_document

ADJUSTMENTS: Final = ("raw", "split", "all")
POLICIES: Final = ("fail", "skip", "pass")
FILE_NAME: Final = "dataset.yml"
SUFFIXES: Final = (".parquet", ".csv", ".tsv", ".txt")
_ONLY_FOR: Final = {  # options that mean something for some kinds only
    "known_on": ("securities", "fundamentals"),
    "timeless": ("securities",),
    "only_with_bars": ("securities",),
    "one_row_a_symbol": ("securities",),
    "repeats_are_no_trade": ("bars",),
    "reader": ("corporate_actions",),
}


class FileSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a dataset: where it is and how its columns are to be understood."""

    path: str  # relative to dataset.yml's folder; may contain * for several files of one shape
    columns: dict[str, str] = {}  # our column: theirs
    constants: dict[str, str | int | float] = {}  # our column: the same value in every row
    ignore: tuple[str, ...] = ()  # their columns that are knowingly unused
    reader: str | None = None  # a named transformation, see READERS
    known_on: str | None = None  # the date from the session after which the file's rows count
    timeless: tuple[str, ...] = ()  # columns that count on every date: a listing's nature
    only_with_bars: bool = False  # leave out symbols that have no bars in this set
    one_row_a_symbol: bool = False  # the file repeats each symbol; the first row of each counts
    repeats_are_no_trade: bool = False  # a repeated close and volume means that nothing traded
    separator: str | None = None  # of a text file; a tab for .tsv, else a comma
    date_format: str | None = None  # strptime's, for text dates other than ISO
    timezone: str = "UTC"  # of instants that carry none
    spelling: str | None = None  # whose symbols these are, where that is ambiguous


class Content(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file's top level, before its files are looked at."""

    name: str | None = None
    adjustment: str | None = None
    calendar: str = "XNYS"
    missing: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    files: dict[str, Any] = {}


class Description(Struct, frozen=True, kw_only=True):
    """A dataset as its folder declares it."""

    folder: Path
    name: str
    adjustment: str
    missing: dict[str, str]
    notices: tuple[str, ...]
    files: dict[str, tuple[FileSpec, ...]]  # by kind; only kinds that the dataset has

    def kind_of(self, kind: str, spec: FileSpec) -> Kind:
        """The columns that a file of the kind has before any transformation."""
        return KINDS[kind] if spec.reader is None else READERS[spec.reader]


def describe(folder: Path) -> Description:
    """Read ``folder/dataset.yml``, or take the folder as it is where there is none.

    Raises UsageError for a folder that is not there and ConfigError for a file that cannot be used.
    """
    if not folder.exists():
        raise UsageError(f"{folder} is not there", do="give --path the folder of a dataset")
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder", do="give --path the folder that holds dataset.yml or bars.parquet"
        )
    path = folder / FILE_NAME
    shown = f"{folder.name}/{FILE_NAME}"
    if not path.is_file():
        if (folder / "dataset.yaml").is_file():
            raise ConfigError(f"{folder.name}/dataset.yaml is not read", do=f"rename it to {FILE_NAME}")
        content, lines = Content(), {}
    else:
        document = read_document(path, shown=shown)
        lines = document.lines
        content = to_model(document.values, Content, at=(), origin=lambda at: _origin(shown, lines, at))
    reader = _Checker(shown=shown, lines=lines)
    files = reader.files(content.files)
    for kind in KINDS:
        if kind not in files and (found := _default_file(folder, kind)):
            files[kind] = (FileSpec(path=found),)
    if "bars" not in files:
        raise ConfigError(
            f"{folder} has no bars", do="add bars.parquet or bars.csv, or name the file in dataset.yml: files: bars:"
        )
    notices = list(content.notices)
    if content.adjustment is None:
        notices.append("the dataset does not declare its adjustment: its prices are taken as raw")
    return Description(
        folder=folder,
        name=reader.name(content.name, folder),
        adjustment=reader.choice("adjustment", content.adjustment or "raw", ADJUSTMENTS),
        missing=reader.policies(content.missing),
        notices=tuple(notices),
        files=files if reader.calendar(content.calendar) else {},
    )


def _origin(shown: str, lines: Mapping[KeyPath, int], at: KeyPath) -> str:
    while at and at not in lines:
        at = at[:-1]
    return f"{shown}:{lines[at]}" if at else shown


def _default_file(folder: Path, kind: str) -> str | None:
    found = [f"{kind}{suffix}" for suffix in SUFFIXES if (folder / f"{kind}{suffix}").is_file()]
    if len(found) > 1:
        raise ConfigError(
            f"{folder} has both {found[0]} and {found[1]}", do=f"name one of them in {FILE_NAME}: files: {kind}:"
        )
    if found:
        return found[0]
    return f"{kind}/*.parquet" if any((folder / kind).glob("*.parquet")) else None


class _Checker:
    """Turns the declared files into FileSpecs; every error names the line."""

    def __init__(self, *, shown: str, lines: Mapping[KeyPath, int]) -> None:
        self.shown, self.lines = shown, lines

    def files(self, declared: Mapping[str, Any]) -> dict[str, tuple[FileSpec, ...]]:
        out: dict[str, tuple[FileSpec, ...]] = {}
        for kind, value in declared.items():
            at: KeyPath = ("files", kind)
            if kind not in KINDS:
                raise self.error(at, f"{kind} is no kind of file", do=did_you_mean(kind, KINDS))
            several = isinstance(value, list)
            entries = value if isinstance(value, list) else [value]
            if not entries:
                raise self.error(at, f"{kind} lists no file", do="name one, or leave the kind out")
            out[kind] = tuple(
                self.file(kind, entry, (*at, str(number)) if several else at) for number, entry in enumerate(entries)
            )
        return out

    def file(self, kind: str, value: Any, at: KeyPath) -> FileSpec:
        values = {"path": value} if isinstance(value, str) else value
        spec = to_model(values, FileSpec, at=at, origin=lambda place: _origin(self.shown, self.lines, place))
        for option, kinds in _ONLY_FOR.items():
            if kind not in kinds and getattr(spec, option):
                raise self.error(
                    (*at, option), f"{option} means nothing for {kind}", do=f"it belongs to {' and '.join(kinds)}"
                )
        if spec.reader is not None and spec.reader not in READERS:
            raise self.error((*at, "reader"), f"{spec.reader} is no reader", do=did_you_mean(spec.reader, READERS))
        if spec.spelling is not None and spec.spelling not in PROVIDERS:
            raise self.error(
                (*at, "spelling"), f"{spec.spelling} is no spelling", do=did_you_mean(spec.spelling, PROVIDERS)
            )
        if spec.separator is not None and len(spec.separator) != 1:
            raise self.error((*at, "separator"), "separator is not one character", do="write one, such as '|'")
        self._columns(READERS[spec.reader] if spec.reader else KINDS[kind], spec, at)
        self._zone(spec, at)
        if spec.known_on is not None:
            self._date(spec.known_on, (*at, "known_on"))
        return spec

    def _columns(self, kind: Kind, spec: FileSpec, at: KeyPath) -> None:
        for option, names in (("columns", spec.columns), ("constants", spec.constants), ("timeless", spec.timeless)):
            for name in names:
                if name not in kind.columns:
                    place = (*at, option, name)
                    raise self.error(place, f"{name} is no column of {kind.name}", do=did_you_mean(name, kind.columns))
        taken: dict[str, str] = {}
        for ours, theirs in spec.columns.items():
            if ours in spec.constants:
                raise self.error(
                    (*at, "constants", ours), f"{ours} is both a column and a constant", do="keep one of the two"
                )
            if theirs in taken:
                what = f"{taken[theirs]} and {ours} both read the column {theirs}"
                raise self.error((*at, "columns", ours), what, do="map each column once")
            taken[theirs] = ours

    def _zone(self, spec: FileSpec, at: KeyPath) -> None:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(spec.timezone)
        except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError of its own
            raise self.error(
                (*at, "timezone"), f"{spec.timezone} is no time zone", do="write one as America/New_York"
            ) from None
        except KeyError:
            raise self.error(
                (*at, "timezone"), f"{spec.timezone} is no time zone", do="write one as America/New_York"
            ) from None

    def _date(self, text: str, at: KeyPath) -> None:
        try:
            date.fromisoformat(text)
        except ValueError:
            raise self.error(at, f"{text} is not a date", do="write it as 2024-06-28") from None

    def name(self, declared: str | None, folder: Path) -> str:
        name = declared or folder.resolve().name
        if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
            raise self.error(("name",), f"{name!r} is no name for a dataset", do="use letters, digits, - and _")
        return name

    def choice(self, key: str, value: str, valid: tuple[str, ...]) -> str:
        if value not in valid:
            raise self.error((key,), f"{value} is no {key}", do=did_you_mean(value, valid))
        return value

    def policies(self, missing: dict[str, str]) -> dict[str, str]:
        for criterion, policy in missing.items():
            if policy not in POLICIES:
                raise self.error(("missing", criterion), f"{policy} is no policy", do=did_you_mean(policy, POLICIES))
        return missing

    def calendar(self, name: str) -> bool:
        if name != "XNYS":
            raise self.error(
                ("calendar",), f"{name} is no known calendar", do="write XNYS, the calendar of US exchanges"
            )
        return True

    def error(self, at: KeyPath, what: str, *, do: str) -> ConfigError:
        return ConfigError(f"{_origin(self.shown, self.lines, at)}: {what}", do=do)
