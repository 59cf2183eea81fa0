"""The proof by fuzzing: a row for each function, kept until the code changes, and nothing kept of one that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proofs import parse_fuzz
from tests.providers import parse_fuzzer

NAMES = ["alpaca.parse_bars", "sec.parse_frames"]


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int, int]]:
    """The tasks that were tried, here in this process."""
    done: list[tuple[str, int, int]] = []

    def tried(shares):
        for task in shares:
            done.append(task)
            yield parse_fuzz.share(task)

    monkeypatch.setattr(parse_fuzz, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(parse_fuzz, "SHARE", 40)
    monkeypatch.setattr(parse_fuzz, "_names", lambda: NAMES)
    monkeypatch.setattr(parse_fuzz, "_tried", tried)
    return done


def silent(_text: str) -> None:
    pass


def test_every_function_gets_its_inputs_once(tasks: list[tuple[str, int, int]]) -> None:
    found = parse_fuzz.figures(silent, inputs=100, keep=True)
    assert tasks == [(name, first, count) for name in NAMES for first, count in ((0, 40), (40, 40), (80, 20))]
    assert (found["functions"], found["inputs"], found["escaped_exceptions"]) == (2, 200, 0)
    assert [row["function"] for row in found["by function"]] == NAMES
    assert all(0 < row["read"] < 100 for row in found["by function"])
    tasks.clear()
    assert parse_fuzz.figures(silent, inputs=100, keep=True) == found
    assert tasks == []


def test_what_was_kept_counts_for_the_same_code_and_size_only(
    tasks: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parse_fuzz.figures(silent, inputs=40, keep=True)
    tasks.clear()
    before = parse_fuzz._code
    monkeypatch.setattr(parse_fuzz, "_code", lambda name: before(name) + "x" * (name == "sec.parse_frames"))
    parse_fuzz.figures(silent, inputs=40, keep=True)
    assert [name for name, _, _ in tasks] == ["sec.parse_frames"]
    tasks.clear()
    parse_fuzz.figures(silent, inputs=41, keep=True)
    assert {name for name, _, _ in tasks} == set(NAMES)


def test_the_code_of_a_function_is_what_its_module_imports() -> None:
    assert parse_fuzz._code("alpaca.parse_bars") == parse_fuzz._code("alpaca.parse_news")
    assert parse_fuzz._code("alpaca.parse_bars") != parse_fuzz._code("sec.parse_frames")


def test_an_exception_fails_the_proof_and_keeps_nothing_of_its_function(
    tasks: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(parse_fuzzer.PARSERS, "sec.parse_frames", (broken, [b"{}"]))
    with pytest.raises(AssertionError, match=r"sec\.parse_frames let ZeroDivisionError out"):
        parse_fuzz.figures(silent, inputs=40, keep=True)
    assert [path.name for path in parse_fuzz.KEPT.iterdir()] == ["alpaca.parse_bars.json"]
    assert json.loads((parse_fuzz.KEPT / "alpaca.parse_bars.json").read_text())["row"]["inputs"] == 40
