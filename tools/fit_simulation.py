"""Fits the simulated market to the real sets and writes the numbers to ``aitrader/simulation/fitted.json``.

Run from the repository: ``python -m tools.fit_simulation [DATA]`` (default ``../shared/data``). Nothing of the sets
themselves is written: only quantiles, shares, correlations and coefficients. No scanner threshold enters a fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.fitting import events, filings, listings, news, trading

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "aitrader" / "simulation" / "fitted.json"


def rounded(value: Any) -> Any:
    """The same structure with floats of five significant digits, so that the file stays small and diffable."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, (bool, str, int)) or value is None:
        return value
    return float(f"{float(value):.5g}")


def rendered(fitted: dict[str, Any]) -> str:
    """JSON with one line per table, so that a change of fit reads as a diff."""
    sections = []
    for name, section in fitted.items():
        rows = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in section.items()]
        sections.append(f" {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def main() -> None:
    """Fits every part and writes the file."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    fitted: dict[str, Any] = {}
    fitted |= listings.fit(data)
    fitted |= trading.fit(data)
    fitted |= events.fit(data)
    fitted |= filings.fit(data)
    fitted |= news.fit(data)
    TARGET.write_text(rendered(rounded(fitted)), encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
