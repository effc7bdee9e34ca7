"""Where data and weights came from."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from bench.results.bounds import (
    Count,
    Label,
    Name,
    PositiveCount,
    Recipe,
    Seconds,
    Seed,
    Text,
)
from bench.results.record import Record


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
    processor: Label = ""
    """The CPU or GPU that it was trained on, which may be another machine's; empty where that is not known."""
    torch: Label = ""
