"""What a self-check found."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from bench.results.run import Machine, Record
from bench.results.verdict import Word

SCHEMA_VERSION: Final = 1


class Plan(Record):
    """How much is tried; the defaults take about a minute."""

    tries: int = Field(default=14, ge=1)
    """Of a model against itself, and of the planted slow-down beside it."""
    try_batch_sizes: list[int] = Field(default=[1], min_length=1)
    """They take turns."""
    try_s: float = Field(default=1.5, gt=0)
    """Seconds of one try, the start of its processes included."""
    slow_down: float = 0.05
    """The planted one, as a share."""
    stubs_s: list[float] = [20e-6, 200e-6, 2e-3, 20e-3]
    """Known durations of a call."""
    spread_runs: int = Field(default=6, ge=2)
    """Fresh starts whose speed-ups are compared."""
    spread_batch_sizes: list[int] = Field(default=[1, 64], min_length=1)
    spread_s: float = Field(default=1.6, gt=0)
    """Seconds of one of them, for all batch sizes together; torch.utils.benchmark is given the same."""


class Try(Record):
    """One verdict between models of which the truth is known."""

    batch_size: int
    value: float
    """The speed-up found."""
    half_width: float
    """Of its 95 % interval, as a share."""
    p_value: float
    n: int
    """Paired rounds."""
    word: Word


class Truth(Record):
    """A stub whose calls take a known time."""

    known_s: float
    read_s: float


class Spread(Record):
    """One speed-up, dynamic int8 over fp32, from several fresh starts."""

    batch_size: int
    ours: list[float]
    peers: list[float]
    """By medians of ``torch.utils.benchmark``'s ``blocked_autorange``, one model after the other."""


class Conditions(Record):
    """What may keep a machine from measuring well."""

    load: float | None
    """Processes that wanted to run in the last minute, before the check."""
    governor: str | None
    """The CPU frequency governor, where it can be read."""
    virtual: bool | None
    """Whether this is a virtual machine, where the CPU says so."""


class SelfCheck(Record):
    """What was found."""

    schema_version: Literal[1] = SCHEMA_VERSION
    quantbench: str
    created: str
    """ISO 8601, UTC."""
    machine: Machine
    conditions: Conditions
    threads: int
    pinned_cores: list[int]
    plan: Plan
    alone: list[Try]
    """The same model against itself."""
    slowed: list[Try]
    """The same model against itself with the planted slow-down."""
    truths: list[Truth]
    cost_s: float
    """What the harness adds to each call."""
    spreads: list[Spread]
    blocks: int
    disturbed_blocks: int
    """Of these, how many something outside disturbed, as far as this system tells."""
    causes: dict[str, int]
    seconds: float
    """What the check took."""
