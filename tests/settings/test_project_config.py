"""The configuration that the project ships: it loads in every environment and holds the guide's numbers."""

from __future__ import annotations

import pytest

from aitrader.settings.load import load_settings
from aitrader.settings.place import project_root
from aitrader.settings.tree import FILES
from aitrader.settings.yaml_file import read_document

CONFIG = project_root() / "config"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_shipped_files_load(environment: str) -> None:
    settings = load_settings(CONFIG, {"AI_TRADER_ENV": environment})
    assert settings.environment == environment
    assert settings.sources.default == "auto"
    assert {row.origin for row in settings.effective() if not row.origin.startswith("config/")} <= {"default"}


def test_every_yaml_file_is_one_that_loads() -> None:
    found = {path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.yml")}
    assert found == {*FILES.values(), "environments/development.yml", "environments/production.yml"}
    for name in found:
        read_document(CONFIG / name, shown=name)


def test_the_guide_edits_these_lines_literally() -> None:
    """Criteria stand at the top level of the layer's file, a line each, so that an editor or sed can change them."""
    lines = (CONFIG / "scanners" / "layer1_liquidity.yml").read_text(encoding="utf-8").splitlines()
    for key in ("min_volume", "min_market_cap", "min_price"):
        assert sum(line.startswith(f"{key}: ") for line in lines) == 1


@pytest.mark.parametrize(
    ("word", "target", "warning", "critical"),
    [
        ("layer0_symbols", (8_000, None), (8_000, None), (5_000, None)),
        ("layer1_qualification_rate", (0.20, 0.30), (0.15, 0.40), (0.10, 0.50)),
        ("layer2_symbols", (50, 200), (30, 300), (15, 500)),
        ("layer3_symbols", (20, 50), (15, 70), (10, 100)),
        ("layer3_stability", (None, 0.20), (None, 0.20), (None, 0.30)),
        ("layer3_data_coverage", (0.95, None), (0.95, None), (0.90, None)),
    ],
)
def test_kpis_are_the_guides(
    word: str,
    target: tuple[float | None, float | None],
    warning: tuple[float | None, float | None],
    critical: tuple[float | None, float | None],
) -> None:
    kpi = load_settings(CONFIG, {}).kpis[word]
    assert (kpi.on_target.min, kpi.on_target.max) == target
    assert (kpi.warning.below, kpi.warning.above) == warning
    assert (kpi.critical.below, kpi.critical.above) == critical


def test_every_kpi_has_a_runbook() -> None:
    for kpi in load_settings(CONFIG, {}).kpis.values():
        page, _, heading = kpi.runbook.partition("#")
        text = (project_root() / page).read_text(encoding="utf-8")
        assert f"## {heading.replace('-', ' ')}\n" in text.lower()


def test_every_setting_is_documented() -> None:
    text = (project_root() / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name in FILES.values():
        assert f"`{name}`" in text
    settings = load_settings(CONFIG, {})
    free = ("components.", "kpis.")  # names of the user's own
    for row in settings.effective():
        parts = row.name.split(".")
        if parts[0] == "scanners" and parts[1].startswith("layer") and parts[2] not in ("layer", "ranking", "bands"):
            continue  # criteria have a page of their own
        if not any(each in row.name for each in free):
            assert f"`{parts[-1]}`" in text, row.name
