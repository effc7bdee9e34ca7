"""The form in which a network is trained."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from tasks.dataset import Split
from tasks.task import ModelSpec, Task


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
