"""A user's model, and callables beside it that exit, fork and flood."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

Model = Callable[[Tensor], Tensor]
FLOOD = "a line that nobody wants to have in a table\n"
LINES = 50_000
LEFT = "FAULTS_LEFT"
"""Names the file in which a process that is left notes who it is; somebody must end it."""


def build() -> nn.Module:
    """The model."""
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


def inputs(batch_size: int) -> Tensor:
    """Example inputs."""
    return torch.rand(batch_size, 16, generator=torch.Generator().manual_seed(1))


def accuracy(model: Model) -> tuple[int, int]:
    """How often the first class wins, of 20."""
    return int((model(inputs(20)).argmax(1) == 0).sum()), 20


def exits(model: Model) -> tuple[int, int]:
    """Leave without a word."""
    os._exit(3)


def inputs_that_exit(batch_size: int) -> Tensor:
    """Leave before anything is measured."""
    os._exit(4)


def forks(model: Model) -> tuple[int, int]:
    """Go on as two processes, both of which return."""
    os.fork()
    return accuracy(model)


def leaves_a_process(model: Model) -> tuple[int, int]:
    """Die of a signal, and leave a process that holds on to all that was open."""
    if child := os.fork():
        with Path(os.environ[LEFT]).open("a") as file:
            file.write(f"{child}\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    signal.pause()
    return accuracy(model)


def floods(model: Model) -> tuple[int, int]:
    """Print megabytes, past Python's standard output too."""
    print(FLOOD * LINES)
    for _ in range(LINES // 1000):
        os.write(1, FLOOD.encode() * 1000)
    return accuracy(model)
