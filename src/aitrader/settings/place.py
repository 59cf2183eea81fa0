"""Where this process works: environment, state folder, config folder and market. Standard library only.

The read paths need no more than this, so that they start without reading any YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aitrader.domain.errors import ConfigError
from aitrader.settings.suggestions import did_you_mean

ENVIRONMENTS = ("development", "production")


class Place(NamedTuple):  # not a dataclass, whose import alone takes 10 ms of a command that only reads
    """What the environment's variables say; paths are absolute."""

    root: Path  # the project's folder
    environment: str  # development or production
    environment_is_set: bool  # False: AI_TRADER_ENV is unset, so a live source may not be changed
    home: Path  # the state folder: store, bars, cache, logs
    config_dir: Path
    market: str | None  # None: the market last populated in the home


def project_root() -> Path:
    """The folder that holds ``src/aitrader``, or the current folder where the package is installed elsewhere."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "ai_trader.py").is_file() else Path.cwd()


def locate(env: Mapping[str, str], *, root: Path | None = None) -> Place:
    """Read AI_TRADER_ENV, AI_TRADER_HOME, AI_TRADER_CONFIG_DIR and AI_TRADER_MARKET; an empty value counts as unset.

    The default folders stand in the project's root; a relative folder in a variable is relative to the current one.
    Raises ConfigError for an environment other than development or production, or a market that is no folder name.
    """
    base = project_root() if root is None else root
    environment = env.get("AI_TRADER_ENV", "")
    if environment and environment not in ENVIRONMENTS:
        raise ConfigError(
            f"AI_TRADER_ENV={environment} is no environment",
            do=did_you_mean(environment, ENVIRONMENTS),
        )
    market = env.get("AI_TRADER_MARKET", "")
    if market and (market.startswith(".") or "/" in market or "\\" in market or "\0" in market):
        raise ConfigError(
            f"AI_TRADER_MARKET={market!r} is no market",
            do="name one as it stands in the state folder: simulated, dataset-NAME or live",
        )
    return Place(
        root=base,
        environment=environment or "development",
        environment_is_set=bool(environment),
        home=_folder(env.get("AI_TRADER_HOME", ""), base / "state"),
        config_dir=_folder(env.get("AI_TRADER_CONFIG_DIR", ""), base / "config"),
        market=market or None,
    )


def _folder(value: str, default: Path) -> Path:
    return Path(value).expanduser().absolute() if value else default.absolute()
