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
}
"""What ``bench run`` takes by default, by the names of ``Settings``."""
OPTIONS = {"batch_sizes": "batch", "budget_s": "budget", "timeout_s": "timeout"}
"""Options that are named otherwise."""
SUPPLIED = ("data", "epochs")
"""What a user's model has none of."""


def command(run: Run, row: Row, **changes: object) -> str:
    """Return ``bench run …`` for one row, in markdown; ``changes`` take the place of the run's settings.

    For a module that was handed to ``bench.measure`` it is that call.
    """
    users = bool(run.settings.inputs)
    asked = {name: changes.get(name, getattr(run.settings, name)) for name in DEFAULTS}
    given = {name: value for name, value in asked.items() if value not in (None, DEFAULTS[name])}
    if users:
        given = {name: value for name, value in given.items() if name not in SUPPLIED}
        if ":" not in run.settings.inputs:
            return _call(row, given)
    words = ["--model", _model(run, row) if users else row.full_model, "--technique", row.technique]
    for name, value in given.items():
        for part in value if isinstance(value, list) else [value]:
            words += [f"--{OPTIONS.get(name, name)}", f"{part:g}" if isinstance(part, float) else str(part)]
    return f"`{shlex.join(['bench', 'run', *words])}`"


def _call(row: Row, given: Mapping[str, object]) -> str:
    arguments = [row.model, str(given["inputs"]), f"techniques={[row.technique]!r}"]
    arguments += [f"{name}={given[name]}" for name in ("evaluate", "calibrate") if name in given]  # names, no texts
    arguments += [f"{name}={value!r}" for name, value in given.items() if DEFAULTS[name] != ""]
    return f"`bench.measure({', '.join(arguments)})`"


def _model(run: Run, row: Row) -> str:
    """Return a model of one's own as it was named: its file and what gives it there."""
    return f"{next(data.title for data in run.data if data.task == row.task)}:{row.model}"
