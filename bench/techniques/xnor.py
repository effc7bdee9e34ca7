"""XNOR-Net: weights and activations of 1 bit (Rastegari et al. 2016, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.errors import UnsupportedError
from bench.techniques import options
from bench.techniques.base import technique
from bench.techniques.bwn import Bwn

if TYPE_CHECKING:
    from torch import Tensor

    from bench.techniques.lowbit.layers import LowBitLayer


@technique
@dataclass(frozen=True)
class Xnor(Bwn):
    """``I ∗ W ≈ (sign(I) ⊛ sign(W)) ⊙ K α`` (eq. 11): BWN's weights, the sign of the inputs, and their scale K.

    K is the mean magnitude over the channels, averaged over each window of the convolution. The sign takes the place of
    the ReLU before the layer, so that a block is BatchNorm, sign, convolution (section 3.2); its gradient is 1 where
    |x| ≤ 1 and 0 outside. In a perceptron a window is the whole input.
    """

    family = "xnor"
    summary = "trained with weights and activations of 1 bit (Rastegari et al. 2016)"
    replaces_relu = True

    activation_bits: int = options.bits(1, "a", (1,))
    input_scale: str = options.word("k", "no-k")
    """Whether outputs are multiplied by K; most later work leaves it out."""

    def new_layer(self, layer: LowBitLayer) -> None:
        """Refuse windows with holes, which no pooling averages over."""
        if self.input_scale == "k" and set(getattr(layer, "dilation", (1,))) != {1}:
            raise UnsupportedError("xnor's K is not for dilated convolutions; use xnor:no-k")

    def forward(self, layer: LowBitLayer, inputs: Tensor, weight: Tensor) -> Tensor:
        """Equation 11."""
        from torch import nn

        from bench.techniques.lowbit.gradient import clipped_sign_through, mean_magnitude

        if not layer.quantizes_inputs:
            return layer.operate(inputs, weight)
        signs = clipped_sign_through(inputs)
        if self.input_scale == "no-k":
            return layer.operate(signs, weight)
        if isinstance(layer, nn.Conv2d):
            magnitudes = mean_magnitude(inputs, dim=1)
            padded = nn.functional.pad(magnitudes, layer._reversed_padding_repeated_twice)
            scale = nn.functional.avg_pool2d(padded, layer.kernel_size, layer.stride)
        else:
            scale = mean_magnitude(inputs, dim=-1)
        products: Tensor = layer.operate(signs, weight, with_bias=False) * scale
        if layer.bias is None:
            return products
        bias: Tensor = layer.bias.view(-1, 1, 1) if isinstance(layer, nn.Conv2d) else layer.bias
        return products + bias
