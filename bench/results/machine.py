"""What figures were measured on."""

from __future__ import annotations

from bench.results.bounds import (
    Bytes,
    Label,
    Name,
    Names,
    PositiveCount,
)
from bench.results.record import Record


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
