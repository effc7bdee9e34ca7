"""Whether two runs can be compared row by row, and what else differs between them.

| what differs | consequence |
|---|---|
| CPU, its instruction sets, cores or quota, accelerators | another machine: compared by speed-up alone |
| threads, pinned cores, device, TF32, engine | a column of its own: compared by speed-up alone |
| seed, epochs, training device, data, recipes | the same: accuracies of other weights do not compare |
| what gives a user's model inputs, judges and calibrates it | the same: another task |
| the rest of a user's model | is what one wants to compare: named, and compared |
| system, Python, torch, quantbench | may be what one wants to compare: named, and compared |
| suite, batch sizes, runs, precision, budget, spread, timeout | nothing: what both have compares |
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.results.machine import HARDWARE, same_hardware
from bench.results.record import Record
from bench.results.run import Run

_SETTINGS = {
    "threads": "threads",
    "pinned_cores": "pinned cores",
    "device": "device",
    "training_device": "training device",
    "tf32": "TF32",
    "engine": "quantized engine",
    "seed": "seed",
    "epochs": "epochs",
    "inputs": "inputs",
    "evaluate": "evaluate function",
    "calibrate": "calibration",
}
_SOFTWARE = {"os": "system", "python": "Python", "torch": "torch"}


def obstacles(base: Run, new: Run) -> list[str]:
    """Return why the rows of ``new`` cannot be compared with those of ``base`` one by one; empty if they can."""
    if not same_hardware(base.machine, new.machine):
        return [f"another machine ({', '.join(_differing(base.machine, new.machine, HARDWARE))})"]
    differing = _differing(base.settings, new.settings, _SETTINGS)
    return differing + list(other_data(base, new).values()) + _other_recipes(base, new)


def other_data(base: Run, new: Run) -> dict[str, str]:
    """Return what differs in the data of tasks that both have, by task."""
    before = {data.task: data for data in base.data}
    return {
        data.task: f"{data.task} data {was.kind} {was.fingerprint} and {data.kind} {data.fingerprint}"
        for data in new.data
        if (was := before.get(data.task)) is not None and (data.kind, data.fingerprint) != (was.kind, was.fingerprint)
    }


def other_source(base: Run, new: Run) -> list[str]:
    """Return the tasks of a user's models whose files are others."""
    before = {data.task: data.source for data in base.data}
    return [data.task for data in new.data if data.source != before.get(data.task, data.source)]


def remarks(base: Run, new: Run) -> list[str]:
    """Return what else differs and does not prevent the comparison."""
    differing = _differing(base.machine, new.machine, _SOFTWARE)
    differing += [f"the source of {task}" for task in other_source(base, new)]
    if base.quantbench != new.quantbench:
        differing.append(f"quantbench {base.quantbench} and {new.quantbench}")
    return differing


def _other_recipes(base: Run, new: Run) -> list[str]:
    before = {(training.model, training.precision, training.technique): training for training in base.trainings}
    differing = [
        training.model
        for training in new.trainings
        if (known := before.get((training.model, training.precision, training.technique))) is not None
        and (known.recipe_hash, known.seed) != (training.recipe_hash, training.seed)
    ]
    return [f"other recipes of {', '.join(dict.fromkeys(differing))}"] if differing else []


def _differing(base: Record, new: Record, names: Mapping[str, str]) -> list[str]:
    """Name the fields that differ, by what a reader calls them, with both values."""
    values = {name: (getattr(base, name), getattr(new, name)) for name in names}
    return [
        f"{names[name]} {_shown(was, name)} and {_shown(now, name)}"
        for name, (was, now) in values.items()
        if was != now
    ]


def _shown(value: object, name: str) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if value is None:
        return {"epochs": "as the recipes have them", "training_device": "as measured on"}.get(name, "unknown")
    return str(value) or "none"
