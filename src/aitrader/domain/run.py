"""What one execution of the funnel leaves behind; the store publishes it, every metric derives from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

QUALIFICATIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "layer": pl.UInt8,
    "security": pl.UInt32,
    "symbol": pl.String,
    "verdict": pl.UInt8,  # a Verdict
    "member": pl.Boolean,  # in the layer after caps and bands
    "score": pl.Float64,  # 0..1, null where unscored
    "rank": pl.UInt32,  # 1 = best, members only
    "cause": pl.String,  # one plain reason: the criterion that decided, "held by band", "sector cap" ...
}


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """Counts of one layer in one run; rates are fractions 0..1 (definitions: qualification rate, change rate)."""

    layer: int
    symbols: int  # members
    counted: int  # members that the rate of the next layer counts
    reached: int  # symbols judged
    failed: int
    unknown: int
    qualification_rate: float | None
    change_rate: float | None
    added: int
    removed: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ScanRun:
    """One execution: inputs' digests, counts, verdicts. ``detail`` has one row a security with every value judged."""

    run_id: str
    session: date
    as_of: datetime
    kind: str  # final, provisional, requalification
    config_version: str
    previous_run: str | None
    input_digest: str
    result_digest: str
    source: str
    environment: str
    layers: tuple[LayerSummary, ...]
    qualifications: pl.DataFrame  # schema QUALIFICATIONS: a row per symbol that reached the layer
    detail: pl.DataFrame  # security, symbol, factor values (f64), input dates, verdict codes per criterion
    membership: np.ndarray  # (rows, securities) float64: the state that the next session starts from
    header: dict[str, Any] = field(default_factory=dict)  # unavailable, skipped, relaxed caps, notices
    seconds: dict[str, float] = field(default_factory=dict)
