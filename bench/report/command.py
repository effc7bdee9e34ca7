"""The commands that measure a row again, and that export it, with all that its run was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from bench.core.file_names import file_name
from bench.core.variant_key import EAGER
from bench.measuring.latency.sampling import SPREAD_S, precision_for
from bench.options.group import Options
from bench.options.option import Option, several
from bench.options.run import SUPPLIED_ONLY, RunOptions
from bench.options.studies import ExportOptions, SensitivityOptions
from bench.results.quantized_engine import default_engine
from bench.results.row import Row
from bench.results.run import Run
from bench.results.settings import Settings

OF_A_ROW = {"suite", "models", "techniques", "runtimes"}
"""Settings that the row itself answers."""


def _recorded(group: type[Options]) -> dict[str, Option]:
    """Return the options of a command that settings record under the same names."""
    return {
        option.name: option
        for option in group.declared
        if option.name in Settings.model_fields and option.name not in OF_A_ROW
    }


OPTIONS = _recorded(RunOptions)
EXPORT_OPTIONS = _recorded(ExportOptions)
SENSITIVITY_OPTIONS = _recorded(SensitivityOptions)
TEXTS = ("inputs", "evaluate", "calibrate")
"""What names callables, which a call of the library hands over."""


def command(run: Run, row: Row, **changes: object) -> str:
    """Return ``bench run …`` for one row, in markdown; ``changes`` take the place of the run's settings.

    For a module that was handed to ``bench.measure`` it is that call.
    """
    asked = _asked(run, OPTIONS, **changes)
    if run.settings.inputs and ":" not in run.settings.inputs:
        return _call(row, asked)
    words = ["--model", _model(run, row), "--technique", row.technique]
    words += ["--runtime", row.runtime] if row.runtime != EAGER else []
    return f"`{shlex.join(['bench', 'run', *words, *_flags(OPTIONS, asked)])}`"


def export_command(run: Run, row: Row) -> str:
    """Return ``bench export …``, which writes what the row measured; empty for a module that no command can name.

    Without ``--runtime`` it would write a packed file.
    """
    handed_over = run.settings.inputs and ":" not in run.settings.inputs
    if handed_over or run.settings.data is None:
        return ""
    words = ["bench", "export", _model(run, row), "--technique", row.technique, "--runtime", row.runtime]
    name = file_name(f"{row.full_model}-{row.technique}-{row.runtime}")
    flags = _flags(EXPORT_OPTIONS, _asked(run, EXPORT_OPTIONS))
    return shlex.join([*words, *flags, "--out", f"deploy/{name}"])


def sensitivity_command(run: Run, row: Row) -> str:
    """Return ``bench sensitivity …`` for a row's technique, in markdown; for a module that was given, that call."""
    asked = _asked(run, SENSITIVITY_OPTIONS)
    if run.settings.inputs and ":" not in run.settings.inputs:
        return f"`bench.sensitivity({', '.join([row.model, repr(row.technique), *_arguments(asked)])})`"
    words = ["bench", "sensitivity", _model(run, row), "--technique", row.technique]
    return f"`{shlex.join([*words, *_flags(SENSITIVITY_OPTIONS, asked)])}`"


def _asked(run: Run, options: Mapping[str, Option], **changes: object) -> dict[str, object]:
    """Return the settings that are not the defaults."""
    asked = {name: changes.get(name, getattr(run.settings, name)) for name in options}
    asked = {name: value for name, value in asked.items() if value not in (None, "", *_defaults(name, run))}
    unfit = SUPPLIED_ONLY if run.settings.inputs else ("batch_sizes",) if options is EXPORT_OPTIONS else ()
    return {name: value for name, value in asked.items() if name not in unfit}


def _flags(options: Mapping[str, Option], asked: Mapping[str, object]) -> list[str]:
    words: list[str] = []
    for name, value in asked.items():
        for one in several(value):
            words += [str(options[name].flag), f"{one:g}" if isinstance(one, float) else str(one)]
    return words


def _defaults(name: str, run: Run) -> tuple[object, ...]:
    """Return what is the same as leaving an option out, as settings record it."""
    default = OPTIONS[name].default
    chosen: dict[str, object] = {
        "engine": default_engine(run.machine),
        "spread_s": SPREAD_S,
        "precision": precision_for(run.settings.threads),
    }
    return (chosen[name],) if name in chosen else (default, several(default))


def _call(row: Row, asked: Mapping[str, object]) -> str:
    arguments = [row.model, str(asked["inputs"]), f"techniques={[row.technique]!r}"]
    arguments += [f"runtimes={[row.runtime]!r}"] if row.runtime != EAGER else []
    arguments += _arguments({name: value for name, value in asked.items() if name != "inputs"})
    return f"`bench.measure({', '.join(arguments)})`"


def _arguments(asked: Mapping[str, object]) -> list[str]:
    """Return keyword arguments, those that are names, no texts, first."""
    return [
        *(f"{name}={asked[name]}" for name in TEXTS if name in asked),
        *(f"{name}={value!r}" for name, value in asked.items() if name not in TEXTS),
    ]


def _model(run: Run, row: Row) -> str:
    """Return a model as it was named: one of one's own by its file and what gives it there."""
    if not run.settings.inputs:
        return row.full_model
    return f"{next(data.title for data in run.data if data.task == row.task)}:{row.model}"
