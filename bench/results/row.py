"""All measurements of one variant."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from bench.core.variant_key import EAGER, VariantKey
from bench.results.bounds import (
    BySize,
    Bytes,
    Count,
    Figure,
    Label,
    Magnitude,
    Name,
    PositiveCount,
    Seconds,
    Share,
    Text,
    Texts,
    at_most,
)
from bench.results.latency import Latency, Speedup
from bench.results.record import Record

Status = Literal["ok", "unsupported", "failed", "noisy"]
"""``noisy``: measured, but a speed-up is not known as precisely as was asked; ``unsupported``: cannot be had here, for
a stated reason."""
NOT_FP32 = "its outputs are not fp32's"
"""How the note of a row begins that computes something else."""
FARTHEST_OUTPUTS = 0.5
"""How far outputs may be from fp32's, root mean square, as a share of that of fp32's."""


class Accuracy(Record):
    """Right answers on the whole test set."""

    correct: Count
    total: PositiveCount

    @model_validator(mode="after")
    def _among_all(self) -> Accuracy:
        if self.correct > self.total:
            raise ValueError(f"{self.correct} right answers of {self.total}")
        return self


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


class Treated(Record):
    """How many of the float32 model's parameters are in layers that the technique changed."""

    params: Count
    total: Count

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Treated:
        if self.params > self.total:
            raise ValueError(f"{self.params} treated of {self.total}")
        return self

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of a model without parameters."""
        return self.params / self.total if self.total else 0.0


class Int8Operations(Record):
    """How much of a runtime's graph computes with int8 numbers, as the runtime optimized it."""

    int8: Count
    total: PositiveCount
    """All operations of the graph."""
    float_products: Count
    """Matrix products and convolutions that stayed float."""

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Int8Operations:
        if self.int8 + self.float_products > self.total:
            raise ValueError(f"{self.int8} int8 and {self.float_products} float products of {self.total} operations")
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
    """Of ``torch.save(model.state_dict())``; on another runtime than eager ``deploy_bytes``."""
    deploy_bytes: Annotated[Bytes, Field(gt=0)] | None = None
    """Of the file, or files, from which a fresh process has executed the variant: ours, packed, or its runtime's."""
    packed_bytes: Annotated[Bytes, Field(gt=0)] | None = None
    """Of the smallest file of ours that reloads, in a fresh process, to the same logits; verified in this run."""
    bytes_by_dtype: Annotated[dict[Name, Bytes], at_most(100)] = Field(default_factory=dict)
    """What that file stores, by the type it is stored in; the rest of it is names and structure."""
    params: Count | None = None
    layers: Layers | None = None
    treated: Treated | None = None
    """``None`` for fp32, for weights that stay as they are, and for graphs of another runtime than eager."""
    int8_operations: Int8Operations | None = None
    """Of an int8 variant on a runtime that has a graph of its own."""
    macs: Count | None = None
    """Multiply-accumulates of matrix products and convolutions for one example."""
    bit_operations: Magnitude | None = None
    """Multiply-accumulates, each times the bits of its wider factor / 32; ``None`` where no rule tells the widths."""
    scores: Annotated[dict[Name, Figure], at_most(100)] = Field(default_factory=dict)
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
    latency: BySize[Latency] = Field(default_factory=dict)
    speedup: BySize[Speedup] = Field(default_factory=dict)
    """Over the fp32 row of the same run."""
    peak_memory_bytes: Bytes | None = None
    """Growth of a process from before it loads the file to the peak of one batch of the largest size."""
    build_s: Seconds | None = None
    """To make the file of the trained model, beside other processes; graphs that were built before are not built."""
    load_s: Seconds | None = None
    """To load the file in a fresh process, beside others, the runtime's own library included."""
    first_answer_s: Seconds | None = None
    """From then to the answer to one example."""

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
    def file_bytes(self) -> int | None:
        """Bytes of the file that one deploys; of runs of before there were runtimes, of the packed one."""
        return self.packed_bytes if self.deploy_bytes is None else self.deploy_bytes

    @property
    def measured(self) -> bool:
        """Whether it was measured to the end, however precisely."""
        return self.status in ("ok", "noisy")

    @property
    def output_fault(self) -> str | None:
        """What is wrong with its outputs, in words; ``None`` if they can be taken for fp32's."""
        return next((note for note in self.notes if note.startswith(NOT_FP32)), None)

    @property
    def share_right(self) -> float | None:
        """The accuracy as a share, however it is known."""
        return self.accuracy.correct / self.accuracy.total if self.accuracy else self.accuracy_share
