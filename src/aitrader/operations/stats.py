"""Counts and rates of the layers, alone or beside the run before: who came, who left, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aitrader.operations.published import content_of, envelope, layer_names
from aitrader.store.instants import rfc3339

if TYPE_CHECKING:
    from aitrader.store.reader import Layer, Qualification, Reader, Run


def stats(reader: Reader, run: Run) -> dict[str, Any]:
    """The layers of a run in order; rates are fractions, null where unknown."""
    names = layer_names(content_of(reader, run))
    updated = rfc3339(run.published_at)
    rows = [
        {
            "layer": layer.layer,
            "name": names[layer.layer],
            "symbols": layer.symbols,
            "qualification_rate": layer.qualification_rate,
            "change_rate": layer.change_rate,
            "added": layer.added,
            "removed": layer.removed,
            "reached": layer.reached,
            "failed": layer.failed,
            "unknown": layer.unknown,
            "unknown_by_criterion": run.header.get("unknown", {}).get(str(layer.layer), {}),
            "updated_at": updated,
        }
        for layer in reader.layers(run.run_id)
    ]
    return {**envelope(reader, run), "layers": rows}


def run_before(reader: Reader, run: Run) -> Run | None:
    """The run that this one took the place of: the same session's earlier one, else that of the session before."""
    head, _, number = run.run_id.rpartition(".")
    if number.isdecimal() and int(number) > 1:
        return reader.run(f"{head}.{int(number) - 1}")
    return reader.previous_final(run)


def compared(reader: Reader, run: Run) -> dict[str, Any]:
    """The stats with those of the run before beside them, and each layer's entrants and leavers with their cause."""
    found = stats(reader, run)
    before = run_before(reader, run)
    if before is None:
        return {**found, "previous": None}
    counts = {layer.layer: layer for layer in reader.layers(before.run_id)}
    for row in found["layers"]:
        row.update(_beside(row, counts.get(row["layer"])))
        row.update(changes(reader, run, before, row["layer"]))
    told = {
        "run_id": before.run_id,
        "session": before.session.isoformat(),
        "config_version": before.config_version,
        "published_at": rfc3339(before.published_at),
    }
    return {**found, "previous": told}


def changes(reader: Reader, run: Run, before: Run, layer: int) -> dict[str, Any]:
    """Who entered and who left a layer between two runs, by symbol, with the cause that the later run gives.

    A leaver that did not reach the layer left a layer below; its cause is that layer's.
    """
    now, then = _held(reader, run, layer), _held(reader, before, layer)
    entered = [{"symbol": row.symbol, "cause": row.cause} for key, row in now.items() if key not in then]
    left = [
        {"symbol": row.symbol, "cause": _why_left(reader, run, key, layer)}
        for key, row in then.items()
        if key not in now
    ]
    return {
        "entered": sorted(entered, key=lambda one: str(one["symbol"])),
        "left": sorted(left, key=lambda one: str(one["symbol"])),
    }


def causes(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """How often each cause stands in a list of entrants or leavers, the most frequent first."""
    return sorted(Counter(row["cause"] or "unknown" for row in rows).items(), key=lambda one: (-one[1], one[0]))


def _held(reader: Reader, run: Run, layer: int) -> dict[int, Qualification]:
    return {row.security: row for row in reader.qualifications(run.run_id, layer) if row.member}


def _why_left(reader: Reader, run: Run, security: int, layer: int) -> str:
    """The cause at the layer that a leaver left, or at the highest one below that it reached in the later run."""
    rows = [row for row in reader.qualification_of(run.run_id, security) if row.layer <= layer]
    if not rows:
        return "not listed"
    top = rows[-1]
    return f"{top.cause} (Layer {top.layer})" if top.cause else f"Layer {top.layer}"


def _beside(row: dict[str, Any], before: Layer | None) -> dict[str, Any]:
    """A layer's numbers in the run before."""
    if before is None:
        return {"previous_symbols": None, "previous_qualification_rate": None, "difference": None}
    return {
        "previous_symbols": before.symbols,
        "previous_qualification_rate": before.qualification_rate,
        "difference": row["symbols"] - before.symbols,
    }
