"""From words to an action and its values; everything that means nothing is refused with what would mean something."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from aitrader.cli.registry import Action, Command, Flag
from aitrader.domain.errors import UsageError

FORMATS: Final = ("table", "json", "csv", "parquet")
GLOBAL: Final[tuple[Flag, ...]] = (
    Flag(
        name="--format",
        parameter="format",
        kind="text",
        metavar="table|json|csv|parquet",
        help="how the answer is written: json everywhere, table, csv and parquet where there is a table",
    ),
    Flag(
        name="--market",
        parameter="market",
        kind="text",
        metavar="NAME",
        help="the market to work on, instead of the one last populated: simulated, dataset-NAME, live",
    ),
    Flag(name="--debug", parameter="debug", kind="switch", metavar="", help="show the traceback of a fault"),
    Flag(name="--version", parameter="version", kind="switch", metavar="", help="print the version and stop"),
    Flag(name="--help", parameter="help", kind="switch", metavar="", help="print the help of the command or action"),
)
_ABSENT: Final = "\0no value"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MARKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A command line understood: which action, with which values; help and version need no action."""

    command: Command | None = None
    action: Action | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    market: str | None = None
    debug: bool = False
    help: bool = False
    version: bool = False


def wants_json(argv: Sequence[str]) -> bool:
    """Whether errors are to be JSON, decided before the line is understood."""
    return "--format=json" in argv or ("--format", "json") in pairwise(argv)


def parse(argv: Sequence[str], commands: Sequence[Command]) -> Parsed:
    """Understand a command line, or say in one line why not and what would be."""
    at = _command_index(argv, commands)
    if at is None:
        given = _given(argv, {}, "")
        return Parsed(**_global_values(given))
    command = next((one for one in commands if one.name == argv[at]), None)
    if command is None:
        names = [one.name for one in commands]
        raise UsageError(f"unknown command {argv[at]!r}", do=_did_you_mean(argv[at], names, "commands"))
    given = _given([*argv[:at], *argv[at + 1 :]], command.flags, command.name)
    glob = _global_values(given)
    own = {name: text for name, text in given.items() if name not in {flag.name for flag in GLOBAL}}
    action = _choose(command, own, wants_help=glob["help"] or glob["version"])
    if action is None or glob["help"] or glob["version"]:
        return Parsed(command=command, action=action, **glob)
    values = _values(command, action, own)
    return Parsed(command=command, action=action, values=values, **(glob | {"format": _format(action, glob["format"])}))


def _command_index(argv: Sequence[str], commands: Sequence[Command]) -> int | None:
    """Where the command word stands: the first word that is neither a flag of every command nor such a flag's value."""
    takes_value = {flag.name for flag in GLOBAL if flag.kind != "switch"}
    skip = False
    for at, word in enumerate(argv):
        if skip:
            skip = False
        elif not word.startswith("-"):
            return at
        else:
            name = word.partition("=")[0]
            owners = [command.name for command in commands if name in command.flags]
            if owners:
                raise UsageError(f"no command before {name}", do=f"write {' or '.join(owners)} before it")
            skip = word in takes_value
    return None


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaints as the project's own usage errors."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and leaving with 2."""
        match = re.match(r"argument (?:-h/)?(--[\w-]+): ignored explicit argument", message)
        if match:
            raise UsageError(f"{match[1]} takes no value")
        raise UsageError(message)


class _Once(argparse.Action):
    """Keeps the text of a flag; a flag given twice is refused, for the second would silently win."""

    def __call__(
        self, _: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the flag's text by its name."""
        if self.dest in vars(namespace):
            raise UsageError(f"{option} is given twice", do="give it once")
        setattr(namespace, self.dest, "" if values == [] else values)


def _given(argv: Sequence[str], flags: Mapping[str, Flag], command: str) -> dict[str, str]:
    """The flags on the line by name, each with its text ("" for a switch)."""
    known = {flag.name: flag for flag in GLOBAL} | dict(flags)
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS, usage="")
    for name, flag in known.items():
        spellings = ["-h", name] if name == "--help" else [name]
        shape: dict[str, Any] = {"nargs": 0} if flag.kind == "switch" else {"nargs": "?", "const": _ABSENT}
        parser.add_argument(*spellings, dest=name, action=_Once, **shape)
    namespace, extra = parser.parse_known_args(list(argv))
    for word in extra:
        if word.startswith("-") and word != "--":
            name = word.partition("=")[0]
            raise UsageError(f"unknown flag {name}", do=_did_you_mean(name, list(known), f"{command} flags".strip()))
        place = f"{command} takes its words as flags" if command else ""
        raise UsageError(f"unexpected word {word!r}", why=place, do=f"see {command or ''} --help".replace("  ", " "))
    given: dict[str, str] = vars(namespace)
    for name, text in given.items():
        if text == _ABSENT or (known[name].kind != "switch" and text == ""):
            raise UsageError(f"{name} needs a value", do=f"write {known[name].usage}")
    return given


def _global_values(given: Mapping[str, str]) -> dict[str, Any]:
    """The values of the flags that go with every command."""
    shape, market = given.get("--format"), given.get("--market")
    if shape is not None and shape not in FORMATS:
        raise UsageError(f"unknown format {shape!r}", do=_did_you_mean(shape, list(FORMATS), "formats"))
    if market is not None and not _MARKET.match(market):
        raise UsageError(f"{market!r} is no market's name", do="give --market simulated, dataset-NAME or live")
    return {
        "format": shape,
        "market": market,
        "debug": "--debug" in given,
        "help": "--help" in given,
        "version": "--version" in given,
    }


def _choose(command: Command, given: Mapping[str, str], *, wants_help: bool) -> Action | None:
    """The one action that the flags ask for; None where nothing was asked."""
    if all(action.flag is None for action in command.actions):
        return command.actions[0]
    named = [action for action in command.actions if action.flag in given]
    chosen = [action for action in named if not action.scoping] or named
    if len(chosen) > 1:
        flags = " and ".join(str(action.flag) for action in chosen)
        raise UsageError(f"{flags} are {len(chosen)} actions", why="a call does one", do="run them one after the other")
    if chosen:
        return chosen[0]
    if given and not wants_help:
        flag = next(iter(given))
        hosts = [one.usage for one in command.actions if any(own.name == flag for own in one.modifiers)]
        raise UsageError(f"{flag} alone asks for nothing", do=f"it goes with {', '.join(hosts)}")
    return None


def _values(command: Command, action: Action, given: Mapping[str, str]) -> dict[str, Any]:
    """The action's arguments, converted and checked; flags that it does not allow are refused by name."""
    label = f"{command.name} {action.flag or ''}".strip()
    allowed = {flag.name: flag for flag in action.modifiers}
    for name in given:
        if name != action.flag and name not in allowed:
            do = f"allowed with it: {', '.join(allowed)}" if allowed else "it takes no other flag of its own"
            raise UsageError(f"{label} does not go with {name}", do=do)
    missing = [flag.usage for flag in allowed.values() if flag.required and flag.name not in given]
    if missing:
        usage = " ".join([label if not action.own else f"{command.name} {action.usage}", *missing])
        raise UsageError(f"{label} needs {' and '.join(missing)}", do=f"write {usage}")
    values = {allowed[name].parameter: convert(allowed[name], text) for name, text in given.items() if name in allowed}
    if action.own is not None and action.flag is not None:
        values[action.own.parameter] = convert(action.own, given[action.flag], name=action.flag)
    return values


def convert(flag: Flag, text: str, *, name: str = "") -> Any:
    """The value of a flag's text; the error names the flag, the text and what is allowed."""
    name = name or flag.name
    if flag.kind == "switch":
        return True
    if flag.kind == "choice" and text not in flag.choices:
        raise UsageError(f"{name} {text!r} is not known", do=_did_you_mean(text, list(flag.choices), "values"))
    if flag.kind == "int":
        return _whole(flag, text, name)
    if flag.kind == "date":
        return _date(text, name)
    return Path(text) if flag.kind == "path" else text


def _whole(flag: Flag, text: str, name: str) -> int:
    """A whole number within the flag's bounds."""
    low, high = flag.at_least, flag.at_most
    bounds = f"{low} to {high}" if high is not None else f"{low} or more" if low is not None else "a whole number"
    try:
        value = int(text) if text.isascii() and "_" not in text and len(text) < 12 else None
    except ValueError:
        value = None
    if value is None:
        raise UsageError(f"{name} {text!r} is not a whole number", do=f"give {bounds}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise UsageError(f"{name} {value} is out of range", do=f"give {bounds}")
    return value


def _date(text: str, name: str) -> date:
    """A date in the one spelling that means the same everywhere."""
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{name} {text!r} is no date", why=str(error), do="write YYYY-MM-DD") from None
    raise UsageError(f"{name} {text!r} is no date", do="write YYYY-MM-DD, as in 2025-08-21")


def _format(action: Action, asked: str | None) -> str | None:
    """The format to write, None where the action's own form is wanted."""
    if asked is not None and asked not in action.formats:
        name = action.flag or "this command"
        raise UsageError(f"{name} has no {asked} form", do=f"forms: {', '.join(action.formats)}")
    return asked


def _did_you_mean(word: str, known: Sequence[str], what: str) -> str:
    """A hint: the nearest known word, and all of them."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    every = f"{what}: {', '.join(known)}"
    return f"did you mean {near[0]}? ({every})" if near else every
