"""Range-based linear quantization after training, 2 to 16 bits.

The definitions are those of Distiller's range-based quantizer; asymmetric ranges as in Jacob et al. 2018, eq. 1,
clipping of activations as in Banner et al. 2019 (ACIQ, arXiv 1810.05723).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.errors import RequestError, UnsupportedError
from bench.tasks.task import Precision
from bench.techniques import options, weight_norm
from bench.techniques.base import Artifact, Context, technique
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL, Encoded

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor, nn

    from bench.core.inputs import Inputs
    from bench.techniques.lowbit.layers import LowBitLayer
    from bench.techniques.lowbit.ranges import Scale

WIDTHS = (*range(2, 17), FULL)
MODES = ("sym", "sym-restricted", "asym-unsigned", "asym-signed")
ACIQ_CLIPPINGS = ("gauss", "laplace", "distiller-gauss", "distiller-laplace")
CALIBRATION_BATCH = 128


@technique
@dataclass(frozen=True)
class RangeLinear(LowBit):
    """``x_q = round(scale · x − zero)``, computed in float32 on the values ``(x_q + zero) / scale``.

    Weights by their own range, per tensor or per output channel; activations by the range of training examples, per
    tensor, in a mode of their own. With ``a32`` weights alone are overwritten by their quantized values. All layers are
    quantized.
    """

    family = "range-linear"
    summary = "weights and activations rounded to k bits by their ranges, after training"
    scheme = "PTQ"

    weight_bits: int = options.bits(8, "w", WIDTHS)
    activation_bits: int = options.bits(FULL, "a", WIDTHS)
    layers: str = options.word("all", "inner", "projections")
    mode: str = options.word(*MODES)
    """Of weights."""
    activations: str = options.named_word("auto", *MODES, activation_bits=range(2, FULL))
    """Their mode. ``auto`` is that of asymmetric weights; beside symmetric ones ``asym-signed`` for a layer whose
    inputs were never negative, as behind a ReLU, where ``sym`` would leave half of the levels unused, else ``sym``."""
    granularity: str = options.word("per-tensor", "per-channel", weight_bits=range(2, FULL))
    clipping: str = options.word("none", "avg", "std", *ACIQ_CLIPPINGS, activation_bits=range(2, FULL))
    """Of activations."""
    deviations: float = options.number(2.0, least=0.1)
    """How many standard deviations ``std`` keeps."""

    @property
    def supports_layer_subset(self) -> bool:
        """Unless it rounds the values of other layers too."""
        return self.rest == "float32"

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the layers that become low-bit ones."""
        from bench.techniques.lowbit import layers

        return layers.quantizable_layers(model, self)

    @property
    def trained_as(self) -> str:
        """It comes after a plain training."""
        return ""

    def with_options(self, text: str) -> Self:
        """Refuse what ACIQ has no figures for."""
        chosen = super().with_options(text)
        if chosen.clipping in ACIQ_CLIPPINGS and 8 < chosen.activation_bits < FULL:
            raise RequestError(
                f"{self.family}'s {chosen.clipping} clipping is for activations of up to 8 bits, not "
                f"{chosen.activation_bits}; choose none, avg or std."
            )
        return chosen

    def training_precision(self, device: str) -> Precision | None:
        """Return that of a plain training."""
        return None

    def weight(self, weight: Tensor) -> Tensor:
        """Return the rounded weights."""
        return self.decode(self.encode(weight))

    def encode(self, weight: Tensor) -> Encoded:
        """Return codes that count from the least integer."""
        scale = self._weight_scale(weight)
        codes = (scale.integers(weight) - scale.least).int()
        asymmetric = {"zero": scale.zero} if self.mode.startswith("asym") else {}
        return Encoded(codes, {"scale": scale.scale, **asymmetric})

    def decode(self, encoded: Encoded) -> Tensor:
        """Return the weights of the codes."""
        import torch

        from bench.techniques.lowbit.ranges import Scale, limits

        zero = encoded.scales.get("zero", torch.zeros(()))
        scale = Scale(encoded.scales["scale"], zero, *limits(self.weight_bits, self.mode))
        return scale.reals(encoded.codes.float() + scale.least)

    def _weight_scale(self, weight: Tensor) -> Scale:
        from bench.techniques.lowbit.ranges import scale_of

        per_channel = self.granularity == "per-channel"
        axes = tuple(range(1 if per_channel else 0, weight.dim()))
        low, high = (reduce(axes, keepdim=per_channel) for reduce in (weight.amin, weight.amax))
        return scale_of(low, high, self.weight_bits, self.mode)

    def activation(self, inputs: Tensor, layer: LowBitLayer) -> Tensor:
        """Round inputs by the range that was calibrated."""
        from bench.techniques.lowbit.ranges import Scale, limits

        if "input_scale" not in layer._buffers:  # it is being calibrated
            return inputs
        scale, zero = layer.get_buffer("input_scale"), layer.get_buffer("input_zero")
        # Of auto's two modes both have these integers.
        exact = Scale(scale, zero, *limits(self.activation_bits, self._activation_mode(never_negative=True)))
        return exact.reals(exact.integers(inputs))

    def _activation_mode(self, never_negative: bool) -> str:
        """Return the mode of a layer's inputs."""
        if self.activations != "auto":
            return self.activations
        if self.mode.startswith("asym"):
            return self.mode
        return "asym-signed" if never_negative else "sym"

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Replace layers, observe their inputs on calibration examples, fix scales and codes."""
        from bench.techniques.lowbit import layers

        folded = weight_norm.fold(model)
        model = layers.replace(model, self, context.layers)
        ours = self._own(model)
        if not ours:
            raise UnsupportedError(layers.none_of(model, self.family))
        if self.activation_bits != FULL:
            self._calibrate(model, list(context.calibration_batches(CALIBRATION_BATCH)))
        for layer in ours:
            layer.freeze()
        layers.round_rest(model, self)
        return Artifact(model, model, notes=(*self.notes(), *folded), simulated=True)

    def _own(self, model: nn.Module) -> list[LowBitLayer]:
        """Return the layers of this technique: a mixture may have layers of other widths beside them."""
        from bench.techniques.lowbit.layers import low_bit_layers

        return [layer for layer in low_bit_layers(model).values() if layer.technique == self]

    def _calibrate(self, model: nn.Module, batches: Sequence[Inputs]) -> None:
        import torch

        from bench.techniques.lowbit.ranges import Observer, scale_of

        watched = [layer for layer in self._own(model) if layer.quantizes_inputs]
        observers = {layer: Observer() for layer in watched}
        handles = [
            layer.register_forward_pre_hook(lambda layer, inputs: observers[layer].see(inputs[0])) for layer in watched
        ]
        with torch.inference_mode():
            for showing in range(2 if self.clipping.endswith("laplace") else 1):
                for observer in observers.values() if showing else ():
                    observer.again()
                for batch in batches:
                    batch.call(model)
        for handle in handles:
            handle.remove()
        for layer, observer in observers.items():
            mode = self._activation_mode(observer.never_negative)
            low, high = observer.range(self.activation_bits, self.clipping, self.deviations, mode.startswith("sym"))
            scale = scale_of(low, high, self.activation_bits, mode)
            layer.register_buffer("input_scale", scale.scale.clone())
            layer.register_buffer("input_zero", scale.zero.clone())
