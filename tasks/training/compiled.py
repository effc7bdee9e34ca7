"""A network's training step as code of torch's compiler: quantizers, masks and BatchNorm become a few fused loops."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.tasks.errors import TrainingError

COMPILERS = ("g++", "clang++", "c++")


def compile_module(module: nn.Module) -> Callable[..., Tensor]:
    """Return ``module`` compiled, forward and backward, with its weights; raises ``TrainingError`` where it cannot.

    The last batch of an epoch may be smaller than the others: each size has code of its own, since one for all is
    slower.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in module.parameters())
    if on_cpu and not any(shutil.which(name) for name in COMPILERS):
        raise TrainingError(
            f"torch's compiler needs a C++ compiler ({', '.join(COMPILERS)}), and none is installed; install one, or "
            f"train without --compile."
        )
    compiled: Callable[..., Tensor] = torch.compile(module, dynamic=False)
    return compiled
