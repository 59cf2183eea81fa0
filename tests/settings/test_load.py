"""Files, overlay, variables and flags: their order, their origins, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from aitrader.domain.errors import ConfigError
from aitrader.settings.load import Settings
from aitrader.settings.scanner import scanner_from_content

Load = Callable[..., Settings]
SEED = "AI_TRADER__SOURCES__SIMULATED__SEED"
MIN_VOLUME = "AI_TRADER__SCANNERS__LAYER1_LIQUIDITY__MIN_VOLUME"
MIN_RSI = "AI_TRADER__SCANNERS__LAYER2_TECHNICAL__MIN_RSI"


def overlay(text: str) -> dict[str, str]:
    return {"environments/development.yml": text}


def origin(settings: Settings, name: str) -> str:
    return {row.name: row.origin for row in settings.effective()}[name]


def test_what_is_loaded(load: Load) -> None:
    settings = load()
    assert [layer.number for layer in settings.layers] == [0, 1, 2, 3]
    assert settings.layers[1].criteria["min_volume"].value == 1_000_000
    assert (settings.environment, settings.market, settings.sources.default) == ("development", None, "simulated")
    assert settings.kpis["layer3_symbols"].for_seconds == 900
    assert settings.funnel.first_scan_sessions == 20


@pytest.mark.parametrize(
    ("files", "env", "flags", "seed", "from_where"),
    [
        ({"sources.yml": "default: simulated\n"}, {}, {}, 7, "default"),
        ({}, {}, {}, 1, "config/sources.yml:2"),
        (overlay("sources:\n  simulated:\n    seed: 2\n"), {}, {}, 2, "config/environments/development.yml:3"),
        (overlay("sources: {simulated: {seed: 2}}"), {SEED: "3"}, {}, 3, SEED),
        (overlay("sources: {simulated: {seed: 2}}"), {SEED: "3"}, {"sources.simulated.seed": 4}, 4, "command line"),
    ],
)
def test_flag_over_variable_over_overlay_over_file(
    load: Load, files: dict[str, str], env: dict[str, str], flags: dict[str, int], seed: int, from_where: str
) -> None:
    settings = load(files, env, flags)
    assert settings.sources.simulated.seed == seed
    assert origin(settings, "sources.simulated.seed") == from_where


def test_only_the_overlay_of_the_environment_counts(load: Load) -> None:
    files = {"environments/production.yml": "sources: {simulated: {seed: 9}}\n"}
    assert load(files).sources.simulated.seed == 1
    settings = load(files, {"AI_TRADER_ENV": "production"})
    assert (settings.environment, settings.sources.simulated.seed) == ("production", 9)


def test_a_plain_value_keeps_the_role_of_a_long_criterion(load: Load) -> None:
    for settings in (load(env={MIN_RSI: "35"}), load(overlay("scanners: {layer2_technical: {min_rsi: 35}}"))):
        setting = settings.layers[2].criteria["min_rsi"]
        assert (setting.value, setting.role, setting.weight, setting.exit) == (35, "scored", 2.0, 25)


def test_a_part_of_the_long_form_on_a_plain_criterion(load: Load) -> None:
    settings = load(env={f"{MIN_VOLUME}__MISSING": "skip"})
    setting = settings.layers[1].criteria["min_volume"]
    assert (setting.value, setting.role, setting.missing) == (1_000_000, "required", "skip")
    assert origin(settings, "scanners.layer1_liquidity.min_volume.value") == "config/scanners/layer1_liquidity.yml:3"
    assert origin(settings, "scanners.layer1_liquidity.min_volume.missing") == f"{MIN_VOLUME}__MISSING"


@pytest.mark.parametrize(
    ("variable", "text", "read", "value"),
    [
        (MIN_VOLUME, "500_000", lambda s: s.layers[1].criteria["min_volume"].value, 500_000),
        (MIN_VOLUME, "5e5", lambda s: s.layers[1].criteria["min_volume"].value, 500_000),
        ("AI_TRADER__SOURCES__DATASET__PATH", "/data/a #1: x", lambda s: s.sources.dataset.path, "/data/a #1: x"),
        ("AI_TRADER__SOURCES__DATASET__PATH", "123", lambda s: s.sources.dataset.path, "123"),
        ("AI_TRADER__SOURCES__SIMULATED__UNTIL", "2025-08-29", lambda s: s.sources.simulated.until, date(2025, 8, 29)),
        (
            "AI_TRADER__SCANNERS__LAYER0_UNIVERSE__EXCHANGES",
            "[ARCA]",
            lambda s: s.layers[0].criteria["exchanges"].value,
            ("ARCA",),
        ),
        ("AI_TRADER__SCANNERS__LAYER2_TECHNICAL__LAYER__MAX_SYMBOLS", "7", lambda s: s.layers[2].max_symbols, 7),
        (
            "AI_TRADER__SCANNERS__LAYER3_FUNDAMENTAL__RANKING__COMPONENTS__VALUE__FACTORS__PE",
            "3",
            lambda s: s.layers[3].ranking.components["value"].factors["pe"],
            3.0,
        ),
        (
            "AI_TRADER__MONITORING__KPIS__LAYER3_SYMBOLS__CRITICAL__BELOW",
            "5",
            lambda s: s.kpis["layer3_symbols"].critical.below,
            5.0,
        ),
    ],
)
def test_variables_are_typed(
    load: Load, variable: str, text: str, read: Callable[[Settings], object], value: object
) -> None:
    assert read(load(env={variable: text})) == value


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "AI_TRADER__SOURCE__SIMULATED__SEED",
            "1",
            "names no section of the settings; did you mean AI_TRADER__SOURCES?",
        ),
        ("AI_TRADER__SCANNERS__LAYER1__MIN_VOLUME", "1", "names no section of the settings; did you mean"),
        ("AI_TRADER__SCANNERS", "1", "names no section of the settings"),
        ("AI_TRADER__SOURCES", "1", "names a section, not a setting"),
        (f"{MIN_VOLUME}S", "1", f"names no setting; did you mean {MIN_VOLUME}?"),
        ("AI_TRADER__SOURCES__SIMULATED__SEEED", "1", ": sources.simulated.seeed is no setting; did you mean seed?"),
        (SEED, "many", ": sources.simulated.seed cannot be 'many': expected a whole number"),
        (SEED, "1.5", ": sources.simulated.seed cannot be 1.5: expected a whole number"),
        (SEED, "-1", ": sources.simulated.seed cannot be -1: expected a whole number >= 0"),
        (SEED, "", ": sources.simulated.seed cannot be null: expected a whole number"),
        (SEED, ".nan", ":1 is .nan, not a finite number"),
        (SEED, "[1", ":2:1 is not YAML"),
        (f"{SEED}__X", "1", ": sources.simulated.seed cannot be a section: expected a whole number"),
        ("AI_TRADER__SOURCES__SIMULATED", "5", ": sources.simulated cannot be 5: expected a section of keys"),
        (
            f"{MIN_VOLUME}__WEIHGT",
            "1",
            ": scanners.layer1_liquidity.min_volume.weihgt is no setting; did you mean weight?",
        ),
        ("AI_TRADER__MONITORING__KPIS__LAYER9__FOR", "1m", "names no setting"),
        ("AI_TRADER__SCANNERS__LAYER3_FUNDAMENTAL__RANKING__COMPONENTS__VALUE__FACTORS__PX", "1", "names no setting"),
    ],
)
def test_a_variable_that_means_nothing(load: Load, variable: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(env={variable: text})
    assert str(caught.value).startswith(f"{variable}{'' if said[0] == ':' else ' '}{said}")
    assert caught.value.do


def test_other_variables_are_none_of_ours(load: Load) -> None:
    assert load(env={"AI_TRADER": "x", "AI_TRADERS__X": "1", "PATH": "/bin"}).digest == load().digest


SOURCES, LAYER1 = "config/sources.yml", "config/scanners/layer1_liquidity.yml"
OVERLAY, KPIS = "config/environments/development.yml", "config/monitoring/kpis.yml"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (SOURCES, None, " is missing"),
        (SOURCES, "", " is empty"),
        (SOURCES, b"\xff\xfe", ":1 is not UTF-8"),
        (SOURCES, "default: polygn\n", ":1: sources.default cannot be 'polygn'"),
        (SOURCES, "simulated:\n  seeds: 1\n", ":2: sources.simulated.seeds is no setting; did you mean seed?"),
        (SOURCES, "simulated: {listings: 49}\n", ":1: sources.simulated.listings cannot be 49"),
        (SOURCES, "simulated: {until: tomorrow}\n", ":1: sources.simulated.until cannot be 'tomorrow'"),
        (SOURCES, "simulated:\n", ":1: sources.simulated cannot be null"),
        (
            "config/scanners/funnel.yml",
            "first_scan_sessions: 0\n",
            ":1: scanners.funnel.first_scan_sessions cannot be 0",
        ),
        ("config/scanners/performance.yml", "workers: true\n", ":1: scanners.performance.workers cannot be True"),
        ("config/scanners/performance.yml", "workers: 1.5\n", ":1: scanners.performance.workers cannot be 1.5"),
        ("config/sentiment/news_analysis.yml", "half_life_sessions: 0\n", ":1: sentiment.news_analysis.half_life"),
        (LAYER1, "min_volume: 5\n", ": scanners.layer1_liquidity lacks the section layer"),
        (LAYER1, "layer: {number: 2, name: x}\n", ":1: scanners.layer1_liquidity.layer.number is 2: layer 2 is"),
        (
            LAYER1,
            "layer: {number: 1, name: x}\na: {value: 1, missing: no}\n",
            ":2: scanners.layer1_liquidity.a.missing",
        ),
        (OVERLAY, "scanner: {}\n", ":1: scanner is no section; did you mean scanners?"),
        (OVERLAY, "scanners:\n  layer1: {}\n", ":2: scanners.layer1 is no section; valid: funnel, layer0_universe"),
        (OVERLAY, "", " is empty"),
        (OVERLAY, "sources: {simulated: {seed: x}}\n", ":1: sources.simulated.seed cannot be 'x'"),
        (KPIS, "a: {name: A}\n", ":1: monitoring.kpis.a lacks unit"),
        (KPIS, "a: 5\n", ":1: monitoring.kpis.a cannot be 5"),
    ],
)
def test_a_file_that_cannot_be_used(load: Load, name: str, text: str | bytes | None, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({name.removeprefix("config/"): text})
    assert str(caught.value).startswith(name + said)
    assert caught.value.do
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "section", ["scanners:", "scanners: 5", "sources: []", "sources: 5", "scanners: {layer1_liquidity: 5}"]
)
def test_an_overlay_section_that_is_no_section(load: Load, section: str) -> None:
    with pytest.raises(ConfigError, match="is a section, not a value; write its keys below it"):
        load(overlay(section + "\n"))


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ("on_target: {min: 20}\n  warning: {below: 15}\n  critical: {below: 16}", "critical.below <= warning.below"),
        ("on_target: {min: 20}\n  warning: {below: 21}\n  critical: {below: 16}", "critical.below <= warning.below"),
        ("on_target: {max: 5}\n  warning: {above: 4}\n  critical: {above: 9}", "on_target.max <= warning.above"),
        ("on_target: {min: 6, max: 5}\n  warning: {}\n  critical: {}", "its lower bound is above its upper"),
        ("on_target: {}\n  warning: {}\n  critical: {}", "it has no bound at all"),
    ],
)
def test_kpi_bounds_that_contradict_each_other(load: Load, bounds: str, said: str) -> None:
    row = f"a:\n  name: A\n  unit: symbols\n  {bounds}\n  for: 1m\n  calendar: XNYS\n  runbook: docs/x.md\n"
    with pytest.raises(ConfigError, match=r"monitoring\.kpis\.a contradicts itself") as caught:
        load({"monitoring/kpis.yml": row})
    assert said in str(caught.value)


def test_only_exact_file_names_load(load: Load) -> None:
    digest = load().digest
    copies = {
        "scanners.backup.20260101/layer1_liquidity.yml": "broken: [",
        "scanners/layer1_liquidity.yml.orig": "broken: [",
        "scanners/layer4_extra.yml": "broken: [",
        "environments/staging.yml": "broken: [",
    }
    assert load(copies).digest == digest


def test_overrides_enter_the_digest_and_workers_do_not(load: Load) -> None:
    digest = load().digest
    assert load(env={MIN_VOLUME: "500000"}).digest != digest
    assert load(env={MIN_VOLUME: "1000000"}).digest == digest
    assert load(env={"AI_TRADER__SCANNERS__FUNNEL__FIRST_SCAN_SESSIONS": "5"}).digest != digest
    assert load(env={"AI_TRADER__SCANNERS__PERFORMANCE__WORKERS": "5"}).digest == digest


def test_a_config_version_survives_the_store(load: Load) -> None:
    import json

    scanner = load().scanner
    again = scanner_from_content(json.loads(json.dumps(scanner.content())))
    assert again == scanner
    assert again.digest() == scanner.digest()
    changed = load(env={MIN_VOLUME: "5", MIN_RSI: "1"}).scanner
    mixed = scanner.with_layer(changed.layers[1])
    assert mixed.layers == (scanner.layers[0], changed.layers[1], scanner.layers[2], scanner.layers[3])


@pytest.mark.parametrize("damage", [{}, {"layers": []}, {"layers": [{}] * 4}])
def test_a_damaged_config_version_is_said(damage: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="stored configuration"):
        scanner_from_content(damage)


def test_every_value_has_an_origin(load: Load) -> None:
    rows = load(env={SEED: "3"}).effective()
    assert len({row.name for row in rows}) == len(rows)
    shown = {row.name: (row.value, row.origin) for row in rows}
    assert shown["scanners.layer1_liquidity.min_volume"] == (1_000_000, "config/scanners/layer1_liquidity.yml:3")
    assert shown["scanners.layer1_liquidity.max_spread_pct.missing"] == (
        "skip",
        "config/scanners/layer1_liquidity.yml:4",
    )
    assert shown["scanners.layer1_liquidity.max_spread_pct.role"] == ("required", "default")
    assert shown["scanners.layer2_technical.layer.min_score"] == (0.6, "config/scanners/layer2_technical.yml:4")
    assert shown["sources.simulated.seed"] == (3, SEED)
    assert shown["sources.simulated.listings"] == (10_500, "default")
    assert shown["monitoring.kpis.layer3_symbols.for"] == ("15m", "config/monitoring/kpis.yml:7")
