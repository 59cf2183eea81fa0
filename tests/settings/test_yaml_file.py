"""YAML 1.2 as plain values, and one clear line for every file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrader.domain.errors import ConfigError
from aitrader.settings.yaml_file import parse_document, parse_value, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ON", "ON"),
        ("NO", "NO"),
        ("Y", "Y"),
        ("NA", "NA"),
        ("NAN", "NAN"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("'TRUE'", "TRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("5", 5),
        ("-5", -5),
        ("1_000_000", 1_000_000),
        ("012", 12),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e6", 1e6),
        ("'5'", "5"),
        ("1,000", "1,000"),
        ("5%", "5%"),
        ("2026-01-02", "2026-01-02"),
        ("12:30", "12:30"),
        ("[NYSE, ARCA]", ["NYSE", "ARCA"]),
        ("{a: {b: [1, 2.0]}}", {"a": {"b": [1, 2.0]}}),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = parse_value(text, shown="x")
    assert (found, type(found)) == (value, type(value))


def test_every_key_knows_its_line() -> None:
    document = parse_document("# head\nlayer:\n  number: 1\n\nmin_volume: 5\n", shown="f.yml")
    assert document.values == {"layer": {"number": 1}, "min_volume": 5}
    assert document.lines == {("layer",): 2, ("layer", "number"): 3, ("min_volume",): 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "f.yml:2:1 is not YAML: did not find expected ',' or ']'"),
        ("a: 'x", "f.yml:1:6 is not YAML"),
        ("a: b: c", "f.yml:1:5 is not YAML: mapping values are not allowed"),
        ("a:\n  b: 1\n c: 2", "f.yml:3:2 is not YAML"),
        ("a:\n\tb: 1", "f.yml:2:1 is not YAML: a tab stands where YAML wants spaces; indent with spaces"),
        ("a: 1\n---\nb: 2", "f.yml:2 starts a second document"),
        ("a: \x00", "f.yml is not YAML: unacceptable character"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "f.yml:4 repeats b.c, first on line 3"),
        ("a: &x [1, 2]\nb: *x", "f.yml:2 has an alias"),
        ("a: &x {b: *x}", "f.yml:1 has an alias"),
        ("a: *gone", "f.yml:1 has an alias"),
        ("a: !!str 5", "f.yml:1 has the tag tag:yaml.org,2002:str"),
        (
            "a: !!python/object/apply:os.system [true]",
            "f.yml:1 has the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: !secret x", "f.yml:1 has the tag !secret"),
        ("a: .nan", "f.yml:1 is .nan, not a finite number"),
        ("a: -.inf", "f.yml:1 is -.inf, not a finite number"),
        ("a: 1e999", "f.yml:1 is 1e999, not a finite number"),
        (f"a: {'9' * 5000}", "f.yml:1 holds a number of 5000 digits"),
        ("? [a]\n: 1", "f.yml:1 has a key that is not a word"),
        ("- 1", "f.yml holds a list, not settings"),
        ("word", "f.yml holds a single value, not settings"),
        ("", "f.yml is empty"),
        ("# only a comment\n", "f.yml is empty"),
        ("a: " + "{a: " * 60 + "}" * 60, "f.yml:1 is nested too deeply"),
    ],
)
def test_what_is_no_settings_file_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, shown="f.yml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert caught.value.do


def test_aliases_cannot_grow_without_bound() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(ConfigError, match=r"f\.yml:2 has an alias"):
        parse_document(bomb, shown="f.yml")


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_depth_is_refused_not_a_crash(depth: int) -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse_document("a: " + "[" * depth, shown="f.yml")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a: 1\nb: \xff\n", "f.yml:2 is not UTF-8"),
        ("a: 1\n".encode("utf-16"), "f.yml:1 is not UTF-8"),
        (b"a: 1\n" * 300_000, "f.yml is over 1 MiB"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "f.yml").write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path / "f.yml", shown="f.yml")
    assert str(caught.value).startswith(said)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_bytes("\N{BOM}a: é\r\nb: 2\r\n".encode())
    assert read_document(tmp_path / "f.yml", shown="f.yml").values == {"a": "é", "b": 2}


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f.yml").mkdir()
    with pytest.raises(ConfigError, match=r"f\.yml cannot be read: is a directory"):
        read_document(tmp_path / "f.yml", shown="f.yml")


def test_a_missing_file_names_the_one_that_looks_like_it(tmp_path: Path) -> None:
    (tmp_path / "layer1_liquidty.yml").write_text("a: 1\n")
    with pytest.raises(ConfigError, match=r"only exact file names load: rename layer1_liquidty\.yml"):
        read_document(tmp_path / "layer1_liquidity.yml", shown="layer1_liquidity.yml")
