"""The command that measures a row again, with all that its run was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from bench.core.variant_key import EAGER
from bench.options.option import several
from bench.options.run import SUPPLIED_ONLY, RunOptions
from bench.options.shared import DEFAULT_ENGINE
from bench.results.row import Row
from bench.results.run import Run
from bench.results.settings import Settings

OF_A_ROW = {"suite", "models", "techniques", "runtimes"}
"""Settings that the row itself answers."""
OPTIONS = {
    option.name: option
    for option in RunOptions.declared
    if option.name in Settings.model_fields and option.name not in OF_A_ROW
}
"""The options of ``bench run`` that settings record under the same names."""
TEXTS = ("inputs", "evaluate", "calibrate")
"""What names callables, which a call of the library hands over."""


def command(run: Run, row: Row, **changes: object) -> str:
    """Return ``bench run …`` for one row, in markdown; ``changes`` take the place of the run's settings.

    For a module that was handed to ``bench.measure`` it is that call.
    """
    of_user = bool(run.settings.inputs)
    asked = {name: changes.get(name, getattr(run.settings, name)) for name in OPTIONS}
    asked = {name: value for name, value in asked.items() if value not in (None, "", *_defaults(name))}
    if of_user:
        asked = {name: value for name, value in asked.items() if name not in SUPPLIED_ONLY}
        if ":" not in run.settings.inputs:
            return _call(row, asked)
    words = ["--model", _model(run, row) if of_user else row.full_model, "--technique", row.technique]
    words += ["--runtime", row.runtime] if row.runtime != EAGER else []
    for name, value in asked.items():
        for one in several(value):
            words += [str(OPTIONS[name].flag), f"{one:g}" if isinstance(one, float) else str(one)]
    return f"`{shlex.join(['bench', 'run', *words])}`"


def _defaults(name: str) -> tuple[object, ...]:
    """Return what is the same as leaving an option out, as settings record it."""
    default = OPTIONS[name].default
    return (DEFAULT_ENGINE,) if name == "engine" else (default, several(default))


def _call(row: Row, asked: Mapping[str, object]) -> str:
    arguments = [row.model, str(asked["inputs"]), f"techniques={[row.technique]!r}"]
    arguments += [f"runtimes={[row.runtime]!r}"] if row.runtime != EAGER else []
    arguments += [f"{name}={asked[name]}" for name in TEXTS[1:] if name in asked]  # names, no texts
    arguments += [f"{name}={value!r}" for name, value in asked.items() if name not in TEXTS]
    return f"`bench.measure({', '.join(arguments)})`"


def _model(run: Run, row: Row) -> str:
    """Return a model of one's own as it was named: its file and what gives it there."""
    return f"{next(data.title for data in run.data if data.task == row.task)}:{row.model}"
