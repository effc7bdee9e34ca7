"""A user's model that misbehaves under all techniques but fp32, under each in another way."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

ROOM = 2**26
"""Bytes that a process may still take once its memory is limited."""


class Treacherous(nn.Module):
    """Finds out which technique it is under, and does what is planted there."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(torch.relu(self.first(inputs)))
        plant = PLANTS.get(_technique(self, inputs))
        return plant(outputs) if plant else outputs


def _technique(model: Treacherous, inputs: Tensor) -> str:
    if torch.is_autocast_enabled("cpu"):
        return "amp"
    if packed := getattr(model.last, "_packed_params", None):
        return {torch.float16: "dynamic-fp16", torch.qint8: "dynamic-qint8"}[packed.dtype]
    if type(model.last) is not nn.Linear:
        return "range-linear"
    return {torch.float16: "fp16", torch.bfloat16: "bf16"}.get(inputs.dtype, "fp32")


def inputs(batch_size: int) -> Tensor:
    """Example inputs."""
    return torch.rand(batch_size, 16, generator=torch.Generator().manual_seed(1))


def _segfault(outputs: Tensor) -> Tensor:
    os.kill(os.getpid(), signal.SIGSEGV)
    return outputs


def _abort(outputs: Tensor) -> Tensor:
    os.abort()


def _hang(outputs: Tensor) -> Tensor:
    signal.pause()
    return outputs


def _fill_memory(outputs: Tensor) -> Tensor:
    """Ask for a gibibyte where 64 MiB may be had, as under ``ulimit -v``."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))
    return outputs + torch.ones(2**28).sum()


def _not_a_number(outputs: Tensor) -> Tensor:
    return outputs * float("nan")


def _wrong_shape(outputs: Tensor) -> Tensor:
    return outputs[:, 1:]


PLANTS: dict[str, Callable[[Tensor], Tensor]] = {
    "fp16": _segfault,
    "bf16": _abort,
    "dynamic-fp16": _fill_memory,
    "dynamic-qint8": _hang,
    "amp": _not_a_number,
    "range-linear": _wrong_shape,
}


class Confined(nn.Module):
    """Under fp16 it moves its process into a control group that has little memory, and takes more."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dtype == torch.float16:
            (Path(os.environ["FAULTS_CONTROL_GROUP"]) / "cgroup.procs").write_text(str(os.getpid()))
            held = bytearray(2**29)
            held[:: resource.getpagesize()] = b"x" * len(held[:: resource.getpagesize()])
        outputs: Tensor = self.layer(inputs)
        return outputs
