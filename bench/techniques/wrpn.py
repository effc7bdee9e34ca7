"""WRPN: low precision made up for by more feature maps (Mishra et al. 2018, arXiv 1709.01134)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.techniques import options
from bench.techniques.base import technique
from bench.techniques.dorefa import quantize_unit
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL, Encoded

if TYPE_CHECKING:
    from torch import Tensor

    from bench.techniques.lowbit.layers import LowBitLayer


@technique
@dataclass(frozen=True)
class Wrpn(LowBit):
    """Weights ``round((2^(k−1) − 1) clip(w, −1, 1)) / (2^(k−1) − 1)``: k − 1 bits and a sign (section 3).

    Activations ``round((2^k − 1) clip(x, 0, 1)) / (2^k − 1)``. With 1 bit weights are BWN's: ``sign(w) mean|w|`` of
    each output channel, the mean constant to the gradient. ``wide`` multiplies the number of channels of every stage.
    """

    family = "wrpn"
    summary = "trained with k-bit weights and activations and more feature maps (Mishra et al. 2018)"

    wide: int = options.number(1, least=1, most=8)

    def hyperparameters(self, network: str, hyperparameters: Mapping[str, object]) -> Mapping[str, object]:
        """Widen hidden layers: those that are listed, else what the network widens itself."""
        if self.wide == 1:
            return hyperparameters
        hidden = hyperparameters.get("hidden")
        if isinstance(hidden, list | tuple):
            return {**hyperparameters, "hidden": [self.wide * width for width in hidden]}
        return {**hyperparameters, "widening": self.wide * int(str(hyperparameters.get("widening", 1)))}

    def start(self, layer: LowBitLayer) -> None:
        """Stretch weights over [−1, 1]: torch's are all within half a step of 0, where nothing is learned."""
        import torch

        if 1 < self.weight_bits < FULL:
            with torch.no_grad():
                largest = layer.weight.abs().amax()
                layer.weight.div_(largest.where(largest > 0, 1.0))

    def weight(self, weight: Tensor) -> Tensor:
        """Round the clipped weights."""
        from bench.techniques.lowbit.gradient import round_through, sign_through

        if self.weight_bits == 1:
            return sign_through(weight) * channel_means(weight.detach())
        steps = 2 ** (self.weight_bits - 1) - 1
        rounded: Tensor = round_through(weight.clamp(-1, 1) * steps) / steps
        return rounded

    def encode(self, weight: Tensor) -> Encoded:
        """Return codes that count the steps from −1; one of the 2^k is not used."""
        from bench.techniques.lowbit.binary import sign_codes

        if self.weight_bits == 1:
            return Encoded(sign_codes(weight), {"mean": channel_means(weight)})
        steps = 2 ** (self.weight_bits - 1) - 1
        return Encoded((weight.clamp(-1, 1) * steps).round().int() + steps, {})

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights of the codes."""
        from bench.techniques.lowbit.binary import signs_of

        if self.weight_bits == 1:
            return signs_of(encoded.codes) * encoded.scales["mean"]
        steps = 2 ** (self.weight_bits - 1) - 1
        reals: Tensor = (encoded.codes - steps).float() / steps
        return reals

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Round the clipped inputs."""
        return quantize_unit(inputs, self.activation_bits)


def channel_means(weight: Tensor) -> Tensor:
    """Return the mean magnitude of each output channel, ``(out, 1, …)``."""
    return weight.abs().mean(dim=tuple(range(1, weight.dim())), keepdim=True)
