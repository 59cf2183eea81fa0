"""A published sample market, and the command line as a function of its words."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aitrader.cli.main import main
from tests.operations import sample


@dataclass(frozen=True)
class Said:
    """What one call left: its exit code, and both streams."""

    code: int
    out: str
    err: str
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ai = Callable[..., Said]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a home in which the sample is published; nobody writes to it."""
    root = tmp_path_factory.mktemp("published")
    sample.publish(root)
    return root


@pytest.fixture
def ai(published: Path) -> Ai:
    """Run a command line in this process: ``ai("universe --layer 3")``."""

    def call(line: str, *, env: Mapping[str, str] | None = None, facade: Any = None) -> Said:
        raw = io.BytesIO()
        out, err = io.TextIOWrapper(raw, encoding="utf-8", write_through=True), io.StringIO()
        more = {} if facade is None else {"facade": lambda: facade}
        environ = {"AI_TRADER_HOME": str(published), **(env or {})}
        code = main(line.split(), environ=environ, out=out, err=err, clock=lambda: sample.NOW, **more)
        content = raw.getvalue()
        return Said(code, content.decode(errors="replace"), err.getvalue(), content)

    return call
