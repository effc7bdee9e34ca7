"""bfloat16 (8 bits of exponent, 7 of fraction): weights, buffers and inputs cast."""

from __future__ import annotations

from bench.techniques.base import technique
from bench.techniques.cast import Cast


@technique
class Bf16(Cast):
    """Everything in bfloat16."""

    name = "bf16"
    dtype_name = "bfloat16"
    summary = "bfloat16 weights, activations and inputs"
    native = frozenset({"AVX512-BF16", "AMX-BF16", "BF16"})
