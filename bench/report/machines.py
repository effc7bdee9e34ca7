"""The comparison of runs in markdown: machines, one table a model, what agrees, and what changed on one machine."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.comparing.comparison import Cell, Column, Comparison, ModelTable, Pair
from bench.comparing.statements import Statement
from bench.core.units import MISSING, counted, ratio, seconds
from bench.core.variant_key import BASELINE, VariantKey
from bench.report.conditions import instruction_sets
from bench.report.pictures import Picture
from bench.report.tables import Paint, Table, table, verdict
from bench.results.change import NO_DIFFERENCE, Change
from bench.results.machine import same_hardware
from bench.results.verdict import cell

_HOW_TO_READ = (
    "Cells: latency of a call, and its speed-up over the same {one}'s own fp32 with its 99 % interval. "
    "Compare speed-ups between {one}s; latencies of different {one}s are shown, not compared."
)
_HEADINGS = {
    "differs": "Speed-ups that differ between {one}s",
    "agrees": "Same verdict on every {one}",
    "cannot tell": "No verdict on some {one}s",
}
_SIZES = ("size", "packed", "params", "memory")
"""Exact, so that the figure says all."""


def render(comparison: Comparison, pictures: Sequence[Picture] = (), paint: Paint = str) -> str:
    """Return the whole comparison as one document.

    It refers to ``pictures``, for their files to lie beside it; ``paint`` may colour verdicts.
    """
    columns = comparison.columns
    parts = [f"# Quantbench: {counted(len(columns), 'run')} compared", _machines(columns)]
    parts += [
        f"> **Synthetic data.** {column.label} measured {', '.join(column.synthetic)} on generated stand-ins."
        for column in columns
        if column.synthetic
    ]
    parts += [f"> **Unfinished.** {column.label} was interrupted." for column in columns if not column.finished]
    if comparison.errors:
        errors = "\n".join(f"- **Error**: {error}." for error in comparison.errors)
        parts += ["## Errors: sizes differ", errors]
    one = "run" if _of_one_machine(columns) else "machine"
    how_to_read = _HOW_TO_READ.format(one=one)
    parts += ["## Latency and speed-up", how_to_read]
    parts += [_model(model, columns, pictures) for model in comparison.tables]
    for heading, above, lines in said(comparison, one):
        parts += [f"## {heading}", *above, "\n".join(f"- {line}" for line in lines)]
    apart = [
        f"- {runs.base} and {runs.new} are of one machine and are not compared row by row: {'; '.join(runs.reasons)}."
        for runs in comparison.apart
        if runs.same_machine
    ]
    if apart:
        parts += ["## Not compared row by row", "\n".join(apart)]
    for pair in comparison.pairs:
        parts += _pair(pair, paint)
    return "\n\n".join(part for part in parts if part) + "\n"


def _of_one_machine(columns: list[Column]) -> bool:
    """Return whether some of the runs are of one machine."""
    return any(same_hardware(base.machine, new.machine) for base, new in itertools.combinations(columns, 2))


def said(comparison: Comparison, one: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield a heading, what could explain all statements below it, and these; ``one`` is what a column is called."""
    for kind, heading in _HEADINGS.items():
        if statements := [statement for statement in comparison.statements if statement.kind == kind]:
            yield (heading.format(one=one), *_statements(statements))


def _statements(statements: list[Statement]) -> tuple[list[str], list[str]]:
    """Return what could explain all of them, where there are several, and each with the rest of its explanation."""
    shared = [
        could
        for could in statements[0].could_explain
        if all(could in statement.could_explain for statement in statements[1:])
    ]
    if len(statements) == 1:
        shared = []
    lines = []
    for statement in statements:
        rest = [could for could in statement.could_explain if could not in shared]
        why = f"; possible explanation{' as well' if shared else ''}: {'; '.join(rest)}" if rest else ""
        if statement.kind == "differs" and not rest and not shared:
            why = "; no recorded difference explains it"
        lines.append(f"{statement.sentence}{why}.")
    above = [f"Possible explanation of each: {'; '.join(shared)}."] if shared else []
    return above, lines


def _machines(columns: list[Column]) -> str:
    rows = [
        [
            column.label,
            column.machine.cpu,
            instruction_sets(column.machine.isa, column.machine.isa_limit) or MISSING,
            _device(column),
            column.settings.threads,
            column.settings.engine,
            column.machine.torch,
            column.quantbench,
            column.created,
        ]
        for column in columns
    ]
    header = ["", "CPU", "Instruction sets", "Device", "Threads", "Engine", "torch", "quantbench", "Measured"]
    return table(rows, header)


def _device(column: Column) -> str:
    device = column.settings.device
    return device if device == "cpu" else f"{device} ({', '.join(column.machine.accelerators)})"


def model_table(model: ModelTable, columns: list[Column]) -> Table:
    """Return one model's latencies and speed-ups, with a column a run."""
    rows = [
        [str(line.variant), line.batch_size, *(_cell(cell, line.variant) for cell in line.cells)]
        for line in model.lines
    ]
    return Table(["Technique", "Batch", *(column.label for column in columns)], rows, model.model)


def _model(model: ModelTable, columns: list[Column], pictures: Sequence[Picture]) -> str:
    images = [f"![{picture.title}]({picture.name})" for picture in pictures if picture.model == model.model]
    return "\n\n".join([model_table(model, columns).markdown(), *images])


def _cell(cell: Cell | None, variant: VariantKey) -> str:
    if cell is None:
        return MISSING
    if cell.estimate_s is None:
        return cell.status if cell.status in ("failed", "unsupported") else MISSING
    time = seconds(cell.estimate_s, digits=4)
    if cell.simulated:
        return f"{time} (simulated)"
    speedup = cell.speedup
    if variant == BASELINE or speedup is None:
        return time
    return f"{time}, {ratio(speedup.interval)}"


def _pair(pair: Pair, paint: Paint) -> list[str]:
    return [
        f"## {pair.new} against {pair.base}, row by row",
        " ".join(pair.remarks),
        _changes(pair).markdown(paint),
        "\n".join(_sentences(pair)),
    ]


def _changes(pair: Pair) -> Table:
    sizes = list(dict.fromkeys(change.batch_size for change in pair.changes if change.batch_size is not None))
    header = ["Model", "Technique"]
    for name in [*(f"Latency B{size}" for size in sizes), "Accuracy"]:
        header += [name, "Verdict"]
    header += [quantity.capitalize() for quantity in _SIZES]
    rows: dict[tuple[str, VariantKey], dict[tuple[str, int | None], Change]] = {}
    for change in pair.changes:
        rows.setdefault((change.model, change.variant), {})[change.quantity, change.batch_size] = change
    keys: list[tuple[str, int | None]] = [("latency", size) for size in sizes]
    keys.append(("accuracy", None))
    cells = [
        [
            model,
            str(variant),
            *(text for key in keys for text in _figure(by_quantity.get(key))),
            *(_figure(by_quantity.get((quantity, None)))[0] for quantity in _SIZES),
        ]
        for (model, variant), by_quantity in rows.items()
    ]
    return Table(header, cells)


def _figure(change: Change | None) -> tuple[str, str]:
    if change is None:
        return MISSING, ""
    return ("0" if change.word == "the same" else change.figure), verdict(cell(change.word))


def pair_lines(pair: Pair) -> list[str]:
    """Return what changed between two runs of one machine, or of equal ones."""
    return [f"{pair.new} against {pair.base}: {line.removeprefix('- ')}" for line in _sentences(pair)]


def _sentences(pair: Pair) -> list[str]:
    untold = [change for change in pair.changes if change.quantity == "latency" and change.word == "not comparable"]
    decided = [change for change in pair.changes if change.word not in NO_DIFFERENCE and change not in untold]
    lines = [f"- {change.row}: {change.sentence}." for change in decided]
    lines += [
        f"- `{gap.model}` `{gap.variant}`: **{'missing' if gap.lost else 'new'}**, {gap.sentence}."
        for gap in pair.missing
    ]
    for advice, number in Counter(change.advice for change in untold).items():
        lines.append(f"- Not comparable: {number:,} {'latency' if number == 1 else 'latencies'}; {advice}.")
    rest = len(pair.changes) - len(decided) - len(untold)
    if rest:
        lines.append(f"- No difference in the {'other ' if decided or untold else ''}{counted(rest, 'figure')}.")
    return lines
