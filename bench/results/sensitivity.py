"""What a sensitivity study found.

| schema | since | what changed |
|---|---|---|
| 1 | 0.4.0 | first |
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from bench.core.variant_key import BASELINE
from bench.results import bounds
from bench.results.bounds import Bytes, Count, Name, Names, PositiveCount, Share, shortened
from bench.results.record import Record
from bench.results.row import Row
from bench.results.run import MOST, Run
from bench.stats.proportions import mcnemar, paired_difference

SCHEMA_VERSION: Final = 1


class Change(Record):
    """An accuracy held against fp32's on the same examples."""

    lost: Count
    """Examples that fp32 alone has right."""
    gained: Count
    """Examples that the variant alone has right."""
    total: PositiveCount
    value: bounds.Change
    """The variant's accuracy − fp32's, a share: negative for a loss."""
    low: bounds.Change
    high: bounds.Change
    """The ends of its 95 % interval; see ``bench.stats.proportions.paired_difference``."""
    p_value: Share
    """McNemar's."""

    @model_validator(mode="after")
    def _among_all(self) -> Change:
        if self.lost + self.gained > self.total:
            raise ValueError(f"{self.lost} lost and {self.gained} gained of {self.total}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")
        return self

    @classmethod
    def of(cls, lost: int, gained: int, total: int) -> Change:
        """Return the change that counts amount to."""
        interval = paired_difference(lost, gained, total)
        return cls(
            lost=lost,
            gained=gained,
            total=total,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            p_value=mcnemar(lost, gained),
        )

    @classmethod
    def of_row(cls, row: Row) -> Change | None:
        """Return the change of a row on the whole test set; ``None`` for fp32 itself and for what has no accuracy."""
        if row.agreement is None or row.accuracy is None:
            return None
        return cls.of(row.agreement.lost, row.agreement.gained, row.accuracy.total)


class LayerStudy(Record):
    """One layer under one technique."""

    layer: Name
    kind: Name
    """The module's class."""
    weights: Count
    """Its weights and biases."""
    technique: Name
    only: Name
    """The technique of the row in which this layer alone is quantized."""
    others: Name | None
    """That of the row in which all but this one are; ``None`` where there are no others."""
    only_change: Change | None
    """Of the accuracy; ``None`` where the row failed."""
    others_change: Change | None


class Step(Record):
    """A mixture that the search measured."""

    technique: Name
    predicted: bounds.Figure
    """The change that the losses of its layers, each alone, add up to."""
    change: Change | None
    """On the examples of the search; ``None`` where it could not be made."""
    packed_bytes: Bytes | None
    fits: bool
    """Whether its change is within the allowance."""


class Recommendation(Record):
    """The smallest mixture found whose accuracy stays within the allowance."""

    max_drop: Share
    """The accuracy that may be lost, a share, on the examples of the search."""
    technique: Name
    """``fp32`` where no mixture stays within it."""
    layers: dict[Name, Name] = Field(max_length=MOST)
    """Each layer's technique."""
    steps: list[Step] = Field(max_length=MOST)
    """In the order in which they were measured."""
    search: Change
    """On the test examples that the search looked at: every second one."""
    held_back: Change
    """On the other half, which it did not look at."""
    run: Run
    """fp32, each technique on all layers, and the mixture, in the same rounds."""


class Sensitivity(Record):
    """The layers of one model, ranked, under one technique or several."""

    schema_version: Literal[1] = SCHEMA_VERSION
    model: Name
    """As ``task/model``."""
    techniques: Names
    layers: list[LayerStudy] = Field(default_factory=list, max_length=MOST)
    """By technique; within one, the most sensitive first: by the loss with it alone, then by what sparing it saves."""
    run: Run
    """fp32, each technique on all layers, and the rows that ``layers`` name, in the same rounds."""
    recommendation: Recommendation | None = None

    @model_validator(mode="after")
    def _complete(self) -> Sensitivity:
        if len(self.run.data) != 1:
            raise ValueError(f"run.data: {len(self.run.data)} data sets, where a study has one")
        named = [BASELINE.technique, *self.techniques]
        named += [name for layer in self.layers for name in (layer.only, layer.others) if name is not None]
        rows = {row.technique for row in self.run.rows}
        if missing := [name for name in named if name not in rows]:
            raise ValueError(f"run.rows: no {shortened(missing[0])}, which the study names")
        return self

    def of(self, technique: str) -> list[LayerStudy]:
        """Return the layers under one technique, ranked."""
        return [layer for layer in self.layers if layer.technique == technique]
