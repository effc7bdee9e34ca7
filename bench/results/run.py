"""The run file: the rows of one machine at one time.

| schema | since | what changed |
|---|---|---|
| 1 | 0.1.0 | first |
| 2 | 0.2.0 | numbered rounds, repeated blocks, precision and budget; p-values; packed bytes, MACs, memory, agreement |
| 3 | 0.4.0 | a reference workload; which answers are right; users' own models; pytest-benchmark's rounds; simulations |
| 4 | 1.0.0 | `references` and `relative_latency` were called `yardsticks` and `pace` |

Versions 2 and 3 are read too: what they lack is optional.

Seconds and bytes throughout; ``None`` means "not measured", never 0. Unknown keys are refused by name.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections import Counter
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from bench.core.limits import MAX_BATCH_SIZES
from bench.core.variant_key import EAGER, VariantKey
from bench.results.bounds import (
    LARGEST,
    Bytes,
    CallSeconds,
    CallTimes,
    Count,
    Counts,
    Figure,
    Label,
    Magnitude,
    Name,
    Names,
    PositiveCount,
    Recipe,
    Seconds,
    Seed,
    Share,
    Text,
    Texts,
    shortened,
)
from bench.results.bounds import Ratio as RatioValue
from bench.stats.change import log_ratio_of
from bench.stats.describe import quiet_time
from bench.stats.interval import Interval, half_width
from bench.stats.speedup import LogRatio, Ratio
from bench.tasks.policy import DataPolicy, TrainingPrecision

SCHEMA_VERSION: Final = 4
READABLE: Final = (2, 3, 4)

Status = Literal["ok", "unsupported", "failed", "noisy"]
"""``noisy``: measured, but a speed-up is not known as precisely as was asked; ``unsupported``: cannot be had here, for
a stated reason."""


Version = Annotated[Literal[4], BeforeValidator(lambda value: SCHEMA_VERSION if value in READABLE else value)]
"""Runs of versions that can be read are of this one from then on, those within studies too."""
BatchSize = PositiveCount
Limit = Annotated[float, Field(gt=0), BeforeValidator(lambda value: math.inf if value is None else value)]
"""A positive number; infinite, which JSON has as null, where there is no limit."""


MOST: Final = 10_000
"""Rows of a run; a report of more would take hours."""
MIN_FREEDOM: Final = 1e-3
"""Of an error; less is no estimate of anything."""


class Record(BaseModel):
    """Immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(Record):
    """What the figures were measured on."""

    cpu: Name
    architecture: Label
    isa: Names
    """The instruction sets that decide low-precision speed, of those this CPU has."""
    physical_cores: PositiveCount | None
    logical_cores: PositiveCount | None
    memory_bytes: Bytes | None
    accelerators: Names
    os: Name
    python: Label
    torch: Label
    quantized_engines: Names
    """The engines that this torch supports."""
    quantized_engine: Label
    """The one that is active unless a run sets another."""


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
    """Seconds for the latencies of one model, warm-up included; ``None`` for as long as the least number of rounds
    takes, and ``bench.running.latency.EXTRA_S`` more where the precision needs it."""
    timeout_s: Limit
    """A variant that says nothing for so long counts as hung."""
    threads: PositiveCount
    device: Label
    epochs: PositiveCount | None = None
    """Of every training, in the place of the recipes'."""
    training_precision: TrainingPrecision = "auto"
    inputs: Name = ""
    """Of users' models: what gives their inputs, such as ``net.py:inputs``; empty for supplied models."""
    evaluate: Name = ""
    """What gives their accuracy; empty if nothing does."""
    calibrate: Name = ""
    """What gives batches to calibrate with; empty for the example inputs."""


class Settings(Asked):
    """What was asked for, on this machine; two runs compare only where these agree."""

    techniques: Texts
    pinned_cores: Counts
    """The cores that variants are tied to while they are timed; empty for none."""
    engine: Label
    """The quantized engine of the int8 rows."""
    seed: Seed | None
    """``None`` where weights were given."""
    data: DataPolicy | None
    """``None`` where they were given."""


class Data(Record):
    """Where one task's data came from."""

    task: Name
    kind: Literal["real", "synthetic", "own"]
    """``own`` for the example inputs of a user's model."""
    title: Name
    origin: Text
    note: Text
    """Why a stand-in was taken; empty otherwise."""
    citation: Text
    fingerprint: Name
    """Of a user's model: of what gives its inputs and judges it."""
    source: Name = ""
    """Of a user's model: changes with all its files; what they hold must be the same for a run to be taken up."""
    train_examples: Count | None
    test_examples: Count | None
    """``None`` where only the user knows: of ``own`` data."""

    @model_validator(mode="after")
    def _counted(self) -> Data:
        if self.kind != "own" and (self.train_examples is None or self.test_examples is None):
            raise ValueError(f"{self.kind} data without their numbers of examples")
        return self


class Training(Record):
    """The weights that a model's rows share."""

    model: Name
    """As ``task/model``."""
    precision: Label
    """``float32``, or the autocast type it was trained under."""
    technique: Text = ""
    """What took part in it; empty for a plain training."""
    description: Text
    recipe: Recipe
    recipe_hash: Label
    seed: Seed
    seconds: Seconds
    """The training's wall time; of the first training, where the checkpoint was reloaded."""
    threads: PositiveCount
    device: Label


class Accuracy(Record):
    """Right answers on the whole test set."""

    correct: Count
    total: PositiveCount

    @model_validator(mode="after")
    def _among_all(self) -> Accuracy:
        if self.correct > self.total:
            raise ValueError(f"{self.correct} right answers of {self.total}")
        return self


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


class Agreement(Record):
    """Answers held against fp32's to the same examples."""

    same: Count
    """Examples that both answer alike, right or wrong."""
    lost: Count
    """Examples that fp32 alone has right."""
    gained: Count
    """Examples that the variant alone has right."""
    p_value: Share
    """McNemar's: probability of so unequal losses and gains if both are as good."""


class Layers(Record):
    """How many Linear and convolution layers the technique changed."""

    changed: Count
    total: Count

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Layers:
        if self.changed > self.total:
            raise ValueError(f"{self.changed} changed of {self.total}")
        return self


def _bits_of(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Bits = Annotated[
    bytes,
    BeforeValidator(_bits_of),
    PlainSerializer(lambda bits: base64.b64encode(bits).decode(), return_type=str, when_used="json"),
]
"""Eight to a byte, the first in the highest place; base64 in a file."""


class Row(Record):
    """All measurements of one variant."""

    task: Name
    model: Name
    technique: Text
    runtime: Label = EAGER
    scheme: Label
    """The lab's Q: how it was quantized."""
    dtype: Text
    status: Status
    reason: Text = ""
    """Why the status is not ``ok``."""
    notes: Texts = Field(default_factory=list)
    """What a reader must know to judge the figures."""
    simulated: bool = False
    """Whether it computed in float arithmetic what low precision would: its latency says nothing of real kernels."""
    size_bytes: Bytes | None = None
    """Of ``torch.save(model.state_dict())``."""
    packed_bytes: Annotated[Bytes, Field(gt=0)] | None = None
    """Of the smallest file of ours that reloads, in a fresh process, to the same logits; verified in this run."""
    bytes_by_dtype: dict[Name, Bytes] = Field(default_factory=dict, max_length=100)
    """What that file stores, by the type it is stored in; the rest of it is names and structure."""
    params: Count | None = None
    layers: Layers | None = None
    macs: Count | None = None
    """Multiply-accumulates of matrix products and convolutions for one example."""
    bit_operations: Magnitude | None = None
    """Multiply-accumulates, each times the bits of its wider factor / 32; ``None`` where no rule tells the widths."""
    scores: dict[Name, Figure] = Field(default_factory=dict, max_length=100)
    """By the rule of ``bench.measuring.scores``; lower is smaller."""
    accuracy: Accuracy | None = None
    right: Bits | None = None
    """Which examples of the test set were answered right, in its order; as many as ``accuracy`` counts."""
    accuracy_share: Share | None = None
    """The accuracy where a user's function returned a share alone: of how many examples is not known."""
    agreement: Agreement | None = None
    """With the fp32 row of the same run."""
    output_error: Magnitude | None = None
    """For a user's model: how far its outputs for example inputs are from fp32's, root mean square, as a share of the
    root mean square of those."""
    latency: dict[BatchSize, Latency] = Field(default_factory=dict)
    """By batch size."""
    speedup: dict[BatchSize, Speedup] = Field(default_factory=dict)
    """By batch size, over the fp32 row of the same run."""
    relative_latency: dict[BatchSize, RelativeLatency] = Field(default_factory=dict)
    """By batch size, over the reference of the same rounds."""
    peak_memory_bytes: Bytes | None = None
    """Growth of the variant's process from before loading to the peak of one batch of the largest size."""

    @model_validator(mode="after")
    def _as_many_as_counted(self) -> Row:
        if self.right is not None:
            counts = self.accuracy and (self.accuracy.correct, -(-self.accuracy.total // 8))
            if counts != (int.from_bytes(self.right, "big").bit_count(), len(self.right)):
                raise ValueError("right holds other answers than accuracy counts")
        return self

    @model_validator(mode="after")
    def _agreeing_among_all(self) -> Row:
        if (agreement := self.agreement) is None:
            return self
        if self.accuracy is None:
            raise ValueError("agreement without accuracy")
        most = max(agreement.same, agreement.lost + agreement.gained)
        if most > self.accuracy.total:
            raise ValueError(f"agreement counts {most} answers, accuracy {self.accuracy.total}")
        return self

    @property
    def key(self) -> VariantKey:
        """What tells the row from the others of its model."""
        return VariantKey(self.technique, self.runtime)

    @property
    def full_model(self) -> str:
        """Task and model, as ``task/model``."""
        return f"{self.task}/{self.model}"

    @property
    def measured(self) -> bool:
        """Whether it was measured to the end, however precisely."""
        return self.status in ("ok", "noisy")

    @property
    def share_right(self) -> float | None:
        """The accuracy as a share, however it is known."""
        return self.accuracy.correct / self.accuracy.total if self.accuracy else self.accuracy_share


class ReferenceLatency(Record):
    """The computation that never changes, timed in the rounds of one model."""

    model: Name
    """As ``task/model``."""
    latency: dict[BatchSize, Latency]
    """By batch size; paired with the rows of the model by the numbers of the rounds."""


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
    data: list[Data] = Field(default_factory=list, max_length=MOST)
    trainings: list[Training] = Field(default_factory=list, max_length=MOST)
    rows: list[Row] = Field(default_factory=list, max_length=MOST)
    references: list[ReferenceLatency] = Field(default_factory=list, max_length=MOST)

    @model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, content: Any) -> Any:
        """Take the names that keys had before version 4."""
        if not isinstance(content, dict) or content.get("schema_version") not in READABLE[:-1]:
            return content
        rows = content.get("rows")
        return _renamed(content, "yardsticks", "references") | (
            {"rows": [_renamed(row, "pace", "relative_latency") for row in rows]} if isinstance(rows, list) else {}
        )

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
            timed = {*row.latency, *row.speedup, *row.relative_latency}
            if timed - sizes:
                raise ValueError(f"rows: batch {min(timed - sizes)}, which settings.batch_sizes does not have")
        return self

    def rows_of(self, task: str) -> list[Row]:
        """Return the rows of one task, in order."""
        return [row for row in self.rows if row.task == task]


def _renamed(record: Any, old: str, new: str) -> Any:
    """Return a record of a file with another name for one of its keys."""
    if not isinstance(record, dict) or old not in record:
        return record
    return {new if key == old else key: value for key, value in record.items()}
