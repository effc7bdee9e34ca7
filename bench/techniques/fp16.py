"""Half precision (IEEE 754 binary16): weights, buffers and inputs cast by ``.half()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.techniques.technique import Context, Technique, Variant, technique

if TYPE_CHECKING:
    from torch import nn


@technique
class Fp16(Technique):
    """Everything in float16."""

    name = "fp16"
    scheme = "--"
    summary = "float16 weights, activations and inputs (.half())"

    def dtype(self, device: str) -> str:
        """Return ``float16``."""
        return "float16"

    def convert(self, model: nn.Module, context: Context) -> Variant:
        """Cast the model."""
        module = model.half()
        notes: tuple[str, ...] = ()
        if context.device.type == "cpu" and not context.isa & {"AVX512-FP16", "AMX-FP16", "FP16 arithmetic"}:
            notes = ("this CPU has no float16 arithmetic: each operation converts to float32 and back",)
        return Variant(module, module, "float16", notes)
