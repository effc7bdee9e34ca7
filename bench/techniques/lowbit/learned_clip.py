"""A clipping level of a layer's inputs that is learned (Choi et al. 2018, PACT, arXiv 1805.06085, eq. 1 to 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.techniques.lowbit.gradient import round_below
from bench.techniques.lowbit.layers import LowBitLayer

NAME = "clip"
"""Of the level among a layer's parameters."""
LEAST = 1e-3
"""Of α: at 0 nothing is left of the activations but 0/0, and below it gradients have the wrong sign."""


def add(layer: LowBitLayer, start: float) -> None:
    """Give a layer whose inputs are quantized its α."""
    if layer.quantizes_inputs:
        layer.register_parameter(NAME, nn.Parameter(torch.full((), start, device=layer.weight.device)))


def quantize(inputs: Tensor, layer: LowBitLayer, bits: int) -> Tensor:
    """Clip to [0, α] and round to the levels of ``bits``; the gradient of α is 1 where x ≥ α."""
    return round_below(inputs, layer.get_parameter(NAME), 2**bits - 1)


def keep_positive(layer: LowBitLayer) -> None:
    """Keep α above 0 after a step."""
    if NAME in layer._parameters:
        layer.get_parameter(NAME).clamp_(min=LEAST)


def level(layer: LowBitLayer) -> float | None:
    """Return a layer's α; ``None`` where it learns none."""
    return layer.get_parameter(NAME).item() if NAME in layer._parameters else None
