"""The locks: every package pinned with its hashes, no host named, the base small."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def pins(lock: Path) -> dict[str, str]:
    """Package -> version of a lock; a package that stands twice fails."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=)", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_has_its_hashes(lock: Path) -> None:
    text = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8"))
    rows = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert rows
    for row in rows:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", row), row


def test_the_development_lock_holds_the_base() -> None:
    base, dev = pins(ROOT / "requirements" / "base.lock"), pins(ROOT / "requirements" / "dev.lock")
    assert base.items() <= dev.items()


def test_the_base_is_about_ten_packages() -> None:
    assert len(pins(ROOT / "requirements" / "base.lock")) <= 12


def test_the_locks_satisfy_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {"base": project["project"]["dependencies"], "dev": project["dependency-groups"]["dev"]}
    for name, requirements in asked.items():
        locked = pins(ROOT / "requirements" / f"{name}.lock")
        for requirement in requirements:
            package = re.split(r"[<>=]", requirement)[0].lower().replace(".", "-").replace("_", "-")
            assert package in locked, f"{package} is not in {name}.lock: run make lock"
