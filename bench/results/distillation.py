"""What ``bench distill`` found: the students of one model, and their table."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.results.bounds import Bytes, Count, Label, Magnitude, Name, Recipe, Records, Seconds, Seed, Text
from bench.results.machine import Machine
from bench.results.record import Record
from bench.results.row import Accuracy
from bench.tasks.dataset import DataKind

Route = Literal["alone", "one step", "chain"]
Source = Literal["", "start", "loss", "both"]
"""What a student takes from its teacher: the weights it starts from, a part of its loss, or both."""


class Student(Record):
    """One model at one width, trained one way."""

    bits: Count
    route: Route
    source: Source
    seed: Seed
    technique: Name
    accuracy: Accuracy | None
    """On the test set, after the last epoch; ``None`` if the training or the variant failed."""
    packed_bytes: Bytes | None
    seconds: Seconds | None
    reason: Text = ""
    """Why it failed; empty if it did not."""


class Distillation(Record):
    """All students of one model."""

    quantbench: Label
    created: Label
    machine: Machine
    model: Name
    data: DataKind
    recipe: Recipe
    family: Name
    chain: list[Count] = Field(max_length=1_000)
    weight: Magnitude
    """λ of the loss."""
    temperature: Magnitude
    seeds: list[Seed] = Field(max_length=1_000)
    teacher: Name = ""
    """The model before the widest of the chain, as ``task/model``; empty for none."""
    processors: list[Label] = Field(default=[], max_length=1_000)
    """The CPUs and GPUs that trained them; none in files of before."""
    students: Records[Student]
