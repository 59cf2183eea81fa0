"""The numbers that the market is made of, fitted to real sets by ``tools/fit_simulation.py``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import numpy as np

from aitrader.simulation.streams import Floats


@dataclass(frozen=True, kw_only=True)
class Table:
    """A quantile table, read by normal score: the value whose rank has that score."""

    scores: Floats
    values: Floats  # logarithms where ``logarithmic``
    logarithmic: bool

    def at(self, score: Floats) -> Floats:
        """Values for normal scores; scores beyond the outermost knots give the outermost values."""
        value = np.interp(score, self.scores, self.values)
        return np.exp(value) if self.logarithmic else np.asarray(value)


def normal_scores(levels: list[float]) -> Floats:
    """Normal scores of quantile levels; 0 and 1 become -3.5 and 3.5, about one in four thousand."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse(min(max(level, 2.3e-4), 1 - 2.3e-4)) for level in levels])


def table(levels: list[float], values: list[float], *, logarithmic: bool) -> Table:
    """A table over ``levels``; values <= 0 of a logarithmic table are lifted to a thousandth of its least positive."""
    raw = np.array(values, dtype=np.float64)
    if logarithmic:
        least = raw[raw > 0].min()
        raw = np.log(np.maximum(raw, least * 1e-3))
    return Table(scores=normal_scores(levels), values=raw, logarithmic=logarithmic)


@cache
def fitted() -> dict[str, Any]:
    """The whole file as nested dictionaries; read once."""
    text = files("aitrader.simulation").joinpath("fitted.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


@cache
def section(name: str) -> dict[str, Any]:
    """One section of the file."""
    result: dict[str, Any] = fitted()[name]
    return result


@cache
def marginal(cell: str, measure: str) -> Table | None:
    """The quantile table of a measure for a group (``adr``) or a group and sector (``common:Energy``)."""
    marginals = section("marginals")
    values = marginals.get(cell, {}).get(measure)
    if values is None:
        return None
    return table(marginals["levels"], values, logarithmic=measure != "beta")
