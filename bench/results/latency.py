"""How long calls took, and how that stands to others; seconds are those of one call."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Final

from pydantic import Field, model_validator

from bench.results.bounds import (
    LARGEST,
    CallSeconds,
    CallTimes,
    Count,
    Counts,
    Name,
    PositiveCount,
    Seconds,
    Share,
)
from bench.results.bounds import Ratio as RatioValue
from bench.results.record import Record
from bench.stats.change import log_ratio_of
from bench.stats.describe import quiet_time
from bench.stats.interval import Interval, half_width
from bench.stats.speedup import LogRatio, Ratio


class Summary(Record):
    """What is left of rounds that were not kept one by one; seconds are those of one call."""

    mean_s: CallSeconds
    std_s: Seconds | None
    median_s: CallSeconds
    rounds: PositiveCount


class Latency(Record):
    """Forward passes at one batch size; seconds are those of one call."""

    runs_s: Annotated[CallTimes, Field(min_length=1)]
    """Each run: the mean over its consecutive share of the rounds; the mean of all where they were not kept."""
    rounds: Counts
    """The numbers of the rounds this variant was in; rounds of one number are paired within a model."""
    rounds_s: CallTimes
    """Its block in each of them."""
    summary: Summary | None = None
    """In the place of rounds that were not kept; ``None`` where they were."""
    repeated_s: CallTimes = Field(default_factory=list)
    """The blocks that were disturbed from outside and were therefore repeated."""
    disturbed: Counts = Field(default_factory=list)
    """The rounds whose block was still disturbed after the last repetition; they count."""
    causes: dict[Name, Count] = Field(default_factory=dict, max_length=100)
    """How many blocks each cause of ``bench.measuring.latency.disturbance`` disturbed."""
    starts: Counts = Field(default_factory=lambda: [0])
    """The numbers of the rounds that were the first in a fresh process."""
    calls_per_block: PositiveCount
    warm_up_s: CallTimes
    """Each warm-up block, of all its processes."""
    warm: bool
    """Whether the last two warm-up windows agreed, in all its processes."""

    @model_validator(mode="after")
    def _of_rounds(self) -> Latency:
        if len(self.rounds) != len(self.rounds_s):
            raise ValueError(f"{len(self.rounds)} numbers of rounds and {len(self.rounds_s)} times")
        if bool(self.rounds_s) == (self.summary is not None):
            raise ValueError("either the times of the rounds, or a summary of them")
        return self

    @property
    def typical_s(self) -> float | None:
        """The quiet time of the rounds; the median where they were not kept; ``None`` where that was not either."""
        if self.rounds_s:
            return quiet_time(self.rounds_s)
        return self.summary.median_s if self.summary else None


class Speedup(Record):
    """How many times faster than fp32, over paired rounds; see ``bench.stats.speedup.speedup``."""

    value: RatioValue
    low: RatioValue
    high: RatioValue
    confidence: Share
    """Of the interval; 0 where there were too few rounds for one."""
    p_value: Share
    """Probability of a ratio at least this far from 1 between equals."""
    n: Count
    """Paired rounds; 0 for a ratio of rounds that are not paired."""

    @model_validator(mode="after")
    def _between_its_ends(self) -> Speedup:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")
        return self

    @classmethod
    def of(cls, ratio: Ratio) -> Speedup:
        """Return the record of a ratio of times."""
        return cls(**dataclasses.asdict(ratio))

    @property
    def half_width(self) -> float:
        """How far the interval reaches, as a share of the value; infinite where there is none."""
        return half_width(self.value, self.low, self.high, self.confidence)

    @property
    def interval(self) -> Interval:
        """The value between its ends."""
        return Interval(self.value, self.low, self.high, self.confidence)

    @property
    def log_ratio(self) -> LogRatio:
        """The ratio as ``bench.stats.change`` holds it against another."""
        return log_ratio_of(self.interval, self.n)


MIN_FREEDOM: Final = 1e-3
"""Of an error; less is no estimate of anything."""


class RelativeLatency(Record):
    """A latency over the reference workload's, of the rounds that both were in; see ``bench.running.reference``."""

    value: RatioValue
    """The variant's time / the reference workload's, each the mean of its fastest quarter of the rounds."""
    error: Annotated[float, Field(ge=0, le=1_000)] | None
    """Standard error of its logarithm; ``None`` where there were too few rounds to tell."""
    freedom: Annotated[float, Field(ge=0, le=LARGEST)]
    """Student's degrees of freedom of that error."""
    n: Count
    """Paired rounds."""

    @model_validator(mode="after")
    def _free(self) -> RelativeLatency:
        if self.error is not None and self.freedom < MIN_FREEDOM:
            raise ValueError(f"an error with {self.freedom} degrees of freedom")
        return self

    @classmethod
    def of(cls, ratio: LogRatio) -> RelativeLatency:
        """Return the record of a ratio of times."""
        return cls(value=math.exp(ratio.value), error=ratio.error, freedom=ratio.freedom, n=ratio.n)

    @property
    def log_ratio(self) -> LogRatio:
        """The ratio as ``bench.stats.speedup`` has it."""
        return LogRatio(math.log(self.value), self.error, self.freedom, self.n)
