"""What figures were measured on, and what of it decides whether figures compare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.results.bounds import (
    Bytes,
    Label,
    Name,
    Names,
    PositiveCount,
)
from bench.results.record import Record

HARDWARE = {
    "cpu": "CPU",
    "architecture": "architecture",
    "isa": "instruction sets",
    "isa_limit": "limit of instruction sets",
    "physical_cores": "physical cores",
    "logical_cores": "logical cores",
    "cpu_quota": "CPU quota",
    "accelerators": "accelerators",
}
"""What decides latencies, with the names that a reader knows it by; neither memory in bytes, which differs by a page
after a restart, nor the kernel's version does."""
_SOFTWARE = {"torch": "torch", "quantized_engines": "quantized engines"}


class Machine(Record):
    """What the figures were measured on."""

    cpu: Name
    architecture: Label
    isa: Names
    """The instruction sets that decide low-precision speed, of those this CPU has."""
    physical_cores: PositiveCount | None
    logical_cores: PositiveCount | None
    memory_bytes: Bytes | None
    accelerators: Names
    os: Name
    python: Label
    torch: Label
    quantized_engines: Names
    """The engines that this torch supports."""
    quantized_engine: Label
    """The one that is active unless a run sets another."""
    isa_limit: Label = ""
    """What libraries were told not to go beyond (``--isa``), which is what ``isa`` has then; empty for nothing."""
    cpu_quota: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """How many cores' time a container may use; ``None`` where that is not limited, and in files before 1.0.0."""


def same_hardware(base: Machine, new: Machine) -> bool:
    """Return whether both are, as far as they tell, one machine or equal ones."""
    return all(getattr(base, name) == getattr(new, name) for name in HARDWARE)


def obstacles_to_one_run(before: Machine, now: Machine) -> list[str]:
    """Return what keeps rows measured on both from standing in one run, each with both values; empty if nothing does.

    That is the hardware and, as rows of one run are compared with each other, torch, its engines and Python's minor
    version.
    """
    pairs = [(label, getattr(before, name), getattr(now, name)) for name, label in (HARDWARE | _SOFTWARE).items()]
    pairs += [
        ("Python", _minor(before.python), _minor(now.python)),
        ("system", before.os.partition(" ")[0], now.os.partition(" ")[0]),
    ]
    return [f"{label} {was!r}, now {value!r}" for label, was, value in pairs if was != value]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
