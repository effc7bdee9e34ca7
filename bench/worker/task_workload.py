"""A model of a task: weights from a checkpoint, inputs and answers from the task's data."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.core.tensors import digest, tensors_in
from bench.measuring import accuracy, macs
from bench.results.evaluation import Evaluation
from bench.runtimes.base import Executable
from bench.storage import checkpoint, packed
from bench.tasks.dataset import Dataset
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Artifact
from bench.worker.messages import TaskModel, VariantRequest
from bench.worker.workload import Cast, Workload

EVALUATION_BATCH = 250
PROBE = 32
"""Test examples whose logits a packed file must reproduce to the bit."""


class TaskWorkload(Workload):
    """Reads the task's data from the file that all processes map."""

    supplied = True

    def __init__(self, request: VariantRequest, model: TaskModel) -> None:
        self._request = request
        self._checkpoint = model.checkpoint
        self._task = TASKS.get(model.task)
        self._dataset = Dataset.open(model.dataset)
        spec = next(spec for spec in self._task.models if spec.name == model.model)
        self._spec = self._task.resolve(spec, self._dataset)
        header = checkpoint.read_header(model.checkpoint)
        asked = TECHNIQUES.get(request.key.technique).training_precision(header.device)
        self.own_training = asked in (None, header.precision)

    def model(self) -> nn.Module:
        """Load the checkpoint."""
        model, _ = checkpoint.load(self._checkpoint)
        return self._spec.arrange(model)

    def inputs(self, batch_size: int) -> Inputs:
        """Return test examples."""
        index = torch.arange(batch_size) % len(self._dataset.test)
        return Inputs((self._task.inputs(self._spec, self._dataset.test[index]),))

    def probe(self) -> Inputs:
        """Return the first test examples."""
        return self.inputs(PROBE)

    def calibration(self) -> Sequence[Inputs]:
        """Return training examples."""
        return [Inputs((self._task.calibration(self._spec, self._dataset),))]

    def judge(self, executable: Executable, artifact: Artifact | None, cast: Cast, report: Report) -> Evaluation:
        """Answer the whole test set."""

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            test = self._dataset.test
            for index in torch.split(torch.arange(len(test)), EVALUATION_BATCH):
                part = test[index]
                yield cast(Inputs((self._task.inputs(self._spec, part), part.labels))).args
                report(int(index[-1]) + 1, len(test))

        evaluation = accuracy.evaluate(lambda inputs: executable.outputs(Inputs((inputs,))), batches())
        with torch.inference_mode():
            logits: Tensor = executable.outputs(cast(self.probe()))
        return dataclasses.replace(evaluation, outputs=logits.float().cpu().reshape(-1).numpy())

    def macs(self) -> int:
        """Count them on the meta device, where nothing is computed."""
        example = self.inputs(1).changed(lambda value: value.to("meta"))
        return macs.count_macs(checkpoint.untrained(self._checkpoint, "meta"), example)

    def origin(self) -> packed.Origin:
        """Return the network and its hyperparameters."""
        header = checkpoint.read_header(self._checkpoint)
        return packed.Origin(
            model=f"{self._task.name}/{self._spec.name}",
            network=header.network,
            hyperparameters=header.hyperparameters,
            channels_last=self._spec.channels_last,
            trained_as=header.technique,
            technique=self._request.key.technique,
            engine=self._request.engine,
        )

    def identity(self) -> str:
        """Return its origin, the code it is built by, its weights, and the data it is calibrated on."""
        model = self.model()
        hasher = hashlib.sha256()
        for kind in sorted({inspect.getfile(type(part)) for part in model.modules()}):
            hasher.update(Path(kind).read_bytes())
        weights = digest([*tensors_in(dict(model.state_dict())), *self.calibration()[0].tensors])
        return f"{model} {hasher.hexdigest()} {weights} {version('torch')}"

    def rebuild(self) -> Artifact:
        """Load it as a user would."""
        return packed.load(self._request.packed, self._request.device).artifact
