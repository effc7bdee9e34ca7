"""The weights that a model's variants start from: reloaded where a checkpoint is, trained where none is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bench import checkpoint
from bench.checkpoint import Header, Order, Teaching
from bench.errors import RequestError
from bench.preparation import PREPARATION_HOST, DatasetSummary
from bench.techniques.technique import Technique
from bench.worker import Job, Report, Worker, run_jobs

NO_CHANGES: Mapping[str, Any] = MappingProxyType({})
"""Of a recipe."""


def training_order(
    dataset: DatasetSummary,
    model: str,
    technique: Technique,
    seed: int,
    device: str,
    epochs: int | None = None,
    teaching: Teaching | None = None,
    changes: Mapping[str, Any] = NO_CHANGES,
) -> Order:
    """Return what must be trained before ``technique`` can be applied.

    ``epochs`` and ``changes``, fields by name, take the place of the recipe's.
    """
    spec = dataset.specs[model]
    spec = replace(
        spec,
        hyperparameters=technique.hyperparameters(spec.network, spec.hyperparameters),
        recipe=replace(spec.recipe, **changes, epochs=epochs or spec.recipe.epochs),
    )
    return checkpoint.order(
        dataset.task,
        spec,
        dataset.identity,
        technique.training_precision(device) or spec.precision,
        seed,
        device,
        technique.trained_as,
        teaching,
    )


def provide(
    orders: Sequence[Order],
    dataset: DatasetSummary,
    retrain: bool,
    cores: int,
    reporter: Callable[[str], Report],
) -> list[Header | Exception]:
    """Return each order's header, whose checkpoint is at ``order.path`` then, or why its training failed.

    Missing ones are trained side by side, the cores shared out among them.
    Raises ``CheckpointError`` for a file that is there and cannot be used.
    """
    headers: dict[int, Header | Exception] = {}
    missing = []
    for position, order in enumerate(orders):
        if order.path.exists() and not retrain:
            headers[position] = checkpoint.read_header(order.path, order)
        else:
            missing.append(position)
            if retrain:
                order.unfinished.unlink(missing_ok=True)
    if not missing:
        return [headers[position] for position in range(len(orders))]
    missing.sort(
        key=lambda position: _work(orders[position], dataset), reverse=True
    )  # the longest first: no idle core at the end
    at_once = min(len(missing), cores)
    threads = cores // at_once
    workers = [Worker(PREPARATION_HOST) for _ in missing]
    jobs = [
        Job(worker, "train", (orders[position], dataset.path, threads), reporter(_label(orders[position])))
        for worker, position in zip(workers, missing, strict=True)
    ]
    try:
        for index, outcome in run_jobs(jobs, at_once):
            workers[index].close()
            headers[missing[index]] = outcome
    finally:
        for worker in workers:
            worker.close()
    return [headers[position] for position in range(len(orders))]


def _label(order: Order) -> str:
    return f"train {order.task}/{order.model} ({order.technique or order.precision})"


def _work(order: Order, dataset: DatasetSummary) -> float:
    """Guess how long a training takes, to order trainings of one task: weights times epochs, float32 before half."""
    return (
        dataset.parameters[order.model] * int(order.recipe["epochs"]) * (2.0 if order.precision == "float32" else 1.0)
    )


def require_cache() -> None:
    """Raise ``RequestError`` at once, and not after minutes of training, if their result could not be kept."""
    folder = checkpoint.checkpoint_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(
            f"the cache {folder} cannot be written ({error.strerror}); name another with $QUANTBENCH_CACHE."
        ) from error
