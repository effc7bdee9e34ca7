"""Automatic mixed precision: float32 weights, trained and run under ``torch.autocast``.

bfloat16 on a CPU; float16 with a GradScaler on CUDA (Micikevicius et al. 2018, "Mixed Precision Training").
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.tasks.task import Precision
from bench.techniques.base import Artifact, Context, Technique, technique

if TYPE_CHECKING:
    import torch
    from torch import nn


def _forward(model: nn.Module, autocast: Callable[[], torch.autocast], *inputs: Any, **named: Any) -> Any:
    with autocast():
        return model(*inputs, **named)


@technique
class Amp(Technique):
    """Autocast while training and while running."""

    name = "amp"
    scheme = "AMP"
    summary = "float32 weights, trained and run under autocast (bfloat16 on CPU, float16 on CUDA)"

    def dtype(self, device: str) -> str:
        """Return the type that autocast computes in here."""
        return self.training_precision(device)

    def training_precision(self, device: str) -> Precision:
        """Return bfloat16 on a CPU, float16 on CUDA."""
        return "float16" if device == "cuda" else "bfloat16"

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Wrap the call; entering autocast and casting the weights are part of what is timed."""
        import torch

        device = context.device.type
        dtype = getattr(torch, self.training_precision(device))
        forward = functools.partial(_forward, model, functools.partial(torch.autocast, device, dtype=dtype))
        origin = "trained under autocast" if context.own_training else "weights as given, not trained under autocast"
        return Artifact(model, forward, notes=(f"{origin}; weights are float32 and cast at each call",))
