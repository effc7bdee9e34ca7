"""Weight-only quantization: Linear weights of 8 or 4 bits, a scale for each block of them; made by runtimes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bench.core.errors import UnsupportedError
from bench.techniques.base import Artifact, Context, Technique, technique

if TYPE_CHECKING:
    from torch import nn

NO_KERNEL = (
    "torch has no fast CPU kernel that multiplies float32 inputs by int8 or int4 weights; choose --runtime onnxruntime"
)


class WeightOnly(Technique):
    """Linear weights of ``bits`` bits; everything else stays float32."""

    scheme = "WO"
    not_on_eager = NO_KERNEL
    bits: ClassVar[int]

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Return why PyTorch itself has none."""
        return self.not_on_eager

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Refuse: no module of PyTorch's computes so."""
        raise UnsupportedError(self.not_on_eager)


@technique
class WeightOnlyInt8(WeightOnly):
    """One byte a weight."""

    name = "weight-only-int8"
    dtype_name = "int8 weights"
    summary = "int8 Linear weights in blocks with a scale each, on runtimes with a kernel for them"
    bits = 8


@technique
class WeightOnlyInt4(WeightOnly):
    """Two weights a byte."""

    name = "weight-only-int4"
    dtype_name = "int4 weights"
    summary = "int4 Linear weights in blocks with a scale each, on runtimes with a kernel for them"
    bits = 4
