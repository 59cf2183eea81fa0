"""From a config version to the rules of a source: layers bound to what it offers; and what is kept of a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitrader.criteria.layer import bind
from aitrader.funnel.engine import Rules
from aitrader.settings.scanner import ScannerConfig


def rules_for(config: ScannerConfig, *, offers: frozenset[str], missing: Mapping[str, str]) -> Rules:
    """Bind every layer; raises ConfigError for a criterion that does not exist or contradicts another."""
    layers = tuple(bind(layer, offers=offers, missing=dict(missing)) for layer in config.layers)
    return Rules(layers=layers, sentiment=config.sentiment, version=config.version)


def kept(config: ScannerConfig) -> dict[str, Any]:
    """What the store keeps of a version: its content, and for readers each criterion's threshold and wording."""
    rules = rules_for(config, offers=frozenset(), missing={})
    layers = []
    for layer in rules.layers:
        file = layer.file
        layers.append(
            {
                "number": file.number,
                "name": file.name,
                "min_score": file.min_score,
                "min_coverage": file.min_coverage,
                "max_symbols": file.max_symbols,
                "min_symbols": file.min_symbols,
                "types": list(file.types),
                "criteria": [criterion.content() for criterion in layer.criteria],
                "ranking": {
                    name: {"weight": component.weight, "factors": dict(component.factors)}
                    for name, component in file.ranking.components.items()
                },
            }
        )
    return {"scanner": config.content(), "layers": layers}
