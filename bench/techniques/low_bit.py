"""What techniques below 8 bits share: options in the name, layers, codes.

A *code* is the integer that stands for a quantized weight. ``weight`` is what training and evaluation multiply by;
``encode`` and ``decode`` give the same values, to the bit, as integers of ``weight_bits`` bits and scales, which is
what a packed file holds.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.core.errors import UnsupportedError
from bench.tasks.task import Precision
from bench.techniques import options
from bench.techniques.base import Artifact, Context, Technique
from bench.techniques.lowbit.codes import FULL, Encoded

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor, nn

    from bench.techniques.lowbit.layers import LowBitLayer

WIDTHS = (1, 2, 3, 4, 5, 8, 16, FULL)


@dataclass(frozen=True)
class LowBit(Technique):
    """A technique whose widths are options; it computes in float32 what hardware of that width would.

    In a network with convolutions the first and the last weight layer and the 1×1 projections stay in full precision
    unless asked otherwise; in a perceptron every Linear is quantized. Inputs of the network are never quantized.
    """

    family: ClassVar[str]
    summary: ClassVar[str]
    scheme: ClassVar[str] = "QAT"
    replaces_relu: ClassVar[bool] = False
    """Whether the activation is a nonlinearity of its own, in the place of the ReLU before the layer."""

    weight_bits: int = options.bits(FULL, "w", WIDTHS)
    activation_bits: int = options.bits(FULL, "a", WIDTHS)
    layers: str = options.word("inner", "all", "projections")
    """Which layers of a network with convolutions: without the first, the last and the projections; all; without the
    first and the last."""
    rest: str = options.word("float32", "float16")
    """What the values of float32 layers are rounded to once trained; biases and learned levels of quantized
    layers stay float32."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """The family and its options, such as ``dorefa:w2a2``."""
        return f"{self.family}:{options.canonical(self)}"

    @property
    def grammar(self) -> str:
        """What may stand behind the colon."""
        return options.grammar(self)

    @property
    def dtype_name(self) -> str:  # type: ignore[override]
        """Family and both widths."""
        return f"{self.family} w{self.weight_bits}a{self.activation_bits}"

    @property
    def quantizes(self) -> bool:
        """Whether anything is left of the technique at these widths; else it is the float network itself."""
        return self.weight_bits != FULL or self.activation_bits != FULL

    @property
    def at_ends(self) -> LowBit | None:
        """What quantizes the first and the last layer; ``None`` for as ``layers`` says."""
        return None

    @property
    def trained_as(self) -> str:
        """The technique whose training this one starts from: options that only matter afterwards left out."""
        return dataclasses.replace(self, rest="float32").name if self.quantizes else ""

    def training_precision(self, device: str) -> Precision | None:
        """Return bfloat16, for products and activations; rounding and all that is stored are float32."""
        return "bfloat16" if self.quantizes else None

    def with_options(self, text: str) -> Self:
        """Return the technique with other options; raises ``RequestError``."""
        return options.parse(self, text)

    @abstractmethod
    def weight(self, weight: Tensor) -> Tensor:
        """Return the quantized weights, ``(out, …)``, with the technique's gradient."""

    @abstractmethod
    def encode(self, weight: Tensor) -> Encoded:
        """Return the codes and scales of full-precision weights."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights that codes and scales stand for, equal to the bit to what ``weight`` returns."""

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Return a layer's inputs, quantized, with the technique's gradient."""
        return inputs

    def forward(self, layer: LowBitLayer, inputs: Tensor, weight: Tensor) -> Tensor:
        """Return a layer's outputs; ``weight`` is quantized already."""
        if layer.quantizes_inputs:
            inputs = self.activation(inputs, layer)
        return layer.operate(inputs, weight)

    def new_layer(self, layer: LowBitLayer) -> None:
        """Give a fresh layer the parameters that the technique learns."""

    def start(self, layer: LowBitLayer) -> None:
        """Change in place the weights that a training starts from: initial ones, or a teacher's."""

    def after_step(self, layer: LowBitLayer, weight: Tensor) -> None:
        """Change a layer's full-precision weights, or what it learned beside them, in place after each step."""

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return a network with the technique's layers, to be trained; raises ``UnsupportedError``."""
        from bench.techniques.lowbit import layers

        network = layers.replace(network, self)
        if not layers.low_bit_layers(network):
            raise UnsupportedError(layers.none_of(network, self.family))
        return network

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Fix the weights of a trained, prepared network to what their codes stand for."""
        from bench.techniques.lowbit import layers

        layers.freeze(model, self)
        return Artifact(model, model, notes=self.notes(), simulated=self.quantizes)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        if not self.quantizes:
            return ("at 32 bits nothing is quantized: the float network and its training",)
        return ("simulated: computed in float32 with the values that low precision has",)
