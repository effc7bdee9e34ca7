"""What differs between machines and could explain that a technique gains here and not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.core.units import MISSING, gibibytes
from bench.results.run import Run

GENERAL = ("AVX2", "FMA", "AVX512F", "NEON", "SVE")
BY_DTYPE = {
    "qint8": ("AVX-VNNI", "AVX512-VNNI", "AMX-INT8", "dot product", "I8MM"),
    "float16": ("F16C", "AVX512-FP16", "AMX-FP16", "FP16 arithmetic"),
    "bfloat16": ("AVX512-BF16", "AMX-BF16", "BF16"),
}
"""The instruction sets that kernels of a dtype are made of, as ``bench.measuring.machine.ISA_FLAGS`` calls them."""


def explanations(runs: Mapping[str, Run], dtype: str) -> list[str]:
    """Return the differences between runs, by label, that could explain other speed-ups of a technique of ``dtype``.

    Instruction sets are named where the model ran on the CPU and some machine lacks what another has; a thing that all
    have alike is not named. Where nothing of what kernels depend on differs, the rest of the machines is named.
    """
    found = [
        *_lacking(runs, (*BY_DTYPE.get(dtype, ()), *GENERAL)),
        *_differing(runs, "architecture", lambda run: run.machine.architecture),
        *_differing(runs, "device", _device),
        *_differing(runs, "threads", lambda run: str(run.settings.threads)),
        *_differing(runs, "pinned cores", lambda run: " ".join(map(str, run.settings.pinned_cores)) or "none"),
        *_differing(runs, "torch", lambda run: run.machine.torch),
    ]
    if dtype == "qint8":
        found += _differing(runs, "quantized engine", lambda run: run.settings.engine)
    return found or [
        *_differing(runs, "the CPU", lambda run: run.machine.cpu),
        *_differing(runs, "cores", _cores),
        *_differing(runs, "memory", _memory),
        *_differing(runs, "system", lambda run: run.machine.os),
        *_differing(runs, "Python", lambda run: run.machine.python),
        *_differing(runs, "quantbench", lambda run: run.quantbench),
    ]


def _lacking(runs: Mapping[str, Run], features: Sequence[str]) -> list[str]:
    on_cpu = {label: run for label, run in runs.items() if run.settings.device == "cpu"}
    without: dict[tuple[str, ...], list[str]] = {}
    for feature in features:
        lacking = tuple(label for label, run in on_cpu.items() if feature not in run.machine.isa)
        if 0 < len(lacking) < len(on_cpu):
            without.setdefault(lacking, []).append(feature)
    return [f"no {' or '.join(names)} on {', '.join(lacking)}" for lacking, names in without.items()]


def _differing(runs: Mapping[str, Run], name: str, read: Callable[[Run], str]) -> list[str]:
    holders: dict[str, list[str]] = {}
    for label, run in runs.items():
        holders.setdefault(read(run), []).append(label)
    if len(holders) < 2:
        return []
    shown = [f"{value} on {', '.join(labels)}" for value, labels in holders.items()]
    return [f"{name} {', '.join(shown)}"]


def _device(run: Run) -> str:
    return run.settings.device if run.settings.device == "cpu" else ", ".join(run.machine.accelerators)


def _cores(run: Run) -> str:
    logical, physical = run.machine.logical_cores, run.machine.physical_cores
    return f"{logical or MISSING}" + (f" ({physical} physical)" if physical not in (None, logical) else "")


def _memory(run: Run) -> str:
    return MISSING if run.machine.memory_bytes is None else gibibytes(run.machine.memory_bytes)
