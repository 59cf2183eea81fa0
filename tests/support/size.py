"""How much a test tries: a little by default, all of it where proofs are made (AITRADER_PROVE=1)."""

from __future__ import annotations

import os

PROVING = os.environ.get("AITRADER_PROVE") == "1"


def more(usual: int, proving: int) -> int:
    """``usual`` examples, or ``proving`` ones at full size."""
    return proving if PROVING else usual
