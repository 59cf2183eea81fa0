"""A layer's file: what admits to a layer of the funnel.

Reserved sections are ``layer``, ``types``, ``ranking`` and ``bands``; every other top-level key is a criterion. A plain
value means required, and failed where the input is missing; the long form is
``{value, role: required|scored, weight, missing: fail|skip|pass, exit}``. Whether a criterion exists and which values
it takes is the criteria's own matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from msgspec import Meta, Struct, field, to_builtins

from aitrader.settings.convert import Origin, fault, to_model
from aitrader.settings.models import Count, Fraction, Model, NotNegative, Positive, Word
from aitrader.settings.yaml_file import KeyPath

RESERVED = ("layer", "types", "ranking", "bands")
CriterionValue = bool | int | float | str | tuple[str | int | float, ...]


class CriterionSetting(Struct, frozen=True, kw_only=True):
    """One criterion as configured; ``weight`` counts for scored ones, ``exit`` is the looser value for members."""

    value: CriterionValue
    role: Literal["required", "scored"] = "required"
    weight: float = 1.0
    missing: Literal["fail", "skip", "pass"] = "fail"
    exit: CriterionValue | None = None


class Component(Model, frozen=True):
    """One part of the ranking's composite: its weight there and the weights of its factors."""

    weight: NotNegative
    factors: dict[str, NotNegative]


class Ranking(Model, frozen=True):
    """How members are ordered; ``sector_cap`` is a fraction of ``max_symbols``, null: no cap."""

    sector_cap: Annotated[float, Meta(gt=0, le=1)] | None = None
    components: dict[str, Component] = field(default_factory=dict)


class Bands(Model, frozen=True):
    """How members are kept: entry is by passing, exit by leaving these bounds; all but a rank in sessions."""

    enter_rank: Positive | None = None  # rank, among members and candidates together, needed to enter; null: any
    exit_rank: Positive | None = None  # null: 2 x max_symbols, without that no bound
    max_age: Positive = 10  # since the last pass of the layer below
    min_dwell: Count = 0
    max_stale: Count = 3  # with a required input unknown


class _Head(Model, frozen=True):
    number: Annotated[int, Meta(ge=0, le=3)]
    name: Word
    min_score: Fraction = 0.0
    min_coverage: Fraction = 0.5
    max_symbols: Positive | None = None
    min_symbols: Count = 0


class _LongForm(Model, frozen=True):
    value: Any
    role: Literal["required", "scored"] = "required"
    weight: NotNegative | None = None
    missing: Literal["fail", "skip", "pass"] = "fail"
    exit: Any = None


class LayerFile(Struct, frozen=True, kw_only=True):
    """A layer as configured: head, admitted types (empty: all), ranking, bands (None: none), criteria in file order."""

    number: int
    name: str
    min_score: float
    min_coverage: float
    max_symbols: int | None
    min_symbols: int
    types: tuple[str, ...]
    ranking: Ranking
    bands: Bands | None
    criteria: dict[str, CriterionSetting]

    def content(self) -> dict[str, Any]:
        """The file in canonical form: every default written out, criteria in long form, whole numbers as integers."""
        head = {name: getattr(self, name) for name in _Head.__struct_fields__}
        sections = {"layer": head, "types": self.types, "ranking": self.ranking}
        if self.bands is not None:
            sections["bands"] = self.bands
        return cast(dict[str, Any], _canonical(to_builtins(sections | self.criteria)))

    def digest(self) -> str:
        """SHA-256 of the canonical content, hexadecimal; order enters, for the first criterion that says no decides."""
        return content_digest(self.content())


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of plain values in their order."""
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def layer_from_content(
    content: Mapping[str, Any], *, at: KeyPath = ("layer",), origin: Origin | None = None
) -> LayerFile:
    """A layer from its file's values or from :meth:`LayerFile.content`; raises ConfigError naming place and key."""
    where: Origin = origin or (lambda _path: "stored configuration")
    if "layer" not in content:
        raise fault("lacks the section layer", at=at, origin=where, do="add layer: {number: .., name: ..}")
    head = to_model(content["layer"], _Head, at=(*at, "layer"), origin=where)
    types = to_model(content.get("types", ()), tuple[Word, ...], at=(*at, "types"), origin=where)
    if len(set(types)) < len(types):
        raise fault("names a type twice", at=(*at, "types"), origin=where, do="keep each once")
    ranking = _ranking(content.get("ranking", {}), at=(*at, "ranking"), origin=where)
    bands = to_model(content["bands"], Bands, at=(*at, "bands"), origin=where) if "bands" in content else None
    layer = LayerFile(
        **{name: getattr(head, name) for name in _Head.__struct_fields__},
        types=types,
        ranking=ranking,
        bands=bands,
        criteria={
            name: _criterion(value, at=(*at, name), origin=where)
            for name, value in content.items()
            if name not in RESERVED
        },
    )
    _check(layer, at=at, origin=where)
    return layer


def _ranking(values: object, *, at: KeyPath, origin: Origin) -> Ranking:
    if isinstance(values, Mapping) and isinstance(values.get("components"), Mapping):
        # One by one, so that an error names the component.
        components = {}
        for name, value in values["components"].items():
            part = (*at, "components", name)
            if isinstance(value, Mapping) and isinstance(value.get("factors"), Mapping):
                for factor, weight in value["factors"].items():
                    to_model(weight, NotNegative, at=(*part, "factors", factor), origin=origin)
            components[name] = to_model(value, Component, at=part, origin=origin)
            if not sum(components[name].factors.values()) > 0:
                raise fault("has no factor of positive weight", at=part, origin=origin, do="weight at least one factor")
        if components and not sum(each.weight for each in components.values()) > 0:
            raise fault("all weigh 0", at=(*at, "components"), origin=origin, do="weight at least one component")
    return to_model(values, Ranking, at=at, origin=origin)


def _criterion(value: object, *, at: KeyPath, origin: Origin) -> CriterionSetting:
    if not isinstance(value, Mapping):
        return CriterionSetting(value=_value(value, at=at, origin=origin))
    long = to_model(value, _LongForm, at=at, origin=origin)
    if long.role == "required" and long.weight not in (None, 1.0):
        raise fault("is required, so its weight is unused", at=at, origin=origin, do="drop it or write role: scored")
    return CriterionSetting(
        value=_value(long.value, at=(*at, "value"), origin=origin),
        role=long.role,
        weight=1.0 if long.weight is None else long.weight,
        missing=long.missing,
        exit=None if long.exit is None else _value(long.exit, at=(*at, "exit"), origin=origin),
    )


def _value(value: object, *, at: KeyPath, origin: Origin) -> CriterionValue:
    if isinstance(value, (bool, int, float, str)):
        return cast(bool | int | float | str, _canonical(value))
    if isinstance(value, (list, tuple)) and all(isinstance(each, (int, float, str)) for each in value):
        return tuple(_canonical(value))
    shown = "null" if value is None else "a section" if isinstance(value, Mapping) else "a list of sections"
    raise fault(
        f"cannot be {shown}", at=at, origin=origin, do="write a number, a word, true or false, or a list of these"
    )


def _check(layer: LayerFile, *, at: KeyPath, origin: Origin) -> None:
    head = (*at, "layer")
    if layer.max_symbols is not None and layer.min_symbols > layer.max_symbols:
        why = f"min_symbols {layer.min_symbols} > max_symbols {layer.max_symbols}"
        raise fault("contradicts itself", at=head, origin=origin, why=why, do="lower min_symbols or raise max_symbols")
    if layer.bands is not None and layer.number < 2:
        raise fault("counts for Layers 2 and 3 only", at=(*at, "bands"), origin=origin, do="drop the section")
    if layer.bands is not None:
        exit_rank, most = layer.bands.exit_rank, layer.max_symbols
        if exit_rank is not None and most is not None and exit_rank < most:
            why = f"exit_rank {exit_rank} < max_symbols {most}: an entrant would leave at once"
            raise fault("contradicts itself", at=(*at, "bands"), origin=origin, why=why, do="raise exit_rank")
    scored = [each.weight for each in layer.criteria.values() if each.role == "scored"]
    if scored and not sum(scored) > 0:
        raise fault("has scored criteria that all weigh 0", at=at, origin=origin, do="weight at least one")
    if layer.min_score > 0 and not scored and not layer.ranking.components:
        raise fault(
            "is above 0, yet nothing is scored", at=(*head, "min_score"), origin=origin, do="add a scored criterion"
        )


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
