"""What a report needs of the machine that makes it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cpuinfo

from bench.measuring.machine import usable_cores
from bench.results.isa import AVX512_VNNI, computes_bfloat16, known_isa


@dataclass(frozen=True)
class Need:
    """One thing, and whether it is here."""

    name: str
    is_here: Callable[[], bool]


@cache
def isa() -> list[str]:
    """Return the instruction sets of this CPU."""
    return known_isa(cpuinfo.get_cpu_info().get("flags", ()))


def _packages(*names: str) -> Callable[[], bool]:
    return lambda: all(importlib.util.find_spec(name) for name in names)


REAL_DATA = Need("real data", lambda: True)
"""What is not in the data root is downloaded, and a part that cannot have it fails with a sentence."""
TWO_CORES = Need("two cores", lambda: usable_cores() >= 2)
BFLOAT16 = Need("bfloat16 arithmetic", lambda: computes_bfloat16(isa()))
"""Without it trainings take an order of magnitude longer, and their checkpoints have other names."""
VNNI = Need("AVX512-VNNI", lambda: AVX512_VNNI in isa())
AVX2_ALONE = Need("CPU with AVX2 alone", lambda: "AVX2" in isa() and "AVX512F" not in isa())
RUNTIMES = Need("runtimes", _packages("onnxruntime", "openvino", "nncf", "torchao"))
OPENVINO = Need("openvino", _packages("openvino"))
RAY = Need("ray", _packages("ray"))
