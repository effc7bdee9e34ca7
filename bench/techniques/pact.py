"""PACT: activations clipped at a level that is learned, weights as in DoReFa (Choi et al. 2018, arXiv 1805.06085)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.techniques import options
from bench.techniques.base import technique
from bench.techniques.dorefa import TanhWeights
from bench.techniques.lowbit.codes import FULL

if TYPE_CHECKING:
    from torch import Tensor

    from bench.techniques.lowbit.layers import LowBitLayer

CLIP = "clip"
"""The name of a layer's clipping level among its parameters."""
LEAST = 1e-3
"""Of α: at 0 nothing is left of the activations but 0/0, and below it gradients have the wrong sign."""


@technique
@dataclass(frozen=True)
class Pact(TanhWeights):
    """``y = clip(x, 0, α)`` (eq. 1), ``y_q = round(y (2^k − 1) / α) α / (2^k − 1)`` (eq. 2).

    The gradient of α is 1 where x ≥ α and 0 elsewhere (eq. 3). α is one a layer, starts high, and decays with the
    recipe's weight decay like every other parameter (section 3).
    """

    family = "pact"
    summary = "as DoReFa, with a learned clipping level for activations (Choi et al. 2018)"

    alpha: float = options.number(10.0, least=LEAST, activation_bits=range(1, FULL))
    """Where α starts."""

    def new_layer(self, layer: LowBitLayer) -> None:
        """Give the layer its α."""
        import torch
        from torch import nn

        if layer.quantizes_inputs:
            layer.register_parameter(CLIP, nn.Parameter(torch.full((), self.alpha, device=layer.weight.device)))

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Equations 1 to 3."""
        from bench.techniques.lowbit.gradient import round_below

        return round_below(inputs, layer.get_parameter(CLIP), 2**self.activation_bits - 1)

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Keep α above 0."""
        if CLIP in layer._parameters:
            layer.get_parameter(CLIP).clamp_(min=LEAST)
