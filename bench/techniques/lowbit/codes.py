"""Weights as integers, and what a low-bit layer asks of the technique that quantizes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


FULL = 32
"""The width that leaves weights or activations in float32."""


class Encoded(NamedTuple):
    """Weights as integers."""

    codes: Tensor
    """From 0 to 2^bits − 1, of the weights' shape."""
    scales: dict[str, Tensor]
    """What ``decode`` needs beside them: float32, one value a layer or one an output channel."""


class Quantizer(Protocol):
    """A low-bit technique, as its layers know it; ``bench.techniques.low_bit.LowBit`` is the base of all."""

    replaces_relu: ClassVar[bool]

    @property
    def name(self) -> str:
        """The family and its options."""
        ...

    @property
    def weight_bits(self) -> int:
        """Bits of a weight; ``FULL`` leaves them as they are."""
        ...

    @property
    def activation_bits(self) -> int:
        """Bits of a layer's inputs; ``FULL`` leaves them as they are."""
        ...

    @property
    def layers(self) -> str:
        """Which layers of a network with convolutions are quantized."""
        ...

    @property
    def rest(self) -> str:
        """What the values of the other layers are rounded to."""
        ...

    @property
    def at_ends(self) -> Quantizer | None:
        """What quantizes the first and the last layer, if not the technique itself as ``layers`` says."""
        ...

    def weight(self, weight: Tensor) -> Tensor:
        """Return the quantized weights, ``(out, …)``."""
        ...

    def encode(self, weight: Tensor) -> Encoded:
        """Return the codes and scales of full-precision weights."""
        ...

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights that codes and scales stand for."""
        ...

    def forward(self, layer: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        """Return a layer's outputs for quantized weights."""
        ...

    def new_layer(self, layer: Any) -> None:
        """Give a fresh layer the parameters that the technique learns."""
        ...

    def start(self, layer: Any) -> None:
        """Change in place the weights that a training starts from."""
        ...

    def after_step(self, layer: Any, weight: Tensor) -> None:
        """Change in place what a layer learned, after each step."""
        ...
