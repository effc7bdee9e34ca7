"""The parts of pytest-benchmark's file that are read, with the bounds of what they may say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt

from bench.results.extra_info import ExtraInfo


class _Part(BaseModel):
    """A part of such a file; what we do not read is no matter."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Stats(_Part):
    """pytest-benchmark's statistics of a benchmark; seconds are those of one call."""

    mean: PositiveFloat
    median: PositiveFloat
    stddev: NonNegativeFloat
    rounds: PositiveInt
    iterations: PositiveInt
    data: list[PositiveFloat] = []
    """Each round, where they were saved."""


class Benchmark(_Part):
    """One benchmark of ours."""

    extra_info: ExtraInfo
    stats: Stats


class Cpu(_Part):
    """What py-cpuinfo found."""

    brand_raw: str = ""
    count: PositiveInt | None = None
    flags: list[str] = []


class Computer(_Part):
    """What pytest-benchmark says of the machine."""

    processor: str = ""
    machine: str = ""
    system: str = ""
    release: str = ""
    python_version: str = ""
    cpu: Cpu | None = None
