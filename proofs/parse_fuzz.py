"""Whatever a source answers: 100,000 damaged bodies for every parse function, and nothing but a SourceError escapes.

A page of bars is read both ways, the quick one and bar by bar, which have to agree. What a function has proved is kept
in ``build/parse_fuzz``, with a digest of the code that it runs through, until that code changes: an interrupted run
goes on where it stopped. ``python -m proofs.parse_fuzz 2000`` tries fewer inputs, and keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "parse_fuzz"
COVERS = (
    "src/aitrader/domain",
    "src/aitrader/providers",
    "tests/providers/parse_fuzzer.py",
    "tests/providers/seeds_*.py",
    "tests/providers/test_parse_fuzz.py",
    "tests/providers/test_sec.py",
)

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build" / "parse_fuzz"
INPUTS = 100_000
SHARE = 5_000  # inputs of one task, each with damages of its own
SEED = 20240702


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Every parse function at full size; fails at the first exception, with the body that led to it."""
    return figures(progress, inputs=INPUTS, keep=True)


def figures(progress: Callable[[str], None], *, inputs: int, keep: bool) -> dict[str, Any]:
    """A row for each function: how many inputs it was given, how many of them it read, CPU seconds."""
    names = _names()
    rows = {name: row for name in names if keep and (row := _kept(name, inputs))}
    left = [name for name in names if name not in rows]
    code = {name: _code(name) for name in left}  # as it is now: it may be edited while this runs
    progress(f"{len(left)} of {len(names)} functions to try")
    shares = [(name, share, min(SHARE, inputs - share)) for name in left for share in range(0, inputs, SHARE)]
    read, spent, open_shares = Counter[str](), Counter[str](), Counter(name for name, _, _ in shares)
    for name, good, seconds in _tried(shares):
        read[name] += good
        spent[name] += seconds
        open_shares[name] -= 1
        if not open_shares[name]:
            rows[name] = {"function": name, "inputs": inputs, "read": read[name], "seconds": round(spent[name], 1)}
            if keep:
                _keep(name, code[name], rows[name])
            progress(f"{name}: {read[name]} of {inputs} read, {spent[name]:.0f} s")
    return {
        "functions": len(rows),
        "inputs": sum(row["inputs"] for row in rows.values()),
        "escaped_exceptions": 0,
        "seconds_of_cpu": round(sum(row["seconds"] for row in rows.values())),
        "by function": [rows[name] for name in names],
    }


def share(task: tuple[str, int, int]) -> tuple[str, int, float]:
    """One task in a process of its own: the function, how many of the inputs it read, CPU seconds."""
    from tests.providers import parse_fuzzer, test_parse_fuzz  # noqa: F401  (registers its seeds)

    name, first, count = task
    begun = time.process_time()
    good = parse_fuzzer.run(name, count, seed=SEED + first)
    return name, good, time.process_time() - begun


def _tried(shares: list[tuple[str, int, int]]) -> Any:
    """The results of all tasks as they end, on every core, one thread each."""
    if not shares:
        return
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        pool = multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0)), _quiet)
    finally:
        os.environ.pop("POLARS_MAX_THREADS")
        if before is not None:
            os.environ["POLARS_MAX_THREADS"] = before
    with pool:
        yield from pool.imap_unordered(share, shares)


def _quiet() -> None:
    """An interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _names() -> list[str]:
    """Every parse function that there is; each has seeds."""
    from tests.providers import parse_fuzzer, test_parse_fuzz  # noqa: F401  (registers its seeds)

    missing = sorted(set(parse_fuzzer.found()) - set(parse_fuzzer.PARSERS))
    assert not missing, f"no body for {', '.join(missing)}"
    return sorted(parse_fuzzer.PARSERS)


def _kept(name: str, inputs: int) -> dict[str, Any] | None:
    """The row of a function that was proved with the code as it is now."""
    try:
        kept = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    row: dict[str, Any] = kept["row"]
    return row if kept["code"] == _code(name) and row["inputs"] == inputs else None


def _keep(name: str, code: str, row: dict[str, Any]) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"code": code, "row": row})
    partial = KEPT / f"{name}.partial"
    partial.write_text(content, encoding="utf-8")
    partial.replace(KEPT / f"{name}.json")


def _code(name: str) -> str:
    """A digest of the fuzzer, its seeds, and every file of ours that the function's module imports, however far."""
    source = ROOT / "src"
    left = [source / "aitrader" / "providers" / f"{name.partition('.')[0]}.py"]
    files = {*(ROOT / "tests" / "providers").glob("seeds_*.py"), *(source / "aitrader" / "domain").glob("*.csv")}
    seeds = ("parse_fuzzer", "test_parse_fuzz", *(("test_sec",) if name.startswith("sec") else ()))
    files |= {ROOT / "tests" / "providers" / f"{stem}.py" for stem in seeds}
    while left:
        path = left.pop()
        if path in files:
            continue
        files.add(path)
        for module in re.findall(r"^\s*(?:from|import) (aitrader(?:\.\w+)*)", path.read_text(encoding="utf-8"), re.M):
            place = source.joinpath(*module.split("."))
            left += [each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from proofs import parse_fuzz

    found = parse_fuzz.figures(lambda text: print(text, flush=True), inputs=int(sys.argv[1]), keep=False)
    print(json.dumps(found, indent=1))
