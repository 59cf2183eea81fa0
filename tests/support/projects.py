"""A project of its own: the made-up market as a dataset folder, the small layers as files, a home."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aitrader.domain.frames import Delivery
from aitrader.settings.load import Settings, load_settings
from tests.support.funnels import LAYERS

ROOT = Path(__file__).parents[2]
FILES = {
    0: "layer0_universe.yml",
    1: "layer1_liquidity.yml",
    2: "layer2_technical.yml",
    3: "layer3_fundamental.yml",
}


def write_dataset(folder: Path, delivery: Delivery, *, name: str = "made") -> Path:
    """A dataset folder that delivers the same again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "dataset.yml").write_text(f"name: {name}\nadjustment: {delivery.adjustment}\ncalendar: XNYS\n")
    frames = {
        "securities": delivery.securities,
        "bars": delivery.bars,
        "corporate_actions": delivery.actions,
        "fundamentals": delivery.fundamentals.rename({"known_at": "known_on"}),
        "news": delivery.news,
    }
    for kind, frame in frames.items():
        if not frame.is_empty():
            told = [column for column in frame.columns if frame[column].null_count() < frame.height]
            frame.select(told).write_parquet(folder / f"{kind}.parquet")
    return folder


@dataclass(kw_only=True)
class Told:
    """A report that keeps what it was told."""

    steps: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.steps.append(text)

    def progress(self, label: str, done: int, total: int) -> None:
        assert 0 <= done <= total

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@dataclass(kw_only=True)
class Project:
    """Files and a home below ``root``."""

    root: Path
    environment: str = "development"

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "config", self.root / "config")
        for number in FILES:
            self.write(number)
        (self.root / "config" / "scanners" / "funnel.yml").write_text("first_scan_sessions: 4\n")

    def write(self, number: int, **changes: Any) -> None:
        """Write a layer's file with some keys replaced (None: removed); YAML reads JSON."""
        content = {key: value for key, value in {**LAYERS[number], **changes}.items() if value is not None}
        (self.root / "config" / "scanners" / FILES[number]).write_text(json.dumps(content))

    def settings(self, env: Mapping[str, str] | None = None) -> Settings:
        """The settings as a command would load them."""
        place = {"AI_TRADER_ENV": self.environment, "AI_TRADER_HOME": str(self.root / "state")}
        return load_settings(self.root / "config", place | dict(env or {}), root=self.root)
