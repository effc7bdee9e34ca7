"""The weights that a model's variants start from: loaded where a checkpoint is, trained where none is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.core.errors import RequestError
from bench.core.report import Report
from bench.measuring import machine
from bench.results.machine import Machine
from bench.running.training_precision import PrecisionPolicy, preferred_precision
from bench.storage import checkpoint
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.techniques.base import Technique
from bench.worker.messages import PREPARATION_HOST, DatasetSummary
from bench.worker.process import Call, Worker, close_all, run_calls

SHARE_A_GPU = 4
"""Trainings at once on a GPU, which a small network's steps leave idle while their kernels are started: four take 2.6
times as many steps a second as one (reports/gpu). Each has a CUDA context of its own, of nearly 1 GB."""


def training_spec(
    dataset: DatasetSummary,
    model: str,
    technique: Technique,
    seed: int,
    policy: PrecisionPolicy,
    store: CheckpointStore,
    recipe_changes: Mapping[str, Any],
    distillation_spec: DistillationSpec | None = None,
) -> TrainingSpec:
    """Return what must be trained before ``technique`` can be applied.

    ``recipe_changes`` are fields, by name, that replace those of the model's recipe. In which precision, the ``policy``
    decides, and what the ``store`` has already.
    """
    spec = dataset.specs[model]
    recipe = spec.recipe if dataset.identity.kind == "real" else spec.recipe.for_standin()
    spec = replace(
        spec,
        hyperparameters=technique.hyperparameters(spec.network, spec.hyperparameters),
        recipe=replace(recipe, **recipe_changes),
    )
    training = checkpoint.training_spec(
        dataset.task,
        spec,
        dataset.identity,
        preferred_precision(technique, spec, policy.device),
        seed,
        policy.device,
        technique.trained_as,
        distillation_spec,
    )
    return policy.training(training, store)


def load_or_train(
    trainings: Sequence[TrainingSpec],
    dataset: DatasetSummary,
    store: CheckpointStore,
    reporter: Callable[[str], Report],
    *,
    retrain: bool = False,
) -> dict[TrainingSpec, Header | Exception]:
    """Return the header of each training, whose checkpoint the ``store`` has then, or why it failed.

    Missing ones are trained side by side, as many as there is room for. How many that is does not change their weights:
    each has the threads that its recipe names.
    Raises ``CheckpointError`` for a file that is there and cannot be used.
    """
    headers, missing = look_up(trainings, dataset, store, retrain=retrain)
    workers = [Worker(PREPARATION_HOST) for _ in missing]
    calls = [
        Call(worker, "train", (training, dataset.path, store), reporter(label(training)))
        for worker, training in zip(workers, missing, strict=True)
    ]
    try:
        for position, outcome in run_calls(calls, at_once(missing)):
            workers[position].close()
            headers[missing[position]] = outcome
    finally:
        close_all(workers)
    return headers


def look_up(
    trainings: Sequence[TrainingSpec], dataset: DatasetSummary, store: CheckpointStore, *, retrain: bool
) -> tuple[dict[TrainingSpec, Header | Exception], list[TrainingSpec]]:
    """Return the headers of those that the ``store`` has, and the others, the longest first.

    With ``retrain`` it has none, nor a state that one could go on from. Raises ``CheckpointError`` for a file that is
    there and cannot be used.
    """
    headers: dict[TrainingSpec, Header | Exception] = {}
    missing = []
    for training in dict.fromkeys(trainings):  # techniques share trainings
        header = None if retrain else store.get(training)
        if header is not None:
            headers[training] = header
        else:
            missing.append(training)
            if retrain:
                store.unfinished(training).unlink(missing_ok=True)
    missing.sort(key=lambda training: _work(training, dataset), reverse=True)  # no idle core at the end
    return headers, missing


def label(training: TrainingSpec) -> str:
    """Return what progress calls a training."""
    seed = f", seed {training.seed}" if training.seed else ""
    return f"train {training.task}/{training.model} ({training.technique or training.precision}{seed})"


def require_device(
    trainings: Iterable[TrainingSpec], here: Machine, store: CheckpointStore, *, retrain: bool = False
) -> None:
    """Raise ``RequestError`` if one is to be made on a GPU and there is none ``here``."""
    on_gpu = () if here.accelerators else dict.fromkeys(one for one in trainings if one.device == "cuda")
    missing = [training for training in on_gpu if retrain or store.get(training) is None]
    if not missing:
        return
    first = missing[0]
    files = first.file_name + (f", and those of {len(missing) - 1} more" if missing[1:] else "")
    ways_out = [] if retrain else [f"bring {files} from a machine that has one into {store.folder}"]
    technique = f" for {first.technique}" if first.technique else ""
    raise RequestError(
        f"{first.task}/{first.model}{technique} is to be trained on cuda, and this machine has no CUDA device that "
        f"torch can use; {', or '.join([*ways_out, 'train with --training-device cpu'])}."
    )


def at_once(trainings: Sequence[TrainingSpec]) -> int:
    """Return how many of them are trained at once; a step that is recorded keeps a GPU busy alone."""
    cores = machine.usable_cores()
    if any(training.device == "cuda" for training in trainings):
        recorded = any(training.recipe.get("compiled", False) for training in trainings)
        return 1 if recorded else min(SHARE_A_GPU, cores)
    threads = max((int(training.recipe.get("threads", 1)) for training in trainings), default=1)
    return max(1, cores // threads)


def _work(training: TrainingSpec, dataset: DatasetSummary) -> float:
    """Guess how long a training takes, to order those of one task: weights times epochs, float32 before half."""
    slower = 2.0 if training.precision == "float32" else 1.0
    return dataset.parameters[training.model] * int(training.recipe["epochs"]) * slower
