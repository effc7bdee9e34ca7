"""The run file: the rows of one machine at one time.

| schema | since | what changed |
|---|---|---|
| 1 | 0.1.0 | first |
| 2 | 0.2.0 | numbered rounds, repeated blocks, precision and budget; p-values; packed bytes, MACs, memory, agreement |
| 3 | 0.4.0 | a reference workload; which answers are right; users' own models; pytest-benchmark's rounds; simulations |
| 4 | before 1.0.0 | `yardsticks` and `pace` became `references` and `relative_latency` |
| 5 | before 1.0.0 | the process of each round, the latency that is shown; files and times of runtimes; `isa_limit` |
| 6 | 1.0.0 | intervals of speed-ups are of 99 %; the device, processor and torch that trained |

Versions 2 to 5 are read too: what they lack is optional, and ``older_runs`` renames and estimates the rest.

Seconds and bytes throughout; ``None`` means "not measured", never 0. Unknown keys are refused by name.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from bench.results.bounds import (
    BySize,
    CallSeconds,
    Label,
    Name,
    Records,
    Texts,
    at_most,
    shortened,
)
from bench.results.latency import Latency
from bench.results.machine import Machine
from bench.results.older_runs import as_of_now
from bench.results.provenance import Data, Training
from bench.results.record import Record
from bench.results.row import Row
from bench.results.settings import Settings

SCHEMA_VERSION: Final = 6


READABLE: Final = (2, 3, 4, 5, 6)


Version = Annotated[Literal[6], BeforeValidator(lambda value: SCHEMA_VERSION if value in READABLE else value)]
"""Runs of versions that can be read are of this one from then on, those within studies too."""


class ReferenceLatency(Record):
    """The computation that never changes, timed in the rounds of one model."""

    model: Name
    """As ``task/model``."""
    latency: BySize[Latency]
    """Paired with the rows of the model by the numbers of the rounds."""


class Run(Record):
    """The rows of one machine at one time."""

    schema_version: Version = SCHEMA_VERSION
    quantbench: Label
    created: Label
    """ISO 8601, UTC."""
    finished: bool
    timed_by: Literal["bench", "pytest-benchmark"] = "bench"
    """Whose rounds these are: ours are paired, pytest-benchmark's are not."""
    notes: Texts = Field(default_factory=list)
    """What a reader must know of the whole run, in sentences."""
    machine: Machine
    settings: Settings
    data: Records[Data] = Field(default_factory=list)
    trainings: Records[Training] = Field(default_factory=list)
    rows: Records[Row] = Field(default_factory=list)
    call_costs: Annotated[dict[Label, CallSeconds], at_most(100)] = Field(default_factory=dict)
    """Seconds of one call of a model that does nothing, by runtime: a part of each latency. Empty for one runtime."""
    references: Records[ReferenceLatency] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, content: Any) -> Any:
        """Take the names and definitions of version 6."""
        if not isinstance(content, dict) or content.get("schema_version") not in READABLE[:-1]:
            return content
        return as_of_now(content)

    @model_validator(mode="after")
    def _complete(self) -> Run:
        """Refuse a variant that is there twice, one of unknown data, and batch sizes that nobody asked for."""
        tasks = [data.task for data in self.data]
        if twice := [task for task, count in Counter(tasks).items() if count > 1]:
            raise ValueError(f"data: there are two of {shortened(twice[0])}")
        known, sizes = set(tasks), set(self.settings.batch_sizes)
        variants: set[tuple[str, ...]] = set()
        for row in self.rows:
            if (variant := (row.task, row.model, row.technique, row.runtime)) in variants:
                raise ValueError(f"rows: there are two of {shortened(row.full_model)} as {shortened(row.technique)}")
            variants.add(variant)
            if row.task not in known:
                raise ValueError(f"rows: of {shortened(row.task)}, which data does not have")
            timed = {*row.latency, *row.speedup}
            if timed - sizes:
                raise ValueError(f"rows: batch {min(timed - sizes)}, which settings.batch_sizes does not have")
        return self

    def rows_of(self, task: str) -> list[Row]:
        """Return the rows of one task, in order."""
        return [row for row in self.rows if row.task == task]
