"""The layers that a technique would change."""

from __future__ import annotations

from torch import nn

from bench.measuring.params import count_parameters
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import QuantizableLayer


def quantizable_layers(model: nn.Module, technique: str) -> list[QuantizableLayer]:
    """Return them in the model's order."""
    modules = {name: model.get_submodule(name) for name in TECHNIQUES.get(technique).quantizable_layers(model)}
    return [
        QuantizableLayer(name, type(part).__name__, count_parameters(part), _outputs(part))
        for name, part in modules.items()
    ]


def _outputs(layer: nn.Module) -> int:
    """Return how many channels or features a layer puts out; 0 of a kind that does not say."""
    names = ("out_features", "out_channels", "hidden_size")
    return next((int(getattr(layer, name)) for name in names if hasattr(layer, name)), 0)
