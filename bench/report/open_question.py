"""One question that a run leaves open, and the experiment that would settle it."""

from __future__ import annotations

import itertools

from bench.report.judged import FASTER, SLOWER, Judged, figures, signed
from bench.result import Run
from bench.summary import ALPHA, mcnemar
from bench.units import percent
from bench.verdict import UNDECIDED, p_text

HINT = 0.05
"""A difference that the verdicts leave undecided is asked about if its own p-value is below."""
LONGER = 4
"""Times as many rounds halve an interval."""


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
    seeds = next(count for count in itertools.count(1) if mcnemar(count, 0) < ALPHA)
    return (
        f"Does {each.name} change the accuracy? {signed(each)} with McNemar's {p_text(p_value)} are a hint and no "
        f"proof. Other trainings would tell: {_command(run, each)} with {seeds} other seeds (`--seed`); if all {seeds} "
        f"differences point the same way, that is no luck ({p_text(mcnemar(seeds, 0))}, sign test)."
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
    return (
        f"Is {each.name} faster or slower at batch {size}? {figures(each.speedup(size))} is known to "
        f"±{percent(width, 0)} only. {LONGER} times as many rounds would about halve that: "
        f"{_command(run, each, f' --batch {size} --budget {_budget(each, size):.0f}')}."
    )


def _cause(run: Run, rows: list[Judged]) -> str:
    """Ask at which batch size int8 begins to pay, where it is slower at a small one and faster at a large one."""
    for each in rows:
        slow = [size for size, verdict in each.speed.items() if each.int8 and verdict.word == SLOWER]
        fast = [size for size, verdict in each.speed.items() if verdict.word == FASTER]
        if slow and fast and max(slow) < min(fast):
            first, last = max(slow), min(fast)
            between = [size for power in range(1, 20) if first < (size := first * 2**power) < last]
            sizes = " ".join(f"--batch {size}" for size in [first, *between, last])
            return (
                f"From which batch size on does {each.name} pay? It is {SLOWER} at batch {first}, "
                f"{figures(each.speedup(first))}, and {FASTER} at batch {last}, {figures(each.speedup(last))}; "
                f"{_command(run, each, f' {sizes}')} shows where it crosses 1, and whether the "
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
        f"on seed {run.settings.seed}; {_command(run, most, f' --seed {run.settings.seed + 1}')} and further seeds "
        f"would tell."
    )


def _command(run: Run, each: Judged, more: str = "") -> str:
    threads = f" --threads {run.settings.threads}" if run.settings.threads != 1 else ""
    return f"`bench run --model {each.row.full_model} --technique {each.row.technique}{threads}{more}`"


def _budget(each: Judged, size: int) -> float:
    """Return the seconds that so many more rounds of the row and its baseline take."""
    rows = [row for row in (each.row, each.baseline) if row is not None]
    return max(1.0, LONGER * sum(sum(row.latency[size].rounds_s) * row.latency[size].calls_per_block for row in rows))
