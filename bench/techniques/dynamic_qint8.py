"""Dynamic int8: weights of Linear and recurrent layers as int8, activations quantized at each call by their own range.

Weights are symmetric, per tensor or per output channel, activations affine over the batch's range; see
``quantize_dynamic`` of ``torch.ao.quantization``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.techniques import options, weight_norm
from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import convert_linears, dynamic_layers, range_notes

if TYPE_CHECKING:
    from torch import nn

PER_TENSOR, PER_CHANNEL = "per-tensor", "per-channel"


@technique
@dataclass(frozen=True)
class DynamicQint8(Technique):
    """``quantize_dynamic`` with qint8 weights."""

    family: ClassVar[str] = "dynamic-qint8"
    dtype_name = "qint8"
    scheme = "D"
    summary = "int8 Linear and LSTM weights, activations quantized as they come (quantize_dynamic)"

    granularity: str = options.word(PER_TENSOR, PER_CHANNEL)
    """Whether a weight tensor has one scale, or each of its outputs has one: a large weight costs the others less."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """The family, and the granularity where it is not torch's default."""
        return f"{self.family}:{chosen}" if (chosen := options.canonical(self)) else self.family

    @property
    def grammar(self) -> str:
        """What may stand behind the colon."""
        return options.grammar(self)

    def with_options(self, text: str) -> DynamicQint8:
        """Return the technique with another granularity; raises ``RequestError``."""
        return options.parse(self, text)

    @property
    def supports_layer_subset(self) -> bool:
        """It follows a plain training."""
        return True

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the Linear and recurrent layers."""
        return dynamic_layers(model, "qint8")

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and the engine."""
        return quantized_engine_obstacle(device, engine, engines)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Pack every Linear, LSTM, GRU and recurrent cell."""
        folded = weight_norm.fold(model)
        module = convert_linears(model, "qint8", context, self.granularity == PER_CHANNEL)
        # torch's dynamic Linear asks for reduce_range always, and qnnpack has none.
        notes = range_notes(context, reduce_range=context.engine != "qnnpack")
        return Artifact(module, module, notes=(*notes, *folded))
