"""Carries a run out on this machine; each model's rows are on disk once they are there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import files
from bench.core.progress import Bars, display
from bench.measuring import machine
from bench.measuring.latency.affinity import choose_cores
from bench.options.shared import DEFAULT_ENGINE
from bench.results.machine import Machine
from bench.results.run import ReferenceLatency, Run
from bench.results.run_spec import RunSpec
from bench.results.settings import Settings
from bench.running import this_machine
from bench.running.datasets import load_datasets
from bench.running.prepared import PreparedModel
from bench.running.reference import ReferenceWorkload
from bench.running.rows import measure_model, tally
from bench.running.run_folder import RunFolder
from bench.running.suites import check_layers, select_models
from bench.running.task_models import prepare_task_models
from bench.running.user_models import prepare_user_models
from bench.storage.checkpoint_store import CheckpointStore
from bench.techniques.base import TECHNIQUES
from bench.worker.user.model import UserModel


@dataclass(frozen=True)
class Place:
    """What the machine that carries a run out adds to its specification."""

    out: Path | None = None
    """The folder of ``run.json`` and ``report.md``; ``None`` to keep the run in memory."""
    data_root: Path | None = None
    """Where real data are looked for, instead of the user's cache."""
    user_models: Sequence[UserModel] = ()
    """The models that the specification names, where they are a user's."""
    retrain: bool = False
    progress: bool | None = None


def execute(spec: RunSpec, store: CheckpointStore, place: Place | None = None) -> Run:
    """Measure what ``spec`` asks for, with weights of ``store``, and return all rows; raises ``QuantbenchError``."""
    place = place or Place()
    settings = settings_of(spec)
    if not place.user_models:
        store.require_writable()
    if place.out is not None:
        files.require_writable(place.out)
    with (
        Bars(display(place.progress)).live() as bars,
        tempfile.TemporaryDirectory(prefix="quantbench-") as shared,
    ):
        here = this_machine.describe(bars)
        machine.require_device(spec.device, here)
        if spec.engine is not None:
            machine.require_engine(spec.engine, here)
        book = RunFolder.open(place.out, settings, here)
        execution = _Execution(spec, settings, here, store, place, book, Path(shared), bars)
        for model in execution.user_models() if place.user_models else execution.task_models():
            execution.measure(model)
    return book.finish()


def settings_of(spec: RunSpec) -> Settings:
    """Return what the run file says of the request, this machine's cores chosen; raises ``RequestError``."""
    machine.require_threads(spec.threads)
    common = spec.model_dump(exclude={"variants", "pin", "engine"})
    return Settings(
        **common,
        techniques=spec.techniques,
        pinned_cores=choose_cores(spec.pin, spec.threads),
        tf32=False if spec.device == "cuda" else None,  # workers turn it off
        engine=spec.engine or DEFAULT_ENGINE,
    )


@dataclass(frozen=True)
class _Execution:
    """One run while it is carried out."""

    spec: RunSpec
    settings: Settings
    here: Machine
    store: CheckpointStore
    place: Place
    book: RunFolder
    shared: Path
    bars: Bars

    def user_models(self) -> Iterator[PreparedModel]:
        """Yield the user's models that the run has not yet."""
        pending = [model for model in self.place.user_models if not self.book.has(model.name)]
        self.book.require_same_data({model.task: ("own", model.source()) for model in self.place.user_models})
        return prepare_user_models(pending, self.spec.variants, self.settings, self.here, self.shared, self.bars)

    def task_models(self) -> Iterator[PreparedModel]:
        """Yield the models of tasks that the run has not yet; the data of all are loaded first."""
        selected = select_models(self.spec.suite, (), self.spec.models)
        pending = [entry for entry in selected if not self.book.has(entry.name)]
        tasks = list(dict.fromkeys(entry.task for entry in pending))
        datasets = load_datasets(tasks, self.spec.data, self.place.data_root, self.shared, self.bars)
        self.book.require_same_data({task.name: dataset.identity for task, dataset in datasets.items()})
        if not self.book.run.rows:  # a resumed run was checked when it began
            techniques = [TECHNIQUES.get(name) for name in self.spec.techniques]
            check_layers(
                techniques, (name for entry in pending for name in datasets[entry.task].layers[entry.spec.name])
            )
        for task, dataset in datasets.items():
            yield from prepare_task_models(
                [entry for entry in pending if entry.task is task],
                dataset,
                self.spec.variants,
                self.settings,
                self.here,
                self.store,
                self.bars,
                retrain=self.place.retrain,
            )

    def measure(self, model: PreparedModel) -> None:
        """Measure one model's variants beside each other and record the rows."""
        reference = ReferenceWorkload(self.settings)
        rows = measure_model(model.variants, self.settings, machine.usable_cores(), self.bars, reference)
        latency = ReferenceLatency(model=model.name, latency=reference.latency)
        self.book.add(model.data, model.trainings, rows, [latency])
        self.bars.say(f"{model.name}: {tally(rows)}")
