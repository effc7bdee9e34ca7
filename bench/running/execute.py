"""Carries a run out on this machine; each model's rows are on disk once they are there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core import files
from bench.core.progress import Bars, display
from bench.measuring import isa_limit, machine
from bench.measuring.cpu_quota import quota_remarks
from bench.measuring.latency.affinity import choose_cores, pin_remarks
from bench.results.machine import Machine
from bench.results.run import ReferenceLatency, Run
from bench.results.run_spec import RunSpec
from bench.results.settings import Settings
from bench.running import this_machine
from bench.running.call_costs import call_costs
from bench.running.datasets import load_datasets
from bench.running.latency import ModelLatency, sample_latencies
from bench.running.parallel import Parallel
from bench.running.prepared import PreparedModel
from bench.running.rows import make_variants, tally
from bench.running.run_folder import RunFolder, held
from bench.running.suites import check_layers, select_models
from bench.running.task_models import prepare_task_models, require_training_device
from bench.running.user_models import prepare_user_models
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import TECHNIQUES
from bench.worker.process import start_server
from bench.worker.user.model import UserModel, slow_imports


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
    datasets: Mapping[str, Path] = field(default_factory=dict)
    """Files of data sets, by task, that another machine has loaded; tasks that have none are loaded here."""
    training_isa: Collection[str] | None = None
    """The instruction sets that decide in which precision weights are trained; ``None`` for this machine's."""
    bars: Bars | None = None
    """What shows progress, in the place of bars on the terminal."""


def execute(spec: RunSpec, store: CheckpointStore, place: Place | None = None) -> Run:
    """Measure what ``spec`` asks for, with weights of ``store``, and return all rows; raises ``QuantbenchError``."""
    place = place or Place()
    cores_of(spec)  # what it refuses, it refuses before anything is started
    if not place.user_models:
        store.require_writable()
    if place.out is not None:
        files.require_writable(place.out)
    with (
        held(place.out),
        (place.bars or Bars(display(place.progress))).live() as bars,
        temporary_folder() as shared,
    ):
        start_server(slow_imports(place.user_models), spec.isa_limit)
        here = this_machine.describe(bars)
        if spec.isa_limit:
            here = isa_limit.limited(here, spec.isa_limit)
        machine.require_device(spec.device, here)
        settings = settings_of(spec, here)
        remarks = [*pin_remarks(settings.pinned_cores), *quota_remarks(here.cpu_quota)]
        remarks += [isa_limit.remark(spec.isa_limit, here)] if spec.isa_limit else []
        book = RunFolder.open(place.out, settings, here, remarks)
        execution = _Execution(spec, settings, here, store, place, book, shared, bars)
        prepared = execution.user_models() if place.user_models else execution.task_models()
        models = [execution.make_variants(model) for model in prepared]
        sample_latencies(models, lambda: execution.record(models))
        execution.record(models)
        if models:
            book.add_call_costs(call_costs(book.run.rows, settings, here, shared, bars))
        for model in models:
            bars.say(f"{model.name}: {tally([variant.row() for variant in model.variants])}")
    return book.finish()


def cores_of(spec: RunSpec) -> list[int]:
    """Return the cores that timed processes are tied to; raises ``RequestError`` for those that are not here."""
    machine.require_threads(spec.threads)
    return choose_cores(spec.pin, spec.threads)


def settings_of(spec: RunSpec, here: Machine) -> Settings:
    """Return what the run file says of the request, cores and engine chosen; raises ``RequestError``."""
    common = spec.model_dump(exclude={"variants", "pin", "engine"})
    return Settings(
        **common,
        techniques=spec.techniques,
        runtimes=spec.runtimes,
        pinned_cores=cores_of(spec),
        tf32=False if spec.device == "cuda" else None,  # workers turn it off
        engine=machine.engine_of(spec.engine, here),
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
        """Yield the user's models."""
        self.book.require_same_data({model.task: ("own", model.source()) for model in self.place.user_models})
        return prepare_user_models(
            self.place.user_models, self.spec.variants, self.settings, self.here, self.shared, self.bars
        )

    def task_models(self) -> Iterator[PreparedModel]:
        """Yield the models of tasks; the data of all are loaded first."""
        selected = select_models(self.spec.suite, (), self.spec.models)
        tasks = list(dict.fromkeys(entry.task for entry in selected))
        datasets = load_datasets(
            tasks, self.spec.data, self.place.data_root, self.shared, self.bars, self.place.datasets
        )
        self.book.require_same_data({task.name: dataset.identity for task, dataset in datasets.items()})
        if not self.book.run.rows:  # a resumed run was checked when it began
            techniques = [TECHNIQUES.get(name) for name in self.spec.techniques]
            check_layers(
                techniques, (name for entry in selected for name in datasets[entry.task].layers[entry.spec.name])
            )
        if self.place.training_isa is None:  # a fleet's weights are the driver's matter
            require_training_device(
                selected,
                datasets,
                self.spec.variants,
                self.settings,
                self.here,
                self.store,
                retrain=self.place.retrain,
            )
        for task, dataset in datasets.items():
            yield from prepare_task_models(
                [entry for entry in selected if entry.task is task],
                dataset,
                self.spec.variants,
                self.settings,
                self.here,
                self.store,
                self.bars,
                training_isa=self.place.training_isa,
                retrain=self.place.retrain,
            )

    def make_variants(self, model: PreparedModel) -> ModelLatency:
        """Measure all but the latencies of one model's variants, and record the rows; what the run has is kept."""
        before = self.book.rows_of(model.name)
        for variant in model.variants:
            if variant.key in before:
                variant.take_up(before[variant.key])
        parallel = Parallel.of(model.name, model.variants, self.settings.threads, self.bars)
        make_variants(model.variants, self.settings, parallel)
        if not before:
            self.book.add(model.data, model.trainings, [variant.row() for variant in model.variants])
        return ModelLatency(model.name, model.variants, self.settings, parallel, self.book.references_of(model.name))

    def record(self, models: Sequence[ModelLatency]) -> None:
        """Record what the passes so far have measured."""
        rows = [variant.row() for model in models for variant in model.variants]
        self.book.update(rows, [ReferenceLatency(model=model.name, latency=model.references) for model in models])
