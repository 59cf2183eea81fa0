"""Every fault of the catalogue: what the product makes of it, alone and beside others, and what the clients do."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.faults import canary, catalogue, certificates, ours
from tests.faults.catalogue import ROWS, Row
from tests.faults.official import CLIENT_OF, clients
from tests.faults.stage import staged

NAME = "faults"
COVERS = (
    "src/aitrader/transport",
    "src/aitrader/providers",
    "src/aitrader/store/ingest.py",
    "src/aitrader/app.py",
    "tests/faults",
    "config/sources.yml",
)
WORKERS = 2
PACKAGES = {"alpaca": "alpaca-py", "massive": "massive"}
LONGEST = 160  # characters of what was said


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Fails where an outcome is another than the catalogue's, another host is asked, or a key is found anywhere."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        (folder / "certificates").mkdir()
        certificates.made(folder / "certificates")
        starts = (("alpaca", False), ("polygon", False), ("alpaca", True))
        made = {(name, beside): ours.good(folder / f"{name}-{beside}", name, beside=beside) for name, beside in starts}
        seen, files = _ours(folder, made, progress)
        theirs = _theirs(folder / "certificates", progress)
    rows = []
    for row in ROWS:
        first = seen[row.id, row.vendors[0], False]
        told = {
            "fault": f"{row.name} ({row.what})",
            "alone": row.alone,
            "beside": row.outcome(True),
            "exit_code": first.code,
            "says": re.sub(r"(/\S+)?/cache(?=:)", "CACHE", first.words)[:LONGEST],
        }
        said = {CLIENT_OF[v]: theirs[row.id, v].words for v in row.vendors if (row.id, v) in theirs}
        rows.append({**told, **said})
    kinds: dict[str, Counter[str]] = {client: Counter() for client in PACKAGES}
    for (_, vendor), said in theirs.items():
        kinds[CLIENT_OF[vendor]][said.kind] += 1
    return {
        "faults": len(ROWS),
        "runs": len(seen),
        "outcomes": dict(Counter(each.outcome for each in seen.values())),
        "clients": {f"{package} {version(package)}": dict(kinds[client]) for client, package in PACKAGES.items()},
        "files_searched_for_keys": files,
        "keys_found": 0,
        "rows": rows,
    }


def _ours(
    folder: Path, made: dict[tuple[str, bool], ours.Place], progress: Callable[[str], None]
) -> tuple[dict[tuple[str, str, bool], ours.Seen], int]:
    """Each case in a process of its own; what was seen, and how many files were searched for keys."""
    cases = list(catalogue.every())

    def one(at: int) -> tuple[ours.Seen, int]:
        row, vendor, beside = cases[at]
        place = made["alpaca" if beside else vendor, beside].copied(folder / str(at), process=True)
        where = f"{row.id} {vendor} {'beside' if beside else 'alone'}"
        with staged(row, vendor, folder / "certificates") as stage:
            try:
                found = ours.met(row, vendor, beside, stage, place)
            except AssertionError as fault:
                raise AssertionError(f"{where}: {fault}") from None
        assert found.outcome == row.outcome(beside), f"{where}: {found.outcome}: {found.words}"
        assert beside or row.says in found.words, f"{where}: {found.words}"
        assert stage.astray == 0, f"{where}: another host was asked"
        leaks = place.leaks()
        assert not leaks, f"{where}: {leaks[0]}"
        files = len(canary.stamps(place.folder) - place.searched)
        shutil.rmtree(place.folder)
        if at % 20 == 0:
            progress(f"{at} of {len(cases)} runs")
        return found, files

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(one, range(len(cases))))
    keys = [(row.id, vendor, beside) for row, vendor, beside in cases]
    return {key: found for key, (found, _) in zip(keys, results, strict=True)}, sum(files for _, files in results)


def _theirs(certified: Path, progress: Callable[[str], None]) -> dict[tuple[str, str], Any]:
    """What the vendors' clients make of each row; they keep nothing, so a full disk is nothing to them."""
    found = {}
    progress("the vendors' own clients")
    with clients() as theirs:
        for row in (row for row in ROWS if row.place != "full_disk"):
            for vendor in row.vendors:
                found[row.id, vendor] = _call(theirs, row, vendor, certified)
    return found


def _call(theirs: Any, row: Row, vendor: str, certified: Path) -> Any:
    with staged(row, vendor, certified) as stage:
        said = theirs.call(CLIENT_OF[vendor], row.what, stage.marred, authority=stage.authority)
        keys = stage.keys_astray
    assert not keys, f"{row.id}: {CLIENT_OF[vendor]} sent {', '.join(keys)} to another host"
    return said
