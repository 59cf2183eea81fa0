"""The state of the universe against the KPI table: measure, judge, and take the worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aitrader.operations.checks import Check, Kpi, Measured, judge, overall
from aitrader.operations.coverage import coverage
from aitrader.operations.published import bare_envelope, envelope

if TYPE_CHECKING:
    from aitrader.store.reader import Layer, Run
    from aitrader.store.store import Store


def health(store: Store, kpis: Mapping[str, Kpi], *, environment: str) -> tuple[dict[str, Any], list[Check]]:
    """Every KPI of the table, judged; before the first publication all are unknown."""
    reader = store.reader
    with reader.snapshot():
        run = reader.active_run()
        measured = {} if run is None else measurements(store, run)
        population = reader.population()
        source = population.source if population else None
        head = bare_envelope(environment=environment, source=source) if run is None else envelope(reader, run)
    missing = "nothing is published yet: run scan" if run is None else "nothing measures this KPI"
    checks = [judge(word, kpi, measured.get(word, Measured(value=None, message=missing))) for word, kpi in kpis.items()]
    found = {**head, "status": overall(checks), "checks": [check.as_dict() for check in checks]}
    return found, checks


def measurements(store: Store, run: Run) -> dict[str, Measured]:
    """The number behind each KPI, by the KPI's word, in the unit of the table."""
    layers = {layer.layer: layer for layer in store.reader.layers(run.run_id)}
    return {
        "layer0_symbols": _symbols(layers.get(0)),
        "layer1_qualification_rate": _rate(layers.get(1), layers.get(0)),
        "layer2_symbols": _symbols(layers.get(2)),
        "layer3_symbols": _symbols(layers.get(3)),
        "layer3_stability": _change(layers.get(3)),
        "layer3_data_coverage": _coverage(store, run),
    }


def _symbols(layer: Layer | None) -> Measured:
    if layer is None:
        return Measured(value=None, message="the run did not reach this layer")
    return Measured(value=float(layer.symbols), details=_verdicts(layer))


def _verdicts(layer: Layer) -> dict[str, float | None]:
    """What became of those that reached a layer."""
    return {"members": layer.symbols, "reached": layer.reached, "failed": layer.failed, "unknown": layer.unknown}


def _rate(layer: Layer | None, below: Layer | None) -> Measured:
    if layer is None or layer.qualification_rate is None:
        return Measured(value=None, message="the layer below is empty")
    details = {"members": layer.symbols, "layer_below_counted": below.counted if below else None}
    return Measured(value=layer.qualification_rate, details={**_verdicts(layer), **details})


def _change(layer: Layer | None) -> Measured:
    if layer is None:
        return Measured(value=None, message="the run did not reach this layer")
    details = {"added": layer.added, "removed": layer.removed, "members": layer.symbols}
    if layer.change_rate is None:
        return Measured(value=None, message="no earlier membership to compare with", details=details)
    return Measured(value=layer.change_rate, details=details)


def _coverage(store: Store, run: Run) -> Measured:
    """Valid final bars of the members over the last sessions."""
    members = [member.security for member in store.reader.members(run.run_id, 3)]
    found = coverage(store, members)
    if found.share is None:
        return Measured(value=None, message="Layer 3 is empty")
    lacking = f"{found.missing:,} of {found.pairs:,} bars missing over {found.sessions} sessions"
    details = {"bars_due": found.pairs, "bars_missing": found.missing, "sessions": found.sessions}
    return Measured(value=found.share, message=lacking if found.missing else "", details=details)
