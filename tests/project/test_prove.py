"""The runner of proofs: what is due, what a record holds, what a failure leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import prove

ROOT = Path(__file__).resolve().parents[2]
HOLDS = """
NAME = "holds"
COVERS = ("src/a.py", "src/folder")
def run(progress):
    progress("half way")
    return {"symbols": 10_500, "share": 0.25, "none": None, "inner": {"ok": True}, "rows": [{"n": 1, "t": 2.5}]}
"""
FAILS = 'NAME = "fails"\nCOVERS = ("src/a.py",)\ndef run(progress):\n    assert 1 == 2, "one is not two"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proofs").mkdir()
    (tmp_path / "docs" / "proofs").mkdir(parents=True)
    (tmp_path / "src" / "folder").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    (tmp_path / "src" / "folder" / "b.py").write_text("b = 1\n")
    (tmp_path / "proofs" / "__init__.py").touch()
    (tmp_path / "proofs" / "holds.py").write_text(HOLDS)
    return tmp_path


def record(root: Path, name: str) -> dict[str, object]:
    return dict(json.loads((root / "docs" / "proofs" / f"{name}.json").read_text()))


def test_a_record_holds_what_a_reader_needs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove.main([], root=root) == 0
    kept = record(root, "holds")
    assert kept["figures"] == {
        "symbols": 10_500, "share": 0.25, "none": None, "inner": {"ok": True}, "rows": [{"n": 1, "t": 2.5}],
    }  # fmt: skip
    assert (kept["name"], kept["command"]) == ("holds", "make prove NAMES=holds")
    assert kept["covers"] == ["src/a.py", "src/folder", "proofs/holds.py"]
    assert {"commit", "cores", "memory_gb", "seconds", "date", "covers_digest"} <= kept.keys()
    page = (root / "docs" / "proofs.md").read_text()
    for line in ("## holds", "| symbols | 10,500 |", "| none | no data |", "| inner: ok | yes |", "| 1 | 2.5 |"):
        assert line in page
    assert "half way" in capsys.readouterr().out


def test_it_runs_only_what_is_due(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prove.main([], root=root)
    capsys.readouterr()
    assert prove.main([], root=root) == 0
    assert "0 of 0 proofs hold, 1 need no run" in capsys.readouterr().out
    assert prove.main(["--all"], root=root) == 0
    assert "1 of 1 proofs hold" in capsys.readouterr().out
    assert prove.main(["holds"], root=root) == 0
    assert "1 of 1 proofs hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "due"),
    [
        (lambda root: None, False),
        (lambda root: (root / "src" / "a.py").touch(), False),
        (lambda root: (root / "src" / "other.py").write_text("x"), False),
        (lambda root: (root / "src" / "a.py").write_text("a = 2\n"), True),
        (lambda root: (root / "src" / "folder" / "c.py").write_text("c = 1\n"), True),
        (lambda root: (root / "src" / "folder" / "b.py").rename(root / "src" / "folder" / "d.py"), True),
        (lambda root: (root / "proofs" / "holds.py").write_text(HOLDS + "# another\n"), True),
        (lambda root: (root / "docs" / "proofs" / "holds.json").write_text("{"), True),
        (lambda root: (root / "docs" / "proofs" / "holds.json").unlink(), True),
    ],
)
def test_stale_is_by_contents_not_by_time(
    root: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], due: bool
) -> None:
    prove.main([], root=root)
    capsys.readouterr()
    change(root)
    assert prove.main(["--stale"], root=root) == int(due)
    assert capsys.readouterr().out.startswith("holds " if due else "")


def test_a_record_whose_proof_is_gone_is_stale(root: Path) -> None:
    prove.main([], root=root)
    (root / "proofs" / "holds.py").unlink()
    assert prove.main(["--stale"], root=root) == 1


def test_a_failure_leaves_no_record_and_stops_nobody(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "proofs" / "fails.py").write_text(FAILS)
    (root / "docs" / "proofs" / "fails.json").write_text('{"name": "fails"}')
    assert prove.main([], root=root) == 1
    assert "fails FAILED" in (said := capsys.readouterr().out)
    assert "one is not two" in said
    assert not (root / "docs" / "proofs" / "fails.json").exists()
    assert record(root, "holds")


def test_an_interrupted_run_keeps_what_is_done(root: Path) -> None:
    interrupt = 'NAME = "zz"\nCOVERS = ("src/a.py",)\ndef run(progress):\n    raise KeyboardInterrupt\n'
    (root / "proofs" / "zz.py").write_text(interrupt)
    assert prove.main([], root=root) == 130
    assert record(root, "holds")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "x.py",
            'NAME = "x"\nCOVERS = ("src/gone.py",)\ndef run(progress): ...\n',
            "covers src/gone.py, which does not",
        ),
        ("x.py", 'NAME = "x"\n', "proofs/x.py lacks COVERS or run"),
        ("x.py", HOLDS, "two proofs have the same NAME"),
    ],
)
def test_a_broken_proof_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    (root / "proofs" / name).write_text(text)
    assert prove.main([], root=root) == 3
    assert said in capsys.readouterr().err


def test_an_unknown_name_lists_those_there_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove.main(["hold"], root=root) == 3
    assert capsys.readouterr().err == "prove: no proof is named hold; there are holds\n"


def test_the_page_is_written_from_the_records() -> None:
    assert (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8") == prove.render(ROOT)
