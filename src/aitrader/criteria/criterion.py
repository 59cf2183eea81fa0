"""A criterion: one pure expression, bound to its threshold, that answers yes, no or unknown for every security."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from aitrader.domain.factors import FACTORS, Factor, Needs

Question = Callable[[Any], pl.Expr]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a criterion is before it is bound: its question, the factors it reads, its sentence, its unit."""

    name: str
    text: str
    factors: tuple[str, ...]
    op: str
    unit: str
    question: Question
    kind: type
    needs: Needs
    input: str


NAMED: dict[str, Definition] = {}


def criterion(
    *, factors: tuple[str, ...], op: str = ">=", unit: str = "", needs: Needs = (), reads: str = "bar"
) -> Callable[[Question], Question]:
    """Register a question that comparing one factor with a number does not do.

    The function's name is the YAML key, its docstring the sentence of the docs row, its one parameter the threshold
    (``int``, ``tuple`` of words, or ``bool``: true asks for the property, false for its absence). ``factors`` are the
    columns it reads, the one that explain shows first; ``needs`` is told where they are not of the registry;
    ``reads`` says whose date explains it: bar, filing, news or listing.
    """

    def register(question: Question) -> Question:
        (parameter,) = inspect.signature(question, eval_str=True).parameters.values()
        name, text = question.__name__, inspect.getdoc(question) or ""
        NAMED[name] = Definition(
            name=name,
            text=text,
            factors=factors,
            op=op,
            unit=unit,
            question=question,
            kind=parameter.annotation,
            needs=needs or tuple(need for factor in factors for need in FACTORS[factor].needs),
            input=reads,
        )
        return question

    return register


def derived(name: str) -> Definition | None:
    """The definition of ``min_X`` or ``max_X`` for a factor X of the registry, None for any other name."""
    bound, _, factor_name = name.partition("_")
    if bound not in ("min", "max") or factor_name not in FACTORS:
        return None
    factor = FACTORS[factor_name]
    least = bound == "min"

    def question(threshold: float) -> pl.Expr:
        value = pl.col(factor.name)
        asked = value >= threshold if least else value <= threshold
        return _soured(factor, asked)

    return Definition(
        name=name,
        text=f"{factor.text} At {'least' if least else 'most'} the given value.",
        factors=(factor.name,),
        op=">=" if least else "<=",
        unit=factor.unit,
        question=question,
        kind=float,
        needs=factor.needs,
        input=factor.input,
    )


def _soured(factor: Factor, asked: pl.Expr) -> pl.Expr:
    """The comparison, with a known no where the number has no meaning (a loss has no P/E)."""
    if factor.sour_when is None:
        return asked
    return pl.when(pl.col(factor.sour_when)).then(pl.lit(False)).otherwise(asked)
