"""Which of torch's quantized engines executes int8 layers on eager where nobody names one."""

from __future__ import annotations

from bench.results.isa import AVX512_VNNI
from bench.results.machine import Machine

FBGEMM, X86 = "fbgemm", "x86"


def default_engine(machine: Machine) -> str:
    """Return the engine to take on a machine.

    Both of torch's engines for x86 execute Linears by the same kernels, FBGEMM's. Where the CPU has AVX512-VNNI,
    ``x86`` leaves convolutions to oneDNN, which is faster on batches and a little slower at batch 1, and
    ``static-qint8`` takes all 8 bits of activations, which keeps more of fp32's answers.
    Elsewhere it is ``fbgemm``, which the course exercise asks for, or what torch has in its place.
    """
    engines = machine.quantized_engines
    if X86 in engines and AVX512_VNNI in machine.isa:
        return X86
    return machine.quantized_engine if engines and FBGEMM not in engines else FBGEMM
