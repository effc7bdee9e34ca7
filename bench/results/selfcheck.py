"""What a self-check measured; ``bench.report.selfcheck`` says what it means."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from bench.results.bounds import (
    BySize,
    CallSeconds,
    Count,
    Counts,
    Label,
    Magnitude,
    Name,
    PositiveCount,
    Ratio,
    Records,
    Seconds,
)
from bench.results.latency import Speedup
from bench.results.machine import Machine
from bench.results.record import Record
from bench.results.verdict import Word

SCHEMA_VERSION: Final = 2


class Plan(Record):
    """How much is tried; the defaults take some two minutes with one thread."""

    runs: PositiveCount = Field(default=6, ge=2)
    """Equal models in default runs, each with fresh processes."""
    slow_down: Literal[5, 10] = 5
    """The planted one, in percent."""
    stubs_s: list[CallSeconds] = Field(default=[20e-6, 200e-6, 2e-3, 20e-3], max_length=100)
    """Known durations of a call."""
    peers: Count = 2
    """Of these, beside how many ``torch.utils.benchmark`` is given the same seconds."""


class Comparison(Record):
    """What one run says of one variant beside fp32 at one batch size."""

    speedup: Speedup
    word: Word
    noisy: bool
    """Whether the speed-up is less precise than asked."""


class KnownRun(Record):
    """A model of a default run, whose variants' relations are known; comparisons by batch size."""

    again: BySize[Comparison]
    """fp32 itself under another name."""
    slowed: BySize[Comparison]
    """fp32 with the planted slow-down."""
    int8: BySize[Comparison]
    """Dynamic int8."""
    peer: BySize[Ratio] = Field(default_factory=dict)
    """The speed-up of int8 by medians of ``torch.utils.benchmark``'s ``blocked_autorange``, in the same seconds."""
    seconds: Seconds
    blocks: Count
    disturbed_blocks: Count
    """Of these, how many something outside disturbed, as far as this system tells."""


class Truth(Record):
    """A stub whose calls take a known time."""

    known_s: CallSeconds
    read_s: CallSeconds


class Conditions(Record):
    """What may keep a machine from measuring well."""

    load: Magnitude | None
    """Processes that wanted to run in the last minute, before the check."""
    governor: Name | None
    """The CPU frequency governor, where it can be read."""
    virtual: bool | None
    """Whether this is a virtual machine, where the CPU says so."""


class SelfCheck(Record):
    """All that was measured."""

    schema_version: Literal[2] = SCHEMA_VERSION
    quantbench: Label
    created: Label
    """ISO 8601, UTC."""
    machine: Machine
    conditions: Conditions
    threads: PositiveCount
    pinned_cores: Counts
    plan: Plan
    runs: Records[KnownRun] = Field(min_length=2)
    truths: list[Truth] = Field(min_length=1, max_length=100)
    cost_s: Seconds
    """What the harness adds to each call."""
    seconds: Seconds
    """What the check took."""

    @model_validator(mode="after")
    def _of_the_same_sizes(self) -> SelfCheck:
        """Refuse runs, or comparisons of a run, that are of different batch sizes."""
        sizes = {frozenset(kind) for run in self.runs for kind in (run.again, run.slowed, run.int8, run.peer) if kind}
        if len(sizes) != 1 or not all(run.again and run.slowed and run.int8 for run in self.runs):
            raise ValueError("runs: their comparisons are of different batch sizes")
        return self
