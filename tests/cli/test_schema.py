"""Every JSON answer is what its schema in docs/schema/ says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from aitrader.cli.commands import COMMANDS
from tests.cli.conftest import Ai
from tests.cli.test_writing import Fake

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parents[2] / "docs" / "schema").glob("*.json")
}
REGISTRY: Any = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)
LINES = {
    "universe-layer": ["universe --layer 3", "universe --layer 0 --as-of 2025-08-19"],
    "universe-qualification-details": ["universe --layer 0 --qualification-details"],
    "universe-stats": ["universe --stats", "universe --stats --compare-previous"],
    "universe-health": ["universe --health", "universe --health --verbose"],
    "status": ["status", "status --component external-apis"],
    "validate": ["validate --component data-sources", "validate --component financial-apis"],
    "universe-explain": [
        f"universe --explain {symbol}" for symbol in ("AAPL", "MSFT", "NEGE", "NODATA", "OTCX", "NEAR")
    ],
    "universe-layer-details": ["universe --symbol MSFT --layer-details", "universe --symbol OTCX --layer-details"],
    "universe-qualification-history": [
        "universe --qualification-history --days 3",
        "universe --qualification-history --days 3 --symbol OTCX",
    ],
    "universe-export-qualification-history": ["universe --export-qualification-history --days 3"],
    "config": ["config"],
}
WRITING = {
    "scan": ["scan"],
    "universe-populate": ["universe --populate"],
    "universe-requalify": [
        "universe --requalify --layer 1",
        "universe --requalify --layer 3 --use-fallback-data",
    ],
    "universe-refresh-fundamentals": ["universe --refresh-fundamentals --layer 2"],
    "universe-requalify-all": ["universe --requalify-all --parallel"],
    "universe-test-config": ["universe --test-config --dry-run --layer 1"],
}
SERVING = {"simulate"}  # answers once and serves until it is interrupted
ENVELOPE = {
    *("schema_version", "environment", "source", "run_id", "config_version"),
    *("as_of", "session", "published_at", "provisional", "stale"),
}


def check(name: str, answer: Any) -> None:
    validator = Draft202012Validator(
        SCHEMAS[name], registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]
    assert not found


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_each_action_has_a_schema_and_a_line_here() -> None:
    pages = {
        "-".join([command.name, *([action.flag.lstrip("-")] if action.flag else [])])
        for command in COMMANDS
        for action in command.actions
    }
    assert pages == set(LINES) | set(WRITING) | SERVING
    assert pages | {"envelope", "error", "external-api"} == set(SCHEMAS)


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in LINES.items() for line in lines])
def test_a_reading_answer_is_what_its_schema_says(ai: Ai, name: str, line: str) -> None:
    answer = ai(f"{line} --format json").json
    check(name, answer)
    assert set(answer) >= ENVELOPE


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in WRITING.items() for line in lines])
def test_a_writing_answer_is_what_its_schema_says(ai: Ai, published: Path, name: str, line: str) -> None:
    answer = ai(f"{line} --format json", facade=Fake(published)).json
    check(name, answer)
    assert set(answer) >= ENVELOPE


def test_a_schema_refuses_what_it_does_not_describe(ai: Ai) -> None:
    answer = ai("universe --stats --format json").json
    answer["layers"][0]["symbols"] = "11"
    with pytest.raises(AssertionError, match="is not of type 'integer'"):
        check("universe-stats", answer)


def test_an_error_is_what_its_schema_says(ai: Ai) -> None:
    check("error", json.loads(ai("universe --layer 9 --format json").err))
    broken = SimpleNamespace(scan=lambda **_: 1 // 0)
    check("error", json.loads(ai("scan --format json", facade=broken).err.splitlines()[-1]))


def test_numbers_that_are_none_are_null_never_nan(ai: Ai) -> None:
    said = ai("universe --explain NODATA --format json")
    assert "NaN" not in said.out
    assert said.json["layers"][1]["criteria"][0]["value"] is None
