"""A small configuration of its own, so that these tests say nothing about the values that the project ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aitrader.settings.load import Settings, load_settings

FILES = {
    "scanners/layer0_universe.yml": "layer: {number: 0, name: universe}\nexchanges: [NYSE, NASDAQ]\n",
    "scanners/layer1_liquidity.yml": (
        "layer: {number: 1, name: liquidity}\n"
        "types: [common, etf]\n"
        "min_volume: 1000000\n"
        "max_spread_pct: {value: 2.0, missing: skip}\n"
    ),
    "scanners/layer2_technical.yml": (
        "layer:\n"
        "  number: 2\n"
        "  name: technical\n"
        "  min_score: 0.6\n"
        "min_rsi: {value: 30, role: scored, weight: 2, exit: 25}\n"
    ),
    "scanners/layer3_fundamental.yml": (
        "layer: {number: 3, name: fundamental, max_symbols: 50, min_symbols: 20}\n"
        "ranking:\n"
        "  sector_cap: 0.15\n"
        "  components:\n"
        "    technical: {weight: 0.5, factors: {rsi: 1}}\n"
        "    value: {weight: 0.5, factors: {pe: 2, pb: 1}}\n"
        "bands: {exit_rank: 100}\n"
        "max_pe: 25\n"
    ),
    "scanners/performance.yml": "workers: 0\n",
    "scanners/funnel.yml": "first_scan_sessions: 20\n",
    "sources.yml": "default: simulated\nsimulated: {seed: 1}\ndataset: {path: null}\n",
    "sentiment/news_analysis.yml": "look_back_sessions: 10\n",
    "monitoring/kpis.yml": (
        "layer3_symbols:\n"
        "  name: Layer 3 Symbols\n"
        "  unit: symbols\n"
        "  on_target: {min: 20, max: 50}\n"
        "  warning: {below: 15, above: 70}\n"
        "  critical: {below: 10, above: 100}\n"
        "  for: 15m\n"
        "  calendar: XNYS\n"
        "  runbook: docs/runbook.md#layer-3-symbols\n"
    ),
}


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    """The folder ``config`` of a project of its own."""
    folder = tmp_path / "config"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def load(config_dir: Path) -> Callable[..., Settings]:
    """Loads that configuration with files replaced (by name, None: removed), variables and flags."""

    def loaded(
        files: Mapping[str, str | bytes | None] | None = None,
        env: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
    ) -> Settings:
        for name, text in (files or {}).items():
            path = config_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_settings(config_dir, env or {}, flags=flags, root=config_dir.parent)

    return loaded
