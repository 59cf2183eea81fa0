"""Run the proofs and keep their figures: ``python tools/prove.py [--all] [NAME ...]``.

A proof is a module of ``proofs/`` with ``NAME``, ``COVERS`` and ``run(progress) -> dict``. It runs where its record in
``docs/proofs/NAME.json`` is missing or is stale: made from other contents of the files that it covers, whatever their
dates. Each record is written as its proof ends, so an interrupted run goes on where it stopped; a proof that fails
leaves no record. ``--stale`` lists the records that need a run, ``--tables`` writes ``docs/proofs.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One claim: ``covers`` are paths or globs below the root, the module's own file among them."""

    name: str
    covers: tuple[str, ...]
    run: Callable[[Progress], dict[str, Any]]


def load_proofs(root: Path) -> list[Proof]:
    """Every proof of ``root/proofs``, by name; raises ValueError for a module that is none."""
    proofs = []
    for path in sorted((root / "proofs").glob("*.py")):
        if path.stem.startswith("_"):
            continue
        spec = importlib.util.spec_from_file_location(f"proofs.{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not all(hasattr(module, needed) for needed in ("NAME", "COVERS", "run")):
            if hasattr(module, "NAME"):
                raise ValueError(f"proofs/{path.name} lacks COVERS or run")
            continue  # a helper of the others
        proofs.append(Proof(name=module.NAME, covers=(*module.COVERS, f"proofs/{path.name}"), run=module.run))
    if len({proof.name for proof in proofs}) < len(proofs):
        raise ValueError("two proofs have the same NAME")
    return proofs


def covered_files(root: Path, covers: tuple[str, ...]) -> list[Path]:
    """The files that paths and globs name, folders whole; raises ValueError for one that names nothing."""
    files: set[Path] = set()
    for cover in covers:
        found = [each for each in root.glob(cover.rstrip("/")) if each.exists()]
        inner = [file for each in found for file in ([each] if each.is_file() else each.rglob("*"))]
        kept = {file for file in inner if file.is_file() and "__pycache__" not in file.parts}
        if not kept:
            raise ValueError(f"a proof covers {cover}, which does not exist")
        files |= kept
    return sorted(files)


def covers_digest(root: Path, covers: tuple[str, ...]) -> str:
    """SHA-256 over the names and contents of the covered files."""
    digest = hashlib.sha256()
    for file in covered_files(root, covers):
        digest.update(f"{file.relative_to(root)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def read_record(root: Path, name: str) -> dict[str, Any] | None:
    """The record of a proof, or None where there is none that can be read."""
    try:
        record = json.loads((root / "docs" / "proofs" / f"{name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def why_due(root: Path, proof: Proof) -> str | None:
    """Why a proof has to run, or None."""
    digest = covers_digest(root, proof.covers)
    record = read_record(root, proof.name)
    if record is None:
        return "has no record"
    return None if record.get("covers_digest") == digest else "is older than the code it covers"


def prove(root: Path, proof: Proof, *, say: Progress) -> bool:
    """Run one proof and write its record; False where it failed."""
    digest = covers_digest(root, proof.covers)
    record = root / "docs" / "proofs" / f"{proof.name}.json"
    started = time.monotonic()
    say(f"{proof.name} ...")
    try:
        figures = proof.run(lambda text: say(f"{proof.name}: {text} ({time.monotonic() - started:.0f} s)"))
    except AssertionError as failure:
        record.unlink(missing_ok=True)
        say(f"{proof.name} FAILED after {time.monotonic() - started:.1f} s: {str(failure) or 'an assertion'}")
        return False
    content = {
        "name": proof.name,
        "figures": figures,
        "command": f"make prove NAMES={proof.name}",
        "commit": commit(root),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).date().isoformat(),
        "covers": list(proof.covers),
        "covers_digest": digest,
    }
    record.parent.mkdir(parents=True, exist_ok=True)
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(record)
    say(f"{proof.name} holds, {content['seconds']} s")
    return True


def commit(root: Path) -> str:
    """The commit that the proof ran on, ``+changes`` where the tree differs from it."""
    head = git(root, "rev-parse", "--short=12", "HEAD")
    return "none" if head is None else head + ("+changes" if git(root, "status", "--porcelain") else "")


def git(root: Path, *words: str) -> str | None:
    """What git answers in ``root``, or None where it fails."""
    answer = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    return None if answer.returncode else answer.stdout.strip()


def render(root: Path) -> str:
    """``docs/proofs.md``: a section a record, its figures as tables."""
    lines = [
        "# Proofs",
        "",
        "What `make prove` measured at full size, written from `docs/proofs/*.json` by `make docs`.",
        "`make prove-stale` lists the records that are older than the code they cover.",
    ]
    for path in sorted((root / "docs" / "proofs").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        lines += ["", f"## {record['name']}", ""]
        machine = f"{record['cores']} cores, {record['memory_gb']} GB"
        made = f"{record['date']}, commit {record['commit']}"
        lines.append(f"`{record['command']}`: {record['seconds']} s on {machine}; {made}.")
        lines += _figures(record["figures"])
    return "\n".join(lines) + "\n"


def _figures(figures: dict[str, Any]) -> Iterator[str]:
    rows = [row for row in _flat(figures) if not isinstance(row[1], list)]
    if rows:
        yield from ("", "| Figure | Value |", "|---|---|")
        yield from (f"| {name} | {_cell(value)} |" for name, value in rows)
    for name, table in _flat(figures):
        if not isinstance(table, list) or not table:
            continue
        columns = list(dict.fromkeys(key for row in table for key in row))
        yield from ("", f"{name}:", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns))
        yield from (f"| {' | '.join(_cell(row.get(column)) for column in columns)} |" for row in table)


def _flat(figures: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}: ")
        elif isinstance(value, list) and not all(isinstance(each, dict) for each in value):
            yield prefix + key, ", ".join(map(_cell, value))
        else:
            yield prefix + key, value


def _cell(value: Any) -> str:
    if value is None:
        return "no data"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return str(value).replace("|", "\\|")


def main(words: list[str], *, root: Path = ROOT) -> int:
    """0: every proof asked for holds (nothing is stale); 1: one failed (is stale); 3: unknown name or broken module."""
    parser = argparse.ArgumentParser(prog="prove", description="Run the proofs that are missing or stale.")
    parser.add_argument("names", nargs="*", help="only these proofs, whether stale or not")
    parser.add_argument("--all", action="store_true", help="every proof, whether stale or not")
    parser.add_argument("--stale", action="store_true", help="list what needs a run and exit 1 where anything does")
    parser.add_argument("--tables", action="store_true", help="write docs/proofs.md from the records")
    asked = parser.parse_args(words)
    if asked.tables:
        (root / "docs" / "proofs.md").write_text(render(root), encoding="utf-8")
        return 0
    try:
        proofs = load_proofs(root)
        due = {proof.name: why for proof in proofs if (why := why_due(root, proof))}
    except ValueError as broken:
        print(f"prove: {broken}", file=sys.stderr)
        return 3
    unknown = sorted(set(asked.names) - {proof.name for proof in proofs})
    if unknown:
        known = ", ".join(each.name for each in proofs)
        print(f"prove: no proof is named {unknown[0]}; there are {known}", file=sys.stderr)
        return 3
    if asked.stale:
        records = {path.stem for path in (root / "docs" / "proofs").glob("*.json")}
        due |= dict.fromkeys(sorted(records - {proof.name for proof in proofs}), "is a record whose proof is gone")
        for name, why in due.items():
            print(f"{name} {why}")
        return 1 if due else 0
    chosen = [
        each for each in proofs if each.name in asked.names or (not asked.names and (asked.all or each.name in due))
    ]
    try:
        held = [prove(root, proof, say=lambda text: print(text, flush=True)) for proof in chosen]
    except KeyboardInterrupt:
        print("prove: interrupted; the records written so far stay", file=sys.stderr)
        return 130
    print(f"{sum(held)} of {len(held)} proofs hold, {len(proofs) - len(chosen)} need no run")
    (root / "docs" / "proofs.md").write_text(render(root), encoding="utf-8")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    sys.exit(main(sys.argv[1:]))
