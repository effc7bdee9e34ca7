"""What a sensitivity study found.

| schema | since | what changed |
|---|---|---|
| 1 | 0.4.0 | first |
| 2 | 1.0.0 | a user's own model: changes of accuracies that are not paired, errors of outputs, nothing held back |
| 3 | 1.0.0 | the runtime that executed the variants |
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from bench.core.variant_key import BASELINE, EAGER, VariantKey
from bench.results import bounds
from bench.results.bounds import (
    Bytes,
    Count,
    Label,
    Magnitude,
    Name,
    Names,
    PositiveCount,
    Records,
    Share,
    at_most,
    shortened,
)
from bench.results.record import Record
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from bench.stats.proportions import difference, mcnemar, paired_difference, wilson

SCHEMA_VERSION: Final = 3


class Change(Record):
    """An accuracy held against fp32's on the same examples."""

    paired: bool = True
    """Whether it is known which examples were answered right; a user's function says only how many."""
    lost: Count
    """Examples that fp32 alone has right; if it is not known which, how many fewer the variant has right."""
    gained: Count
    """Examples that the variant alone has right; if it is not known which, how many more."""
    total: PositiveCount
    value: bounds.Change
    """The variant's accuracy − fp32's, a share: negative for a loss."""
    low: bounds.Change
    high: bounds.Change
    """The ends of its 95 % interval: Tango's for pairs, else that of independent shares, which is wider."""
    p_value: Share | None
    """McNemar's; ``None`` without pairs."""

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
    def of_counts(cls, float32: Accuracy, variant: Accuracy) -> Change | None:
        """Return the change between two counts of right answers; ``None`` if they are not of equally many."""
        if float32.total != variant.total:
            return None
        before, after = (wilson(accuracy.correct, accuracy.total) for accuracy in (float32, variant))
        interval = difference(before, after)
        net = variant.correct - float32.correct
        return cls(
            paired=False,
            lost=max(0, -net),
            gained=max(0, net),
            total=variant.total,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            p_value=None,
        )

    @classmethod
    def of_row(cls, row: Row, run: Run | None = None) -> Change | None:
        """Return the change of a row; ``None`` for fp32 itself and for what has no accuracy.

        ``run`` has fp32's accuracy, for rows of which no single answers are known.
        """
        if row.accuracy is None or row.key == BASELINE:
            return None
        if row.agreement is not None:
            return cls.of(row.agreement.lost, row.agreement.gained, row.accuracy.total)
        rows = run.rows if run else ()
        float32 = next((other.accuracy for other in rows if other.key == BASELINE), None)
        return cls.of_counts(float32, row.accuracy) if float32 else None


class LayerStudy(Record):
    """One layer, block or stage under one technique."""

    layer: Name
    """Its name; of a stage without a module of its own, the first and the last of its blocks."""
    modules: Names = Field(default_factory=list)
    """What stands for it in a mixture, if not its name."""
    kind: Name
    """The class of its layers, or their classes."""
    weights: Count
    """Its weights and biases."""
    technique: Name
    only: Name
    """The technique of the row in which this layer alone is quantized."""
    others: Name | None
    """That of the row in which all but this one are; ``None`` where there are no others."""
    only_change: Change | None
    """Of the accuracy; ``None`` where the row failed, or there is no accuracy."""
    others_change: Change | None
    only_error: Magnitude | None = None
    """How far the outputs of a user's model are off fp32's, relative; ``None`` where it is not known."""
    others_error: Magnitude | None = None


class Step(Record):
    """A mixture that the search measured."""

    technique: Name
    predicted: bounds.Figure
    """The change that the losses of its layers, each alone, add up to."""
    change: Change | None
    """On the examples of the search; ``None`` where it could not be made."""
    packed_bytes: Bytes | None
    """Of its file: ours, packed, or the runtime's."""
    fits: bool
    """Whether its change is within the allowance."""


class Recommendation(Record):
    """The smallest mixture found whose accuracy stays within the allowance."""

    max_drop: Share
    """The accuracy that may be lost, a share, on the examples of the search."""
    technique: Name
    """``fp32`` where no mixture stays within it."""
    layers: Annotated[dict[Name, Name], at_most(10_000)]
    """Each layer's technique."""
    steps: Records[Step]
    """In the order in which they were measured."""
    search: Change
    """On the test examples that the search looked at: every second one, and all of a user's."""
    held_back: Change | None
    """On the other half, which it did not look at; ``None`` if it looked at all."""
    run: Run
    """fp32, each technique on all layers, and the mixture, in the same rounds."""


class Sensitivity(Record):
    """The layers of one model, ranked, under one technique or several."""

    schema_version: Literal[1, 2, 3] = SCHEMA_VERSION
    model: Name
    """As ``task/model``."""
    runtime: Label = EAGER
    """What executed the variants; fp32 on eager is among the rows whatever it is."""
    techniques: Names
    layers: Records[LayerStudy] = Field(default_factory=list)
    """By technique; within one, the most sensitive first: by the loss with it alone, then by what sparing it saves."""
    run: Run
    """fp32 on eager and on the runtime, each technique on all layers, and the rows that ``layers`` name, in the same
    rounds."""
    recommendation: Recommendation | None = None
    by: Literal["layer", "block", "stage"] = "layer"
    """What of the model is quantized alone and spared alone."""

    @model_validator(mode="after")
    def _complete(self) -> Sensitivity:
        if len(self.run.data) != 1:
            raise ValueError(f"run.data: {len(self.run.data)} data sets, where a study has one")
        named = [BASELINE.technique, *self.techniques]
        named += [name for layer in self.layers for name in (layer.only, layer.others) if name is not None]
        rows = {row.key for row in self.run.rows}
        if missing := [key for key in (BASELINE, *map(self.key, named)) if key not in rows]:
            raise ValueError(f"run.rows: no {shortened(str(missing[0]))}, which the study names")
        return self

    def key(self, technique: str) -> VariantKey:
        """Return what tells a technique's row from the others."""
        return VariantKey(technique, self.runtime)

    @property
    def has_changes(self) -> bool:
        """Whether it is known what any layer costs in accuracy."""
        return any(layer.only_change or layer.others_change for layer in self.layers)

    def of(self, technique: str) -> list[LayerStudy]:
        """Return the layers under one technique, ranked."""
        return [layer for layer in self.layers if layer.technique == technique]
