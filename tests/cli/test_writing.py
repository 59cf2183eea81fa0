"""The writing actions hand their flags to the composition root and tell what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aitrader.operations.refresh import RefreshResult
from aitrader.store.home import Home
from tests.cli.conftest import Ai
from tests.operations import sample


@dataclass
class Fake:
    """A composition root that remembers what it was asked and answers with the sample."""

    root: Path
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    market: str = "simulated"

    def _heard(self, name: str, given: dict[str, Any]) -> Home:
        given["report"].step(f"{name} begins")
        unsaid = ("settings", "report", "environ")
        self.asked.append((name, {key: value for key, value in given.items() if key not in unsaid}))
        return Home(self.root, "development", self.market)

    def _scanned(self, home: Home) -> Any:
        return SimpleNamespace(home=home, run_id=f"{sample.SESSIONS[-1]}.1", session=sample.SESSIONS[-1], published=1)

    def populate(self, **given: Any) -> Any:
        home = self._heard("populate", given)
        return SimpleNamespace(
            home=home,
            source=self.market,
            symbols=12,
            new=12,
            closed=1,
            renamed=0,
            sessions=3,
            corrected=0,
            first_session=sample.SESSIONS[0],
            last_session=sample.SESSIONS[-1],
            quarantined={"negative_price": 2},
            notices=(),
            changed=True,
            scan=self._scanned(home) if self.market == "simulated" else None,
        )

    def scan(self, **given: Any) -> Any:
        return self._scanned(self._heard("scan", given))

    def requalify(self, **given: Any) -> Any:
        return self._scanned(self._heard("requalify", given))

    def refresh_fundamentals(self, **given: Any) -> Any:
        return RefreshResult(
            home=self._heard("refresh_fundamentals", given),
            layer=given["layer"],
            members=3,
            new_reports=5,
            revised_reports=1,
            sectors=2,
            reports_by="sec",
            industries_by="sec",
            quarantined={"bad_date": 1},
            warnings=("polygon is not asked: set POLYGON_API_KEY",),
        )

    def check_sources(self, **given: Any) -> Any:
        return []

    def test_config(self, **given: Any) -> Any:
        self._heard("test_config", given)
        return SimpleNamespace(
            layer=1,
            session=str(sample.SESSIONS[-1]),
            active_version="old",
            edited_version="new",
            entered=["NEAR"],
            left=["NA", "TRUE"],
            kept=5,
            by_criterion={"min_volume": {"entered": 1, "left": 0}, "min_price": {"entered": 0, "left": 2}},
            causes={"NEAR": "min_volume", "NA": "min_price", "TRUE": "min_price"},
            layers=[{"layer": 0, "before": 11, "after": 11}, {"layer": 1, "before": 7, "after": 6}],
        )


@pytest.mark.parametrize(
    ("line", "name", "given"),
    [
        ("scan", "scan", {"market": None, "as_of": None, "force": False}),
        (
            "scan --as-of 2025-08-20 --force --market simulated",
            "scan",
            {"market": "simulated", "as_of": date(2025, 8, 20), "force": True},
        ),
        (
            "universe --populate",
            "populate",
            {
                "source": None,
                "path": None,
                "file": None,
                "force_refresh": False,
                "accept_shrink": False,
                "market": None,
            },
        ),
        (
            "universe --populate --source dataset --path real --force-refresh --accept-shrink --market m",
            "populate",
            {
                "source": "dataset",
                "path": Path("real"),
                "file": None,
                "force_refresh": True,
                "accept_shrink": True,
                "market": "m",
            },
        ),
        (
            "universe --requalify --layer 2 --force",
            "requalify",
            {"market": None, "layer": 2, "parallel": False, "force": True},
        ),
        ("universe --requalify-all", "requalify", {"market": None, "layer": None, "parallel": False, "force": False}),
        (
            "universe --requalify-all --parallel",
            "requalify",
            {"market": None, "layer": None, "parallel": True, "force": False},
        ),
        ("universe --test-config --dry-run --layer 1", "test_config", {"market": None, "layer": 1}),
    ],
)
def test_flags_reach_the_engine(ai: Ai, published: Path, line: str, name: str, given: dict[str, Any]) -> None:
    fake = Fake(published)
    said = ai(line, facade=fake)
    assert (said.code, fake.asked) == (0, [(name, given)])
    assert "notice: simulated data\n" in said.err
    assert f"s] {name} begins\n" in said.err
    assert "begins" not in said.out


def test_a_scan_of_an_empty_home_populates_the_default_source_first(ai: Ai, published: Path, tmp_path: Path) -> None:
    fake = Fake(published)
    assert ai("scan", env={"AI_TRADER_HOME": str(tmp_path)}, facade=fake).code == 0
    nothing = {
        "source": None,
        "path": None,
        "file": None,
        "force_refresh": False,
        "accept_shrink": False,
        "market": None,
    }
    assert fake.asked == [("populate", nothing | {"market": None})]


def test_a_dated_scan_of_an_empty_home_populates_and_then_scans(ai: Ai, published: Path, tmp_path: Path) -> None:
    fake = Fake(published)
    assert ai("scan --as-of 2025-08-20", env={"AI_TRADER_HOME": str(tmp_path)}, facade=fake).code == 0
    assert [name for name, _ in fake.asked] == ["populate", "scan"]


def test_a_scan_ends_with_the_funnel_the_picks_a_near_miss_and_what_to_do_next(ai: Ai, published: Path) -> None:
    said = ai("scan", facade=Fake(published))
    lines = said.out.splitlines()
    assert not [line for line in lines if len(line) > 100]
    assert "The funnel on Thursday 2025-08-21 (run 2025-08-21.1, config 0123456789ab, development)" in lines
    funnel = [line.split() for line in lines if line.startswith("  ") and line[2:3].isdigit()][:4]
    assert [(row[1], row[2]) for row in funnel] == [
        ("universe", "11"),
        ("liquidity", "7"),
        ("technical", "3"),
        ("fundamental", "2"),
    ]
    assert funnel[0][3] == "█" * 30
    assert "Layer 3: 2 picks" in lines
    assert next(line.split() for line in lines if " AAPL " in line) == (
        ["1", "AAPL", "Technology", "0.900", "revenue", "growth", "9", "%", "(>=", "5", "%)"]
    )
    held = next(line.split() for line in lines if " MSFT " in line)
    assert held == ["2", "MSFT", "unknown", "0.700", "held", "by", "band"]
    assert "Near miss (Layer 2): NA missed by min_rsi: 29.999 < 30" in lines
    assert "Unavailable on this source, so not judged: Layer 1 max_spread_pct" in lines
    assert "Not held against a symbol where its data is missing: max_spread_pct, min_news_sentiment" in lines
    assert "Sector cap of Layer 3 relaxed by 1 name, too few passed otherwise" in lines
    assert any(line.startswith("This market is SIMULATED") for line in lines)
    commands = lines[lines.index("Next:") + 1 :]
    assert commands == [
        "  python ai_trader.py universe --explain AAPL",
        "  sed -i.bak '/^min_volume:/s/1000000/500000/' config/scanners/layer1_liquidity.yml \\",
        "    && python ai_trader.py universe --test-config --dry-run --layer 1",
        "  python ai_trader.py universe --populate --source dataset --path FOLDER",
    ]


def test_a_scan_of_real_data_does_not_say_simulated(ai: Ai, tmp_path: Path) -> None:
    sample.publish(tmp_path, source="dataset-real")
    said = ai("scan", env={"AI_TRADER_HOME": str(tmp_path)}, facade=Fake(tmp_path, market="dataset-real"))
    assert "imulated" not in said.out + said.err
    assert "SIMULATED" not in said.out
    assert "\nSource: dataset-real.\n" in said.out


def test_a_population_tells_what_it_found(ai: Ai, published: Path) -> None:
    said = ai("universe --populate", facade=Fake(published))
    assert said.out == (
        "market simulated: 12 symbols, sessions 2025-08-19 to 2025-08-21\n"
        "new 12, closed 1, renamed 0; sessions written 3, bars corrected 0\n"
        "quarantined 2 rows: negative_price\n"
    )


def test_a_populated_dataset_says_how_to_scan_it(ai: Ai, published: Path) -> None:
    said = ai("universe --populate --source dataset --path x", facade=Fake(published, market="dataset-x"))
    assert said.out.endswith("next: python ai_trader.py scan [--as-of DATE]\n")


def test_a_config_test_says_who_enters_who_leaves_and_by_which_criterion(ai: Ai, published: Path) -> None:
    said = ai("universe --test-config --dry-run --layer 1", facade=Fake(published))
    assert said.out == (
        "Layer 1 on session 2025-08-21: 1 enter, 2 leave, 5 stay\n"
        "  Layer 0       11 -> 11 (+0)\n"
        "  Layer 1        7 -> 6 (-1)\n"
        "  by min_volume: 1 enter\n"
        "  by min_price: 2 leave\n"
        "\nenter:\n  NEAR      min_volume\n"
        "\nleave:\n  NA        min_price\n  TRUE      min_price\n"
        "\nnothing was written; adopt it with: python ai_trader.py universe --requalify --layer 1\n"
    )


def test_a_requalification_shows_each_layer_beside_its_last_count(ai: Ai, published: Path) -> None:
    said = ai("universe --requalify --layer 1", facade=Fake(published))
    assert said.out.splitlines() == [
        "run 2025-08-21.1, config 0123456789ab",
        "Layer 0 universe          11   was 11 (+0)",
        "Layer 1 liquidity          7   was 7 (+0)",
        "Layer 2 technical          3   was 3 (+0)",
        "Layer 3 fundamental        2   was 2 (+0)",
    ]
