"""A layer bound to its file: its criteria with their thresholds, ready to judge a cross-section."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from aitrader.criteria import named  # noqa: F401  (importing it registers the named criteria)
from aitrader.criteria.criterion import NAMED, Definition, derived
from aitrader.domain.errors import ConfigError
from aitrader.domain.factors import FACTORS, offered
from aitrader.domain.verdict import Verdict
from aitrader.settings.layer_file import CriterionSetting, LayerFile

_ON_MISSING = {"fail": Verdict.UNKNOWN, "skip": Verdict.SKIPPED, "pass": Verdict.PASSED}


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """A definition bound to a layer's setting; ``available`` is whether the source offers its inputs at all."""

    definition: Definition
    setting: CriterionSetting
    available: bool
    missing: str

    @property
    def name(self) -> str:
        """The YAML key."""
        return self.definition.name

    @property
    def required(self) -> bool:
        """Whether a no fails the symbol; a scored criterion contributes its weight instead."""
        return self.setting.role == "required"

    def verdict(self, *, exiting: bool = False) -> pl.Expr:
        """The verdict as a u8 expression; with ``exiting``, against the looser value for members."""
        if not self.available:
            return pl.lit(int(Verdict.UNAVAILABLE), dtype=pl.UInt8)
        value = self.setting.value if not exiting or self.setting.exit is None else self.setting.exit
        asked = self.definition.question(value)
        code = (
            pl.when(asked.is_null())
            .then(pl.lit(int(_ON_MISSING[self.missing]), dtype=pl.UInt8))
            .otherwise(asked.cast(pl.UInt8))
        )
        factor = FACTORS.get(self.definition.factors[0])
        if factor is not None and factor.exempt_when is not None and self.name[:4] in ("min_", "max_"):
            exempt = pl.col(factor.exempt_when).fill_null(False)
            code = pl.when(exempt).then(pl.lit(int(Verdict.SKIPPED), dtype=pl.UInt8)).otherwise(code)
        return code

    def content(self) -> dict[str, Any]:
        """What explain needs to know of this criterion, as plain values kept with the config version."""
        d, s = self.definition, self.setting
        first = FACTORS.get(d.factors[0])
        return {
            "name": d.name,
            "text": d.text,
            "factor": d.factors[0],
            "factors": list(d.factors),
            "op": d.op,
            "unit": d.unit,
            "input": d.input,
            "value": s.value,
            "exit": s.exit,
            "role": s.role,
            "weight": s.weight,
            "missing": self.missing,
            "decimals": first.decimals if first else 0,
            "sour_text": first.sour_text if first else "",
        }


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The criteria and the ranking that admit to one layer."""

    file: LayerFile
    criteria: tuple[Criterion, ...]
    ranking: tuple[tuple[str, float], ...]  # factor, its share of the score; only factors that the source offers
    types: tuple[str, ...]  # admitted security types; empty: all, or the source tells no types
    sector_cap: float | None  # share of max_symbols; None: no cap, or the source tells no sectors

    @property
    def number(self) -> int:
        """0 to 3."""
        return self.file.number

    @property
    def required(self) -> tuple[Criterion, ...]:
        """Criteria that fail a symbol."""
        return tuple(c for c in self.criteria if c.required)

    @property
    def scored(self) -> tuple[Criterion, ...]:
        """Criteria that contribute to the score."""
        return tuple(c for c in self.criteria if not c.required)

    @property
    def unavailable(self) -> tuple[str, ...]:
        """Criteria, ranking factors and sections whose inputs the source never offers."""
        absent = [c.name for c in self.criteria if not c.available]
        offered_factors = {factor for factor, _ in self.ranking}
        for component in self.file.ranking.components.values():
            absent += [f"ranking {factor}" for factor in component.factors if factor not in offered_factors]
        if self.file.types and not self.types:
            absent.append("types")
        if self.file.ranking.sector_cap is not None and self.sector_cap is None:
            absent.append("sector_cap")
        return tuple(absent)

    @cached_property
    def expressions(self) -> tuple[pl.Expr, ...]:
        """A verdict column ``L<n>.<criterion>`` per criterion."""
        return tuple(c.verdict().alias(f"L{self.number}.{c.name}") for c in self.criteria)

    @cached_property
    def exit_expressions(self) -> tuple[pl.Expr, ...]:
        """The required criteria against their exit values, for those that have one."""
        return tuple(
            c.verdict(exiting=True).alias(f"L{self.number}.{c.name}.exit")
            for c in self.required
            if c.setting.exit is not None
        )


def bind(file: LayerFile, *, offers: frozenset[str], missing: dict[str, str]) -> Layer:
    """The layer of a file, for a source that offers these columns and declares these policies for missing data.

    Raises ConfigError for a name that is neither a criterion nor min_/max_ of a factor, a value of the wrong type,
    or bounds that contradict each other; the message names the layer's file, the key and the valid choices.
    """
    where = f"layer {file.number} ({file.name})"
    criteria = tuple(
        _bound(name, setting, where=where, offers=offers, missing=missing) for name, setting in file.criteria.items()
    )
    _no_contradiction(file, where)
    for name, setting in file.criteria.items():
        if setting.exit is not None and (file.bands is None or file.number < 2 or setting.role != "required"):
            why = "exit counts for required criteria of Layer 2 or 3 with bands"
            raise ConfigError(f"{where}: {name} has an exit value that nothing reads", why=why, do="drop exit")
    types = file.types if "securities.security_type" in offers else ()
    sector_cap = file.ranking.sector_cap if "securities.sector" in offers else None
    ranking = _ranking(file, where, offers)
    return Layer(file=file, criteria=criteria, ranking=ranking, types=types, sector_cap=sector_cap)


def definition(name: str) -> Definition | None:
    """The definition behind a YAML key, None where there is none."""
    return NAMED.get(name) or derived(name)


def valid_names() -> list[str]:
    """Every name that a layer's file may use for a criterion."""
    return sorted([*NAMED, *(f"{bound}_{name}" for name in FACTORS for bound in ("min", "max"))])


def _bound(
    name: str, setting: CriterionSetting, *, where: str, offers: frozenset[str], missing: dict[str, str]
) -> Criterion:
    found = definition(name)
    if found is None:
        near = difflib.get_close_matches(name, valid_names(), 1)
        hint = f"did you mean {near[0]}?" if near else "see docs/criteria.md for the valid names"
        raise ConfigError(f"{where}: no criterion is called {name}", why="it is no min_/max_ of a factor", do=hint)
    for value in (setting.value, *([] if setting.exit is None else [setting.exit])):
        _typed(found, value, where)
    policy = missing.get(name, setting.missing)
    available = offered(found.needs, offers)
    return Criterion(definition=found, setting=setting, available=available, missing=policy)


def _typed(found: Definition, value: object, where: str) -> None:
    boolean = isinstance(value, bool)
    number = isinstance(value, (int, float)) and not boolean
    if found.kind is bool and not boolean:
        raise ConfigError(f"{where}: {found.name} is {value!r}", why="it takes true or false", do="write true or false")
    if found.kind is int and not (number and float(value) == int(value) and value > 0):  # type: ignore[arg-type, call-overload, operator]
        raise ConfigError(f"{where}: {found.name} is {value!r}", why="it takes a whole number above 0", do="mend it")
    if found.kind is tuple and not (isinstance(value, tuple) and all(isinstance(one, str) for one in value)):
        raise ConfigError(f"{where}: {found.name} is {value!r}", why="it takes a list of words", do="write [A, B]")
    if found.kind is float and not (number and math.isfinite(value)):  # type: ignore[arg-type]
        raise ConfigError(f"{where}: {found.name} is {value!r}", why="it takes a number", do="write a number")


def _no_contradiction(file: LayerFile, where: str) -> None:
    for name, setting in file.criteria.items():
        upper = file.criteria.get(f"max_{name[4:]}") if name.startswith("min_") else None
        if upper is not None and setting.value > upper.value:  # type: ignore[operator]
            why = f"{name} {setting.value} is above max_{name[4:]} {upper.value}"
            raise ConfigError(f"{where} admits nothing", why=why, do="swap or widen the two bounds")
        if setting.exit is None:
            continue
        if _tighter(name, setting):
            why = f"exit {setting.exit} is tighter than value {setting.value}"
            raise ConfigError(f"{where}: {name} contradicts itself", why=why, do="make exit the looser of the two")


def _tighter(name: str, setting: CriterionSetting) -> bool:
    """Whether the exit value admits less than the value does."""
    value, leave = setting.value, setting.exit
    if isinstance(value, tuple):
        return not set(value) <= set(leave)  # type: ignore[arg-type]
    return leave > value if name.startswith("min_") else leave < value  # type: ignore[operator]


def _ranking(file: LayerFile, where: str, offers: frozenset[str]) -> tuple[tuple[str, float], ...]:
    shares: dict[str, float] = {}
    for component in file.ranking.components.values():
        inside = sum(component.factors.values())
        for factor, weight in component.factors.items():
            if factor not in FACTORS:
                near = difflib.get_close_matches(factor, FACTORS, 1)
                hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(FACTORS)}"
                raise ConfigError(f"{where}: ranking names {factor}", why="no factor has that name", do=hint)
            share = component.weight * weight / inside
            if offered(FACTORS[factor].needs, offers):
                shares[factor] = shares.get(factor, 0.0) + share
    return tuple(shares.items())
