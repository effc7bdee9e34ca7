"""The instruction sets that decide low-precision speed, by the names that people use."""

from __future__ import annotations

from collections.abc import Collection, Iterable

ISA_FLAGS = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX512F",
    "avx512_vnni": "AVX512-VNNI",
    "avx512vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "avx512_fp16": "AVX512-FP16",
    "amx_tile": "AMX",
    "amx_int8": "AMX-INT8",
    "amx_bf16": "AMX-BF16",
    "amx_fp16": "AMX-FP16",
    "asimd": "NEON",
    "neon": "NEON",
    "asimdhp": "FP16 arithmetic",
    "asimddp": "dot product",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}
"""What operating systems call the flags that decide low-precision speed, and what people do."""

BFLOAT16 = frozenset({"AVX512-BF16", "AMX-BF16", "BF16"})
"""Each of them multiplies bfloat16 numbers; a CPU that has none of them converts to float32 and back."""

AVX512_VNNI = "AVX512-VNNI"
"""What torch's engine x86 must find to leave convolutions to oneDNN."""
VNNI = frozenset({AVX512_VNNI, "AVX-VNNI", "AMX-INT8"})
"""Each of them sums int8 products in 32 bits."""


def int8_sums_saturate(isa: Collection[str]) -> bool:
    """Return whether this is an x86 CPU that sums pairs of int8 products in 16 bits, which full 8 bits overflow."""
    return "AVX2" in isa and VNNI.isdisjoint(isa)


def computes_bfloat16(isa: Collection[str]) -> bool:
    """Return whether a CPU with these instruction sets has bfloat16 arithmetic."""
    return not BFLOAT16.isdisjoint(isa)


def known_isa(flags: Iterable[str]) -> list[str]:
    """Return the instruction sets that matter here, of the flags that the operating system lists."""
    listed = set(flags)
    return list(dict.fromkeys(label for flag, label in ISA_FLAGS.items() if flag in listed))
