"""Dynamic float16: weights of Linear and recurrent layers packed as float16 in memory, computed in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.techniques import weight_norm
from bench.techniques.base import Artifact, Context, Technique, quantized_engine_obstacle, technique
from bench.techniques.torch_quantization import convert_linears, dynamic_layers

if TYPE_CHECKING:
    from torch import nn

ENGINES = ("fbgemm", "x86")
"""The engines with a packed float16 Linear."""


@technique
class DynamicFp16(Technique):
    """``quantize_dynamic`` with float16 weights."""

    name = "dynamic-fp16"
    dtype_name = "float16"
    scheme = "D"
    summary = "float16 Linear and LSTM weights in memory, computed in float32 (quantize_dynamic)"

    supports_layer_subset = True

    def quantizable_layers(self, model: nn.Module) -> list[str]:
        """Return the Linear and recurrent layers."""
        return dynamic_layers(model, "float16")

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Require a CPU and an engine with a packed float16 Linear."""
        usable = [name for name in ENGINES if name in engines]
        if device == "cpu" and not usable:
            return "no engine of this torch has a packed float16 Linear; it needs a build with fbgemm or x86"
        if device == "cpu" and engine not in usable:
            return f"the {engine} engine has no packed float16 Linear; try --engine {usable[0]}"
        return quantized_engine_obstacle(device, engine, engines)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Pack every Linear, LSTM and GRU."""
        folded = weight_norm.fold(model)
        module = convert_linears(model, "float16", context)
        note = "the weights take half the memory, but state_dict saves them as float32, so Size (MB) does not shrink"
        return Artifact(module, module, notes=(note, *folded))
