"""Carries a suite out: data, weights, variants, measurements; each model's rows are on disk once they are there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from bench import checkpoint, machine, result
from bench.datasets import load_datasets
from bench.errors import RequestError, UnsupportedError
from bench.measure.affinity import choose_cores
from bench.preparation import PREPARATION_HOST, DatasetSummary
from bench.progress import Bars, wanted
from bench.result import Data, Machine, Row, Run, Settings, Training
from bench.rows import measure_model
from bench.run_book import RunBook
from bench.subject import Subject
from bench.suite import (
    DEFAULT_BATCH_SIZES,
    DEFAULT_PRECISION,
    DEFAULT_RUNS,
    DEFAULT_TIMEOUT_S,
    Selected,
    check_counts,
    check_epochs,
    check_limits,
    select_models,
    select_techniques,
)
from bench.techniques.technique import Technique
from bench.variant import VariantRequest
from bench.weights import provide, require_cache, training_order
from bench.worker import Worker
from tasks.source import DataPolicy


def run(
    suite: str = "lab",
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    techniques: Sequence[str] = (),
    batch_sizes: Sequence[int] = DEFAULT_BATCH_SIZES,
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
    progress: bool | None = None,
) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings goes on where it stopped. Rounds are made until every speed-up is
    known to ±``precision`` (a share) or a model's latencies have taken ``budget_s`` seconds. ``progress`` shows bars
    (by default on a terminal only); ``epochs`` takes the place of every recipe's. Raises
    ``tasks.errors.QuantbenchError`` for a request that makes no sense.
    """
    check_counts(batch_sizes, runs)
    check_limits(precision, budget_s, timeout_s)
    check_epochs(epochs)
    machine.require_threads(threads)
    pinned_cores = choose_cores(pin, threads)
    if data not in get_args(DataPolicy):
        raise RequestError(f"--data {data} is none of {', '.join(get_args(DataPolicy))}; choose one.")
    if not 0 <= seed < 2**63:
        raise RequestError(f"--seed {seed} is not between 0 and 2⁶³ − 1.")
    root = Path(data_root) if data_root is not None else None
    if root is not None and not os.path.isdir(root):  # noqa: PTH112 — Path.is_dir raises where it may not look
        raise RequestError(f"--data-root {root} is not a folder that can be read; create it, or leave the option out.")
    folder = Path(out) if out is not None else None
    if folder is not None:
        result.require_writable(folder)
    require_cache()
    selected = select_models(suite, tasks, models)
    chosen = select_techniques(techniques)
    with Bars(wanted(progress)).live() as bars:
        here = _describe_machine(bars)
        machine.require_device(device, here)
        if engine is not None:
            machine.require_engine(engine, here)
        settings = Settings(
            suite=suite,
            models=[entry.name for entry in selected],
            techniques=[technique.name for technique in chosen],
            batch_sizes=list(dict.fromkeys(batch_sizes)),
            runs=runs,
            precision=precision,
            budget_s=budget_s,
            timeout_s=timeout_s,
            threads=threads,
            pinned_cores=pinned_cores,
            device=device,
            engine=engine or machine.DEFAULT_ENGINE,
            seed=seed,
            epochs=epochs,
            data=data,
        )
        book = RunBook.open(folder, settings, here)
        pending = [entry for entry in selected if not book.has(entry)]
        with tempfile.TemporaryDirectory(prefix="quantbench-") as shared:
            needed = list(dict.fromkeys(entry.task for entry in pending))
            datasets = load_datasets(needed, data, root, Path(shared), bars)
            book.require_same_data(datasets)
            for task, dataset in datasets.items():
                of_task = [entry for entry in pending if entry.task is task]
                _run_task(of_task, dataset, chosen, book, retrain, bars)
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
    data = Data(
        task=task.name,
        kind=dataset.identity.kind,
        fingerprint=dataset.identity.fingerprint,
        train_examples=dataset.train_examples,
        test_examples=dataset.test_examples,
        **dataset.description,
    )
    engines = book.run.machine.quantized_engines
    unsupported = {
        technique.name: UnsupportedError(reason)
        for technique in techniques
        if (reason := technique.obstacle(settings.device, settings.engine, engines))
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
    headers = provide(wanted, dataset, retrain, cores, bars.bar)
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
            subjects.append(Subject(technique, request, unsupported.get(technique.name, failed)))
        rows = measure_model(subjects, settings, cores, bars)
        of_model = dict.fromkeys(order.path for (name, _), order in orders.items() if name == entry.name)
        trainings = [
            _training(entry, header) for path in of_model if not isinstance(header := trained[path], Exception)
        ]
        book.add(data, trainings, rows)
        bars.say(f"{entry.name}: {_outcome(rows)}")


def _training(selected: Selected, header: checkpoint.Header) -> Training:
    return Training(
        model=selected.name,
        precision=header.precision,
        technique=header.technique,
        description=selected.spec.description,
        recipe=header.recipe,
        recipe_hash=header.recipe_hash,
        seed=header.seed,
        seconds=header.seconds,
        threads=header.threads,
        device=header.device,
    )


def _outcome(rows: Sequence[Row]) -> str:
    """Say in a few words what became of a model's rows."""
    counts = {status: sum(row.status == status for row in rows) for status in ("ok", "noisy", "unsupported", "failed")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)
