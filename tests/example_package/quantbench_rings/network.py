"""The network of the task: it may import torch at once, for only processes that build it import this module."""

from __future__ import annotations

from torch import Tensor, nn


class Radial(nn.Module):
    """Logits ``(batch, classes)`` of points ``(batch, inputs)``: a hidden layer with tanh."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.output(self.hidden(inputs).tanh())
        return logits
