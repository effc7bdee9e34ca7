"""What the command and the worker that prepares data and weights tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.checkpoint import DataIdentity
from tasks.task import ModelSpec

PREPARATION_HOST = "bench.preparation_host:PreparationHost"


@dataclass(frozen=True)
class TreatedLayer:
    """A layer that a technique would change."""

    name: str
    kind: str
    """The module's class, such as ``Linear``."""
    weights: int
    """Its weights and biases."""


@dataclass(frozen=True)
class DatasetSummary:
    """What the parent needs to know of a data set that a worker has loaded."""

    task: str
    path: Path
    """The shared file."""
    identity: DataIdentity
    train_examples: int
    test_examples: int
    description: dict[str, str]
    specs: dict[str, ModelSpec]
    """The task's models by name, resolved."""
    parameters: dict[str, int]
    """Weights and biases of each."""
    layers: dict[str, list[str]]
    """The names of each one's Linear and convolution layers, in its order."""
    modules: dict[str, list[str]]
    """The names of all that each one is made of."""
