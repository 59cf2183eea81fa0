"""Two results of one session side by side: who enters a layer under the other rules, who leaves, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from aitrader.funnel.engine import SessionResult, cause_text
from aitrader.funnel.judge import NO_CAUSE, NOT_LISTED


@dataclass(frozen=True, kw_only=True)
class ConfigTest:
    """What the edited file of a layer would do to the last published session.

    ``by_criterion`` counts, for each cause, the symbols that it lets in (``entered``) or keeps out (``left``);
    ``causes`` gives each such symbol's. ``layers`` has each layer's members before and after.
    """

    layer: int
    session: str
    active_version: str
    edited_version: str
    entered: list[str]
    left: list[str]
    kept: int
    by_criterion: dict[str, dict[str, int]]
    causes: dict[str, str]
    layers: list[dict[str, int]]


def compare(layer: int, before: SessionResult, after: SessionResult, *, old: str, new: str) -> ConfigTest:
    """The difference in ``layer``: what kept a symbol out before lets it in, what keeps it out now made it leave."""
    symbol = before.cross["symbol"]
    was, becomes = before.places[layer].member, after.places[layer].member
    entered, left = np.flatnonzero(becomes & ~was), np.flatnonzero(was & ~becomes)
    entered_by = _causes(before, layer, entered)
    left_by = _causes(after, layer, left)
    names = {"entered": symbol.gather(pl.Series(entered)).to_list(), "left": symbol.gather(pl.Series(left)).to_list()}
    counts: dict[str, dict[str, int]] = {}
    causes: dict[str, str] = {}
    for kind, by in (("entered", entered_by), ("left", left_by)):
        for name, cause in zip(names[kind], by, strict=True):
            causes[name] = cause
            counts.setdefault(cause, {"entered": 0, "left": 0})[kind] += 1
    return ConfigTest(
        layer=layer,
        session=str(before.session),
        active_version=old,
        edited_version=new,
        entered=sorted(names["entered"]),
        left=sorted(names["left"]),
        kept=int((was & becomes).sum()),
        by_criterion=dict(sorted(counts.items())),
        causes=causes,
        layers=[
            {"layer": one.layer, "before": one.symbols, "after": other.symbols}
            for one, other in zip(before.layers, after.layers, strict=True)
        ],
    )


def _causes(result: SessionResult, layer: int, at: np.ndarray) -> list[str]:
    """What kept each of these out of ``layer``: the layer's own cause, or that of the last layer that was reached."""
    out = np.full(result.cross.height, NO_CAUSE[NOT_LISTED], dtype=object)
    for n in range(layer + 1):  # what a higher layer says of those who reached it stands
        reached = result.places[n].reached
        texts = cause_text(result.judged[n], result.places[n].cause).to_numpy()
        prefix = "" if n == layer else f"layer {n}: "
        out[reached] = prefix + texts[reached].astype(object)
    return [str(out[one]) for one in at]
