"""BinaryConnect: weights of 1 bit in the forward and backward pass (Courbariaux, Bengio and David, NIPS 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.techniques import options
from bench.techniques.base import Artifact, Context, technique
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL, Encoded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.techniques.lowbit.binary_connect import BC
    from bench.techniques.lowbit.layers import LowBitLayer

__all__ = ["BC", "BinaryConnect"]

LEARNING_RATE_SCALE = "learning_rate_scale"
"""The attribute of a parameter that the training loop multiplies its learning rate by."""


@technique
@dataclass(frozen=True)
class BinaryConnect(LowBit):
    """``w_b = +1 where w ≥ 0, else −1`` (eq. 1), or +1 with probability ``clip((w + 1) / 2, 0, 1)`` (eq. 2 and 3).

    The gradient with respect to w_b is applied to w, which is clipped to [−1, 1] after each step (algorithm 1,
    section 2.4). Only what is binarized is clipped. The stochastic form runs with the real w once trained
    (section 2.6, third method): its file is not one of 1 bit.
    """

    family = "binaryconnect"
    summary = "trained with weights of +1 and −1 (Courbariaux et al. 2015)"

    weight_bits: int = options.bits(1, "w", (1,))
    activation_bits: int = options.bits(FULL, "a", (FULL,))
    rounding: str = options.word("deterministic", "stochastic")
    learning_rate: str = options.word("plain", "glorot")
    """``glorot`` divides the weights' learning rate by their Glorot coefficient (section 2.5)."""

    def weight(self, weight: Tensor) -> Tensor:
        """Equation 1, or 2."""
        import torch

        from bench.techniques.lowbit.binary import draw_signs
        from bench.techniques.lowbit.gradient import sign_through, straight_through

        if self.rounding == "deterministic":
            return sign_through(weight)
        if not torch.is_grad_enabled():
            return weight
        return straight_through(draw_signs(weight), weight)

    def encode(self, weight: Tensor) -> Encoded:
        """Return the sign of each weight."""
        from bench.techniques.lowbit.binary import sign_codes

        return Encoded(sign_codes(weight), {})

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights of the codes."""
        from bench.techniques.lowbit.binary import signs_of

        return signs_of(encoded.codes)

    def new_layer(self, layer: LowBitLayer) -> None:
        """Mark the weights' learning rate."""
        from bench.techniques.lowbit.binary_connect import glorot_coefficient

        if self.learning_rate == "glorot":
            setattr(layer.weight, LEARNING_RATE_SCALE, 1 / glorot_coefficient(layer.weight))

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Clip."""
        weight.clamp_(-1, 1)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Fix the signs; the stochastic form keeps the real weights."""
        if self.rounding == "deterministic":
            return super().convert(model, context)
        from bench.techniques.lowbit import layers

        layers.round_rest(model, self)
        return Artifact(
            model,
            model,
            notes=("stochastic BinaryConnect runs with the real weights it was trained with: not a 1-bit model",),
        )


def __getattr__(name: str) -> object:
    """Give ``BC`` to a course's own training loop; it is imported when it is asked for, as it needs torch."""
    if name == "BC":
        from bench.techniques.lowbit.binary_connect import BC

        return BC
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
