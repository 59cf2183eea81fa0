"""Stores that a test opened are closed after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store import builders


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    yield
    while builders.OPENED:
        builders.OPENED.pop().close()
