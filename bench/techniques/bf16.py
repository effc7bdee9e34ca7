"""bfloat16 (8 bits of exponent, 7 of fraction): weights, buffers and inputs cast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.techniques.technique import Context, Technique, Variant, technique

if TYPE_CHECKING:
    from torch import nn


@technique
class Bf16(Technique):
    """Everything in bfloat16."""

    name = "bf16"
    scheme = "--"
    summary = "bfloat16 weights, activations and inputs"

    def dtype(self, device: str) -> str:
        """Return ``bfloat16``."""
        return "bfloat16"

    def convert(self, model: nn.Module, context: Context) -> Variant:
        """Cast the model."""
        module = model.bfloat16()
        notes: tuple[str, ...] = ()
        if context.device.type == "cpu" and not context.isa & {"AVX512-BF16", "AMX-BF16", "BF16"}:
            notes = ("this CPU has no bfloat16 arithmetic: each operation converts to float32 and back",)
        return Variant(module, module, "bfloat16", notes)
