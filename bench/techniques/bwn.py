"""Binary-Weight-Networks: weights of 1 bit with a scale for each filter (Rastegari et al. 2016, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.techniques import options
from bench.techniques.base import technique
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL, Encoded
from bench.techniques.wrpn import channel_means

if TYPE_CHECKING:
    from torch import Tensor

    from bench.techniques.lowbit.layers import LowBitLayer


@technique
@dataclass(frozen=True)
class Bwn(LowBit):
    """``W ≈ α B`` with ``B = sign(W)`` and ``α = ‖W‖₁ / n`` of each filter (eq. 6).

    The gradient is that of ``sign(W) mean|W|`` with the sign's passed through where |W| ≤ 1:
    ``∂C/∂W_i = sign(W_i)/n Σ_j ∂C/∂W̃_j sign(W_j) + α ∂C/∂W̃_i 1{|W_i| ≤ 1}``. The paper prints 1/n in the
    place of the sum.
    """

    family = "bwn"
    summary = "trained with weights of 1 bit and a scale a filter (Rastegari et al. 2016)"

    weight_bits: int = options.bits(1, "w", (1,))
    activation_bits: int = options.bits(FULL, "a", (FULL,))

    centring: str = options.word("plain", "centred")
    """``centred`` takes the mean over the input channels from the weights after each step and clips them to [−1, 1],
    as the authors' code does and the paper does not say; else a weight beyond ±1 has no gradient to come back by."""

    def start(self, layer: LowBitLayer) -> None:
        """Centre the weights that the training starts from."""
        layer.after_step()

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Centre and clip where asked to; with one input channel there is nothing but the mean."""
        if self.centring == "centred" and weight.shape[1] > 1:
            weight.sub_(weight.mean(dim=1, keepdim=True)).clamp_(-1, 1)

    def weight(self, weight: Tensor) -> Tensor:
        """Equation 6."""
        from bench.techniques.lowbit.gradient import clipped_sign_through

        return clipped_sign_through(weight) * channel_means(weight)

    def encode(self, weight: Tensor) -> Encoded:
        """Return the sign of each weight and the scale of each filter."""
        from bench.techniques.lowbit.binary import sign_codes

        return Encoded(sign_codes(weight), {"mean": channel_means(weight)})

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights of the codes."""
        from bench.techniques.lowbit.binary import signs_of

        return signs_of(encoded.codes) * encoded.scales["mean"]
