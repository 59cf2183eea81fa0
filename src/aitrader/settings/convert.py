"""Plain values to models, with errors that name the file and line, the setting and the valid keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from aitrader.domain.errors import ConfigError
from aitrader.settings.suggestions import did_you_mean
from aitrader.settings.yaml_file import KeyPath

Origin = Callable[[KeyPath], str]  # where a setting comes from: config/sources.yml:3, an AI_TRADER__ variable
M = TypeVar("M")


def to_model(values: object, model: type[M], *, at: KeyPath, origin: Origin) -> M:
    """``values`` as a model; raises ConfigError for an unknown key, a wrong type or a value out of range."""
    try:
        return msgspec.convert(values, model)
    except msgspec.ValidationError as error:
        raise _explained(str(error), values, model, at, origin) from None


def fault(what: str, *, at: KeyPath, origin: Origin, why: str = "", do: str = "") -> ConfigError:
    """A ConfigError about the setting ``at``: its origin, its name, then what is wrong with it."""
    return ConfigError(f"{origin(at)}: {'.'.join(at)} {what}", why=why, do=do)


def unknown_key(key: str, valid: Mapping[str, Any] | tuple[str, ...], *, at: KeyPath, origin: Origin) -> ConfigError:
    """A ConfigError about a key that the section ``at`` does not have."""
    path = (*at, key)
    return ConfigError(f"{origin(path)}: {'.'.join(path)} is no setting", do=did_you_mean(key, valid))


def _explained(message: str, values: object, model: type[Any], at: KeyPath, origin: Origin) -> ConfigError:
    reason, _, place = message.partition(" - at `$")
    inner = tuple(part for part in re.split(r"[.\[\]]+", place.rstrip("`")) if part)
    section = (*at, *inner)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    if unknown:
        return unknown_key(unknown[1], _fields(model, inner), at=section, origin=origin)
    missing = re.fullmatch(r"Object missing required field `(.*)`", reason)
    if missing:
        return fault(f"lacks {missing[1]}", at=section, origin=origin, do=f"add {missing[1]}")
    found = values
    for part in inner:
        found = found.get(part) if isinstance(found, Mapping) else None
    shown = "" if isinstance(found, Mapping) else f" {found!r}" if found is not None else " null"
    return fault(
        f"cannot be{shown or ' a section'}", at=section, origin=origin, why=_plain(reason), do="correct the value"
    )


def _plain(reason: str) -> str:
    words = {
        "`int`": "a whole number",
        "`float`": "a number",
        "`str`": "text",
        "`bool`": "true or false",
        "`null`": "null",
        "`object`": "a section of keys",
        "`array`": "a list",
    }
    for typed, plain in words.items():
        reason = reason.replace(typed, plain)
    reason = re.sub(r"`([^`]* \| [^`]*)`", lambda found: _alternatives(found[1], words), reason)
    return reason[:1].lower() + reason[1:]


def _alternatives(union: str, words: Mapping[str, str]) -> str:
    return " or ".join(words.get(f"`{each}`", each) for each in union.split(" | "))


def _fields(model: Any, inner: KeyPath) -> tuple[str, ...]:
    """The keys of the section ``inner`` of a model."""
    for part in inner:
        field = {each.encode_name: each for each in msgspec.structs.fields(model)}[part]
        model = field.type
    return tuple(each.encode_name for each in msgspec.structs.fields(model))
