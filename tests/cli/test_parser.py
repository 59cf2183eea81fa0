"""Words that mean nothing are refused in one line that says what would mean something."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

from aitrader.cli.commands import COMMANDS
from aitrader.cli.parser import parse
from aitrader.cli.registry import Action
from aitrader.domain.errors import UsageError
from tests.cli.conftest import Ai

UNIVERSE = next(command for command in COMMANDS if command.name == "universe")
SCOPING = "--layer"

BAD = [
    (
        "univers --stats",
        "unknown command 'univers'; did you mean universe? (commands: scan, universe, validate, status, config, simul",
    ),
    ("frobnicate", "unknown command 'frobnicate'; commands: scan, universe, validate, status, config, simulate"),
    ("universe --laier 3", "unknown flag --laier; did you mean --layer? ("),
    ("universe --stat", "unknown flag --stat; did you mean --stats? ("),
    ("--layer 3", "no command before --layer; write universe before it"),
    ("--force", "no command before --force; write scan or universe before it"),
    ("--xyz universe", "unknown flag --xyz; universe flags: "),
    ("universe --layer 4", "--layer 4 is out of range; give 0 to 3"),
    ("universe --layer -1", "--layer -1 is out of range; give 0 to 3"),
    ("universe --layer three", "--layer 'three' is not a whole number; give 0 to 3"),
    ("universe --layer 1.0", "--layer '1.0' is not a whole number; give 0 to 3"),
    ("universe --layer ٣", "--layer '٣' is not a whole number; give 0 to 3"),
    ("universe --layer", "--layer needs a value; write --layer N"),
    ("universe --layer=", "--layer needs a value; write --layer N"),
    ("universe --layer 1 --layer 2", "--layer is given twice; give it once"),
    ("universe --layer 3 --limit 0", "--limit 0 is out of range; give 1 or more"),
    (
        "universe --layer 3 --limit 99999999999999999999",
        "--limit '99999999999999999999' is not a whole number; give 1 or more",
    ),
    ("universe --layer 3 --verbose=yes", "--verbose takes no value"),
    ("universe --layer 3 --format xml", "unknown format 'xml'; formats: table, json, csv, parquet"),
    (
        "universe --layer 3 --format jsn",
        "unknown format 'jsn'; did you mean json? (formats: table, json, csv, parquet)",
    ),
    ("universe --stats --format csv", "--stats has no csv form; forms: table, json"),
    ("scan --format parquet", "this command has no parquet form; forms: table, json"),
    ("universe --layer 3 --as-of yesterday", "--as-of 'yesterday' is no date; write YYYY-MM-DD, as in 2025-08-21"),
    (
        "universe --layer 3 --as-of 2025-02-30",
        "--as-of '2025-02-30' is no date: day is out of range for month; write YYYY-MM-DD",
    ),
    ("universe --layer 3 --as-of 20250821", "--as-of '20250821' is no date; write YYYY-MM-DD, as in 2025-08-21"),
    ("universe 3", "unexpected word '3': universe takes its words as flags; see universe --help"),
    ("universe --stats extra", "unexpected word 'extra': universe takes its words as flags; see universe --help"),
    ("universe --stats --health", "--stats and --health are 2 actions: a call does one; run them one after the other"),
    ("universe --stats --limit 3", "universe --stats does not go with --limit; allowed with it: --compare-previous"),
    ("universe --stats --layer 1", "universe --stats does not go with --layer; allowed with it: --compare-previous"),
    ("universe --verbose", "--verbose alone asks for nothing; it goes with --layer N, --health"),
    (
        "universe --symbol AAPL",
        "--symbol alone asks for nothing; it goes with --qualification-history, --layer-details",
    ),
    (
        "universe --layer-details",
        "universe --layer-details needs --symbol SYMBOL; write universe --layer-details --symbol SYMBOL",
    ),
    ("universe --requalify", "universe --requalify needs --layer N; write universe --requalify --layer N"),
    (
        "universe --test-config --layer 1",
        "universe --test-config needs --dry-run; write universe --test-config --dry-run",
    ),
    (
        "universe --test-config",
        "universe --test-config needs --dry-run and --layer N; write universe --test-config --dry-run --layer N",
    ),
    ("universe --qualification-history", "universe --qualification-history needs --days N; write "),
    ("universe --qualification-history --days 0", "--days 0 is out of range; give 1 or more"),
    ("universe --explain", "--explain needs a value; write --explain SYMBOL"),
    ("universe --populate --source reuters", "--source 'reuters' is not known; values: live, alpaca, polygon"),
    ("universe --populate --source simulator", "--source 'simulator' is not known; did you mean simulated? (values: "),
    ("universe --populate --file list", "--file goes with --source manual; write --source manual --file FILE"),
    (
        "universe --populate --path /tmp",
        "--path goes with --source dataset or polygon; write --source dataset --path FOLDER",
    ),
    ("universe --populate --source simulated --path /tmp", "--path goes with --source dataset or polygon; write "),
    ("scan --layer 3", "unknown flag --layer; scan flags: --format, "),
    ("scan --populate", "unknown flag --populate; "),
    (
        "universe --layer 3 --market ../etc",
        "'../etc' is no market's name; give --market simulated, dataset-NAME or live",
    ),
    ("config --force", "unknown flag --force; "),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_a_bad_line_is_refused_in_one_line(ai: Ai, line: str, message: str) -> None:
    said = ai(line)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"error: {message}")
    assert said.err.count("\n") == 1


def test_at_least_as_many_bad_lines_as_were_asked_for() -> None:
    assert len(BAD) >= 15


def words(*actions: Action) -> list[str]:
    """The least that asks for these actions: each flag once, with a value where it takes one."""
    given: dict[str, list[str]] = {}
    for action in actions:
        given[str(action.flag)] = [sample_of(action.own.kind)] if action.own else []
        for flag in action.modifiers:
            if flag.required:
                given[flag.name] = [] if flag.kind == "switch" else [sample_of(flag.kind)]
    return [word for name, value in given.items() for word in (name, *value)]


def sample_of(kind: str, choices: tuple[str, ...] = ()) -> str:
    return {
        "int": "1",
        "text": "AAPL",
        "date": "2025-08-21",
        "path": "folder",
        "choice": choices[0] if choices else "",
    }[kind]


ACTIONS = [action for action in UNIVERSE.actions if action.flag != SCOPING]


@pytest.mark.parametrize("action", UNIVERSE.actions, ids=lambda action: str(action.flag))
def test_each_action_is_chosen_by_its_flag(action: Action) -> None:
    parsed = parse(["universe", *words(action)], COMMANDS)
    assert parsed.action is action


@pytest.mark.parametrize(("one", "other"), list(combinations(ACTIONS, 2)), ids=lambda action: str(action.flag))
def test_two_actions_in_a_call_are_refused(one: Action, other: Action) -> None:
    with pytest.raises(UsageError, match="are 2 actions: a call does one"):
        parse(["universe", *words(one, other)], COMMANDS)


@pytest.mark.parametrize("action", UNIVERSE.actions, ids=lambda action: str(action.flag))
def test_each_action_takes_its_own_modifiers_and_no_others(action: Action) -> None:
    own = {flag.name for flag in action.modifiers}
    every = {flag.name: flag for one in UNIVERSE.actions for flag in one.modifiers}
    for name, flag in every.items():
        given = words(action)
        if name in given or name == action.flag:
            continue
        line = ["universe", *given, name, *([] if flag.kind == "switch" else [sample_of(flag.kind, flag.choices)])]
        if name in own:
            assert parse(line, COMMANDS).action is action
        else:
            with pytest.raises(UsageError, match=f"does not go with {name}"):
                parse(line, COMMANDS)


def test_layer_alone_lists_and_otherwise_scopes() -> None:
    assert parse(["universe", "--layer", "2"], COMMANDS).action.flag == "--layer"  # type: ignore[union-attr]
    scoped = parse(["universe", "--layer", "2", "--requalify"], COMMANDS)
    assert (scoped.action.flag, scoped.values) == ("--requalify", {"layer": 2})  # type: ignore[union-attr]


def test_no_action_prints_the_help_and_exits_3(ai: Ai) -> None:
    said = ai("universe")
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("usage: ai_trader.py universe ACTION [flags]\n")
    assert ai("").code == 3


@pytest.mark.parametrize(
    "line",
    ["--help", "-h", "scan --help", "universe --help", "universe --populate --help", "config -h", "--help universe"],
)
def test_help_goes_to_stdout_and_exits_0(ai: Ai, line: str) -> None:
    said = ai(line)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("usage: ai_trader.py")
    assert all(len(row) <= 100 for row in said.out.splitlines())


def test_the_help_of_one_action_shows_only_its_flags(ai: Ai) -> None:
    said = ai("universe --stats --help")
    assert "--compare-previous" in said.out
    assert "--layer" not in said.out


@pytest.mark.parametrize("line", ["--version", "universe --version", "scan --version --format json"])
def test_version(ai: Ai, line: str) -> None:
    assert ai(line).out == "aitrader 0.1.0\n"


@pytest.mark.parametrize(
    "line",
    [
        "--format json universe --layer 3",
        "universe --format json --layer 3",
        "universe --layer 3 --format=json",
        "--market simulated --debug universe --layer=3 --format json",
    ],
)
def test_the_flags_of_every_command_stand_anywhere(ai: Ai, line: str) -> None:
    said = ai(line)
    assert said.code == 0
    assert said.json["layer"] == 3


def test_values_have_the_types_of_the_signature() -> None:
    listed = parse(["universe", "--layer", "3", "--limit", "5", "--as-of", "2025-08-21", "--verbose"], COMMANDS)
    assert listed.values == {"layer": 3, "limit": 5, "as_of": date(2025, 8, 21), "verbose": True}
    populated = parse(["universe", "--populate", "--source", "dataset", "--path", "some/folder"], COMMANDS)
    assert populated.values == {"source": "dataset", "path": Path("some/folder")}
