"""The command that measures a row again, with all that its run was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from bench.results.run import Row, Run

DEFAULTS: Final[Mapping[str, object]] = {
    "inputs": "",
    "evaluate": "",
    "calibrate": "",
    "batch_sizes": [1, 64],
    "runs": 5,
    "precision": 0.05,
    "budget_s": None,
    "timeout_s": 600.0,
    "threads": 1,
    "engine": "fbgemm",
    "device": "cpu",
    "data": "auto",
    "seed": 0,
    "epochs": None,
    "training_precision": "auto",
}
"""What ``bench run`` takes where it is told nothing else, by the names of ``Settings``."""
OPTIONS = {
    "batch_sizes": "batch",
    "budget_s": "budget",
    "timeout_s": "timeout",
    "training_precision": "training-precision",
}
"""Options that are named otherwise."""
SUPPLIED = ("data", "epochs", "training_precision")
"""What a model of one's own has none of."""


def command(run: Run, row: Row, **changes: object) -> str:
    """Return ``bench run …`` for one row, in markdown; ``changes`` take the place of the run's settings.

    For a module that was handed to ``bench.measure`` it is that call.
    """
    own = bool(run.settings.inputs)
    wanted = {name: changes.get(name, getattr(run.settings, name)) for name in DEFAULTS}
    told = {name: value for name, value in wanted.items() if value not in (None, DEFAULTS[name])}
    if own:
        told = {name: value for name, value in told.items() if name not in SUPPLIED}
        if ":" not in run.settings.inputs:
            return _call(row, told)
    words = ["--model", _model(run, row) if own else row.full_model, "--technique", row.technique]
    for name, value in told.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{OPTIONS.get(name, name)}", f"{each:g}" if isinstance(each, float) else str(each)]
    return f"`{shlex.join(['bench', 'run', *words])}`"


def _call(row: Row, told: Mapping[str, object]) -> str:
    arguments = [row.model, str(told["inputs"]), f"techniques={[row.technique]!r}"]
    arguments += [f"{name}={told[name]}" for name in ("evaluate", "calibrate") if name in told]  # names, no texts
    arguments += [f"{name}={value!r}" for name, value in told.items() if DEFAULTS[name] != ""]
    return f"`bench.measure({', '.join(arguments)})`"


def _model(run: Run, row: Row) -> str:
    """Return a model of one's own as it was named: its file and what gives it there."""
    return f"{next(data.title for data in run.data if data.task == row.task)}:{row.model}"
