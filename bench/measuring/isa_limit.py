"""One machine as if it were a lesser one: libraries are told to use no instructions beyond a set.

What cannot be told so is ONNX Runtime, which asks the CPU; OpenVINO's kernels heed oneDNN's variable and its choice of
precision does not; a compiled graph has whatever the compiler finds.
"""

from __future__ import annotations

import sys

from bench.core.errors import RequestError
from bench.results.machine import Machine

AVX2 = "avx2"
VARIABLES = {
    AVX2: {
        "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # bfloat16, and int8 of the engines onednn and x86
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",  # int8 of the engines fbgemm and x86
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # float32
    }
}
"""What libraries read when they are first used, so that it must be set before."""
_REMAINING = {AVX2: frozenset({"AVX2", "FMA", "F16C"})}


def limited(machine: Machine, limit: str) -> Machine:
    """Return what the machine is within a limit; raises ``RequestError`` if it does not have so much."""
    if sys.platform != "linux":
        raise RequestError(f"--isa {limit} works on Linux alone; leave it out.")
    remaining = _REMAINING[limit]
    if lacking := [name for name in sorted(remaining) if name not in machine.isa]:
        raise RequestError(f"--isa {limit}: this CPU has no {' and no '.join(lacking)}; leave the option out.")
    return machine.model_copy(update={"isa": [name for name in machine.isa if name in remaining], "isa_limit": limit})


def remark(limit: str, machine: Machine) -> str:
    """Return what every report of such a run must say."""
    return (
        f"**As if this CPU had {', '.join(machine.isa)} alone** (--isa {limit}): kernels of torch, oneDNN, FBGEMM and "
        f"MKL were kept from newer instructions. Its frequency, caches and memory are those of {machine.cpu}."
    )


def unsupported_reason(limit: str, runtime: str) -> str:
    """Return why a runtime is not measured within a limit."""
    return f"{runtime} cannot be kept from newer instructions (--isa {limit}); measure it on such a machine"
