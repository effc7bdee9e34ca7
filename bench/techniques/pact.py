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


@technique
@dataclass(frozen=True)
class Pact(TanhWeights):
    """``y = clip(x, 0, α)`` (eq. 1), ``y_q = round(y (2^k − 1) / α) α / (2^k − 1)`` (eq. 2).

    The gradient of α is 1 where x ≥ α and 0 elsewhere (eq. 3). α is one a layer, starts high, and decays with the
    recipe's weight decay like every other parameter (section 3).
    """

    family = "pact"
    summary = "as DoReFa, with a learned clipping level for activations (Choi et al. 2018)"

    alpha: float = options.number(10.0, least=1e-3, activation_bits=range(1, FULL))
    """Where α starts."""

    def new_layer(self, layer: LowBitLayer) -> None:
        """Give the layer its α."""
        from bench.techniques.lowbit import learned_clip

        learned_clip.add(layer, self.alpha)

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Equations 1 to 3."""
        from bench.techniques.lowbit import learned_clip

        return learned_clip.quantize(inputs, layer, self.activation_bits)

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Keep α above 0."""
        from bench.techniques.lowbit import learned_clip

        learned_clip.keep_positive(layer)
