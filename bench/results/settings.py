"""What was asked for."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from bench.core.limits import MAX_BATCH_SIZES
from bench.core.variant_key import EAGER
from bench.results.bounds import (
    BatchSize,
    Counts,
    Label,
    Name,
    Names,
    PositiveCount,
    Seed,
    Texts,
)
from bench.results.record import Record
from bench.tasks.policy import DataPolicy, TrainingDevice, TrainingPrecision

Limit = Annotated[float, Field(gt=0), BeforeValidator(lambda value: math.inf if value is None else value)]
"""A positive number; infinite, which JSON has as null, where there is no limit."""


class Asked(Record):
    """What a request for a run and the run that comes of it have in common."""

    suite: Name
    models: Names
    """As ``task/model``, in order."""
    batch_sizes: Annotated[list[BatchSize], Field(min_length=1, max_length=MAX_BATCH_SIZES)]
    runs: PositiveCount
    precision: Limit
    """How far a speed-up's interval may reach from its value, as a share of it."""
    budget_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    """Seconds for the passes of one model; ``None`` for the least number of processes, and more where the precision
    needs them (``bench.measuring.latency.sampling``)."""
    spread_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Seconds over which the passes of one model are spread at least, unless the budget is less; ``None`` in files of
    before, whose runs made no pauses."""
    timeout_s: Limit
    """A variant that says nothing for so long counts as hung."""
    threads: PositiveCount
    device: Label
    epochs: PositiveCount | None = None
    """Of every training, in the place of the recipes'."""
    training_precision: TrainingPrecision = "auto"
    training_device: TrainingDevice | None = None
    """Where weights were trained; ``None`` for ``device``."""
    isa_limit: Label = ""
    """What libraries are told not to go beyond; empty for all that the CPU has."""
    inputs: Name = ""
    """Of users' models: what gives their inputs, such as ``net.py:inputs``; empty for supplied models."""
    evaluate: Name = ""
    """What gives their accuracy; empty if nothing does."""
    calibrate: Name = ""
    """What gives batches to calibrate with; empty for the example inputs."""

    @property
    def trained_on(self) -> str:
        """The device that weights are trained on."""
        return self.training_device or self.device


class Settings(Asked):
    """What was asked for, on this machine; two runs compare only where these agree."""

    techniques: Texts
    runtimes: Texts = Field(default_factory=lambda: [EAGER])
    pinned_cores: Counts
    """The cores that variants are tied to while they are timed; empty for none."""
    tf32: bool | None = None
    """Whether float32 is multiplied in TF32 on CUDA; ``None`` on other devices, and in files before 1.0.0."""
    engine: Label
    """The quantized engine of the int8 rows."""
    seed: Seed | None
    """``None`` where weights were given."""
    data: DataPolicy | None
    """``None`` where they were given."""
