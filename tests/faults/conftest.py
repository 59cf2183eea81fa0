"""Good universes and certificates, made once; a state folder of its own for each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import certificates
from tests.faults.ours import Place, good

Fresh = Callable[..., Place]


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if certificates.OPENSSL is None:
        pytest.skip("the openssl program makes the certificates")
    folder = tmp_path_factory.mktemp("certificates")
    certificates.made(folder)
    return folder


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """``fresh(vendor, beside=False)``: the market as it was the session before, in a folder of its own."""
    folder, made = tmp_path_factory.mktemp("good"), dict[tuple[str, bool], Place]()

    def copy(vendor: str, *, beside: bool, process: bool = False) -> Place:
        name = "alpaca" if beside else vendor
        if (name, beside) not in made:
            made[name, beside] = good(folder / f"{name}-{beside}", name, beside=beside)
        return made[name, beside].copied(tmp_path_factory.mktemp("fault") / "place", process=process)

    return copy
