"""Carries a suite out: data, weights, variants, measurements; each model's rows are on disk once they are there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core import files
from bench.core.errors import UnsupportedError
from bench.core.progress import Bars, wanted
from bench.measuring import machine
from bench.options.option import several
from bench.options.run import SUPPLIED_ONLY, RunOptions
from bench.options.signature import from_options
from bench.results import run as result
from bench.results.run import Machine, Run
from bench.running import reference
from bench.running.datasets import load_datasets
from bench.running.measurement import VariantUnderTest
from bench.running.provenance import data_of, training_of
from bench.running.rows import measure_model, tally
from bench.running.run_folder import RunBook
from bench.running.settings import settings_of
from bench.running.suites import Selected, check_layers, select_models, select_techniques
from bench.running.user_models import run_user_models
from bench.running.weights import load_or_train, require_cache, training_order
from bench.techniques.base import Technique
from bench.worker.messages import PREPARATION_HOST, DatasetSummary, VariantRequest
from bench.worker.process import Worker
from bench.worker.user.model import SUITE, UserModel, titles, user_models


@from_options(RunOptions)
def run(options: RunOptions) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings goes on where it stopped. Rounds are made until every speed-up is
    known to ±``precision`` (a share) or a model's latencies have taken ``budget_s`` seconds. Models of your own, such
    as ``net.py:build``, are measured as they are: ``inputs``, ``evaluate`` and ``calibrate`` name callables too
    (docs/own-models.md). Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    parts = {"inputs": options.inputs, "evaluate": options.evaluate, "calibrate": options.calibrate}
    return run_models(options, user_models(several(options.models), parts, options.given(SUPPLIED_ONLY)))


def run_models(options: RunOptions, own: Sequence[UserModel]) -> Run:
    """Measure models of the user's own, or the supplied ones that the options name if there are none; see ``run``."""
    if not own:
        require_cache()
    selected = [] if own else select_models(options.suite, several(options.tasks), several(options.models))
    chosen = select_techniques(several(options.techniques))
    settings = settings_of(
        options,
        suite=SUITE if own else options.suite,
        models=[entry.name for entry in own or selected],
        techniques=[technique.name for technique in chosen],
    ).model_copy(update=titles(own))
    folder = Path(options.out) if options.out is not None else None
    if folder is not None:
        files.require_writable(folder)
    with Bars(wanted(options.progress)).live() as bars:
        here = _describe_machine(bars)
        machine.require_device(options.device, here)
        if options.engine is not None:
            machine.require_engine(options.engine, here)
        book = RunBook.open(folder, settings, here)
        pending = [entry for entry in selected if not book.has(entry.name)]
        with tempfile.TemporaryDirectory(prefix="quantbench-") as shared:
            run_user_models(own, chosen, book, Path(shared), bars)
            needed = list(dict.fromkeys(entry.task for entry in pending))
            datasets = load_datasets(needed, options.data, options.root, Path(shared), bars)
            book.require_same_data({task.name: dataset.identity for task, dataset in datasets.items()})
            if not book.run.rows:  # a run that goes on was checked when it began
                check_layers(
                    chosen, (name for entry in pending for name in datasets[entry.task].layers[entry.spec.name])
                )
            for task, dataset in datasets.items():
                of_task = [entry for entry in pending if entry.task is task]
                _run_task(of_task, dataset, chosen, book, options.retrain, bars)
    return book.finish()


def _describe_machine(bars: Bars) -> Machine:
    """Ask a worker, which has torch imported."""
    show = bars.bar("import torch")
    show(0, 1)
    asked = Worker(PREPARATION_HOST)
    try:
        here: Machine = asked.call("describe")
    finally:
        asked.close()
    show(1, 1)
    return here


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
            dataset, entry.spec.name, technique, settings.seed, settings.device, settings.epochs
        )
        for entry in selected
        for technique in techniques
        if technique.name not in unsupported
    }
    wanted = list({order.path: order for order in orders.values()}.values())  # techniques share trainings
    headers = load_or_train(wanted, dataset, retrain, cores, bars.bar)
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
                checkpoint=order.path if order else dataset.path,
                packed=dataset.path.with_name(f"{task.name}-{entry.spec.name}-{position}.packed"),
                device=settings.device,
                engine=settings.engine,
                isa=frozenset(book.run.machine.isa),
                threads=settings.threads,
                largest_batch=max(settings.batch_sizes),
            )
            subjects.append(VariantUnderTest(technique, request, unsupported.get(technique.name, failed)))
        beside = reference.ReferenceWorkload(settings)
        rows = measure_model(subjects, settings, cores, bars, beside)
        of_model = dict.fromkeys(order.path for (name, _), order in orders.items() if name == entry.name)
        trainings = [
            training_of(entry, header) for path in of_model if not isinstance(header := trained[path], Exception)
        ]
        book.add(data, trainings, rows, [result.ReferenceLatency(model=entry.name, latency=beside.latency)])
        bars.say(f"{entry.name}: {tally(rows)}")
