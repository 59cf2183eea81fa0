"""Writes docs/commands.md from the command line's own registry."""

from __future__ import annotations

from pathlib import Path

from aitrader.cli.commands import COMMANDS
from aitrader.cli.help import commands_markdown

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"

if __name__ == "__main__":
    PAGE.write_text(commands_markdown(COMMANDS), encoding="utf-8")
    print(f"wrote {PAGE}")
