"""What the techniques share that cast a whole model to a shorter floating-point type."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bench.techniques.base import Artifact, Context, Technique

if TYPE_CHECKING:
    from torch import nn


class Cast(Technique):
    """Weights, buffers and inputs in ``dtype_name``."""

    scheme = "--"
    native: ClassVar[frozenset[str]]
    """The instruction sets, any of which computes in this type."""

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Cast floating-point parameters and buffers; ``to(dtype)`` would drop the imaginary part of complex ones."""
        module = {"float16": model.half, "bfloat16": model.bfloat16}[self.dtype_name]()
        notes: tuple[str, ...] = ()
        if context.device.type == "cpu" and not context.isa & self.native:
            notes = (f"this CPU has no {self.dtype_name} arithmetic: each operation converts to float32 and back",)
        return Artifact(module, module, self.dtype_name, notes)
