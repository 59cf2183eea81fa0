"""Everything that is configured, read once at the start of a command that needs more than a :class:`Place`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, to_builtins

from aitrader.settings.convert import fault, to_model
from aitrader.settings.layer_file import LayerFile, layer_from_content
from aitrader.settings.models import Funnel, Kpi, Performance, Sentiment, Sources, kpi_fault
from aitrader.settings.place import Place, locate
from aitrader.settings.scanner import ScannerConfig
from aitrader.settings.tree import FILES, LAYERS, Tree, apply_flags, apply_overrides
from aitrader.settings.yaml_file import KeyPath, Value, read_document

KPIS = ("monitoring", "kpis")
M = TypeVar("M")


class Effective(Struct, frozen=True, kw_only=True):
    """One setting as it stands: dotted name, value, and where it comes from (``default`` where nothing sets it)."""

    name: str
    value: Value
    origin: str


class Settings(Struct, frozen=True, kw_only=True):
    """The configuration of one process. ``scanner`` is the candidate: scans use the active version in the store."""

    place: Place
    scanner: ScannerConfig
    sources: Sources
    kpis: dict[str, Kpi]  # by their stable word, in the file's order
    performance: Performance
    tree: Tree

    @property
    def environment(self) -> str:
        """The word development or production."""
        return self.place.environment

    @property
    def home(self) -> Path:
        """The state folder."""
        return self.place.home

    @property
    def market(self) -> str | None:
        """The market named by AI_TRADER_MARKET, or None."""
        return self.place.market

    @property
    def layers(self) -> tuple[LayerFile, LayerFile, LayerFile, LayerFile]:
        """Layers 0 to 3 as the files, the overlay and the overrides have them."""
        return self.scanner.layers

    @property
    def funnel(self) -> Funnel:
        """How the funnel starts."""
        return self.scanner.funnel

    @property
    def sentiment(self) -> Sentiment:
        """How headlines are scored."""
        return self.scanner.sentiment

    @property
    def digest(self) -> str:
        """The digest of the scanner's configuration: the candidate's config version."""
        return self.scanner.digest()

    def effective(self) -> tuple[Effective, ...]:
        """Every setting with its value and origin, in the order of the files."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[Effective]:
        for path, layer in zip(LAYERS, self.layers, strict=True):
            for key, value in layer.content().items():
                given = self.tree.section(path).get(key)
                plain = isinstance(value, dict) and "role" in value and not isinstance(given, dict)
                yield from self._leaves((*path, key), value["value"] if plain else value)
        models = {
            ("scanners", "performance"): self.performance,
            ("scanners", "funnel"): self.funnel,
            ("sources",): self.sources,
            ("sentiment", "news_analysis"): self.sentiment,
            KPIS: self.kpis,
        }
        for section, model in models.items():
            yield from self._leaves(section, to_builtins(model))

    def _leaves(self, path: KeyPath, value: Any) -> Iterator[Effective]:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                yield from self._leaves((*path, key), inner)
        else:
            yield Effective(name=".".join(path), value=value, origin=self.tree.origins.get(path, "default"))


def load_settings(
    config_dir: Path, env: Mapping[str, str], *, flags: Mapping[str, Value] | None = None, root: Path | None = None
) -> Settings:
    """Read the files of ``config_dir``, the overlay, ``AI_TRADER__*`` and ``flags`` (dotted name -> value).

    Raises ConfigError, which names the file and line or the variable, for anything that cannot be used.
    """
    place = locate(env, root=root)._replace(config_dir=config_dir.absolute())
    base = place.root
    tree = Tree()
    for section, name in FILES.items():
        path = config_dir / name
        tree.add(read_document(path, shown=_shown(path, base)), at=section)
    overlay = config_dir / "environments" / f"{place.environment}.yml"
    if overlay.exists():
        tree.add(read_document(overlay, shown=_shown(overlay, base)))
    apply_overrides(tree, env)
    apply_flags(tree, flags or {})
    return Settings(
        place=place,
        scanner=_scanner(tree),
        sources=_model(tree, Sources, ("sources",)),
        kpis=_kpis(tree),
        performance=_model(tree, Performance, ("scanners", "performance")),
        tree=tree,
    )


def _shown(path: Path, root: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(root)) if absolute.is_relative_to(root) else str(absolute)


def _model(tree: Tree, model: type[M], path: KeyPath) -> M:
    return to_model(tree.section(path), model, at=path, origin=tree.origin)


def _scanner(tree: Tree) -> ScannerConfig:
    layers: dict[int, LayerFile] = {}
    for expected, path in enumerate(LAYERS):
        layer = layer_from_content(tree.section(path), at=path, origin=tree.origin)
        if layer.number != expected:
            where = (*path, "layer", "number")
            taken = f"layer {layer.number} is {FILES[LAYERS[layer.number]]}"
            raise fault(f"is {layer.number}", at=where, origin=tree.origin, why=taken, do=f"write number: {expected}")
        layers[expected] = layer
    return ScannerConfig(
        layers=(layers[0], layers[1], layers[2], layers[3]),
        funnel=_model(tree, Funnel, ("scanners", "funnel")),
        sentiment=_model(tree, Sentiment, ("sentiment", "news_analysis")),
    )


def _kpis(tree: Tree) -> dict[str, Kpi]:
    kpis = {}
    for word, row in tree.section(KPIS).items():
        kpis[word] = to_model(row, Kpi, at=(*KPIS, word), origin=tree.origin)
        why = kpi_fault(kpis[word])
        if why:
            raise fault(
                "contradicts itself", at=(*KPIS, word), origin=tree.origin, why=why, do="put the bounds in order"
            )
    return kpis
