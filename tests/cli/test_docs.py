"""The help and docs/commands.md are written from the code, and say something of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrader.cli.commands import COMMANDS
from aitrader.cli.exit_codes import MEANING
from aitrader.cli.help import command_help, commands_markdown
from aitrader.cli.parser import GLOBAL
from aitrader.cli.registry import Action, action

DOCS = Path(__file__).parents[2] / "docs"
ACTIONS = [one for command in COMMANDS for one in command.actions]


def test_the_page_of_commands_is_in_step_with_the_code() -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == commands_markdown(COMMANDS), "run make docs"


@pytest.mark.parametrize("one", ACTIONS, ids=lambda one: str(one.flag))
def test_each_action_and_each_flag_has_its_line_of_help(one: Action) -> None:
    assert one.summary.endswith(".")
    assert all(flag.help and "\n" not in flag.help for flag in one.flags)
    command = next(command for command in COMMANDS if one in command.actions)
    text = " ".join(command_help(command).split())
    assert one.summary in text
    assert all(flag.help in text for flag in one.modifiers if not flag.required)


def test_the_flags_of_every_command_and_the_exit_codes_are_on_the_page() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert all(f"`{flag.usage}`".replace("|", "\\|") in page for flag in GLOBAL)
    assert all(f"| {code} | {meaning} |" in page for code, meaning in MEANING.items())


def test_a_flag_without_help_is_a_fault_of_the_program() -> None:
    def careless(call: object, *, speed: int = 1) -> int:
        """Go."""
        return speed

    with pytest.raises(TypeError, match="the flag speed has no help"):
        action("--go")(careless)
