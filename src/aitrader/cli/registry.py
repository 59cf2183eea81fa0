"""The action registry: one function is one action, its keyword-only parameters are its flags.

Type, default and help of a flag come from the parameter's annotation: ``Annotated[int, Help("...")]``. A
parameter without a default is a flag the action cannot do without; every flag an action does not name is refused.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_KINDS: dict[type, str] = {int: "int", str: "text", date: "date", Path: "path", bool: "switch"}
_METAVARS = {"int": "N", "text": "TEXT", "date": "DATE", "path": "PATH", "choice": "NAME", "switch": ""}


@dataclass(frozen=True)
class Help:
    """What a flag's annotation adds to its type: the help line, the name of its value and its bounds."""

    text: str
    metavar: str = ""
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag, as the parser, the help and the documentation see it."""

    name: str  # --force-refresh
    parameter: str  # force_refresh
    kind: str  # int, text, date, path, choice, switch
    help: str
    metavar: str
    choices: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    required: bool = False

    @property
    def usage(self) -> str:
        """How it is written: ``--layer N`` or ``--verbose``."""
        return f"{self.name} {self.metavar}" if self.metavar else self.name


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing a command does: the flag that asks for it, the function that does it, the flags it allows."""

    flag: str | None  # --populate; None: what the command does when it has no action flags
    takes: str | None  # the parameter that the action flag's own value goes to
    scoping: bool  # the flag asks for this action only when no other action is named
    function: Callable[..., int]
    formats: tuple[str, ...]
    summary: str
    detail: str
    flags: tuple[Flag, ...]

    @property
    def usage(self) -> str:
        """The action flag as written, with its value: ``--explain SYMBOL``."""
        own = self.own
        return own.usage.replace(own.name, self.flag or "", 1) if own else (self.flag or "")

    @property
    def own(self) -> Flag | None:
        """The flag that holds the action flag's own value, if it takes one."""
        return next((flag for flag in self.flags if flag.parameter == self.takes), None) if self.takes else None

    @property
    def modifiers(self) -> tuple[Flag, ...]:
        """The flags that may stand beside the action flag."""
        return tuple(flag for flag in self.flags if flag.parameter != self.takes)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A word of the command line with its actions."""

    name: str
    summary: str
    actions: tuple[Action, ...]

    @property
    def flags(self) -> Mapping[str, Flag]:
        """Every flag of the command by its name, action flags included."""
        found = {flag.name: flag for action in self.actions for flag in action.modifiers}
        for action in self.actions:
            if action.flag is not None:
                own = action.own
                found[action.flag] = Flag(
                    name=action.flag,
                    parameter=action.flag.lstrip("-").replace("-", "_"),
                    kind=own.kind if own else "switch",
                    help=action.summary,
                    metavar=own.metavar if own else "",
                    choices=own.choices if own else (),
                    at_least=own.at_least if own else None,
                    at_most=own.at_most if own else None,
                )
        return found


def action(
    flag: str | None = None,
    *,
    takes: str | None = None,
    scoping: bool = False,
    formats: Iterable[str] = ("table", "json"),
) -> Callable[[Callable[..., int]], Action]:
    """Turn a function into the action that ``flag`` asks for and that writes any of ``formats``."""

    def register(function: Callable[..., int]) -> Action:
        summary, _, detail = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
        return Action(
            flag=flag,
            takes=takes,
            scoping=scoping,
            function=function,
            formats=tuple(formats),
            summary=" ".join(summary.split()),
            detail=" ".join(detail.split()),
            flags=tuple(_flags(function)),
        )

    return register


def actions_in(module: types.ModuleType) -> tuple[Action, ...]:
    """The actions that a module defines, in the order it defines them."""
    return tuple(value for value in vars(module).values() if isinstance(value, Action))


def _flags(function: Callable[..., int]) -> Iterable[Flag]:
    """The flags of a function's keyword-only parameters."""
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            yield _flag(name, parameter.annotation, required=parameter.default is parameter.empty)


def _flag(parameter: str, annotation: Any, *, required: bool) -> Flag:
    """The flag of one annotated parameter; a parameter without a help line is a fault of the program."""
    if get_origin(annotation) is not Annotated:
        raise TypeError(f"the flag {parameter} has no help: annotate it with Annotated[type, Help(...)]")
    base, told = get_args(annotation)[:2]
    if get_origin(base) in (Union, types.UnionType):
        base = next(one for one in get_args(base) if one is not type(None))
    choices: tuple[str, ...] = ()
    if get_origin(base) is Literal:
        kind, choices = ("switch", ()) if get_args(base) == (True,) else ("choice", get_args(base))
    else:
        kind = _KINDS[base]
    return Flag(
        name="--" + parameter.replace("_", "-"),
        parameter=parameter,
        kind=kind,
        help=told.text,
        metavar=told.metavar or ("|".join(choices) if choices else _METAVARS[kind]),
        choices=choices,
        at_least=told.at_least,
        at_most=told.at_most,
        required=required,
    )
