"""The weights that a model's variants start from: reloaded where a checkpoint is, trained where none is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from bench.core.errors import RequestError
from bench.core.report import Report
from bench.results.run import TrainingPrecision
from bench.running.training_precision import preferred_precision, training_precision
from bench.storage import checkpoint
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
from bench.techniques.base import Technique
from bench.worker.messages import PREPARATION_HOST, DatasetSummary
from bench.worker.process import Job, Worker, run_jobs


def training_order(
    dataset: DatasetSummary,
    model: str,
    technique: Technique,
    seed: int,
    device: str,
    isa: Collection[str],
    epochs: int | None = None,
    distillation_spec: DistillationSpec | None = None,
    *,
    precision: TrainingPrecision = "auto",
    retrain: bool = False,
) -> TrainingSpec:
    """Return what must be trained before ``technique`` can be applied; ``epochs`` take the place of the recipe's.

    On a CPU whose instruction sets ``isa`` have no bfloat16 arithmetic that is a float32 training. A shipped checkpoint
    of the other precision spares it, unless one of float32 is there, or was asked for by ``precision`` or ``retrain``.
    """
    spec = dataset.specs[model]
    recipe = spec.recipe if dataset.identity.kind == "real" else spec.recipe.for_standin()
    preferred = preferred_precision(technique, spec, device)
    spec = replace(
        spec,
        hyperparameters=technique.hyperparameters(spec.network, spec.hyperparameters),
        recipe=replace(recipe, epochs=epochs or recipe.epochs),
    )
    order = checkpoint.order(
        dataset.task,
        spec,
        dataset.identity,
        training_precision(preferred, device, isa, precision),
        seed,
        device,
        technique.trained_as,
        distillation_spec,
    )
    if retrain or precision != "auto" or checkpoint.locate(order.file_name) is not None:
        return order
    as_shipped = order.model_copy(update={"precision": preferred})
    return as_shipped if checkpoint.is_shipped(as_shipped) else order


def load_or_train(
    orders: Sequence[TrainingSpec],
    dataset: DatasetSummary,
    retrain: bool,
    cores: int,
    reporter: Callable[[str], Report],
) -> list[Header | Exception]:
    """Return each order's header, whose checkpoint can be located then, or why its training failed.

    Missing ones are trained side by side, the cores shared out among them.
    Raises ``CheckpointError`` for a file that is there and cannot be used.
    """
    headers: dict[int, Header | Exception] = {}
    missing = []
    for position, order in enumerate(orders):
        path = None if retrain else checkpoint.locate(order.file_name)
        if path is not None:
            headers[position] = checkpoint.read_header(path, order)
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


def _label(order: TrainingSpec) -> str:
    return f"train {order.task}/{order.model} ({order.technique or order.precision})"


def _work(order: TrainingSpec, dataset: DatasetSummary) -> float:
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
