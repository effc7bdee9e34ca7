"""How long calls took, and how that stands to fp32's; seconds are those of one call."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Protocol

from pydantic import Field, model_validator

from bench.results.bounds import (
    CallSeconds,
    CallTimes,
    Count,
    Counts,
    Name,
    PositiveCount,
    Seconds,
    Share,
    at_most,
)
from bench.results.bounds import Ratio as RatioValue
from bench.results.record import Record
from bench.stats.interval import Interval, half_width
from bench.stats.ranks import location
from bench.stats.ratio import Ratio, bounded_exp, ratio

MAX_PROCESSES: Final = 200
"""Of a variant at one batch size; pairs of all of them are made."""


class Summary(Record):
    """What is left of rounds that were not kept one by one; seconds are those of one call."""

    mean_s: CallSeconds
    std_s: Seconds | None
    median_s: CallSeconds
    rounds: PositiveCount


class Latency(Record):
    """Forward passes at one batch size; seconds are those of one call."""

    estimate_s: CallSeconds
    """The latency that tables and pictures show: fp32's divided by the speed-up; of fp32 itself, and where there is
    none, the Hodges–Lehmann estimate over processes."""
    runs_s: Annotated[CallTimes, Field(min_length=1)]
    """The lab's runs: each the mean over its consecutive share of the rounds; the mean of all where none were kept."""
    rounds: Counts
    """The numbers of the rounds this variant was in; rounds of one number are paired within a model."""
    rounds_s: CallTimes
    """Its block in each of them."""
    processes: Counts
    """The number of the process that each was made in."""
    summary: Summary | None = None
    """In the place of rounds that were not kept; ``None`` where they were."""
    repeated_s: CallTimes = Field(default_factory=list)
    """The blocks that were disturbed from outside and were therefore repeated."""
    disturbed: Counts = Field(default_factory=list)
    """The rounds whose block was still disturbed after the last repetition; they count."""
    causes: Annotated[dict[Name, Count], at_most(100)] = Field(default_factory=dict)
    """How many blocks each cause of ``bench.measuring.latency.disturbance`` disturbed."""
    calls_per_block: PositiveCount
    """Of the last process."""
    warm_up_s: CallTimes
    """Each warm-up block, of all its processes."""
    cold: Count = 0
    """Processes whose warm-up did not settle: its last two windows did not agree."""
    page_faults: Counts = Field(default_factory=list)
    """Of one call in each process: pages that the system handed to it, because memory had been given back."""

    @model_validator(mode="after")
    def _of_rounds(self) -> Latency:
        if not len(self.rounds) == len(self.rounds_s) == len(self.processes):
            raise ValueError(
                f"{len(self.rounds)} numbers of rounds, {len(self.rounds_s)} times and {len(self.processes)} processes"
            )
        if len(set(self.processes)) > MAX_PROCESSES:
            raise ValueError(f"more than {MAX_PROCESSES} processes")
        if bool(self.rounds_s) == (self.summary is not None):
            raise ValueError("either the times of the rounds, or a summary of them")
        return self

    @property
    def timed_rounds(self) -> int:
        """How many rounds it was timed in, kept or not."""
        return len(self.rounds_s) if self.summary is None else self.summary.rounds


class Speedup(Record):
    """How many times faster than fp32; see ``bench.stats.ratio.ratio``."""

    value: RatioValue
    low: RatioValue
    high: RatioValue
    confidence: Share
    """Of the interval; 0 where there were too few processes for one."""
    p_value: Share
    """Probability of a ratio at least this far from 1 between equals."""
    n: Count
    """Processes of both; 0 for a ratio of rounds that are not paired."""
    retired: bool = False
    """Whether every process took more than three times as long as fp32's, so that it was timed no more."""

    @model_validator(mode="after")
    def _between_its_ends(self) -> Speedup:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")
        return self

    @classmethod
    def of(cls, value: Ratio, *, retired: bool = False) -> Speedup:
        """Return the record of a ratio of times."""
        return cls(**dataclasses.asdict(value), retired=retired)

    @property
    def half_width(self) -> float:
        """How far the interval reaches, as a share of the value; infinite where there is none."""
        return half_width(self.value, self.low, self.high, self.confidence)

    @property
    def interval(self) -> Interval:
        """The value between its ends."""
        return Interval(self.value, self.low, self.high, self.confidence)


class Timed(Protocol):
    """What was timed in numbered rounds: a ``Latency``, or a series that is to become one."""

    @property
    def rounds(self) -> Sequence[int]:
        """The numbers of its rounds."""
        ...

    @property
    def rounds_s(self) -> Sequence[float]:
        """Seconds of a call in each."""
        ...

    @property
    def processes(self) -> Sequence[int]:
        """The number of the process that each was made in."""
        ...


def log_ratios(numerator: Timed, denominator: Timed) -> list[float]:
    """Return one observation for each process that both were timed in: the median log ratio of its paired rounds."""
    of_denominator = dict(zip(denominator.rounds, denominator.rounds_s, strict=True))
    return _medians(
        (process, math.log(seconds / of_denominator[number]))
        for process, number, seconds in zip(numerator.processes, numerator.rounds, numerator.rounds_s, strict=True)
        if number in of_denominator
    )


def log_seconds(timed: Timed) -> list[float]:
    """Return the logarithm of the median time in each process."""
    return _medians(
        (process, math.log(seconds)) for process, seconds in zip(timed.processes, timed.rounds_s, strict=True)
    )


def speedup_over(baseline: Timed, variant: Timed) -> Ratio | None:
    """Return the speed-up over the processes of both; ``None`` where no round is paired."""
    observations = log_ratios(baseline, variant)
    return ratio(observations) if observations else None


def plain_estimate(processes: Iterable[int], rounds_s: Iterable[float]) -> float:
    """Return the Hodges–Lehmann estimate of a latency over processes, of whose rounds the median counts."""
    logs = _medians((process, math.log(seconds)) for process, seconds in zip(processes, rounds_s, strict=True))
    return bounded_exp(location(logs).value)


def _medians(values: Iterable[tuple[int, float]]) -> list[float]:
    by_process: dict[int, list[float]] = {}
    for process, value in values:
        by_process.setdefault(process, []).append(value)
    return [statistics.median(of_process) for of_process in by_process.values()]
