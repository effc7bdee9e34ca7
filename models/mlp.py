"""A multilayer perceptron: Linear layers with ReLU between them, and BatchNorm after each if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Logits of shape ``(batch, classes)`` from flat inputs of shape ``(batch, inputs)``."""

    def __init__(self, inputs: int, hidden: Sequence[int], classes: int, batch_norm: bool = False) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            norm = [nn.BatchNorm1d(fan_out)] if batch_norm else []
            layers += [nn.Linear(fan_in, fan_out), *norm, nn.ReLU()]
        norm = [nn.BatchNorm1d(classes)] if batch_norm else []
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], classes), *norm)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits of shape ``(batch, classes)``."""
        logits: Tensor = self.layers(inputs)
        return logits
