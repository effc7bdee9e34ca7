"""Any number of runs beside each other: one table a model, what agrees between machines, and what changed on one.

Absolute latencies of different machines are only shown. What is compared between machines is the speed-up over each
machine's own fp32; what is compared between two runs of one machine is in ``bench.results.change``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.comparing import comparability, family, row_by_row
from bench.comparing.gate_rule import Rule
from bench.comparing.statements import ALL_NAMED, Statement, statements
from bench.core.errors import RequestError
from bench.core.units import counted
from bench.core.variant_key import VariantKey
from bench.results.change import Change, Missing
from bench.results.latency import Speedup
from bench.results.machine import Machine, same_hardware
from bench.results.record import Record
from bench.results.row import Row, Status
from bench.results.run import Run
from bench.results.run_file import load
from bench.results.settings import Settings
from bench.results.variant_field import VariantField

PACKED_SLACK = 0.01
"""Packed files may differ by this share: they hold scales as text, and machines round trained weights differently."""


class Column(Record):
    """One run."""

    label: str
    machine: Machine
    settings: Settings
    quantbench: str
    created: str
    finished: bool
    synthetic: list[str]
    """Titles of the sets in whose place it had stand-ins."""


class Cell(Record):
    """What one run has of one variant at one batch size."""

    status: Status
    simulated: bool
    estimate_s: float | None
    """The latency; ``None`` if it was not timed."""
    speedup: Speedup | None
    """Over the fp32 of the same run; ``None`` for a simulation too."""


class Line(Record):
    """One variant at one batch size."""

    variant: VariantField
    batch_size: int
    cells: list[Cell | None]
    """As the columns; ``None`` where the run has no such row."""


class ModelTable(Record):
    """One model on all machines."""

    model: str
    """As ``task/model``."""
    lines: list[Line]


class Apart(Record):
    """Two runs that are not held against each other row by row."""

    base: str
    new: str
    same_machine: bool
    reasons: list[str]


class Pair(Record):
    """Two runs of one machine, row by row."""

    base: str
    new: str
    changes: list[Change]
    missing: list[Missing]
    remarks: list[str]
    """What else differs, and how it was compared."""


class Comparison(Record):
    """What several runs say together."""

    columns: list[Column]
    tables: list[ModelTable]
    errors: list[str]
    """Sizes or parameters of one variant that differ between runs."""
    statements: list[Statement]
    pairs: list[Pair]
    apart: list[Apart]
    rules: list[Rule] = []
    """Of the gate; the figures that they check are judged as one family."""


def compare(*runs: Run | Path | str, labels: Sequence[str] = (), rules: Sequence[Rule] = ()) -> Comparison:
    """Compare runs, or the run files at these paths; ``labels`` name them, by default A, B, C and so on.

    Raises ``RequestError`` for fewer than two runs, for one that is there twice, for labels that do not fit, and where
    no two runs have a row in common, unless there are ``rules``: then that is for the gate to say. Raises
    ``RunFileError`` for a file that cannot be read.
    """
    if len(runs) < 2:
        raise RequestError(f"{counted(len(runs), 'run')} cannot be compared; name two run files or more.")
    names = list(labels) or [letters(position) for position in range(len(runs))]
    if len(set(names)) != len(runs):
        raise RequestError(f"{counted(len(runs), 'run')} need as many labels that differ, not {', '.join(names)}.")
    loaded = [run if isinstance(run, Run) else load(Path(run)) for run in runs]
    by_label = dict(zip(names, loaded, strict=True))
    _refuse_twins(by_label)
    if not rules:
        _refuse_strangers(by_label)
    pairs, apart = _pairs(by_label, rules)
    first_of_machine = {
        label: run for label, run in by_label.items() if label not in {pair.new for pair in pairs}
    }  # what a pair says of its second run need not be said again
    return Comparison(
        columns=[_column(label, run) for label, run in by_label.items()],
        tables=_tables(loaded),
        errors=_errors(by_label),
        statements=statements(first_of_machine, _variants(first_of_machine)),
        pairs=pairs,
        apart=apart,
        rules=list(rules),
    )


def _refuse_twins(runs: Mapping[str, Run]) -> None:
    """Refuse a run that is compared with itself: it has always passed, and hides that a file was not measured anew."""
    for (base, before), (new, after) in itertools.combinations(runs.items(), 2):
        if before == after:
            raise RequestError(
                f"{base} and {new} are the same run, measured {before.created}; name files of two measurements."
            )


def _refuse_strangers(runs: Mapping[str, Run]) -> None:
    holders = Counter(key for run in runs.values() for key in {row_by_row.key(row) for row in run.rows})
    if max(holders.values(), default=0) < 2:
        measured = {label: dict.fromkeys(row.full_model for row in run.rows) for label, run in runs.items()}
        shown = [f"{label} has {', '.join(models) or 'no rows'}" for label, models in measured.items()]
        shown[ALL_NAMED:] = ["…"] if len(shown) > ALL_NAMED else []
        raise RequestError(
            f"no two of these runs have a row in common ({'; '.join(shown)}); "
            f"name runs of the same models and techniques."
        )


def letters(position: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, letter = divmod(position, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + letter)


def _column(label: str, run: Run) -> Column:
    return Column(
        label=label,
        machine=run.machine,
        settings=run.settings,
        quantbench=run.quantbench,
        created=run.created,
        finished=run.finished,
        synthetic=[data.title for data in run.data if data.kind == "synthetic"],
    )


def _pairs(runs: Mapping[str, Run], rules: Sequence[Rule]) -> tuple[list[Pair], list[Apart]]:
    """Hold each run against the first before it that it can be held against; say why not against the very first."""
    bases, apart = {}, []
    labels = list(runs)
    for position, label in enumerate(labels[1:], start=1):
        new = runs[label]
        why_not = {base: comparability.obstacles(runs[base], new) for base in labels[:position]}
        base = next((base for base, reasons in why_not.items() if not reasons), None)
        if base is not None:
            bases[label] = base
        if why_not[labels[0]]:
            same = same_hardware(runs[labels[0]].machine, new.machine)
            apart.append(Apart(base=labels[0], new=label, same_machine=same, reasons=why_not[labels[0]]))
    changes = family.judge([row_by_row.figures(runs[base], runs[new]) for new, base in bases.items()], rules)
    pairs = [
        Pair(
            base=base,
            new=new,
            changes=judged,
            missing=row_by_row.missing(runs[base], runs[new]),
            remarks=_remarks(runs[base], runs[new]),
        )
        for (new, base), judged in zip(bases.items(), changes, strict=True)
    ]
    return pairs, apart


def _remarks(base: Run, new: Run) -> list[str]:
    differing = comparability.remarks(base, new)
    return [
        *([f"What else differs: {'; '.join(differing)}."] if differing else []),
        *row_by_row.how_it_was_done(base, new),
    ]


def _tables(runs: Sequence[Run]) -> list[ModelTable]:
    tables: dict[str, dict[tuple[VariantKey, int], list[Cell | None]]] = {}
    for position, run in enumerate(runs):
        for row in run.rows:
            lines = tables.setdefault(row.full_model, {})
            for size in run.settings.batch_sizes:
                cells = lines.setdefault((row.key, size), [None] * len(runs))
                cells[position] = Cell(
                    status=row.status,
                    simulated=row.simulated,
                    estimate_s=row.latency[size].estimate_s if size in row.latency else None,
                    speedup=None if row.simulated else row.speedup.get(size),
                )
    return [
        ModelTable(
            model=model,
            lines=[Line(variant=name, batch_size=size, cells=cells) for (name, size), cells in lines.items()],
        )
        for model, lines in tables.items()
    ]


def _variants(runs: Mapping[str, Run]) -> dict[tuple[str, VariantKey], dict[str, Row]]:
    """Return the rows of each variant, by the label of its run."""
    variants: dict[tuple[str, VariantKey], dict[str, Row]] = {}
    for label, run in runs.items():
        for row in run.rows:
            variants.setdefault((row.full_model, row.key), {})[label] = row
    return variants


_SIZES: dict[str, tuple[Callable[[Row], int | None], float]] = {
    "parameters": (lambda row: row.params, 0.0),
    "bytes on disk": (lambda row: row.size_bytes, 0.0),
    "bytes packed": (lambda row: row.packed_bytes, PACKED_SLACK),
}


def _errors(runs: Mapping[str, Run]) -> list[str]:
    """Name each size of one variant that is not everywhere the same.

    Other data may make other vocabularies, and a user's model may have been edited.
    """
    errors = []
    for (model, variant), rows in _variants(runs).items():
        base = next(iter(rows))
        alike = {
            label: row
            for label, row in rows.items()
            if row.task not in comparability.other_data(runs[base], runs[label])
            and row.task not in comparability.other_source(runs[base], runs[label])
        }
        for name, (read, slack) in _SIZES.items():
            known = {label: value for label, row in alike.items() if (value := read(row)) is not None}
            if known and max(known.values()) > (1 + slack) * min(known.values()):
                figures = ", ".join(f"{value:,} on {label}" for label, value in known.items())
                errors.append(f"`{variant}` of `{model}`: {figures} {name}, which should be the same everywhere")
    return errors
