"""The messages between the command and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.core.variant_key import VariantKey
from bench.results.row import Layers
from bench.storage.checkpoint import DataIdentity
from bench.tasks.task import ModelSpec
from bench.worker.user.model import BuiltModel

VARIANT_HOST = "bench.worker.variant_host:VariantHost"


@dataclass(frozen=True)
class TaskModel:
    """A trained model of a task."""

    task: str
    model: str
    dataset: Path
    """The shared file."""
    checkpoint: Path


@dataclass(frozen=True)
class VariantRequest:
    """Which variant to make, and of what."""

    key: VariantKey
    workload: TaskModel | BuiltModel
    packed: Path
    """Where its packed file goes."""
    device: str
    engine: str
    isa: frozenset[str]
    threads: int
    largest_batch: int
    """Of the batches that will be timed; peak memory is that of one of them."""


@dataclass(frozen=True)
class VariantFacts:
    """What is known of a variant before it is measured."""

    size_bytes: int
    packed_bytes: int | None
    """Not verified yet; ``None`` if it could not be packed."""
    bytes_by_dtype: dict[str, int]
    params: int
    layers: Layers
    macs: int | None
    """``None`` where they are not known."""
    peak_memory_bytes: int | None
    fingerprint: str
    """Of the logits of a few test examples; the packed file must give the same."""
    simulated: bool
    bit_operations: float | None
    """See ``bench.results.row.Row``."""
    scores: dict[str, float]
    notes: tuple[str, ...]


PREPARATION_HOST = "bench.worker.preparation_host:PreparationHost"


@dataclass(frozen=True)
class QuantizableLayer:
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
