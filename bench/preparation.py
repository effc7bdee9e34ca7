"""What the command and the worker that prepares data and weights tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.checkpoint import DataIdentity
from tasks.task import ModelSpec

PREPARATION_HOST = "bench.preparation_host:PreparationHost"


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
