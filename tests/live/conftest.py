"""A desk before an exchange that tells the truth until a test has it lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from tests.live.world import BEFORE, Desk, Watched, at, serving


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks, each with an exchange and a home of its own."""
    with ExitStack() as stack:

        def made(now: datetime | None = None, *, name: str = "desk", exchange: Watched | None = None) -> Desk:
            exchange = exchange or Watched(now or at(BEFORE))
            return Desk(root=tmp_path / name, exchange=exchange, url=stack.enter_context(serving(exchange)))

        yield made


@pytest.fixture
def desk(desks: Callable[..., Desk]) -> Desk:
    """One of them, in the evening of the session before anything happens."""
    return desks()
