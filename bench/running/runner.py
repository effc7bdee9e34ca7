"""Carries a suite out: data, weights, variants, measurements; each model's rows are on disk once they are there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core import files
from bench.core.errors import UnsupportedError
from bench.core.progress import Bars, wanted
from bench.measuring import machine
from bench.results import run as result
from bench.results.run import Run, TrainingPrecision
from bench.running import reference, this_machine
from bench.running.datasets import load_datasets
from bench.running.measurement import VariantUnderTest
from bench.running.provenance import data_of, training_of
from bench.running.rows import measure_model, tally
from bench.running.run_folder import RunBook
from bench.running.settings import (
    DEFAULT_BATCH_SIZES,
    DEFAULT_PRECISION,
    DEFAULT_RUNS,
    DEFAULT_TIMEOUT_S,
    check_data,
    settings_of,
    several,
)
from bench.running.suites import Selected, check_layers, select_models, select_techniques
from bench.running.training_precision import preferred_precision, training_notes
from bench.running.user_models import run_user_models
from bench.running.weights import load_or_train, require_cache, training_order
from bench.storage import checkpoint
from bench.tasks.source import DataPolicy
from bench.techniques.base import Technique
from bench.worker.messages import DatasetSummary, VariantRequest
from bench.worker.user.model import SUITE, UserModel, titles, user_models


def run(
    suite: str = "lab",
    *,
    tasks: str | Sequence[str] = (),
    models: str | Sequence[str | UserModel] = (),
    inputs: str | None = None,
    evaluate: str | None = None,
    calibrate: str | None = None,
    techniques: str | Sequence[str] = (),
    batch_sizes: int | Sequence[int] = DEFAULT_BATCH_SIZES,
    runs: int = DEFAULT_RUNS,
    precision: float = DEFAULT_PRECISION,
    budget_s: float | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    threads: int = 1,
    pin: str = "auto",
    engine: str | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    retrain: bool = False,
    training_precision: TrainingPrecision = "auto",
    progress: bool | None = None,
) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings goes on where it stopped. Rounds are made until every speed-up is
    known to ±``precision`` (a share) or a model's latencies have taken ``budget_s`` seconds. ``epochs`` takes the place
    of every recipe's, ``training_precision`` of what follows from the CPU. ``progress`` shows bars; by default they
    are shown on a terminal, and elsewhere a line a stage. Models of your own, such as ``net.py:build``, are measured
    as they are: ``inputs``, ``evaluate`` and ``calibrate`` name callables too (docs/own-models.md).
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    tasks, models, techniques = several(tasks), several(models), several(techniques)
    root = check_data(data, data_root)
    supplied_only = {
        "--suite": suite != "lab",
        "--task": tasks,
        "--data": data != "auto",
        "--data-root": data_root,
        "--epochs": epochs,
        "--retrain": retrain,
        "--training-precision": training_precision != "auto",
    }
    parts = {"inputs": inputs, "evaluate": evaluate, "calibrate": calibrate}
    own = user_models(models, parts, [option for option, given in supplied_only.items() if given])
    if not own:
        require_cache()
    selected = [] if own else select_models(suite, tasks, [str(name) for name in models])
    chosen = select_techniques(techniques)
    settings = settings_of(
        suite=SUITE if own else suite,
        models=[entry.name for entry in own or selected],
        techniques=[technique.name for technique in chosen],
        batch_sizes=several(batch_sizes),
        runs=runs,
        precision=precision,
        budget_s=budget_s,
        timeout_s=timeout_s,
        threads=threads,
        pin=pin,
        engine=engine,
        device=device,
        seed=seed,
        epochs=epochs,
        training_precision=training_precision,
        data=data,
    ).model_copy(update=titles(own))
    folder = Path(out) if out is not None else None
    if folder is not None:
        files.require_writable(folder)
    with Bars(wanted(progress)).live() as bars:
        here = this_machine.describe(bars)
        machine.require_device(device, here)
        if engine is not None:
            machine.require_engine(engine, here)
        book = RunBook.open(folder, settings, here)
        pending = [entry for entry in selected if not book.has(entry.name)]
        with tempfile.TemporaryDirectory(prefix="quantbench-") as shared:
            run_user_models(own, chosen, book, Path(shared), bars)
            needed = list(dict.fromkeys(entry.task for entry in pending))
            datasets = load_datasets(needed, data, root, Path(shared), bars)
            book.require_same_data({task.name: dataset.identity for task, dataset in datasets.items()})
            if not book.run.rows:  # a run that goes on was checked when it began
                check_layers(
                    chosen, (name for entry in pending for name in datasets[entry.task].layers[entry.spec.name])
                )
            for task, dataset in datasets.items():
                of_task = [entry for entry in pending if entry.task is task]
                _run_task(of_task, dataset, chosen, book, retrain, bars)
    return book.finish()


def _run_task(
    selected: Sequence[Selected],
    dataset: DatasetSummary,
    techniques: Sequence[Technique],
    book: RunBook,
    retrain: bool,
    bars: Bars,
) -> None:
    """Provide the weights of one task's models, and measure model after model."""
    settings = book.run.settings
    assert settings.seed is not None  # noqa: S101 — for the type checker
    cores = machine.usable_cores()
    task = selected[0].task
    data = data_of(dataset)
    engines = book.run.machine.quantized_engines
    unsupported = {
        technique.name: UnsupportedError(reason)
        for technique in techniques
        if (reason := technique.unsupported_reason(settings.device, settings.engine, engines))
    }
    orders = {
        (entry.name, technique.name): training_order(
            dataset,
            entry.spec.name,
            technique,
            settings.seed,
            settings.device,
            book.run.machine.isa,
            settings.epochs,
            precision=settings.training_precision,
            retrain=retrain,
        )
        for entry in selected
        for technique in techniques
        if technique.name not in unsupported
    }
    wanted = list({order.path: order for order in orders.values()}.values())  # techniques share trainings
    headers = load_or_train(wanted, dataset, retrain, cores, bars.stage)
    trained = {order.path: header for order, header in zip(wanted, headers, strict=True)}
    for entry in selected:
        subjects = []
        for position, technique in enumerate(techniques):
            order = orders.get((entry.name, technique.name))
            weights = trained[order.path] if order else None
            failed = weights if isinstance(weights, Exception) else None
            request = VariantRequest(
                task=task.name,
                model=entry.spec.name,
                technique=technique.name,
                dataset=dataset.path,
                checkpoint=(checkpoint.locate(order.file_name) if order else None) or dataset.path,
                packed=dataset.path.with_name(f"{task.name}-{entry.spec.name}-{position}.packed"),
                device=settings.device,
                engine=settings.engine,
                isa=frozenset(book.run.machine.isa),
                threads=settings.threads,
                largest_batch=max(settings.batch_sizes),
            )
            preferred = preferred_precision(technique, entry.spec, settings.device)
            notes = training_notes(preferred, order, settings.training_precision) if order else []
            subjects.append(VariantUnderTest(technique, request, unsupported.get(technique.name, failed), notes=notes))
        beside = reference.ReferenceWorkload(settings)
        rows = measure_model(subjects, settings, cores, bars, beside)
        of_model = dict.fromkeys(order.path for (name, _), order in orders.items() if name == entry.name)
        trainings = [
            training_of(entry, header) for path in of_model if not isinstance(header := trained[path], Exception)
        ]
        book.add(data, trainings, rows, [result.ReferenceLatency(model=entry.name, latency=beside.latency)])
        bars.say(f"{entry.name}: {tally(rows)}")
