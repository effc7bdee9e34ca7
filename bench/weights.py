"""The weights that a model's variants start from: reloaded where a checkpoint is, trained where none is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import models
from bench import checkpoint
from bench.checkpoint import DataIdentity, Header, Order
from bench.worker import Job, Report, Worker, run_jobs
from tasks.dataset import Dataset
from tasks.source import DataPolicy
from tasks.task import TASKS, ModelSpec
from tasks.training import train


@dataclass(frozen=True)
class DatasetSummary:
    """What the parent needs to know of a data set that a worker has loaded."""

    path: Path
    """The shared file."""
    identity: DataIdentity
    train_examples: int
    test_examples: int
    description: dict[str, str]
    specs: dict[str, ModelSpec]
    """The task's models by name, resolved."""


class PreparationHost:
    """Loads data and trains models, each in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def load(self, task: str, policy: DataPolicy, data_root: Path | None, path: Path) -> DatasetSummary:
        """Load a task's data into the shared file ``path``; raises ``DataError``."""
        torch.set_num_threads(1)
        owner = TASKS.get(task)
        dataset = owner.load(policy, data_root)
        dataset.save(path)
        return DatasetSummary(
            path=path,
            identity=DataIdentity(dataset.kind, dataset.fingerprint),
            train_examples=len(dataset.train),
            test_examples=len(dataset.test),
            description=dict(dataset.description),
            specs={spec.name: owner.resolve(spec, dataset) for spec in owner.models},
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
            recipe_hash=order.recipe_hash,
            vocabulary=list(dataset.vocabulary[: _inputs(order)] if dataset.vocabulary else ()),
            seconds=time.perf_counter() - start,
            threads=threads,
            torch=str(torch.__version__),
        )
        checkpoint.save(order.path, network, header)
        return header


def provide(
    orders: Sequence[Order],
    dataset_path: Path,
    retrain: bool,
    cores: int,
    reporter: Callable[[str], Report],
) -> list[Header]:
    """Return each order's header; its checkpoint is at ``order.path`` then.

    Missing ones are trained side by side, the cores shared out among them.
    Raises ``CheckpointError``, ``TrainingError`` or ``WorkerError``.
    """
    headers: dict[int, Header] = {}
    missing = []
    for position, order in enumerate(orders):
        if order.path.exists() and not retrain:
            headers[position] = checkpoint.read_header(order.path, order)
        else:
            missing.append(position)
    if not missing:
        return [headers[position] for position in range(len(orders))]
    missing.sort(key=lambda position: _work(orders[position]), reverse=True)  # the longest first: no idle core at the end
    at_once = min(len(missing), cores)
    threads = cores // at_once
    workers = [Worker(PreparationHost) for _ in missing]
    jobs = [
        Job(worker, "train", (orders[position], dataset_path, threads), reporter(_label(orders[position])))
        for worker, position in zip(workers, missing, strict=True)
    ]
    try:
        for index, outcome in run_jobs(jobs, at_once):
            if isinstance(outcome, Exception):
                raise outcome
            workers[index].close()
            headers[missing[index]] = outcome
    finally:
        for worker in workers:
            worker.close()
    return [headers[position] for position in range(len(orders))]


def _label(order: Order) -> str:
    return f"train {order.task}/{order.model} ({order.precision})"


def _inputs(order: Order) -> int:
    inputs = order.hyperparameters["inputs"]
    if not isinstance(inputs, int):
        raise TypeError(f"inputs must be a number, not {inputs!r}")
    return inputs


def _work(order: Order) -> float:
    """Guess how long a training takes, to order trainings of one task: weights times epochs, float32 before half."""
    task = TASKS.get(order.task)
    spec = next(spec for spec in task.models if spec.name == order.model)
    with torch.device("meta"):
        network = models.build(spec.network, dict(order.hyperparameters))
    weights = sum(parameter.numel() for parameter in network.parameters())
    return weights * spec.recipe.epochs * (2.0 if order.precision == "float32" else 1.0)
