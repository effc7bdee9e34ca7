"""What a sensitivity study found.

| schema | since | what changed |
|---|---|---|
| 1 | 0.4.0 | first |
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from bench.results.run import Record, Row, Run
from bench.stats.proportions import mcnemar, paired_difference

SCHEMA_VERSION: Final = 1


class Change(Record):
    """An accuracy held against fp32's on the same examples."""

    lost: int
    """Examples that fp32 alone has right."""
    gained: int
    """Examples that the variant alone has right."""
    total: int
    value: float
    """The variant's accuracy − fp32's, a share: negative for a loss."""
    low: float
    high: float
    """The ends of its 95 % interval; see ``bench.stats.proportions.paired_difference``."""
    p_value: float
    """McNemar's."""

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

    layer: str
    kind: str
    """The module's class."""
    weights: int
    """Its weights and biases."""
    technique: str
    only: str
    """The technique of the row in which this layer alone is quantized."""
    others: str | None
    """That of the row in which all but this one are; ``None`` where there are no others."""
    only_change: Change | None
    """Of the accuracy; ``None`` where the row failed."""
    others_change: Change | None


class Step(Record):
    """A mixture that the search measured."""

    technique: str
    predicted: float
    """The change that the losses of its layers, each alone, add up to."""
    change: Change | None
    """On the examples of the search; ``None`` where it could not be made."""
    packed_bytes: int | None
    fits: bool
    """Whether its change is within the allowance."""


class Recommendation(Record):
    """The smallest mixture found whose accuracy stays within the allowance."""

    max_drop: float
    """The accuracy that may be lost, a share, on the examples of the search."""
    technique: str
    """``fp32`` where no mixture stays within it."""
    layers: dict[str, str]
    """Each layer's technique."""
    steps: list[Step]
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
    model: str
    """As ``task/model``."""
    techniques: list[str]
    layers: list[LayerStudy] = Field(default_factory=list)
    """By technique; within one, the most sensitive first: by the loss with it alone, then by what sparing it saves."""
    run: Run
    """fp32, each technique on all layers, and the rows that ``layers`` name, in the same rounds."""
    recommendation: Recommendation | None = None

    def of(self, technique: str) -> list[LayerStudy]:
        """Return the layers under one technique, ranked."""
        return [each for each in self.layers if each.technique == technique]
