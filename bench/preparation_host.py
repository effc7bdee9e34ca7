"""The worker's side of preparation."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from bench import checkpoint, machine
from bench.checkpoint import DataIdentity, Header, Order
from bench.measure.params import count_parameters
from bench.preparation import DatasetSummary
from bench.result import Machine
from bench.worker import Report
from tasks.dataset import Dataset
from tasks.source import DataPolicy
from tasks.task import TASKS, ModelSpec
from tasks.training.loop import train


class PreparationHost:
    """Describes the machine, loads data, trains models; each in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def describe(self) -> Machine:
        """Describe this machine."""
        return machine.describe()

    def load(self, task: str, policy: DataPolicy, data_root: Path | None, path: Path) -> DatasetSummary:
        """Load a task's data into the shared file ``path``; raises ``DataError``."""
        torch.set_num_threads(1)
        owner = TASKS.get(task)
        dataset = owner.load(policy, data_root)
        dataset.save(path)
        specs = {spec.name: owner.resolve(spec, dataset) for spec in owner.models}
        return DatasetSummary(
            path=path,
            identity=DataIdentity(dataset.kind, dataset.fingerprint),
            train_examples=len(dataset.train),
            test_examples=len(dataset.test),
            description=dict(dataset.description),
            specs=specs,
            parameters={name: _parameters(spec) for name, spec in specs.items()},
        )

    def train(self, order: Order, dataset_path: Path, threads: int) -> Header:
        """Train one model and write its checkpoint; raises ``TrainingError``."""
        torch.set_num_threads(threads)
        torch.manual_seed(order.seed)
        start = time.perf_counter()
        task = TASKS.get(order.task)
        dataset = Dataset.open(dataset_path)
        spec = task.resolve(next(spec for spec in task.models if spec.name == order.model), dataset)
        device = torch.device(order.device)
        form = task.training_form(spec, spec.build().to(device), dataset.train.to(device))
        network = train(form, order.precision, order.seed, device, self._report)
        header = Header(
            **order.model_dump(),
            vocabulary=task.vocabulary(spec, dataset),
            seconds=time.perf_counter() - start,
            threads=threads,
            torch=str(torch.__version__),
        )
        checkpoint.save(order.path, network, header)
        return header


def _parameters(spec: ModelSpec) -> int:
    with torch.device("meta"):
        return count_parameters(spec.build())
