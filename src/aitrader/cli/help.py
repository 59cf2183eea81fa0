"""The help texts and the documentation of the commands, both written from the registry."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from aitrader.cli.exit_codes import MEANING
from aitrader.cli.parser import GLOBAL
from aitrader.cli.registry import Action, Command, Flag

_WIDTH = 100
_COLUMN = 34


def program_help(commands: Sequence[Command]) -> str:
    """The help of the program: its commands and the flags that go with every one."""
    lines = [
        "usage: ai_trader.py COMMAND [flags]",
        "",
        "Turns every US listing into the few worth trading, every session, and explains each decision.",
        "",
        "commands:",
        *(_row(command.name, command.summary) for command in commands),
        "",
        "flags of every command:",
        *(_row(flag.usage, flag.help) for flag in GLOBAL),
        "",
        "exit codes:",
        *(_row(str(code), meaning) for code, meaning in MEANING.items()),
        "",
        "ai_trader.py COMMAND --help says more.",
    ]
    return "\n".join(lines) + "\n"


def command_help(command: Command) -> str:
    """The help of one command: its actions with the flags that each allows."""
    single = all(action.flag is None for action in command.actions)
    if single:
        return action_help(command, command.actions[0], more=command.summary)
    lines = [f"usage: ai_trader.py {command.name} ACTION [flags]", "", *textwrap.wrap(command.summary, _WIDTH), ""]
    for action in command.actions:
        needed = [flag.usage for flag in action.modifiers if flag.required]
        lines.append(_row(" ".join([action.usage, *needed]), action.summary))
        lines += [_row(f"    {flag.usage}", flag.help) for flag in action.modifiers if not flag.required]
    lines += ["", "flags of every command:", *(_row(flag.usage, flag.help) for flag in GLOBAL)]
    return "\n".join(lines) + "\n"


def action_help(command: Command, action: Action, *, more: str = "") -> str:
    """The help of one action; ``more`` is said before its own words."""
    usage_lines = textwrap.wrap(f"usage: {usage(command, action)}", _WIDTH, subsequent_indent=" " * 8)
    lines = [*usage_lines, ""]
    for text in (more, action.summary, action.detail):
        lines += [*textwrap.wrap(text, _WIDTH), ""] if text else []
    lines += [_row(flag.usage, flag.help) for flag in action.flags]
    lines += ["", "flags of every command:", *(_row(flag.usage, flag.help) for flag in GLOBAL)]
    return "\n".join(lines) + "\n"


def usage(command: Command, action: Action) -> str:
    """The line that shows how an action is called: what it needs, then what it allows in brackets."""
    words = ["ai_trader.py", command.name, action.usage]
    words += [flag.usage for flag in action.modifiers if flag.required]
    words += [f"[{flag.usage}]" for flag in action.modifiers if not flag.required]
    words.append(f"[--format {'|'.join(action.formats)}]")
    return " ".join(word for word in words if word)


def commands_markdown(commands: Sequence[Command]) -> str:
    """``docs/commands.md``: every command, action, flag, format and exit code that exists."""
    lines = [
        "# Commands",
        "",
        "Written from the code by `make docs`; a test keeps it in step.",
        "",
        "`python ai_trader.py COMMAND [flags]`. Data goes to stdout, everything else to stderr; progress is drawn on",
        "a terminal only. An error is one line that says what, why and what to do; with `--format json` it is",
        '`{"error": {"code", "what", "why", "do"}}` on stderr. A flag given twice, a flag that the action does not',
        "take and flags that contradict each other are refused.",
        "",
        "## Flags of every command",
        "",
        *_flag_table(GLOBAL),
        "",
    ]
    for command in commands:
        lines += [f"## {command.name}", "", command.summary, ""]
        for action in command.actions:
            if action.flag is not None:
                lines += [f"### `{command.name} {action.usage}`", "", action.summary, ""]
            if action.detail:
                lines += [action.detail, ""]
            lines += ["```", usage(command, action), "```", ""]
            page = "-".join([command.name, *([action.flag.lstrip("-")] if action.flag else [])])
            lines += [f"JSON: [schema/{page}.json](schema/{page}.json)", ""]
            if action.flags:
                lines += [*_flag_table(action.flags, own=action.takes), ""]
    lines += ["## Exit codes", "", "| Code | Meaning |", "| --- | --- |"]
    lines += [f"| {code} | {meaning} |" for code, meaning in MEANING.items()]
    return "\n".join(lines) + "\n"


def _flag_table(flags: Iterable[Flag], own: str | None = None) -> list[str]:
    """A Markdown table of flags; the value of the action's own flag is listed by its name alone."""
    rows = ["| Flag | What |", "| --- | --- |"]
    for flag in flags:
        shown = flag.metavar if flag.parameter == own else flag.usage
        needed = " (needed)" if flag.required and flag.parameter != own else ""
        rows.append(f"| `{_cell(shown)}`{needed} | {_cell(flag.help)} |")
    return rows


def _cell(text: str) -> str:
    """Text that does not end a table's cell."""
    return text.replace("|", "\\|")


def _row(left: str, right: str) -> str:
    """A flag or command with its help line, wrapped under itself."""
    lines = textwrap.wrap(right, _WIDTH - _COLUMN - 2) or [""]
    head = f"  {left}"
    if len(head) >= _COLUMN:
        lines = [head, *(" " * _COLUMN + line for line in lines)]
    else:
        lines = [head.ljust(_COLUMN) + lines[0], *(" " * _COLUMN + line for line in lines[1:])]
    return "\n".join(lines)
