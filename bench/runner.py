"""Carries a suite out: data, weights, variants, measurements; each model's rows are on disk once they are there."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench import checkpoint, machine, result
from bench.errors import DataError, QuantbenchError, RequestError, RunFileError, UnsupportedError
from bench.measure.latency import ROUNDS_PER_RUN
from bench.preparation import PREPARATION_HOST, DatasetSummary
from bench.progress import Bars, wanted
from bench.report import markdown
from bench.result import Data, Machine, Row, Run, Settings, Training
from bench.rows import Subject, measure_model
from bench.suite import (
    DEFAULT_BATCH_SIZES,
    DEFAULT_RUNS,
    Selected,
    check_counts,
    select_models,
    select_techniques,
)
from bench.techniques.technique import Technique
from bench.variant import VariantRequest
from bench.weights import provide
from bench.worker import Job, Worker, run_jobs
from tasks.source import DataPolicy
from tasks.task import Task

RUN_FILE = "run.json"
REPORT_FILE = "report.md"
PREVIOUS_FILE = "run.previous.json"


def run(
    suite: str = "lab",
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    techniques: Sequence[str] = (),
    batch_sizes: Sequence[int] = DEFAULT_BATCH_SIZES,
    runs: int = DEFAULT_RUNS,
    threads: int = 1,
    engine: str | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    retrain: bool = False,
    progress: bool | None = None,
) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings goes on where it stopped. ``progress`` shows bars (by
    default on a terminal only). Raises ``tasks.errors.QuantbenchError`` for a request that makes no sense.
    """
    check_counts(batch_sizes, runs)
    machine.require_threads(threads)
    if data_root is not None and not Path(data_root).is_dir():
        raise RequestError(f"--data-root {data_root} is not a folder; create it, or leave the option out.")
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
            rounds_per_run=ROUNDS_PER_RUN,
            threads=threads,
            device=device,
            engine=engine or machine.DEFAULT_ENGINE,
            seed=seed,
            data=data,
        )
        book = RunBook.open(Path(out) if out is not None else None, settings, here)
        pending = [entry for entry in selected if not book.has(entry)]
        with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:
            datasets = _load(pending, settings, Path(data_root) if data_root else None, Path(folder), bars)
            for task, dataset in datasets.items():
                of_task = [entry for entry in pending if entry.task is task]
                _run_task(of_task, dataset, chosen, book, retrain, bars)
    return book.finish()


class RunBook:
    """The run so far, and its file."""

    def __init__(self, run: Run, folder: Path | None) -> None:
        self.run = run
        self._folder = folder
        self._save()

    @classmethod
    def open(cls, folder: Path | None, settings: Settings, here: Machine) -> RunBook:
        """Begin a run, or take up the unfinished one of the same settings in ``folder``.

        A finished run there is kept as ``run.previous.json``. Raises ``RunFileError`` where something else
        stands in the way, ``RequestError`` where the folder cannot be written.
        """
        fresh = Run(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            finished=False,
            machine=here,
            settings=settings,
        )
        path = folder / RUN_FILE if folder else None
        if path is None or not path.exists():
            return cls(fresh, folder)
        before = result.load(path)
        if not before.rows:
            return cls(fresh, folder)
        if before.finished:
            result.save(before, path.with_name(PREVIOUS_FILE))
            return cls(fresh, folder)
        differing = [
            f"{name} {getattr(before.settings, name)!r}, now {getattr(settings, name)!r}"
            for name in Settings.model_fields
            if getattr(before.settings, name) != getattr(settings, name)
        ]
        if before.machine != here:
            differing.append("another machine or torch")
        if differing:
            raise RunFileError(
                f"{path} is an unfinished run with other settings ({'; '.join(differing)}); finish it with its own, "
                f"delete it, or name another folder with --out."
            )
        return cls(before, folder)

    def has(self, selected: Selected) -> bool:
        """Return whether the rows of this model are there."""
        return any((row.task, row.model) == (selected.task.name, selected.spec.name) for row in self.run.rows)

    def add(self, data: Data, trainings: Sequence[Training], rows: Sequence[Row]) -> None:
        """Record one model's rows and what they stand on, on disk too."""
        others = [entry for entry in self.run.data if entry.task != data.task]
        self.run = self.run.model_copy(
            update={
                "data": [*others, data],
                "trainings": [*self.run.trainings, *trainings],
                "rows": [*self.run.rows, *rows],
            }
        )
        self._save()

    def finish(self) -> Run:
        """Mark the run as finished and write its report."""
        self.run = self.run.model_copy(update={"finished": True})
        self._save()
        if self._folder is not None:
            result.write_atomically(self._folder / REPORT_FILE, markdown.render([self.run]))
        return self.run

    def _save(self) -> None:
        if self._folder is not None:
            result.save(self.run, self._folder / RUN_FILE)


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


def _load(
    selected: Sequence[Selected], settings: Settings, data_root: Path | None, folder: Path, bars: Bars
) -> dict[Task, DatasetSummary]:
    """Load every task's data side by side, before anything is trained: what is wrong with them shows at once."""
    tasks = list(dict.fromkeys(entry.task for entry in selected))
    loaders = [Worker(PREPARATION_HOST) for _ in tasks]
    jobs = [
        Job(loader, "load", (task.name, settings.data, data_root, folder / f"{task.name}.safetensors"))
        for loader, task in zip(loaders, tasks, strict=True)
    ]
    loaded: dict[Task, DatasetSummary] = {}
    show = bars.bar("load data")
    show(0, len(tasks))
    try:
        for position, outcome in run_jobs(jobs, machine.usable_cores()):
            if isinstance(outcome, QuantbenchError):
                raise outcome
            if isinstance(outcome, Exception):
                raise DataError(
                    f"the data of {tasks[position].name} cannot be loaded ({outcome}); "
                    f"look at the files in the data root, or use --data synthetic."
                ) from outcome
            loaded[tasks[position]] = outcome
            show(len(loaded), len(tasks))
    finally:
        for loader in loaders:
            loader.close()
    for task in tasks:
        if loaded[task].identity.kind == "synthetic":
            _announce_synthetic(task.title, loaded[task].description["note"])
    return {task: loaded[task] for task in tasks}


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
    precisions = {
        technique.name: technique.training_precision(settings.device)
        for technique in techniques
        if technique.name not in unsupported
    }
    orders = {
        (entry.name, precision): checkpoint.order(
            task.name, dataset.specs[entry.spec.name], dataset.identity, precision, settings.seed, settings.device
        )
        for entry in selected
        for precision in dict.fromkeys(precisions.values())
    }
    trained = dict(zip(orders, provide(list(orders.values()), dataset, retrain, cores, bars.bar), strict=True))
    for entry in selected:
        subjects = []
        for technique in techniques:
            key = (entry.name, precisions.get(technique.name, "float32"))
            weights = trained[key]
            failed = weights if isinstance(weights, Exception) else None
            request = VariantRequest(
                task=task.name,
                model=entry.spec.name,
                technique=technique.name,
                dataset=dataset.path,
                checkpoint=orders[key].path,
                device=settings.device,
                engine=settings.engine,
                isa=frozenset(book.run.machine.isa),
                threads=settings.threads,
            )
            subjects.append(Subject(technique, request, unsupported.get(technique.name, failed)))
        rows = measure_model(subjects, settings, cores, bars)
        trainings = [
            _training(entry, header)
            for (name, _), header in trained.items()
            if name == entry.name and not isinstance(header, Exception)
        ]
        book.add(data, trainings, rows)
        bars.say(f"{entry.name}: {_outcome(rows)}")


def _training(selected: Selected, header: checkpoint.Header) -> Training:
    return Training(
        model=selected.name,
        precision=header.precision,
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


def _announce_synthetic(title: str, note: str) -> None:
    """Say it on every terminal and in every log, bars or not."""
    console = Console(stderr=True, highlight=False)
    if note:
        console.print(f"[bold yellow]warning:[/] {escape(note)}", soft_wrap=True)
    console.print(
        f"[bold yellow]SYNTHETIC DATA:[/] the {title} figures of this run are measured on a stand-in, not on {title}",
        soft_wrap=True,
    )
