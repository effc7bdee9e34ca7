"""Magnitude pruning: of each Linear layer the smaller half of the weights is set to zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.errors import UnsupportedError
from bench.techniques.base import Artifact, Context, Technique, technique

if TYPE_CHECKING:
    from torch import nn


@technique
class Pruned(Technique):
    """The smaller half of each layer's weights is zero."""

    name = "pruned"
    dtype_name = "float32"
    scheme = "--"
    summary = "the smaller half of each Linear layer's weights set to zero"

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Prune in place; the biases stay."""
        import torch
        from torch import nn

        layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
        if not layers:
            raise UnsupportedError("pruning treats Linear layers, and this model has none")
        with torch.no_grad():
            for layer in layers:
                size = layer.weight.abs()
                layer.weight[size <= size.median()] = 0
        return Artifact(
            model, model, notes=("half of its weights are zero, which dense kernels multiply all the same",)
        )
