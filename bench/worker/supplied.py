"""Where a variant's float32 model, its inputs and its accuracy come from: a task of ours, or the user."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.core.report import Report
from bench.core.tensors import Inputs
from bench.measuring import accuracy, macs
from bench.measuring.layer_work import layer_work
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.runtimes.convert import Material
from bench.storage import checkpoint, packed
from bench.tasks.dataset import Dataset
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Variant
from bench.worker.messages import VariantRequest
from bench.worker.user.model import UserEvaluation

EVALUATION_BATCH = 250
PROBE = 32
"""Test examples whose logits a packed file must reproduce to the bit."""


class Source(Material):
    """One model and what it is measured on; made in the variant's own process."""

    @abstractmethod
    def macs(self) -> int | None:
        """Return the multiply-accumulates of one example; ``None`` where they are not known."""

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
    def evaluate(
        self, variant: Variant, cast: Callable[[Inputs], Inputs], report: Report
    ) -> Evaluation | UserEvaluation:
        """Judge a variant, whose inputs are to be ``cast``."""

    @abstractmethod
    def origin(self) -> packed.Origin:
        """Return what a packed file says of the variant."""

    @abstractmethod
    def rebuild(self) -> Variant:
        """Return the variant from its packed file; raises ``CheckpointError``."""

    def work(self, module: nn.Module, example: Inputs) -> list[LayerWork]:
        """Return what each layer computes; nothing for modules that no rule tells the work of, such as int8 ones."""
        try:
            return layer_work(module, *example)
        except UnsupportedError:
            return []


class Supplied(Source):
    """A model of a task: weights from a checkpoint, inputs and answers from the task's data."""

    def __init__(self, request: VariantRequest) -> None:
        self._request = request
        self._task = TASKS.get(request.task)
        self._dataset = Dataset.open(request.dataset)
        spec = next(spec for spec in self._task.models if spec.name == request.model)
        self._spec = self._task.resolve(spec, self._dataset)
        precision = checkpoint.read_header(request.checkpoint).precision
        self.own_training = TECHNIQUES.get(request.technique).training_precision(request.device) in (None, precision)

    def macs(self) -> int:
        """Count them on the meta device, where nothing is computed."""
        [example] = self.inputs(1)
        return macs.count_macs(checkpoint.untrained(self._request.checkpoint, "meta"), example.to("meta"))

    def model(self) -> nn.Module:
        """Load the checkpoint."""
        model, _ = checkpoint.load(self._request.checkpoint)
        return self._spec.arrange(model)

    def inputs(self, batch_size: int) -> Inputs:
        """Return test examples."""
        index = torch.arange(batch_size) % len(self._dataset.test)
        return (self._task.inputs(self._spec, self._dataset.test[index]),)

    def probe(self) -> Inputs:
        """Return the first test examples."""
        return (self._task.inputs(self._spec, self._dataset.test[torch.arange(PROBE)]),)

    def calibration(self) -> Sequence[Inputs]:
        """Return training examples."""
        return [(self._task.calibration(self._spec, self._dataset),)]

    def evaluate(self, variant: Variant, cast: Callable[[Inputs], Inputs], report: Report) -> Evaluation:
        """Answer the whole test set."""

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            test = self._dataset.test
            for index in torch.split(torch.arange(len(test)), EVALUATION_BATCH):
                part = test[index]
                inputs, labels = cast((self._task.inputs(self._spec, part), part.labels))
                yield inputs, labels
                report(int(index[-1]) + 1, len(test))

        return accuracy.evaluate(variant.forward, batches())

    def origin(self) -> packed.Origin:
        """Return the network and its hyperparameters."""
        header = checkpoint.read_header(self._request.checkpoint)
        return packed.Origin(
            model=f"{self._task.name}/{self._spec.name}",
            network=header.network,
            hyperparameters=header.hyperparameters,
            channels_last=self._spec.channels_last,
            trained_as=header.technique,
            technique=self._request.technique,
            engine=self._request.engine,
        )

    def rebuild(self) -> Variant:
        """Load it as a user would."""
        return packed.load(self._request.packed, self._request.device).variant
