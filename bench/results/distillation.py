"""What ``bench distill`` found: the students of one model, and their table."""

from __future__ import annotations

from typing import Literal

from bench.results.run import Accuracy, Machine, Record
from bench.tasks.dataset import DataKind

Route = Literal["alone", "one step", "chain"]
Source = Literal["", "start", "loss", "both"]
"""What a student takes from its teacher: the weights it starts from, a part of its loss, or both."""


class Student(Record):
    """One model at one width, trained one way."""

    bits: int
    route: Route
    source: Source
    seed: int
    technique: str
    accuracy: Accuracy | None
    """On the test set, after the last epoch; ``None`` if the training or the variant failed."""
    packed_bytes: int | None
    seconds: float | None
    reason: str = ""
    """Why it failed; empty if it did not."""


class Distillation(Record):
    """All students of one model."""

    quantbench: str
    created: str
    machine: Machine
    model: str
    data: DataKind
    recipe: dict[str, str | int | float | bool]
    family: str
    chain: list[int]
    weight: float
    """λ of the loss."""
    temperature: float
    seeds: list[int]
    teacher: str = ""
    """The model before the widest of the chain, as ``task/model``; empty for none."""
    students: list[Student]
