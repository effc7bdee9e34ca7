"""Half precision (IEEE 754 binary16): weights, buffers and inputs cast, as by ``.half()``."""

from __future__ import annotations

from bench.techniques.base import technique
from bench.techniques.cast import Cast


@technique
class Fp16(Cast):
    """Everything in float16."""

    name = "fp16"
    dtype_name = "float16"
    summary = "float16 weights, activations and inputs (.half())"
    native = frozenset({"AVX512-FP16", "AMX-FP16", "FP16 arithmetic"})
