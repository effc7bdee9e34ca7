"""The suggested follow-up in a sentence, with the command that measures it."""

from __future__ import annotations

from collections.abc import Callable

from bench.core.units import percent, ratio
from bench.report.command import command
from bench.report.findings.finding import Finding
from bench.report.findings.follow_up import LONGER, PER_CHANNEL
from bench.report.names import named, points
from bench.results.run import Run
from bench.results.verdict import p_text


def _with_seeds(run: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    seeds = figures["seeds"]
    return (
        f"{_hint(finding)} Repeat the training: {command(run, row, seed=0)} with {seeds} other seeds (`--seed`). If "
        f"all {seeds} differences have the same sign, the change is significant ({p_text(figures['sign_p'])}, sign "
        f"test)."
    )


def _more_examples(run: Run, finding: Finding) -> str:
    [row] = finding.rows
    return f"{_hint(finding)} Evaluate on more test examples: {command(run, row)} with an evaluate that has them."


def _hint(finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    difference = f"{points(figures['points'])} with McNemar's {p_text(figures['p_value'])}"
    return f"{named(row)} may change the accuracy: {difference}, a hint and no proof."


def _more_processes(run: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    size, width = figures["batch"], figures["half_width"]
    changes = {"batch_sizes": [size], "precision": float(f"{width / 2:.2g}"), "budget_s": figures["budget_s"]}
    return (
        f"{named(row)} may be faster or slower at batch {size}: {ratio(figures['speedup'].interval)} is known to "
        f"±{percent(width, 0)} only. {LONGER} times as many processes would about halve that: "
        f"{command(run, row, **changes)}."
    )


def _between(run: Run, finding: Finding) -> str:
    batches, [row] = finding.figures["batches"], finding.rows
    first, last = (ratio(row.speedup[size].interval) for size in (batches[0], batches[-1]))
    return (
        f"**Question:** from which batch size on does {named(row)} pay? It is slower at batch {batches[0]}, {first}, "
        f"and faster at batch {batches[-1]}, {last}. **Experiment:** measure where it crosses 1: "
        f"{command(run, row, batch_sizes=batches)}. If the likely cause holds, the time lost per call stays the same."
    )


def _another_seed(run: Run, finding: Finding) -> str:
    figures, [row] = finding.figures, finding.rows
    return (
        f"The difference of {named(row)}, {points(figures['points'])}, may be the technique's or this training's: all "
        f"rows rest on seed {figures['seed']}. Repeat with {command(run, row, seed=figures['seed'] + 1)} and further "
        f"seeds."
    )


def _per_channel(run: Run, finding: Finding) -> str:
    [row] = finding.rows
    other = row.model_copy(update={"technique": PER_CHANNEL})
    return (
        f"**Question:** does a scale for each output keep the answers? {named(row)} {finding.figures['lost']}; its "
        f"weight tensors have one scale each, so that one large weight costs all others. **Experiment:** give each "
        f"output its own: {command(run, other)}."
    )


SENTENCES: dict[str, Callable[[Run, Finding], str]] = {
    "per-channel weights": _per_channel,
    "repeat with seeds": _with_seeds,
    "more test examples": _more_examples,
    "more processes": _more_processes,
    "batch sizes between": _between,
    "another seed": _another_seed,
}
