"""Write docs/faults.md from the record of the proof faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "faults.md"
RECORD = ROOT / "docs" / "proofs" / "faults.json"
OUTCOMES: Final = {
    "unmoved": "the right rows, and nothing is wrong with what is served",
    "retried": "asked again, then the right rows; the retries are counted and stand in the log",
    "set aside": "the bad rows are in quarantine with their reason, which the command prints; every other row is right",
    "read again": "found out and asked for once more, then the right rows; a warning says so",
    "fallback": "the rows of another source, the right ones, with a warning that names the source that failed",
    "refused": "one line on stderr and in the log, exit code 4 or 5; what was served before is served on, unchanged",
}
TEXT: Final = ROOT / "tools" / "faults_text.md"


def page(record: dict[str, Any]) -> str:
    """The page's text."""
    figures = record["figures"]
    rows = "".join(_row(row) for row in figures["rows"])
    theirs = figures["clients"]
    counts = [f"{name}: " + ", ".join(_count(*each) for each in told.items()) for name, told in theirs.items()]
    ours = f"{figures['faults']} faults, {figures['runs']} runs of the product, no wrong universe among them."
    return TEXT.read_text(encoding="utf-8").format(
        outcomes="".join(f"- **{word}**: {meaning}.\n" for word, meaning in OUTCOMES.items()),
        clients=" and ".join(theirs),
        summary=f"{ours} {'; '.join(counts)}.",
        rows=rows,
        files=f"{figures['files_searched_for_keys']:,}",
        found="none" if not figures["keys_found"] else figures["keys_found"],
    )


def _count(kind: str, number: int) -> str:
    words = {"right": "right", "wrong": "wrong rows silently", "raised": "an exception", "hung": "no answer"}
    return f"{number} x {words[kind]}"


def _row(row: dict[str, Any]) -> str:
    cells = (
        row["fault"],
        row["alone"],
        row["exit_code"],
        row["says"] or "-",
        row["beside"],
        row.get("alpaca", "-"),
        row.get("massive", "-"),
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |\n"


if __name__ == "__main__":
    TARGET.write_text(page(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")
