"""Models of tasks, made ready to be measured: data loaded, weights trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bench.core.errors import UnsupportedError
from bench.core.progress import Bars
from bench.core.variant_key import EAGER, VariantKey
from bench.measuring import isa_limit
from bench.results.machine import Machine
from bench.results.run_spec import RunSpec
from bench.results.settings import Settings
from bench.running.prepared import PreparedModel
from bench.running.provenance import data_of, training_of
from bench.running.suites import Selected
from bench.running.training_precision import PrecisionPolicy, preferred_precision
from bench.running.variant_under_test import VariantUnderTest
from bench.running.weights import load_or_train, require_device, training_spec
from bench.runtimes.base import RUNTIMES
from bench.storage.checkpoint import Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.source import cache_folder
from bench.tasks.task import Task
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import DatasetSummary, TaskModel, VariantRequest
from bench.worker.user.model import BuiltModel


def unsupported_reasons(
    variants: Sequence[VariantKey], settings: Settings, here: Machine
) -> dict[VariantKey, UnsupportedError]:
    """Return the variants that cannot be had on this machine, with the reason."""
    limit = settings.isa_limit
    reasons = {
        key: isa_limit.unsupported_reason(limit, key.runtime)
        if limit and key.runtime != EAGER
        else RUNTIMES.get(key.runtime).unsupported_reason(
            TECHNIQUES.get(key.technique), here, settings.device, settings.engine
        )
        for key in variants
    }
    return {key: UnsupportedError(reason) for key, reason in reasons.items() if reason}


def request_of(
    key: VariantKey, workload: TaskModel | BuiltModel, packed: Path, settings: Settings, here: Machine
) -> VariantRequest:
    """Return the request for a variant; graphs of a user's model are kept for one run."""
    return VariantRequest(
        key=key,
        workload=workload,
        packed=packed,
        device=settings.device,
        engine=settings.engine,
        isa=frozenset(here.isa),
        threads=settings.threads,
        largest_batch=max(settings.batch_sizes),
        graphs=cache_folder() / "graphs" if isinstance(workload, TaskModel) else None,
        batch_sizes=tuple(settings.batch_sizes),
    )


def trainings_of(
    selected: Sequence[Selected],
    dataset: DatasetSummary,
    variants: Sequence[VariantKey],
    asked: Settings | RunSpec,
    policy: PrecisionPolicy,
    store: CheckpointStore,
) -> dict[tuple[str, VariantKey], TrainingSpec]:
    """Return what must be trained for each variant of each model, by ``task/model`` and key."""
    assert asked.seed is not None  # noqa: S101 — for the type checker
    changes = {"epochs": asked.epochs} if asked.epochs is not None else {}
    return {
        (entry.name, key): training_spec(
            dataset, entry.spec.name, TECHNIQUES.get(key.technique), asked.seed, policy, store, changes
        )
        for entry in selected
        for key in variants
    }


def require_training_device(
    selected: Sequence[Selected],
    datasets: Mapping[Task, DatasetSummary],
    variants: Sequence[VariantKey],
    settings: Settings,
    here: Machine,
    store: CheckpointStore,
    *,
    retrain: bool,
) -> None:
    """Raise ``RequestError``, before anything is made, if weights are to be trained on a GPU that is not here."""
    policy = PrecisionPolicy(settings.trained_on, here.isa, settings.training_precision, retrain)
    unsupported = unsupported_reasons(variants, settings, here)
    supported = [key for key in variants if key not in unsupported]
    trainings = [
        training
        for task, dataset in datasets.items()
        for training in trainings_of(
            [entry for entry in selected if entry.task is task], dataset, supported, settings, policy, store
        ).values()
    ]
    require_device(trainings, here, store, retrain=retrain)


def prepare_task_models(
    selected: Sequence[Selected],
    dataset: DatasetSummary,
    variants: Sequence[VariantKey],
    settings: Settings,
    here: Machine,
    store: CheckpointStore,
    bars: Bars,
    *,
    training_isa: Collection[str] | None = None,
    retrain: bool,
) -> Iterator[PreparedModel]:
    """Load or train the weights of one task's models, all together, and yield model after model."""
    unsupported = unsupported_reasons(variants, settings, here)
    policy = PrecisionPolicy(settings.trained_on, training_isa or here.isa, settings.training_precision, retrain)
    supported = [key for key in variants if key not in unsupported]
    trainings = trainings_of(selected, dataset, supported, settings, policy, store)
    headers = load_or_train(list(trainings.values()), dataset, store, bars.stage, retrain=retrain)
    for entry in selected:
        under_test = []
        for position, key in enumerate(variants):
            training = trainings.get((entry.name, key))
            header = headers[training] if training else unsupported[key]
            checkpoint = store.source(training) if training else dataset.path
            workload = TaskModel(dataset.task, entry.spec.name, dataset.path, checkpoint)
            packed = dataset.path.with_name(f"{dataset.task}-{entry.spec.name}-{position}.packed")
            technique = TECHNIQUES.get(key.technique)
            preferred = preferred_precision(technique, entry.spec, settings.trained_on)
            request = request_of(key, workload, packed, settings, here)
            failure = header if isinstance(header, Exception) else None
            notes = policy.notes(preferred, training, store) if training else []
            under_test.append(VariantUnderTest(technique, request, failure, notes=notes))
        of_model = dict.fromkeys(training for (name, _), training in trainings.items() if name == entry.name)
        trained = [training_of(entry, header) for key in of_model if isinstance(header := headers[key], Header)]
        yield PreparedModel(entry.name, data_of(dataset), trained, under_test)
