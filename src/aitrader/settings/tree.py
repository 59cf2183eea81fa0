"""The settings as one tree of plain values, each knowing where it comes from.

Precedence: flag, then ``AI_TRADER__SECTION__KEY``, then ``environments/<env>.yml``, then the file. Path and key make a
setting's name: ``scanners/layer1_liquidity.yml`` and ``min_volume`` make ``scanners.layer1_liquidity.min_volume``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aitrader.domain.errors import ConfigError
from aitrader.settings.layer_file import RESERVED
from aitrader.settings.suggestions import did_you_mean
from aitrader.settings.yaml_file import Document, KeyPath, Value, parse_value

PREFIX = "AI_TRADER__"
FILES: dict[KeyPath, str] = {
    ("scanners", "layer0_universe"): "scanners/layer0_universe.yml",
    ("scanners", "layer1_liquidity"): "scanners/layer1_liquidity.yml",
    ("scanners", "layer2_technical"): "scanners/layer2_technical.yml",
    ("scanners", "layer3_fundamental"): "scanners/layer3_fundamental.yml",
    ("scanners", "performance"): "scanners/performance.yml",
    ("scanners", "funnel"): "scanners/funnel.yml",
    ("sources",): "sources.yml",
    ("sentiment", "news_analysis"): "sentiment/news_analysis.yml",
    ("monitoring", "kpis"): "monitoring/kpis.yml",
}
LAYERS = tuple(path for path in FILES if path[-1].startswith("layer"))
_TEXT = (("sources", "dataset", "path"),)  # taken as it is, whatever YAML would make of it


class Tree:
    """Values by section, and the origin of each: a file and line, a variable, a flag."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[KeyPath, str] = {}

    def section(self, path: KeyPath) -> dict[str, Any]:
        """The values of the section ``path``; made where there are none yet."""
        node = self.values
        for part in path:
            node = node.setdefault(part, {})
        return node

    def origin(self, path: KeyPath) -> str:
        """Where ``path`` comes from, or the nearest section above it that comes from somewhere."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return "settings"

    def add(self, document: Document, *, at: KeyPath = ()) -> None:
        """Lay a file's values over what is there; ``at`` is the section that the file is, () for an overlay."""
        if at:
            self.origins.setdefault(at, document.shown)
        else:
            _check_sections(document)
        origins = {(*at, *path): f"{document.shown}:{line}" for path, line in document.lines.items()}
        self._lay(self.section(at), document.values, at, origins)

    def set(self, path: KeyPath, value: Value, *, origin: str) -> None:
        """Lay a single value over what is there."""
        over: dict[str, Value] = {path[-1]: value}
        for part in reversed(path[:-1]):
            over = {part: over}
        self._lay(self.values, over, (), {path: origin})

    def _lay(self, base: dict[str, Any], over: Mapping[str, Any], at: KeyPath, origins: Mapping[KeyPath, str]) -> None:
        for key, value in over.items():
            path, current = (*at, key), base.get(key)
            if isinstance(value, Mapping):
                if _is_criterion(path) and key in base and not isinstance(current, dict):
                    # A plain criterion takes its long form, its value kept.
                    self.origins[(*path, "value")] = self.origin(path)
                    base[key] = {"value": current}
                elif not isinstance(current, dict):
                    base[key] = {}
                    self.origins[path] = next(
                        (each for inner, each in origins.items() if inner[: len(path)] == path), self.origin(path)
                    )
                self._lay(base[key], value, path, origins)
            elif _is_criterion(path) and isinstance(current, dict):
                # A plain value changes the value of a long form, not its role.
                current["value"] = value
                self.origins[(*path, "value")] = origins[path]
            else:
                base[key] = value
                if path in origins:
                    self.origins[path] = origins[path]


def _is_criterion(path: KeyPath) -> bool:
    return len(path) == 3 and path[:2] in LAYERS and path[2] not in RESERVED


def _check_sections(overlay: Document) -> None:
    """Refuse an overlay whose keys, down to the files' names, are not the sections of the settings."""
    heads = {path[:length] for path in FILES for length in range(1, len(path) + 1)}
    for path, line in overlay.lines.items():
        if any(path[:length] in FILES for length in range(1, len(path))):
            continue
        at, name = f"{overlay.shown}:{line}", ".".join(path)
        if path not in heads:
            valid = sorted({head[-1] for head in heads if head[:-1] == path[:-1]})
            raise ConfigError(f"{at}: {name} is no section", do=did_you_mean(path[-1], valid))
        node: Value = overlay.values
        for part in path:
            node = node[part] if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise ConfigError(f"{at}: {name} is a section, not a value", do="write its keys below it")


def apply_overrides(tree: Tree, env: Mapping[str, str]) -> None:
    """Lay every ``AI_TRADER__SECTION__KEY`` over the tree, in order of name; its text is read as YAML reads a value.

    Raises ConfigError for a variable that names no setting. A criterion, factor or KPI must stand in its file already.
    """
    for variable in sorted(name for name in env if name.startswith(PREFIX)):
        path = _known_path(variable.removeprefix(PREFIX).lower().split("__"), variable, tree, _variable)
        text = env[variable]
        tree.set(path, text if path in _TEXT else parse_value(text, shown=variable), origin=variable)


def apply_flags(tree: Tree, flags: Mapping[str, Value]) -> None:
    """Lay values given on the command line, by dotted name, over the tree; raises as :func:`apply_overrides` does."""
    for name, value in flags.items():
        tree.set(_known_path(name.split("."), name, tree, ".".join), value, origin="command line")


def _known_path(parts: list[str], shown: str, tree: Tree, spell: Callable[[KeyPath], str]) -> KeyPath:
    head = next((path for path in FILES if tuple(parts[: len(path)]) == path), None)
    if head is None:
        wanted = spell(tuple(parts[: max(1, len(parts) - 1)][:2]))
        raise ConfigError(f"{shown} names no section of the settings", do=did_you_mean(wanted, map(spell, FILES)))
    if len(parts) == len(head):
        raise ConfigError(
            f"{shown} names a section, not a setting", do=f"name one of its keys: {spell((*head, 'key'))}"
        )
    path = head
    node: Any = tree.section(head)
    for part in parts[len(head) :]:
        keys = {str(key).lower(): str(key) for key in node} if isinstance(node, dict) else {}
        if part not in keys and _names_are_free(path) and not (path in LAYERS and part in RESERVED):
            valid = [*keys.values(), *(RESERVED if path in LAYERS else ())]
            near = did_you_mean(spell((*path, part)), [spell((*path, key)) for key in dict.fromkeys(valid)])
            raise ConfigError(f"{shown} names no setting", do=near)
        path = (*path, keys.get(part, part))
        node = node.get(path[-1]) if isinstance(node, dict) else None
    return path


def _names_are_free(section: KeyPath) -> bool:
    """Whether the keys of a section are the user's own names, not a model's: criteria, components, factors, KPIs."""
    inner = section[2:]
    if section[:2] in LAYERS:
        return inner in ((), ("ranking", "components")) or (
            len(inner) == 4 and inner[1::2] == ("components", "factors")
        )
    return section == ("monitoring", "kpis")


def _variable(path: KeyPath) -> str:
    return PREFIX + "__".join(path).upper()
