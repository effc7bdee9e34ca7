"""What a task is: data, a recipe, and the models it supplies.

Tasks are declared without torch, so that the command can list and refuse names at once; torch is imported
by what reads data and builds networks, in the processes that do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from bench.tasks.dataset import Dataset, Split
from bench.tasks.policy import DataPolicy, Optimizer, Schedule
from bench.tasks.registry import Registry
from bench.tasks.source import DataFiles, Source, locate

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    Arranged = TypeVar("Arranged", Tensor, nn.Module)

Precision = Literal["float32", "bfloat16", "float16"]
"""How a model is trained: in float32, or under autocast to bfloat16 or float16."""

CALIBRATION_EXAMPLES = 1024
"""Training examples that a post-training technique may look at."""
LATER_FIELDS = {"threads": 1, "reestimate": False, "compiled": False}
"""Of a recipe, with their defaults."""
STANDIN_EPOCHS = 3
"""The most on a stand-in: it shows that everything works, and its accuracy means nothing."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; together with the data and the seed it decides the weights."""

    epochs: int
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    """The peak, where there is a schedule."""
    schedule: Schedule = "constant"
    momentum: float = 0.0
    weight_decay: float = 0.0
    augment: bool = False
    """Random crop with padding 4 and horizontal flip."""
    threads: int = 1
    """Of torch on the CPU, however many cores there are: how sums are split among threads decides their last bits."""
    reestimate: bool = False
    """Whether BatchNorm's statistics are taken anew once the weights are final: those of the training are averages
    over steps whose weights, and with binary ones whole signs, were others."""
    compiled: bool = False
    """Whether torch's compiler makes the network's code: faster, and other in the last bits."""

    def as_dict(self) -> dict[str, object]:
        """Return the fields by name, for hashing and for the checkpoint's header.

        Later fields are left out at their defaults: so recipes keep the hash, and checkpoints the name, that they had
        before the field.
        """
        return {name: value for name, value in asdict(self).items() if LATER_FIELDS.get(name, ...) != value}

    def for_standin(self) -> Recipe:
        """Return the recipe for synthetic data: seconds of training, not minutes."""
        return replace(self, epochs=min(self.epochs, STANDIN_EPOCHS))


@dataclass(frozen=True)
class ModelSpec:
    """A model that a task supplies."""

    name: str
    network: str
    """A key of ``models.NETWORKS``."""
    description: str
    recipe: Recipe
    hyperparameters: Mapping[str, object]
    """Arguments of the network that do not depend on the data."""
    precision: Precision = "float32"
    """How it is trained for techniques that leave it open; in float32 on a CPU that has no bfloat16 arithmetic."""
    channels_last: bool = False
    """Whether weights and images lie channels-last in memory, for every technique alike."""

    def build(self) -> nn.Module:
        """Return the untrained network."""
        from bench import models

        return self.arrange(models.build(self.network, dict(self.hyperparameters)))

    def arrange(self, thing: Arranged) -> Arranged:
        """Return a network or a batch of images in the model's memory format."""
        import torch

        return thing.to(memory_format=torch.channels_last) if self.channels_last else thing


class Task(ABC):
    """One data set with its metric (top-1 accuracy), recipes and models."""

    name: str
    title: str
    citation: str
    files: DataFiles
    models: tuple[ModelSpec, ...]

    @abstractmethod
    def read(self, source: Source) -> Dataset:
        """Read checked files into memory; raises ``DataError`` for a malformed one."""

    @abstractmethod
    def inputs(self, spec: ModelSpec, split: Split) -> Tensor:
        """Return the float32 inputs of ``spec``, a resolved one, for every example of ``split``, batch first."""

    def load(self, policy: DataPolicy, data_root: Path | None) -> Dataset:
        """Find the files and read them; see ``bench.tasks.source.locate``."""
        return self.read(locate(self.files, policy, data_root))

    def describe(self, source: Source) -> dict[str, str]:
        """Return the words that say where the data came from."""
        return {"title": self.title, "origin": source.origin, "note": source.note, "citation": self.citation}

    def resolve(self, spec: ModelSpec, dataset: Dataset) -> ModelSpec:
        """Return ``spec`` with the hyperparameters filled in that the data decide."""
        return spec

    def vocabulary(self, spec: ModelSpec, dataset: Dataset) -> list[str]:
        """Return the words that the inputs of a resolved ``spec`` count, in order; none for images."""
        return []

    def training_form(self, spec: ModelSpec, network: nn.Module, train: Split) -> TrainingForm:
        """Return the form in which ``network`` is trained."""
        return TrainingForm(self, spec, network, train)

    def augment(self, split: Split, generator: Generator) -> Split:
        """Return a randomly changed copy of a batch."""
        raise NotImplementedError(f"the task {self.name} has no augmentation")

    def calibration(self, spec: ModelSpec, dataset: Dataset) -> Tensor:
        """Return inputs of the first training examples, for observers to look at."""
        import torch

        return self.inputs(spec, dataset.train[torch.arange(min(CALIBRATION_EXAMPLES, len(dataset.train)))])


class TrainingForm:
    """The form in which a network is trained; a task may train an equal but cheaper one."""

    def __init__(self, task: Task, spec: ModelSpec, network: nn.Module, train: Split) -> None:
        self.task = task
        self.spec = spec
        self.network = network
        self.train = train

    @property
    def module(self) -> nn.Module:
        """The module that is optimized; called with what ``batch`` returns."""
        return self.network

    def batch(self, index: Tensor, generator: Generator) -> tuple[Tensor, ...]:
        """Return the module's inputs for training examples ``index``, int64 ``(batch,)``."""
        split = self.train[index]
        if self.spec.recipe.augment:
            split = self.task.augment(split, generator)
        return (self.task.inputs(self.spec, split),)

    def finish(self) -> nn.Module:
        """Return the trained network in its plain form."""
        return self.network


TASKS: Registry[Task] = Registry("task", "bench.tasks", "quantbench.tasks")
