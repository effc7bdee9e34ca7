"""Which variant of each model is recommended under constraints, and why not the others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.results import bounds
from bench.results.bounds import BatchSize, Bytes, CallSeconds, Count, Magnitude, PositiveCount, Share
from bench.results.latency import Speedup
from bench.results.record import Record
from bench.results.variant_field import VariantField

Objective = Literal["latency", "size", "memory"]


class Constraints(Record):
    """What a variant must keep to, and what the best of those that do is best in."""

    objective: Objective = "latency"
    """Least latency, smallest file, or least peak memory."""
    batch_size: BatchSize | None = None
    """Of latencies; ``None`` for 1, or the smallest of the run."""
    max_drop: Share | None = None
    """Accuracy that may be lost, as a share; ``None`` for what each test set can show."""
    max_size_bytes: Annotated[Bytes, Field(gt=0)] | None = None
    """Of the file that one deploys."""
    max_latency_s: CallSeconds | None = None
    """Of one call."""


class AccuracyChange(Record):
    """An accuracy beside fp32's, as a share: negative for a loss."""

    value: bounds.Change
    low: bounds.Change
    high: bounds.Change
    """The ends of its 95 % interval."""
    examples: PositiveCount
    lost: Count | None = None
    """Examples that fp32 alone has right; ``None`` where only numbers of right answers are known."""
    gained: Count | None = None
    """Examples that the variant alone has right."""

    @property
    def paired(self) -> bool:
        """Whether it is known which examples were answered right; otherwise the interval is a wider one."""
        return self.lost is not None


class Candidate(Record):
    """A variant with what it gains and loses."""

    variant: VariantField
    file_bytes: Bytes | None
    """Of the file that one deploys."""
    smaller: Magnitude | None
    """fp32's file divided by it."""
    peak_memory_bytes: Bytes | None
    latency_s: CallSeconds | None
    speedup: Speedup | None
    """Over fp32 on eager; ``None`` for that itself."""
    accuracy: Share | None
    change: AccuracyChange | None
    """``None`` for fp32 on eager, and where the accuracy was not judged."""
    output_error: Magnitude | None
    """As in ``bench.results.row.Row``: it says nothing of accuracy."""
    slower: tuple[Magnitude, Magnitude, Magnitude] | None = None
    """Of a runner-up: its time divided by the recommended variant's, with the ends of the 99 % interval."""


class Rejection(Record):
    """A variant that is not recommended."""

    variant: VariantField
    reason: str
    """What speaks against it, as a part of a sentence."""
    more_examples: PositiveCount | None = None
    """Test examples beyond those there are that would tell, if the shares of answers lost and gained stay."""


class ModelRecommendation(Record):
    """What to deploy of one model."""

    model: str
    """As ``task/model``."""
    batch_size: BatchSize
    max_drop: Share | None
    """What was allowed; ``None`` where no accuracy is known, so that none was judged."""
    best: Candidate | None
    """``None`` if no variant is shown to keep to the constraints; fp32 on eager if no other is shown to be better."""
    runners_up: list[Candidate]
    """Variants within the constraints that these measurements cannot tell from the best."""
    undecided: list[Rejection]
    """Variants of which the data do not show whether they keep to the constraints."""
    outside: list[Rejection]
    """Variants that the data show not to."""
    no_gain: list[Rejection]
    """Variants within the constraints that are not shown to be better than fp32 on eager."""
    left_out: list[Rejection]
    """Variants that are never recommended: failed, noisy, simulated, or with outputs that are not fp32's."""
    sentence: str = ""
    """For a person in a hurry."""
    command: str = ""
    """What writes the recommended file; empty where no command can."""


class Recommendation(Record):
    """The recommendations of one run."""

    constraints: Constraints
    models: list[ModelRecommendation]
