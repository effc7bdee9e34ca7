"""DoReFa-Net: weights and activations of k bits (Zhou et al. 2016, arXiv 1606.06160).

Gradients stay in full precision: their quantization serves training at scale, not the size of a model.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.errors import RequestError
from bench.techniques import options
from bench.techniques.base import technique
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL, Encoded

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor

    from bench.techniques.lowbit.layers import LowBitLayer


@dataclass(frozen=True)
class TanhWeights(LowBit):
    """Weights (eq. 9): ``2 quantize_k(tanh(w) / (2 max|tanh(w)|) + 1/2) − 1``, the maximum over the layer.

    With 1 bit (eq. 8) ``sign(w) E(|w|)``, the mean over the layer, constant to the gradient.
    """

    scaling: str = options.word("unit", "max-tanh", weight_bits=range(2, FULL))
    """``max-tanh`` multiplies weights of 2 bits and more by max|tanh(w)|, as some ports do; the paper does not."""
    ends: str = options.named_word("32", "8", "4", "2", weight_bits=range(1, FULL))
    """Bits of the first and the last layer, weights and activations (Choi et al. 2018, Table 2); the first one's inputs
    are the data, which stay as they are. 32 for as the choice of layers says."""

    @property
    def at_ends(self) -> TanhWeights | None:
        """The same at the width of the ends; activations of 32 bits stay there, too."""
        bits = int(self.ends)
        if bits == FULL:
            return None
        activation_bits = FULL if self.activation_bits == FULL else bits
        return dataclasses.replace(self, weight_bits=bits, activation_bits=activation_bits, ends="32")

    def weight(self, weight: Tensor) -> Tensor:
        """Equations 8 and 9."""
        from bench.techniques.lowbit.gradient import round_through, sign_through

        if self.weight_bits == 1:
            return sign_through(weight) * weight.detach().abs().mean()
        squashed = weight.tanh()
        largest = _largest(squashed)
        steps = 2**self.weight_bits - 1
        unit: Tensor = 2 * (round_through((squashed / (2 * largest) + 0.5) * steps) / steps) - 1
        return unit * largest.detach() if self.scaling == "max-tanh" else unit

    def encode(self, weight: Tensor) -> Encoded:
        """Return codes that count the steps from −1."""
        from bench.techniques.lowbit.binary import sign_codes

        if self.weight_bits == 1:
            return Encoded(sign_codes(weight), {"mean": weight.abs().mean()})
        squashed = weight.tanh()
        largest = _largest(squashed)
        codes = ((squashed / (2 * largest) + 0.5) * (2**self.weight_bits - 1)).round().int()
        return Encoded(codes, {"largest": largest} if self.scaling == "max-tanh" else {})

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights of the codes."""
        from bench.techniques.lowbit.binary import signs_of

        if self.weight_bits == 1:
            return signs_of(encoded.codes) * encoded.scales["mean"]
        unit: Tensor = 2 * (encoded.codes.float() / (2**self.weight_bits - 1)) - 1
        return unit * encoded.scales["largest"] if self.scaling == "max-tanh" else unit


@technique
@dataclass(frozen=True)
class DoReFa(TanhWeights):
    """``quantize_k(r) = round((2^k − 1) r) / (2^k − 1)`` for r in [0, 1] (eq. 5), applied to weights and activations.

    Activations (eq. 10): ``quantize_k(clip(x, 0, 1))``; with 32 bits the ReLU alone. ``clip=learned`` takes PACT's
    learned level for the 1, from another start.
    """

    family = "dorefa"
    summary = "trained with weights and activations of k bits (Zhou et al. 2016)"

    one_bit: str = options.word("round", "positive", activation_bits=(1,))
    """Activations of 1 bit: rounded, so that the threshold is 1/2 (paper), or 1 for every positive input (ports)."""
    wide: str = options.word("relu", "clip", activation_bits=(FULL,))
    """Activations of 32 bits: unchanged (paper), or clipped to [0, 1]."""
    clip: str = options.named_word("unit", "learned", activation_bits=range(1, FULL))
    """Activations are clipped at 1 (paper), which costs accuracy at any number of bits, or at a level a layer that is
    learned as in PACT. It starts at ACIQ's optimum for a rectified normal distribution of standard deviation 1, which
    BatchNorm's outputs have before they are trained."""

    def with_options(self, text: str) -> Self:
        """Refuse what says two things about the activations of 1 bit."""
        chosen = super().with_options(text)
        if chosen.clip == "learned" and chosen.one_bit == "positive":
            raise RequestError(
                "dorefa's clip=learned rounds activations, and positive does not; leave one of them out."
            )
        return chosen

    def new_layer(self, layer: LowBitLayer) -> None:
        """Give the layer the level that it learns."""
        if self.clip == "learned":
            from bench.techniques.lowbit import learned_clip
            from bench.techniques.lowbit.ranges import GAUSS_HALF

            learned_clip.add(layer, GAUSS_HALF[min(self.activation_bits, 8)])

    @property
    def quantizes(self) -> bool:
        """Also where activations are clipped, though not rounded."""
        return super().quantizes or self.wide == "clip"

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Equation 10, or with the learned level in the place of 1."""
        if self.clip == "learned":
            from bench.techniques.lowbit import learned_clip

            return learned_clip.quantize(inputs, layer, self.activation_bits)
        return quantize_unit(inputs, self.activation_bits, positive=self.one_bit == "positive")

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Keep a learned level above 0."""
        from bench.techniques.lowbit import learned_clip

        learned_clip.keep_positive(layer)

    def forward(self, layer: LowBitLayer, inputs: Tensor, weight: Tensor) -> Tensor:
        """Clip inputs of full precision where asked to."""
        if self.wide == "clip" and self.activation_bits == FULL and not layer.is_first:
            inputs = inputs.clamp(0, 1)
        return super().forward(layer, inputs, weight)


def quantize_unit(inputs: Tensor, bits: int, positive: bool = False) -> Tensor:
    """Return ``quantize_k(clip(x, 0, 1))``; the gradient is 1 within [0, 1] and 0 outside."""
    from bench.techniques.lowbit.gradient import round_unit, straight_through, within

    if positive and bits == 1:
        return straight_through((inputs > 0).to(inputs.dtype), inputs, within(inputs, 0, 1))
    return round_unit(inputs, 2**bits - 1)


def _largest(squashed: Tensor) -> Tensor:
    """Return the largest magnitude; 1 for a layer of zeros, which then stays one."""
    largest: Tensor = squashed.abs().amax()
    safe: Tensor = largest.where(largest > 0, largest.new_ones(()))
    return safe
