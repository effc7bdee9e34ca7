"""One variant, made ready as a run would make it: the same weights, settings and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import RequestError, UnsupportedError
from bench.core.progress import Bars, display
from bench.core.variant_key import VariantKey
from bench.measuring import machine
from bench.options.run import SUPPLIED_ONLY, RunOptions
from bench.options.studies import ExportOptions
from bench.results.machine import Machine
from bench.results.run_spec import RunSpec
from bench.results.settings import Settings
from bench.running import this_machine
from bench.running.datasets import load_datasets
from bench.running.execute import settings_of
from bench.running.plan import plan
from bench.running.prepared import PreparedModel
from bench.running.suites import check_layers, select_models
from bench.running.task_models import prepare_task_models, require_training_device, unsupported_reasons
from bench.running.user_models import prepare_user_models
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import VariantRequest
from bench.worker.process import start_server
from bench.worker.user.model import UserModel, user_models


@dataclass(frozen=True)
class OneVariant:
    """What workers are asked for, and where and what that is."""

    name: str
    """The model, as ``task/model``."""
    request: VariantRequest
    machine: Machine
    folder: Path
    """For files of this session."""
    bars: Bars


@contextmanager
def one_variant(options: ExportOptions, key: VariantKey) -> Iterator[OneVariant]:
    """Load data and weights, trained if they are not there, of a task's model or a user's.

    Raises ``RequestError`` for a variant that cannot be had here, and what else is wrong as a ``QuantbenchError``.
    """
    of_user = user_models([options.model], options.parts, options.given(SUPPLIED_ONLY))
    chosen = {"models": options.model, "techniques": key.technique, "runtimes": key.runtime}
    spec = plan(RunOptions(**(options.shared(RunOptions) | chosen)), of_user).with_variants([key])
    if len(spec.models) > 1:
        raise RequestError(f"{options.model} is a model of several tasks; choose {', '.join(spec.models)}.")
    store = CheckpointStore.of_user()
    if not of_user:
        store.require_writable()
    with (
        Bars(display(options.progress)).live() as bars,
        temporary_folder() as folder,
    ):
        start_server()
        here = this_machine.describe(bars)
        machine.require_device(spec.device, here)
        settings = settings_of(spec, here)
        if impossible := unsupported_reasons([key], settings, here):  # before data are loaded and weights trained
            raise RequestError(f"{spec.models[0]} as {key} cannot be had here: {impossible[key]}.")
        prepared = _prepared(spec, settings, of_user, options.root, store, here, folder, bars)
        [variant] = prepared.variants
        if isinstance(variant.unsupported_reason, UnsupportedError):
            raise RequestError(f"{prepared.name} as {key} cannot be had here: {variant.unsupported_reason}.")
        if variant.unsupported_reason is not None:  # the training failed
            raise variant.unsupported_reason
        yield OneVariant(prepared.name, variant.request, here, folder, bars)


def _prepared(
    spec: RunSpec,
    settings: Settings,
    of_user: Sequence[UserModel],
    data_root: Path | None,
    store: CheckpointStore,
    here: Machine,
    folder: Path,
    bars: Bars,
) -> PreparedModel:
    if of_user:
        return next(prepare_user_models(of_user, spec.variants, settings, here, folder, bars))
    selected = select_models(spec.suite, (), spec.models)
    task = selected[0].task
    dataset = load_datasets([task], spec.data, data_root, folder, bars)[task]
    check_layers([TECHNIQUES.get(name) for name in spec.techniques], dataset.layers[selected[0].spec.name])
    require_training_device(selected, {task: dataset}, spec.variants, settings, here, store, retrain=False)
    models = prepare_task_models(selected, dataset, spec.variants, settings, here, store, bars, retrain=False)
    return next(models)
