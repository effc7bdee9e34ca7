"""A user's model whose file makes the clock of its process jump back and forth by a year."""

from __future__ import annotations

import itertools
import time

import torch
from torch import Tensor, nn

YEAR_S = 365 * 24 * 3600.0
_real, _jumps = time.time, itertools.cycle((0.0, -YEAR_S, YEAR_S))


def jumping() -> float:
    """Return the time of some year."""
    return _real() + next(_jumps)


def build() -> nn.Module:
    """The model; from now on the clock jumps."""
    time.time = jumping
    return nn.Linear(16, 4)


def inputs(batch_size: int) -> Tensor:
    """Example inputs."""
    return torch.rand(batch_size, 16, generator=torch.Generator().manual_seed(1))
