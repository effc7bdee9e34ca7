"""The data of several tasks, loaded side by side before anything is trained: what is wrong with them shows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench.core.errors import DataError, QuantbenchError
from bench.core.progress import Bars
from bench.measuring import machine
from bench.tasks.policy import DataPolicy
from bench.tasks.task import Task
from bench.worker.messages import PREPARATION_HOST, DatasetSummary
from bench.worker.process import Call, Worker, close_all, run_calls


def load_datasets(
    tasks: Sequence[Task],
    policy: DataPolicy,
    data_root: Path | None,
    folder: Path,
    bars: Bars,
    loaded_files: Mapping[str, Path] | None = None,
) -> dict[Task, DatasetSummary]:
    """Load every task's data into files in ``folder``; raises ``DataError``, and says where data are synthetic.

    Tasks that ``loaded_files`` has by name are read from there, in the place of their sources.
    """
    files = {task: folder / f"{task.name}.safetensors" for task in tasks}
    given = loaded_files or {}
    loaders = [Worker(PREPARATION_HOST) for _ in tasks]
    calls = [
        Call(loader, "load", (task.name, policy, data_root, files[task], given.get(task.name)))
        for loader, task in zip(loaders, tasks, strict=True)
    ]
    loaded: dict[Task, DatasetSummary] = {}
    show = bars.stage("load data")
    show(0, len(tasks))
    try:
        for position, outcome in run_calls(calls, machine.usable_cores()):
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
        close_all(loaders)
    for task in tasks:
        if loaded[task].identity.kind == "synthetic":
            _announce_synthetic(task.title, loaded[task].description["note"])
    return {task: loaded[task] for task in tasks}


def _announce_synthetic(title: str, note: str) -> None:
    """Say it on every terminal and in every log, bars or not."""
    console = Console(stderr=True, highlight=False)
    if note:
        console.print(f"[bold yellow]warning:[/] {escape(note)}", soft_wrap=True)
    console.print(
        f"[bold yellow]SYNTHETIC DATA:[/] the {title} figures of this run are measured on a stand-in, not on {title}",
        soft_wrap=True,
    )
