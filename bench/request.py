"""What is asked of a measurement, checked before any work begins."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from bench import machine
from bench.errors import RequestError
from bench.measure.affinity import choose_cores
from bench.result import Settings
from tasks.recipes import RECIPES
from tasks.source import DataPolicy
from tasks.task import Optimizer, Schedule

DEFAULT_BATCH_SIZES = (1, 64)
DEFAULT_RUNS = 5
DEFAULT_PRECISION = 0.05
"""Speed-ups are known to ±5 %, or the row says why not."""
DEFAULT_TIMEOUT_S = 600.0
MAX_BATCH_SIZE = 65_536
"""More would measure the memory, or exhaust it."""

T = TypeVar("T")


def several(value: T | Iterable[T]) -> list[T]:
    """Return one name or number as a list of it; a string is one name."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def settings_of(
    *,
    suite: str,
    models: Sequence[str],
    techniques: Sequence[str],
    batch_sizes: Sequence[int],
    runs: int,
    precision: float,
    budget_s: float | None,
    timeout_s: float,
    threads: int,
    pin: str,
    engine: str | None,
    device: str,
    seed: int,
    epochs: int | None,
    data: DataPolicy,
) -> Settings:
    """Return the settings of a run; raises ``RequestError`` for what measures nothing, or needs more cores.

    Whether the machine has ``device`` and ``engine`` only a process that has imported torch can tell.
    """
    check_counts(batch_sizes, runs)
    check_limits(precision, budget_s, timeout_s)
    check_epochs(epochs)
    machine.require_threads(threads)
    check_seed(seed)
    return Settings(
        suite=suite,
        models=list(models),
        techniques=list(techniques),
        batch_sizes=list(dict.fromkeys(batch_sizes)),
        runs=runs,
        precision=precision,
        budget_s=budget_s,
        timeout_s=timeout_s,
        threads=threads,
        pinned_cores=choose_cores(pin, threads),
        device=device,
        engine=engine or machine.DEFAULT_ENGINE,
        seed=seed,
        epochs=epochs,
        data=data,
    )


def check_counts(batch_sizes: Sequence[int], runs: int) -> None:
    """Raise ``RequestError`` for batch sizes or numbers of runs that measure nothing."""
    if not batch_sizes:
        raise RequestError("there is no batch size to time; give --batch once or more.")
    for batch_size in batch_sizes:
        if not 1 <= batch_size <= MAX_BATCH_SIZE:
            raise RequestError(f"--batch {batch_size} is not a batch size; give 1 or more, at most {MAX_BATCH_SIZE:,}.")
    if runs < 1:
        raise RequestError(f"--runs {runs} measures nothing; give 1 or more (the lab's tables have 5).")


def check_limits(precision: float, budget_s: float | None, timeout_s: float) -> None:
    """Raise ``RequestError`` for limits that nothing can be measured within."""
    if not 0 < precision < 1:
        raise RequestError(f"--precision {precision:g} is not a share above 0 and below 1; give 2% or 0.02, say.")
    if budget_s is not None and not 0 < budget_s < math.inf:
        raise RequestError(f"--budget {budget_s:g} is no time to measure in; give seconds for one model, 10 say.")
    if not 0 < timeout_s < math.inf:
        raise RequestError(
            f"--timeout {timeout_s:g} is no time to wait; give the seconds after which a variant is hung."
        )


def check_epochs(epochs: int | None) -> None:
    """Raise ``RequestError`` for a number of epochs that trains nothing."""
    if epochs is not None and not 1 <= epochs <= 10_000:
        raise RequestError(f"--epochs {epochs} is no length of a training; give 1 to 10,000.")


def recipe_changes(
    recipe: str | None,
    learning_rate: float | None,
    weight_decay: float | None,
    schedule: str | None,
    optimizer: str | None,
) -> dict[str, float | str]:
    """Return the fields that take the place of those of a model's recipe: what is given outweighs the named recipe.

    Raises ``RequestError`` for values that nothing can be trained with, ``UnknownNameError`` for a name.
    """
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise RequestError(f"--learning-rate {learning_rate:g} is not a number above 0; give 0.05, for example.")
    if weight_decay is not None and not 0 <= weight_decay < 1:
        raise RequestError(f"--weight-decay {weight_decay:g} is not from 0 to below 1; give 1e-4, for example.")
    if schedule is not None and schedule not in get_args(Schedule):
        raise RequestError(f"--schedule {schedule} is none of {', '.join(get_args(Schedule))}; choose one.")
    if optimizer is not None and optimizer not in get_args(Optimizer):
        raise RequestError(f"--optimizer {optimizer} is none of {', '.join(get_args(Optimizer))}; choose one.")
    if optimizer is not None and learning_rate is None:
        raise RequestError(
            f"--optimizer {optimizer} needs a learning rate of its own, since one for SGD is too high for Adam; "
            f"give --learning-rate too."
        )
    given = {
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "optimizer": optimizer,
    }
    named = RECIPES.get(recipe).changes() if recipe is not None else {}
    return named | {name: value for name, value in given.items() if value is not None}


def check_seed(seed: int) -> None:
    """Raise ``RequestError`` for a seed that torch's generators cannot take."""
    if not 0 <= seed < 2**63:
        raise RequestError(f"--seed {seed} is not between 0 and 2⁶³ − 1.")


def check_data(data: DataPolicy, data_root: Path | str | None) -> Path | None:
    """Return the folder of the real data, if one is named; raises ``RequestError`` for one that cannot be read."""
    if data not in get_args(DataPolicy):
        raise RequestError(f"--data {data} is none of {', '.join(get_args(DataPolicy))}; choose one.")
    root = Path(data_root) if data_root is not None else None
    if root is not None and not os.path.isdir(root):  # noqa: PTH112 — Path.is_dir raises where it may not look
        raise RequestError(f"--data-root {root} is not a folder that can be read; create it, or leave the option out.")
    return root
