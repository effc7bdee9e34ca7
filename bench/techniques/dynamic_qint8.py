"""Dynamic int8: Linear weights as int8, activations quantized at each call by their own range.

Weights are symmetric per tensor, activations affine over the batch's range; see ``quantize_dynamic`` of
``torch.ao.quantization``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import convert_linears, linears, range_notes

if TYPE_CHECKING:
    from torch import nn


@technique
class DynamicQint8(Technique):
    """``quantize_dynamic`` with qint8 weights."""

    name = "dynamic-qint8"
    dtype_name = "qint8"
    scheme = "D"
    summary = "int8 Linear weights, activations quantized as they come (quantize_dynamic)"

    supports_layer_subset = True

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the Linear layers."""
        return linears(model)

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and the engine."""
        return quantized_engine_obstacle(device, engine, engines)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Pack every Linear."""
        module = convert_linears(model, "qint8", context)
        # torch's dynamic Linear asks for reduce_range always, and qnnpack has none.
        return Artifact(module, module, notes=range_notes(context, reduce_range=context.engine != "qnnpack"))
