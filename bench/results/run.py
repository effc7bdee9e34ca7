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
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from bench.core.variant_key import EAGER, VariantKey
from bench.stats.times import Interval, LogRatio, Ratio, half_width, log_ratio_of, quiet_time

SCHEMA_VERSION: Final = 4
READABLE: Final = (2, 3, 4)

Status = Literal["ok", "unsupported", "failed", "noisy"]
"""``noisy``: measured, but a speed-up is not known as precisely as was asked; ``unsupported``: cannot be had here, for
a stated reason."""


Version = Annotated[Literal[4], BeforeValidator(lambda value: SCHEMA_VERSION if value in READABLE else value)]
"""Runs of versions that can be read are of this one from then on, those within studies too."""
Limit = Annotated[float, BeforeValidator(lambda value: math.inf if value is None else value)]
"""A number; infinite, which JSON has as null, where there is no limit."""


class Record(BaseModel):
    """Immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(Record):
    """What the figures were measured on."""

    cpu: str
    architecture: str
    isa: list[str]
    """The instruction sets that decide low-precision speed, of those this CPU has."""
    physical_cores: int | None
    logical_cores: int | None
    memory_bytes: int | None
    accelerators: list[str]
    os: str
    python: str
    torch: str
    quantized_engines: list[str]
    """The engines that this torch supports."""
    quantized_engine: str
    """The one that is active unless a run sets another."""


class Settings(Record):
    """What was asked for; two runs compare only where these agree."""

    suite: str
    models: list[str]
    """As ``task/model``, in order."""
    techniques: list[str]
    batch_sizes: list[int]
    runs: int
    precision: Limit
    """How far a speed-up's interval may reach from its value, as a share of it."""
    budget_s: float | None
    """Seconds for the latencies of one model, warm-up included; ``None`` for as long as the least number of rounds
    takes, and ``bench.running.latency.EXTRA_S`` more where the precision needs it."""
    timeout_s: Limit
    """A variant that says nothing for so long counts as hung."""
    threads: int
    pinned_cores: list[int]
    """The cores that variants are tied to while they are timed; empty for none."""
    device: str
    engine: str
    """The quantized engine of the int8 rows."""
    seed: int | None
    """``None`` where weights were given."""
    epochs: int | None = None
    """Of every training, in the place of the recipes'."""
    data: Literal["auto", "real", "synthetic"] | None
    """``None`` where they were given."""
    inputs: str = ""
    """Of models of the user's own: what gives their inputs, such as ``net.py:inputs``; empty for supplied models."""
    evaluate: str = ""
    """What gives their accuracy; empty if nothing does."""
    calibrate: str = ""
    """What gives batches to calibrate with; empty for the example inputs."""


class Data(Record):
    """Where one task's data came from."""

    task: str
    kind: Literal["real", "synthetic", "own"]
    """``own`` for the example inputs of a user's model."""
    title: str
    origin: str
    note: str
    """Why a stand-in was taken; empty otherwise."""
    citation: str
    fingerprint: str
    """Of a user's model: of what gives its inputs and judges it."""
    source: str = ""
    """Of a user's model: changes with all its files; what they hold must be the same for a run to be taken up."""
    train_examples: int | None
    test_examples: int | None
    """``None`` where only the user knows."""


class Training(Record):
    """The weights that a model's rows share."""

    model: str
    """As ``task/model``."""
    precision: str
    """``float32``, or the autocast type it was trained under."""
    technique: str = ""
    """What took part in it; empty for a plain training."""
    description: str
    recipe: dict[str, str | int | float | bool]
    recipe_hash: str
    seed: int
    seconds: float
    """The training's wall time; of the first training, where the checkpoint was reloaded."""
    threads: int
    device: str


class Accuracy(Record):
    """Right answers on the whole test set."""

    correct: int = Field(ge=0)
    total: int = Field(gt=0)


class Summary(Record):
    """What is left of rounds that were not kept one by one; seconds are those of one call."""

    mean_s: float
    std_s: float | None
    median_s: float
    rounds: int


class Latency(Record):
    """Forward passes at one batch size; seconds are those of one call."""

    runs_s: list[float] = Field(min_length=1)
    """Each run: the mean over its consecutive share of the rounds; the mean of all where they were not kept."""
    rounds: list[int]
    """The numbers of the rounds this variant was in; rounds of one number are paired within a model."""
    rounds_s: list[float]
    """Its block in each of them."""
    summary: Summary | None = None
    """In the place of rounds that were not kept; ``None`` where they were."""
    repeated_s: list[float] = Field(default_factory=list)
    """The blocks that were disturbed from outside and were therefore repeated."""
    disturbed: list[int] = Field(default_factory=list)
    """The rounds whose block was still disturbed after the last repetition; they count."""
    causes: dict[str, int] = Field(default_factory=dict)
    """How many blocks each cause of ``bench.measuring.latency.disturbance`` disturbed."""
    starts: list[int] = Field(default_factory=lambda: [0])
    """The numbers of the rounds that were the first in a fresh process."""
    calls_per_block: int
    warm_up_s: list[float]
    """Each warm-up block, of all its processes."""
    warm: bool
    """Whether the last two warm-up windows agreed, in all its processes."""

    @property
    def typical_s(self) -> float | None:
        """The quiet time of the rounds; the median where they were not kept; ``None`` where that was not either."""
        if self.rounds_s:
            return quiet_time(self.rounds_s)
        return self.summary.median_s if self.summary else None


class Speedup(Record):
    """How many times faster than fp32, over paired rounds; see ``bench.stats.times.speedup``."""

    value: float
    low: float
    high: float
    confidence: float
    """Of the interval; 0 where there were too few rounds for one."""
    p_value: float
    """Probability of a ratio at least this far from 1 between equals."""
    n: int
    """Paired rounds; 0 for a ratio of rounds that are not paired."""

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
        """The ratio as ``bench.stats.times`` holds it against another."""
        return log_ratio_of(self.interval, self.n)


class RelativeLatency(Record):
    """A latency over the reference workload's, of the rounds that both were in; see ``bench.running.reference``."""

    value: float = Field(gt=0)
    """The variant's time / the reference workload's, each the mean of its fastest quarter of the rounds."""
    error: float | None
    """Standard error of its logarithm; ``None`` where there were too few rounds to tell."""
    freedom: float
    """Student's degrees of freedom of that error."""
    n: int
    """Paired rounds."""

    @classmethod
    def of(cls, ratio: LogRatio) -> RelativeLatency:
        """Return the record of a ratio of times."""
        return cls(value=math.exp(ratio.value), error=ratio.error, freedom=ratio.freedom, n=ratio.n)

    @property
    def log_ratio(self) -> LogRatio:
        """The ratio as ``bench.stats.times`` has it."""
        return LogRatio(math.log(self.value), self.error, self.freedom, self.n)


class Agreement(Record):
    """Answers held against fp32's to the same examples."""

    same: int
    """Examples that both answer alike, right or wrong."""
    lost: int
    """Examples that fp32 alone has right."""
    gained: int
    """Examples that the variant alone has right."""
    p_value: float
    """McNemar's: probability of so unequal losses and gains if both are as good."""


class Layers(Record):
    """How many Linear and convolution layers the technique changed."""

    changed: int
    total: int


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

    task: str
    model: str
    technique: str
    runtime: str = EAGER
    scheme: str
    """The lab's Q: how it was quantized."""
    dtype: str
    status: Status
    reason: str = ""
    """Why the status is not ``ok``."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know to judge the figures."""
    simulated: bool = False
    """Whether it computed in float arithmetic what low precision would: its latency says nothing of real kernels."""
    size_bytes: int | None = None
    """Of ``torch.save(model.state_dict())``."""
    packed_bytes: int | None = None
    """Of the smallest file of ours that reloads, in a fresh process, to the same logits; verified in this run."""
    bytes_by_dtype: dict[str, int] = Field(default_factory=dict)
    """What that file stores, by the type it is stored in; the rest of it is names and structure."""
    params: int | None = None
    layers: Layers | None = None
    macs: int | None = None
    """Multiply-accumulates of matrix products and convolutions for one example."""
    bit_operations: float | None = None
    """Multiply-accumulates, each times the bits of its wider factor / 32; ``None`` where no rule tells the widths."""
    scores: dict[str, float] = Field(default_factory=dict)
    """By the rule of ``bench.measuring.scores``; lower is smaller."""
    accuracy: Accuracy | None = None
    right: Bits | None = None
    """Which examples of the test set were answered right, in its order; as many as ``accuracy`` counts."""
    accuracy_share: float | None = None
    """The accuracy where a user's function returned a share alone: of how many examples is not known."""
    agreement: Agreement | None = None
    """With the fp32 row of the same run."""
    output_error: float | None = None
    """For a user's model: how far its outputs for example inputs are from fp32's, root mean square, as a share of the
    root mean square of those."""
    latency: dict[int, Latency] = Field(default_factory=dict)
    """By batch size."""
    speedup: dict[int, Speedup] = Field(default_factory=dict)
    """By batch size, over the fp32 row of the same run."""
    relative_latency: dict[int, RelativeLatency] = Field(default_factory=dict)
    """By batch size, over the reference of the same rounds."""
    peak_memory_bytes: int | None = None
    """Growth of the variant's process from before loading to the peak of one batch of the largest size."""

    @model_validator(mode="after")
    def _as_many_as_counted(self) -> Row:
        if self.right is not None:
            counts = self.accuracy and (self.accuracy.correct, -(-self.accuracy.total // 8))
            if counts != (int.from_bytes(self.right, "big").bit_count(), len(self.right)):
                raise ValueError("right holds other answers than accuracy counts")
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

    model: str
    """As ``task/model``."""
    latency: dict[int, Latency]
    """By batch size; paired with the rows of the model by the numbers of the rounds."""


class Run(Record):
    """The rows of one machine at one time."""

    schema_version: Version = SCHEMA_VERSION
    quantbench: str
    created: str
    """ISO 8601, UTC."""
    finished: bool
    timed_by: Literal["bench", "pytest-benchmark"] = "bench"
    """Whose rounds these are: ours are paired, pytest-benchmark's are not."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know of the whole run, in sentences."""
    machine: Machine
    settings: Settings
    data: list[Data] = Field(default_factory=list)
    trainings: list[Training] = Field(default_factory=list)
    rows: list[Row] = Field(default_factory=list)
    references: list[ReferenceLatency] = Field(default_factory=list)

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

    def rows_of(self, task: str) -> list[Row]:
        """Return the rows of one task, in order."""
        return [row for row in self.rows if row.task == task]


def _renamed(record: Any, old: str, new: str) -> Any:
    """Return a record of a file with another name for one of its keys."""
    if not isinstance(record, dict) or old not in record:
        return record
    return {new if key == old else key: value for key, value in record.items()}
