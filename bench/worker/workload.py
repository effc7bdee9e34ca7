"""A workload: one model, its inputs, how it is judged, and what to calibrate on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from torch import nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.measuring.layer_work import layer_work
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.runtimes.base import Executable
from bench.storage import packed
from bench.techniques.base import Artifact

Cast = Callable[[Inputs], Inputs]
"""Moves inputs to the variant's device and type."""


class Workload(ABC):
    """Made in the process of each of its variants, whose request it is given."""

    supplied: ClassVar[bool]
    """Whether it is a model of a task, known to work, and not a user's."""
    answers_at_random: bool = False
    """Whether the model draws at random when it is called."""
    own_training: bool = False
    """Whether it was trained as the technique asks; a user's model is as it is."""

    def train(self) -> None:  # noqa: B027 — what is trained before is there
        """Train what the technique starts from, if that is not there."""

    @abstractmethod
    def model(self) -> nn.Module:
        """Return the trained float32 model, in eval mode, as it lies in memory when it is measured, on the CPU."""

    @abstractmethod
    def inputs(self, batch_size: int) -> Inputs:
        """Return a batch for ``model``, on the CPU."""

    @abstractmethod
    def probe(self) -> Inputs:
        """Return the batch whose outputs a packed file must reproduce to the bit."""

    @abstractmethod
    def calibration(self) -> Sequence[Inputs]:
        """Return batches that a post-training technique may look at."""

    @abstractmethod
    def judge(self, executable: Executable, artifact: Artifact | None, cast: Cast, report: Report) -> Evaluation:
        """Say how good a variant's outputs are; ``artifact`` is what PyTorch executes, if it does."""

    @abstractmethod
    def macs(self) -> int | None:
        """Return the multiply-accumulates of one example; ``None`` where they are not known."""

    @abstractmethod
    def origin(self) -> packed.Origin:
        """Return what a packed file says of the variant."""

    @abstractmethod
    def rebuild(self) -> Artifact:
        """Return the variant from its packed file; raises ``CheckpointError``."""

    @abstractmethod
    def identity(self) -> str:
        """Return what decides the float32 model and its calibration: graphs that runtimes build are kept under it."""

    def notes(self, artifact: Artifact | None, *, calibrated: bool) -> tuple[str, ...]:
        """Return notes on where inputs came from, and on how the variant runs."""
        return ()

    def work(self, module: nn.Module, example: Inputs) -> list[LayerWork]:
        """Return what each layer computes; nothing for modules that no rule tells the work of, such as int8 ones."""
        try:
            return layer_work(module, example)
        except UnsupportedError:
            return []
