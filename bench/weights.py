"""The weights that a model's variants start from: reloaded where a checkpoint is, trained where none is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence

from bench import checkpoint
from bench.checkpoint import Header, Order
from bench.errors import RequestError
from bench.preparation import PREPARATION_HOST, DatasetSummary
from bench.worker import Job, Report, Worker, run_jobs


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
    return f"train {order.task}/{order.model} ({order.precision})"


def _work(order: Order, dataset: DatasetSummary) -> float:
    """Guess how long a training takes, to order trainings of one task: weights times epochs, float32 before half."""
    epochs = dataset.specs[order.model].recipe.epochs
    return dataset.parameters[order.model] * epochs * (2.0 if order.precision == "float32" else 1.0)


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
