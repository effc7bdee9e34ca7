"""What a self-check found."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from bench.results.bounds import (
    CallSeconds,
    Count,
    Counts,
    Label,
    Magnitude,
    Name,
    PositiveCount,
    Ratio,
    Seconds,
    Share,
)
from bench.results.machine import Machine
from bench.results.record import Record
from bench.results.settings import Limit
from bench.results.verdict import Word

SCHEMA_VERSION: Final = 1


class Plan(Record):
    """How much is tried; the defaults take about a minute."""

    tries: PositiveCount = 14
    """Of a model against itself, and of the planted slow-down beside it."""
    try_batch_sizes: list[PositiveCount] = Field(default=[1], min_length=1, max_length=100)
    """They take turns."""
    try_s: Seconds = Field(default=1.5, gt=0)
    """Seconds of one try, the start of its processes included."""
    slow_down: Magnitude = 0.05
    """The planted one, as a share."""
    stubs_s: list[CallSeconds] = Field(default=[20e-6, 200e-6, 2e-3, 20e-3], max_length=100)
    """Known durations of a call."""
    spread_runs: PositiveCount = Field(default=6, ge=2)
    """Fresh starts whose speed-ups are compared."""
    spread_batch_sizes: list[PositiveCount] = Field(default=[1, 64], min_length=1, max_length=100)
    spread_s: Seconds = Field(default=1.6, gt=0)
    """Seconds of one of them, for all batch sizes together; torch.utils.benchmark is given the same."""


class Try(Record):
    """One verdict between models of which the truth is known."""

    batch_size: PositiveCount
    value: Ratio
    """The speed-up found."""
    half_width: Limit
    """Of its 95 % interval, as a share; infinite where there were too few rounds for one."""
    p_value: Share
    n: Count
    """Paired rounds."""
    word: Word


class Truth(Record):
    """A stub whose calls take a known time."""

    known_s: CallSeconds
    read_s: CallSeconds


class Spread(Record):
    """One speed-up, dynamic int8 over fp32, from several fresh starts."""

    batch_size: PositiveCount
    ours: list[Ratio] = Field(min_length=1, max_length=10_000)
    peers: list[Ratio] = Field(min_length=1, max_length=10_000)
    """By medians of ``torch.utils.benchmark``'s ``blocked_autorange``, one model after the other."""


class Conditions(Record):
    """What may keep a machine from measuring well."""

    load: Magnitude | None
    """Processes that wanted to run in the last minute, before the check."""
    governor: Name | None
    """The CPU frequency governor, where it can be read."""
    virtual: bool | None
    """Whether this is a virtual machine, where the CPU says so."""


class SelfCheck(Record):
    """What was found."""

    schema_version: Literal[1] = SCHEMA_VERSION
    quantbench: Label
    created: Label
    """ISO 8601, UTC."""
    machine: Machine
    conditions: Conditions
    threads: PositiveCount
    pinned_cores: Counts
    plan: Plan
    alone: list[Try] = Field(min_length=1, max_length=10_000)
    """The same model against itself."""
    slowed: list[Try] = Field(max_length=10_000)
    """The same model against itself with the planted slow-down."""
    truths: list[Truth] = Field(min_length=1, max_length=100)
    cost_s: Seconds
    """What the harness adds to each call."""
    spreads: list[Spread] = Field(min_length=1, max_length=100)
    blocks: Count
    disturbed_blocks: Count
    """Of these, how many something outside disturbed, as far as this system tells."""
    causes: dict[Name, Count] = Field(max_length=100)
    seconds: Seconds
    """What the check took."""

    @model_validator(mode="after")
    def _no_more_than_all(self) -> SelfCheck:
        if self.disturbed_blocks > self.blocks:
            raise ValueError(f"{self.disturbed_blocks} disturbed of {self.blocks} blocks")
        return self
