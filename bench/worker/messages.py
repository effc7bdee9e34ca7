"""The messages between the command and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.core.variant_key import VariantKey
from bench.results.row import Int8Operations, Layers, Treated
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
    """Where its packed file goes, or that of its runtime."""
    device: str
    engine: str
    isa: frozenset[str]
    threads: int
    largest_batch: int
    """Of the batches that will be timed; peak memory is that of one of them."""
    graphs: Path | None = None
    """The folder in which runtimes keep what takes long to build; ``None`` for one of this run alone."""
    cores: tuple[int, ...] = ()
    """The cores that the process is going to be tied to; none for one that is not timed."""
    batch_sizes: tuple[int, ...] = ()
    """What will be timed; empty for the largest alone."""


@dataclass(frozen=True)
class VariantFacts:
    """What is known of a variant before it is measured."""

    size_bytes: int
    deploy_bytes: int | None
    """Of the file that one deploys, not verified yet; ``None`` if there is none and each process builds it anew."""
    packed_bytes: int | None
    """The same of a packed file; ``None`` for one of another runtime."""
    bytes_by_dtype: dict[str, int]
    params: int
    layers: Layers | None
    macs: int | None
    """``None`` where they are not known."""
    fingerprint: str
    """Of the logits of a few test examples; the file must give the same."""
    simulated: bool
    bit_operations: float | None
    """See ``bench.results.row.Row``."""
    scores: dict[str, float]
    build_s: float
    """Seconds until the file was there."""
    notes: tuple[str, ...]
    treated: Treated | None = None
    own_draws: bool = False
    """Whether the model answers at random, and this variant not as fp32 does under the same seed."""
    int8_operations: Int8Operations | None = None
    """As in ``bench.runtimes.base.Built``."""


@dataclass(frozen=True)
class LoadedFacts:
    """What is known of a variant that a fresh process has loaded from its file."""

    fingerprint: str
    """As in ``VariantFacts``."""
    load_s: float
    """Seconds until it could be called."""
    first_answer_s: float
    """Seconds from then until it had answered one example."""
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class DeployedFacts:
    """What was written for use without quantbench."""

    files: tuple[str, ...]
    """What the runtime loads; beside it lie the program and its example."""
    packages: tuple[str, ...]
    """What that takes, each with its version."""
    inputs: str
    """Types and shapes, such as ``float32 [batch, 784]``."""
    notes: tuple[str, ...]
    exact: bool
    """Whether it must give the variant's outputs to the bit; otherwise but for rounding."""


CALL_HOST = "bench.worker.call_host:CallHost"


@dataclass(frozen=True)
class CallRequest:
    """Which runtime's call of a model that does nothing is timed, and where its files go."""

    runtime: str
    path: Path
    graphs: Path
    """The folder in which runtimes keep what takes long to build."""
    isa: frozenset[str]
    threads: int
    cores: tuple[int, ...]
    engine: str


PREPARATION_HOST = "bench.worker.preparation_host:PreparationHost"


@dataclass(frozen=True)
class QuantizableLayer:
    """A layer that a technique would change."""

    name: str
    kind: str
    """The module's class, such as ``Linear``."""
    weights: int
    """Its weights and biases."""
    outputs: int
    """Its output channels or features."""


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
