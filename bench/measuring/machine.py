"""What this machine is, and whether its quantized engine can be used.

What needs torch to find out imports it there; a run asks a worker.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cpuinfo
import psutil

from bench.core.errors import RequestError
from bench.measuring.cpu_quota import cpu_quota, too_many_threads
from bench.measuring.latency.affinity import allowed_cores
from bench.results.isa import known_isa
from bench.results.machine import Machine
from bench.results.quantized_engine import default_engine
from bench.techniques.torch_quantization import quiet


@dataclass(frozen=True)
class EngineCheck:
    """Whether a quantized engine can be used here."""

    engine: str
    usable: bool
    reason: str
    advice: str


def describe() -> Machine:
    """Return this machine's description."""
    import torch

    info = cpuinfo.get_cpu_info()
    accelerators = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Machine(
        cpu=_cpu(info),
        architecture=platform.machine(),
        isa=known_isa(info.get("flags", ())),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        accelerators=accelerators,
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        quantized_engines=supported_engines(),
        quantized_engine=torch.backends.quantized.engine,
        cpu_quota=cpu_quota(),
    )


def processor(device: str) -> str:
    """Return the name of the CPU or the GPU that ``device`` is."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return _cpu(cpuinfo.get_cpu_info())


def _cpu(info: Mapping[str, Any]) -> str:
    return str(info.get("brand_raw") or platform.processor() or platform.machine())


def instruction_sets() -> list[str]:
    """Return the CPU's instruction sets, as ``describe`` does, without an import of torch."""
    return known_isa(cpuinfo.get_cpu_info().get("flags", ()))


def supported_engines() -> list[str]:
    """Return the quantized engines of this torch."""
    import torch

    return [engine for engine in torch.backends.quantized.supported_engines if engine != "none"]


def usable_cores() -> int:
    """Return how many threads can compute at once: the cores this process may run on, within its CPU quota."""
    quota = cpu_quota()
    cores = len(allowed_cores())
    return cores if quota is None else max(1, min(cores, int(quota)))


def check_engine(engine: str) -> EngineCheck:
    """Quantize and run one small Linear under ``engine``, and say what came of it."""
    import torch

    supported = supported_engines()
    others = " or ".join(f"--engine {other}" for other in supported if other != engine) or "another build of torch"
    if engine not in supported:
        return EngineCheck(
            engine,
            usable=False,
            reason=f"this torch was built without {engine} (it has {', '.join(supported) or 'no quantized engine'})",
            advice=f"try {others}; the rows of other techniques do not need it",
        )
    before = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = engine
        with quiet():
            weight = torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weight, None)
        result = torch.ops.quantized.linear_dynamic(torch.eye(4), packed)
        if not torch.allclose(result, torch.eye(4), atol=0.1):
            raise RuntimeError("a 4×4 identity came back wrong")
    except RuntimeError as error:
        return EngineCheck(engine, usable=False, reason=str(error).splitlines()[0], advice=f"try {others}")
    finally:
        torch.backends.quantized.engine = before
    return EngineCheck(engine, usable=True, reason="a quantized Linear ran and was right", advice="nothing to do")


def require_device(device: str, here: Machine) -> None:
    """Raise ``RequestError`` unless ``device`` is here."""
    if device not in ("cpu", "cuda"):
        raise RequestError(f"unknown device {device!r}; choose cpu or cuda.")
    if device == "cuda" and not here.accelerators:
        raise RequestError("this machine has no CUDA device that torch can use; run with --device cpu.")


def engine_of(named: str | None, here: Machine) -> str:
    """Return the engine named, else the default one; raises ``RequestError`` if this torch lacks the one named."""
    if named is None:
        return default_engine(here)
    if named not in here.quantized_engines:
        raise RequestError(
            f"this torch has no quantized engine {named!r}; choose from {', '.join(here.quantized_engines) or 'none'}."
        )
    return named


def require_threads(threads: int) -> None:
    """Raise ``RequestError`` unless 1 ≤ ``threads`` ≤ the cores this process may use, within its CPU quota."""
    cores, quota = len(allowed_cores()), cpu_quota()
    if not 1 <= threads <= cores:
        raise RequestError(f"--threads {threads} is not between 1 and the {cores} cores that this process may use.")
    if quota is not None and threads > usable_cores():
        raise RequestError(too_many_threads(threads, quota))
