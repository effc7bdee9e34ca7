"""The model of the self-check, defined as a user would define theirs; its weights are random.

How long a call takes does not depend on them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURES = 400
WIDTH = 1024
CLASSES = 10


def build() -> nn.Module:
    """Return an MLP of 1.5 million weights, the size of the lab's second MNIST model."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(FEATURES, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)
    ).eval()


def inputs(batch_size: int) -> Tensor:
    """Return a batch of random examples."""
    return torch.rand(batch_size, FEATURES, generator=torch.Generator().manual_seed(0))
