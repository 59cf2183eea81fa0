"""What a scan's result depends on besides its data: the four layers, the first scan, the sentiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Struct, to_builtins

from aitrader.domain.errors import ConfigError
from aitrader.settings.convert import to_model
from aitrader.settings.layer_file import LayerFile, content_digest, layer_from_content
from aitrader.settings.models import Funnel, Sentiment

VERSION_LENGTH = 12


class ScannerConfig(Struct, frozen=True, kw_only=True):
    """A config version: kept whole in the store, compared by digest."""

    layers: tuple[LayerFile, LayerFile, LayerFile, LayerFile]
    funnel: Funnel
    sentiment: Sentiment

    def content(self) -> dict[str, Any]:
        """Plain values that JSON can hold; :func:`scanner_from_content` turns them back."""
        return {
            "layers": [layer.content() for layer in self.layers],
            "funnel": to_builtins(self.funnel),
            "sentiment": to_builtins(self.sentiment),
        }

    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal: the same settings have the same digest wherever they come from."""
        return content_digest(self.content())

    @property
    def version(self) -> str:
        """The name of this config version in every output: the head of its digest."""
        return self.digest()[:VERSION_LENGTH]

    def with_layer(self, layer: LayerFile) -> ScannerConfig:
        """The same version with one layer replaced by another file of the same number."""
        layers = tuple(layer if each.number == layer.number else each for each in self.layers)
        return ScannerConfig(layers=_four(layers), funnel=self.funnel, sentiment=self.sentiment)


def scanner_from_content(content: Mapping[str, Any]) -> ScannerConfig:
    """A config version from what :meth:`ScannerConfig.content` gave; raises ConfigError where it is damaged."""
    layers = content.get("layers")
    if not isinstance(layers, list) or len(layers) != 4:
        raise ConfigError("stored configuration is damaged", why="it lacks its four layers", do="adopt the files again")
    return ScannerConfig(
        layers=_four(
            tuple(layer_from_content(each, at=("layers", str(each_at))) for each_at, each in enumerate(layers))
        ),
        funnel=to_model(content.get("funnel", {}), Funnel, at=("funnel",), origin=_stored),
        sentiment=to_model(content.get("sentiment", {}), Sentiment, at=("sentiment",), origin=_stored),
    )


def _stored(_path: tuple[str, ...]) -> str:
    return "stored configuration"


def _four(layers: tuple[LayerFile, ...]) -> tuple[LayerFile, LayerFile, LayerFile, LayerFile]:
    return cast(tuple[LayerFile, LayerFile, LayerFile, LayerFile], layers)
