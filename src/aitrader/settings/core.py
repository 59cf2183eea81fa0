"""A process that holds keys leaves no core: its memory, environment included, would be in it."""

from __future__ import annotations

import resource
from typing import Final

SMALLEST: Final = 1  # byte: too little for a file, and the size for which Linux starts no program that takes cores


def leave_no_core() -> None:
    """No core from now on, neither in a file nor through a program that the system hands cores to."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = 0 if hard == 0 else SMALLEST
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
