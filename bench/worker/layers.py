"""The layers that a technique would change."""

from __future__ import annotations

from torch import nn

from bench.measuring.params import count_parameters
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import QuantizableLayer


def quantizable_layers(model: nn.Module, technique: str) -> list[QuantizableLayer]:
    """Return them in the model's order."""
    modules = {name: model.get_submodule(name) for name in TECHNIQUES.get(technique).quantizable_layers(model)}
    return [QuantizableLayer(name, type(part).__name__, count_parameters(part)) for name, part in modules.items()]
