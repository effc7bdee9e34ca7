"""One question that a run leaves open, and the experiment that would settle it."""

from __future__ import annotations

import itertools
import math

from bench.core.units import percent
from bench.report.command import command
from bench.report.judged import FASTER, SLOWER, Judged, figures, signed
from bench.results.run import Run
from bench.results.verdict import UNDECIDED, p_text
from bench.stats.proportions import mcnemar
from bench.stats.times import ALPHA

HINT = 0.05
"""A difference that the verdicts leave undecided is asked about if its own p-value is below."""
LONGER = 4
"""So many times as many rounds halve an interval."""


def open_question(run: Run, rows: list[Judged]) -> list[str]:
    """Return the first question that the figures raise, of: accuracy, precision, cause, luck of the training."""
    for ask in (_accuracy, _precision, _cause, _training):
        if question := ask(run, rows):
            return [question]
    return []


def _accuracy(run: Run, rows: list[Judged]) -> str:
    """Ask whether an accuracy really changed that looks as if, but not by the verdict's standard."""
    hints = [
        (each.row.agreement.p_value, each)
        for each in rows
        if each.row.agreement and each.accuracy and each.accuracy.word == UNDECIDED
        if each.row.agreement.p_value < HINT
    ]
    if not hints:
        return ""
    p_value, each = min(hints, key=lambda pair: pair[0])
    found = f"{signed(each)} with McNemar's {p_text(p_value)}"
    question = f"Does {each.name} change the accuracy? {found} are a hint and no proof."
    if run.settings.inputs:  # given weights have no other training
        return f"{question} More test examples would tell: {command(run, each.row)} with an evaluate that has them."
    seeds = next(count for count in itertools.count(1) if mcnemar(count, 0) < ALPHA)
    return (
        f"{question} Other trainings would tell: {command(run, each.row, seed=0)} with {seeds} other seeds "
        f"(`--seed`); if all {seeds} differences point the same way, that is no luck "
        f"({p_text(mcnemar(seeds, 0))}, sign test)."
    )


def _precision(run: Run, rows: list[Judged]) -> str:
    """Ask for the speed-up that is known least of those that show no difference."""
    vague = [
        (each.speedup(size).half_width, each, size)
        for each in rows
        for size in each.speed
        if each.speed[size].word == UNDECIDED and each.speedup(size).half_width > run.settings.precision
    ]
    if not vague:
        return ""
    width, each, size = max(vague, key=lambda found: found[0])
    longer = command(
        run, each.row, batch_sizes=[size], precision=float(f"{width / 2:.2g}"), budget_s=_budget(run, each, size)
    )
    return (
        f"Is {each.name} faster or slower at batch {size}? {figures(each.speedup(size))} is known to "
        f"±{percent(width, 0)} only. {LONGER} times as many rounds would about halve that: {longer}."
    )


def _cause(run: Run, rows: list[Judged]) -> str:
    """Ask at which batch size int8 begins to pay, where it is slower at a small one and faster at a large one."""
    for each in rows:
        slow = [size for size, verdict in each.speed.items() if each.int8 and verdict.word == SLOWER]
        fast = [size for size, verdict in each.speed.items() if verdict.word == FASTER]
        if slow and fast and max(slow) < min(fast):
            first, last = max(slow), min(fast)
            between = [size for power in range(1, 20) if first < (size := first * 2**power) < last]
            crossing = command(run, each.row, batch_sizes=[first, *between, last])
            return (
                f"From which batch size on does {each.name} pay? It is {SLOWER} at batch {first}, "
                f"{figures(each.speedup(first))}, and {FASTER} at batch {last}, {figures(each.speedup(last))}; "
                f"{crossing} shows where it crosses 1, and whether the "
                f"likely cause holds: then the time lost per call stays the same."
            )
    return ""


def _training(run: Run, rows: list[Judged]) -> str:
    """Ask whether the largest difference in accuracy is the technique's or this training's."""
    compared = [each for each in rows if each.points]
    if not compared or run.settings.seed is None or run.settings.inputs:  # given weights have no other seed
        return ""
    most = max(compared, key=lambda each: abs(each.points or 0.0))
    return (
        f"Is the difference of {most.name}, {signed(most)}, the technique's or this training's? All rows rest "
        f"on seed {run.settings.seed}; {command(run, most.row, seed=run.settings.seed + 1)} and further seeds "
        f"would tell."
    )


def _budget(run: Run, each: Judged, size: int) -> float:
    """Return seconds that last for so many more rounds of the row, of fp32 and of the reference workload beside them.

    Twice what they took here: rounds end at the precision asked for, and lead-ins and fresh starts take time too.
    """
    model = each.row.full_model
    timed = [row.latency for row in (each.row, each.baseline) if row is not None]
    timed += [reference.latency for reference in run.references if reference.model == model]
    of_size = [latency[size] for latency in timed if size in latency]
    seconds = sum(
        (sum(latency.warm_up_s) + LONGER * sum(latency.rounds_s + latency.repeated_s)) * latency.calls_per_block
        for latency in of_size
    )
    return float(math.ceil(2 * seconds))
