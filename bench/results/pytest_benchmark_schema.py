"""The parts of pytest-benchmark's file that are read, with the bounds of what they may say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bench.results.bounds import CallSeconds, CallTimes, Label, Name, Names, PositiveCount, Seconds
from bench.results.extra_info import ExtraInfo


class _Part(BaseModel):
    """A part of such a file; what we do not read is no matter."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Stats(_Part):
    """pytest-benchmark's statistics of a benchmark; seconds are those of one call."""

    mean: CallSeconds
    median: CallSeconds
    stddev: Seconds
    rounds: PositiveCount
    iterations: PositiveCount
    data: CallTimes = []
    """Each round, where they were saved."""


class Benchmark(_Part):
    """One benchmark of ours."""

    extra_info: ExtraInfo
    stats: Stats


class Cpu(_Part):
    """What py-cpuinfo found."""

    brand_raw: Name = ""
    count: PositiveCount | None = None
    flags: Names = []


class Computer(_Part):
    """What pytest-benchmark says of the machine."""

    processor: Name = ""
    machine: Label = ""
    system: Name = ""
    release: Label = ""
    python_version: Label = ""
    cpu: Cpu | None = None
