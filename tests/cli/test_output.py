"""Tables, numbers and bars as text, on any terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aitrader.cli.output import Column, bar, finite, percent, printable, write_json, write_parquet, write_table
from aitrader.domain.errors import UsageError
from tests.cli.test_process import environ
from tests.cli.test_report import Terminal


def test_a_table_is_aligned_and_has_no_trailing_spaces() -> None:
    out = io.StringIO()
    columns = (Column(key="n", heading="n", right=True), Column(key="name", heading="name"))
    write_table(out, columns, [{"n": 1, "name": "a"}, {"n": 100, "name": None}], indent="  ")
    assert out.getvalue() == "    n  name\n    1  a\n  100  -\n"


def test_a_table_of_nothing_is_its_headings() -> None:
    out = io.StringIO()
    write_table(out, (Column(key="n", heading="n"),), [])
    assert out.getvalue() == "n\n"


def test_a_name_cannot_command_the_terminal() -> None:
    assert printable("Evil\x1b[2J Inc.\n") == "Evil?[2J Inc.?"


@pytest.mark.parametrize(
    ("share", "drawn", "plain"),
    [
        (0.0, "", ""),
        (0.00001, "▏", "#"),
        (0.05, "▌", "#"),
        (0.5, "█████", "#####"),
        (1.0, "█" * 10, "#" * 10),
        (2.0, "█" * 10, "#" * 10),
    ],
)
def test_bars(share: float, drawn: str, plain: str) -> None:
    assert (bar(share, 10), bar(share, 10, unicode=False)) == (drawn, plain)


@pytest.mark.parametrize(("value", "text"), [(None, "unknown"), (0.0, "0.0 %"), (0.2496, "25.0 %")])
def test_percentages(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_numbers_that_are_none_become_null() -> None:
    nan: Any = {"a": [float("nan"), 1.5, (float("inf"),)], "b": {"c": -0.0}}
    assert finite(nan) == {"a": [None, 1.5, [None]], "b": {"c": 0.0}}


def test_json_is_indented_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    write_json(terminal, {"a": 1})
    write_json(pipe, {"a": 1})
    assert (terminal.getvalue(), pipe.getvalue()) == ('{\n  "a": 1\n}\n', '{"a": 1}\n')


def test_parquet_is_refused_on_a_terminal() -> None:
    with pytest.raises(UsageError, match="not for a terminal"):
        write_parquet(Terminal(), ("a",), [{"a": 1}])


@pytest.mark.parametrize("line", ["universe --explain AAPL", "scan --help", "universe --explain AAPL --format json"])
def test_a_terminal_that_only_knows_ascii_is_no_fault(published: Path, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aitrader.cli.main", *line.split()],
        env={**environ(published), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.isascii()) == (0, True)
    if "json" in line:
        assert json.loads(done.stdout)["symbol"] == "AAPL"


def test_a_process_without_a_home_variable_still_answers(published: Path) -> None:
    kept = {name: value for name, value in environ(published).items() if name != "HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "aitrader.cli.main", "universe", "--layer", "3"],
        env=kept,
        cwd=os.sep,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "AAPL\nMSFT\n")
