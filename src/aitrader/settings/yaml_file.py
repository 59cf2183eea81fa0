"""One YAML file as plain values, with the line of every key.

YAML 1.2: ``ON``, ``NO`` and ``NA`` are words, as symbols need. Aliases, tags, NaN and infinity have no use in a setting
and are refused, so that no file can grow in memory or smuggle in an object. Values are read straight from the parser's
events: a composed tree takes twice as long, and composing a deeply nested text overflows the C stack.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct
from ruamel.yaml.cyaml import CBaseLoader
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from aitrader.domain.errors import ConfigError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = tuple[str, ...]

_MOST_BYTES = 1 << 20
_DEEPEST = 32
_LONGEST_NUMBER = 40

# YAML 1.2's core schema, and 1_000_000 as people write it; scalars that match nothing here are text.
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class Document(Struct, frozen=True, kw_only=True):
    """The mapping that a file holds; ``lines`` gives the 1-based line of each key by its path."""

    shown: str  # the file's name as errors print it
    values: dict[str, Value]
    lines: dict[KeyPath, int]


def read_document(path: Path, *, shown: str) -> Document:
    """Read a file that must hold one mapping; raises ConfigError naming the line for anything else."""
    return parse_document(_text(path, shown), shown=shown)


def parse_document(text: str, *, shown: str) -> Document:
    """The mapping that a text holds; raises ConfigError as :func:`read_document` does."""
    reader = _Reader(text, shown)
    value = reader.document()
    if reader.is_empty:
        raise ConfigError(f"{shown} is empty", do="write its settings, or {} for none")
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        raise ConfigError(f"{shown} holds {kind}, not settings", do="write lines of the form key: value")
    return Document(shown=shown, values=value, lines=reader.lines)


def parse_value(text: str, *, shown: str) -> Value:
    """A single value as YAML reads it (``5``, ``true``, ``[NYSE, ARCA]``); an empty text is null."""
    return _Reader(text, shown).document()


def _text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{shown} is missing", do=_missing_advice(path)) from None
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise ConfigError(f"{shown} cannot be read", why=why, do="check the path and its permissions") from None
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{shown} is over 1 MiB", do="check that it is the right file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line} is not UTF-8", do="save the file as UTF-8") from None


def _missing_advice(path: Path) -> str:
    import difflib

    others = sorted(each.name for each in path.parent.glob("*.yml")) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, others, n=1)
    if near:
        return f"only exact file names load: rename {near[0]} to {path.name}"
    return "restore it, or point AI_TRADER_CONFIG_DIR at a folder that has it"


class _Reader:
    """Turns a text's events into values, noting each key's line; used once."""

    def __init__(self, text: str, shown: str) -> None:
        self.shown = shown
        self.lines: dict[KeyPath, int] = {}
        self.is_empty = False
        self._text = text

    def document(self) -> Value:
        """The one value of the text; null where there is none."""
        try:
            self._loader = CBaseLoader(self._text)
            try:
                self._next()  # the stream starts
                first = self._next()
                if isinstance(first, StreamEndEvent):
                    self.is_empty = True
                    return None
                value = self._value(self._next(), ())
                self._next()  # the document ends
                after = self._next()
                if isinstance(after, DocumentStartEvent):
                    raise self._refuse(after, "starts a second document", "keep one document a file")
                return value
            finally:
                self._loader.dispose()
        except MarkedYAMLError as error:
            raise _syntax_error(error, self._text, self.shown) from None
        except YAMLError as error:
            why = " ".join(str(error).split("\n")[0].split()) or "unreadable characters"
            raise ConfigError(f"{self.shown} is not YAML", why=why, do="correct the file") from None

    def _next(self) -> Any:
        return self._loader.get_event()

    def _value(self, event: Any, path: KeyPath) -> Value:
        if isinstance(event, AliasEvent):
            raise self._refuse(event, "has an alias", "write the value out in each place")
        if len(path) > _DEEPEST:
            raise self._refuse(event, "is nested too deeply", f"use at most {_DEEPEST} levels")
        if event.tag is not None:
            raise self._refuse(event, f"has the tag {event.tag}", "write a plain value")
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            values: list[Value] = []
            while not isinstance(inner := self._next(), SequenceEndEvent):
                values.append(self._value(inner, (*path, str(len(values)))))
            return values
        return self._scalar(event)

    def _mapping(self, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            if not isinstance(event, ScalarEvent) or not event.value:
                raise self._refuse(event, "has a key that is not a word", "write key: value")
            key = str(event.value)
            at = (*path, key)
            if key in values:
                first = f"first on line {self.lines[at]}"
                raise self._refuse(event, f"repeats {'.'.join(at)}, {first}", "keep one of the two")
            self.lines[at] = event.start_mark.line + 1
            values[key] = self._value(self._next(), at)
        return values

    def _scalar(self, event: Any) -> Value:
        text = str(event.value)
        if event.style:  # quoted, or a block of text
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > _LONGEST_NUMBER:
                raise self._refuse(
                    event, f"holds a number of {len(text)} digits", "write a number that means something"
                )
            return int(text) if text.lstrip("+-").replace("_", "").isdigit() else int(text, 0)
        if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and not math.isfinite(float(text))):
            raise self._refuse(event, f"is {text[:_LONGEST_NUMBER]}, not a finite number", "write a number")
        return float(text) if _FLOAT.fullmatch(text) else text

    def _refuse(self, event: Any, what: str, do: str) -> ConfigError:
        return ConfigError(f"{self.shown}:{event.start_mark.line + 1} {what}", do=do)


def _syntax_error(error: MarkedYAMLError, text: str, shown: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    at, do = shown, "correct the line"
    problem = str(error.problem or error.context or "not readable")
    if mark is not None:
        at = f"{shown}:{mark.line + 1}:{mark.column + 1}"
        rows = text.splitlines()
        if mark.line < len(rows) and "\t" in rows[mark.line][: mark.column + 1]:
            problem, do = "a tab stands where YAML wants spaces", "indent with spaces"
    if error.context_mark is not None and mark is not None and error.context_mark.line != mark.line:
        problem += f" ({error.context} from line {error.context_mark.line + 1})"
    return ConfigError(f"{at} is not YAML", why=problem, do=do)
