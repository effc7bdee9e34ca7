"""Many machines in a few columns: those of one CPU model and instruction sets are a group, and outliers have names."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.comparing.comparison import letters
from bench.core.variant_key import VariantKey
from bench.results.record import Record
from bench.results.row import Row
from bench.results.run import Run
from bench.results.variant_field import VariantField
from bench.stats.describe import percentile

MOST_COLUMNS = 8
"""Of more machines a table has a column a group."""
FEWEST_FOR_OUTLIERS = 5
"""A group of fewer has no spread that one of them could be outside of."""
OUTSIDE = 5.0
"""So many robust standard deviations from its group's median a speed-up is an outlier."""
ALIKE = 1.1
"""A speed-up within this ratio of its group's median is no outlier, however alike the others are."""
_TO_DEVIATION = 1.4826
"""The median absolute deviation times this is the standard deviation of normal values (Rousseeuw and Croux 1993)."""


class Group(Record):
    """Machines of one kind."""

    label: str
    cpu: str
    isa: list[str]
    isa_limit: str
    """As in ``bench.results.machine.Machine``."""
    members: list[str]
    """The nodes, the most typical first: it stands for the group where machines are compared."""


class Spread(Record):
    """What a group's machines say of one variant at one batch size."""

    group: str
    model: str
    variant: VariantField
    batch_size: int
    median: float
    """Of the members' speed-ups."""
    low: float
    """Their 5th percentile."""
    high: float
    """Their 95th."""
    count: int


class Outlier(Record):
    """A machine whose speed-up is far from that of its equals."""

    node: str
    group: str
    model: str
    variant: VariantField
    batch_size: int
    speedup: float
    median: float
    """Of the group."""
    load: float | None = None
    """That was noted of it when it began."""


Key = tuple[str, VariantKey, int]
"""Model, variant, batch size."""


def groups_of(runs: Mapping[str, Run]) -> list[Group]:
    """Return the kinds of machines among the runs, the largest first, labelled A, B, C and so on."""
    members: dict[tuple[str, ...], list[str]] = {}
    for name, run in runs.items():
        machine = run.machine
        kind = (machine.cpu, " ".join(sorted(machine.isa)), machine.architecture, *machine.accelerators)
        members.setdefault((*kind, machine.isa_limit, run.settings.device), []).append(name)
    ordered = sorted(members.values(), key=len, reverse=True)
    groups = []
    for position, names in enumerate(ordered):
        machine = runs[names[0]].machine
        groups.append(
            Group(
                label=letters(position),
                cpu=machine.cpu,
                isa=list(machine.isa),
                isa_limit=machine.isa_limit,
                members=_typical_first({name: _speedups(runs[name]) for name in names}),
            )
        )
    return groups


def spreads_of(groups: Sequence[Group], runs: Mapping[str, Run]) -> tuple[list[Spread], list[Outlier]]:
    """Return what each group's machines say of each variant, and the machines that are far from their equals."""
    spreads: list[Spread] = []
    outliers: list[Outlier] = []
    for group in groups:
        by_node = {name: _speedups(runs[name]) for name in group.members}
        keys = dict.fromkeys(key for speedups in by_node.values() for key in speedups)
        for model, variant, size in keys:
            logs = {
                name: value[model, variant, size] for name, value in by_node.items() if (model, variant, size) in value
            }
            values = list(logs.values())
            middle = statistics.median(values)
            about: dict[str, Any] = {"group": group.label, "model": model, "variant": variant, "batch_size": size}
            low, high = (math.exp(percentile(values, share)) for share in (0.05, 0.95))
            spreads.append(Spread(**about, median=math.exp(middle), low=low, high=high, count=len(values)))
            outliers += [
                Outlier(**about, node=name, speedup=math.exp(logs[name]), median=math.exp(middle))
                for name in _outside(logs, middle)
            ]
    return spreads, outliers


def _speedups(run: Run) -> dict[Key, float]:
    """Return the logarithm of each speed-up that says something of this machine."""
    rows: Sequence[Row] = [row for row in run.rows if not row.simulated]
    return {
        (row.full_model, row.key, size): math.log(speedup.value)
        for row in rows
        for size, speedup in row.speedup.items()
    }


def _outside(logs: Mapping[str, float], middle: float) -> list[str]:
    if len(logs) < FEWEST_FOR_OUTLIERS:
        return []
    deviation = _TO_DEVIATION * statistics.median(abs(value - middle) for value in logs.values())
    limit = max(OUTSIDE * deviation, math.log(ALIKE))
    return [name for name, value in logs.items() if abs(value - middle) > limit]


def _typical_first(speedups: Mapping[str, Mapping[Key, float]]) -> list[str]:
    """Return the names, that one first whose speed-ups are nearest to the medians of all; the others as they were."""
    keys = dict.fromkeys(key for values in speedups.values() for key in values)
    middle = {key: statistics.median(v[key] for v in speedups.values() if key in v) for key in keys}

    def distance(name: str) -> tuple[int, float]:
        values = speedups[name]
        missing = len(keys) - len(values)
        return missing, sum(abs(value - middle[key]) for key, value in values.items())

    typical = min(speedups, key=distance)
    return [typical, *(name for name in speedups if name != typical)]
