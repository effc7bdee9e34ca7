"""What several machines say together of each technique's speed-up: it differs, it agrees, or it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.comparing.explanation import explanations
from bench.core.variant_key import BASELINE, VariantKey
from bench.results.latency import Speedup
from bench.results.record import Record
from bench.results.row import Row
from bench.results.run import Run
from bench.results.variant_field import VariantField
from bench.results.verdict import UNDECIDED, latency_verdicts
from bench.stats.change import time_change
from bench.stats.multiple_tests import ALPHA, holm

ALIKE = 1.1
"""Speed-ups whose ratio is smaller are called alike, however precisely they are known: nobody would choose by it."""
ALL_NAMED = 4
"""So many runs have their figures in a sentence; of more, the least and the greatest."""

Variants = Mapping[tuple[str, VariantKey], Mapping[str, Row]]
"""The rows of each model's variants, by the label of its run."""


class Statement(Record):
    """What all machines say of one technique's speed-up."""

    kind: Literal["differs", "agrees", "cannot tell"]
    model: str
    variant: VariantField
    batch_size: int
    sentence: str
    could_explain: list[str] = []
    """What differs between the two runs that are farthest apart, if it differs."""


@dataclass(frozen=True)
class _Case:
    """One variant at one batch size, on all runs that know its speed-up."""

    model: str
    variant: VariantField
    dtype: str
    size: int
    speedups: Mapping[str, Speedup]
    words: Mapping[str, str]
    """The verdict of each run by itself."""

    @property
    def most(self) -> str:
        return max(self.speedups, key=lambda label: self.speedups[label].value)

    @property
    def least(self) -> str:
        return min(self.speedups, key=lambda label: self.speedups[label].value)

    def p_value(self) -> float:
        """Return that of the greatest and the least speed-up being one, as the farthest apart of all pairs."""
        low, high = self.speedups[self.least], self.speedups[self.most]
        pairs = math.comb(len(self.speedups), 2)
        return min(1.0, pairs * time_change(low.log_ratio, high.log_ratio).p_value)


def statements(runs: Mapping[str, Run], variants: Variants) -> list[Statement]:
    """Return a statement for each variant and batch size that two runs or more know a speed-up of.

    Speed-ups differ if machines say opposite words, or if they are not ``ALIKE`` and a test of the two farthest apart,
    with Holm's correction for all these statements, says so.
    """
    words = {(label, *key): word for label, run in runs.items() for key, word in _words(run).items()}
    cases = []
    for (model, variant), rows in variants.items():
        for size in dict.fromkeys(size for run in runs.values() for size in run.settings.batch_sizes):
            known = {
                label: row.speedup[size]
                for label, row in rows.items()
                if variant != BASELINE
                and (label, model, variant, size) in words
                and not row.simulated
                and size in row.speedup
                and row.speedup[size].confidence
            }
            if len(known) > 1:
                said = {label: words[label, model, variant, size] for label in known}
                cases.append(_Case(model, variant, next(iter(rows.values())).dtype, size, known, said))
    adjusted_p = holm([case.p_value() for case in cases])
    return [_statement(case, runs, adjusted) for case, adjusted in zip(cases, adjusted_p, strict=True)]


def _words(run: Run) -> dict[tuple[str, VariantKey, int], str]:
    """Return the verdict on each speed-up, as the report of the run has it: one family a task and batch size."""
    words: dict[tuple[str, VariantKey, int], str] = {}
    for task in dict.fromkeys(row.task for row in run.rows):
        rows = run.rows_of(task)
        for size in run.settings.batch_sizes:
            for row, verdict in zip(rows, latency_verdicts(rows, size), strict=True):
                words[row.full_model, row.key, size] = verdict.word
    return words


def _statement(case: _Case, runs: Mapping[str, Run], adjusted_p: float) -> Statement:
    most, least = case.most, case.least
    high, low = case.speedups[most], case.speedups[least]
    words = set(case.words.values())
    what = f"`{case.variant}` on `{case.model}` at batch {case.size}"
    shown = case.speedups if len(case.speedups) <= ALL_NAMED else {least: low, most: high}
    could: list[str] = []
    kind: Literal["differs", "agrees", "cannot tell"]
    if {"faster", "slower"} <= words or (adjusted_p < ALPHA and high.value > ALIKE * low.value):
        kind = "differs"
        others = [f"{_as_fast(value)} on {label}" for label, value in shown.items() if label not in (most, least)]
        could = explanations({label: run for label, run in runs.items() if label in (most, least)}, case.dtype)
        sentence = (
            f"{what} is {high.value:.2f}× as fast as {BASELINE} on {most} [{high.low:.2f}, {high.high:.2f}] and "
            f"{low.value:.2f}× on {least} [{low.low:.2f}, {low.high:.2f}]"
            + (f" ({', '.join(others)})" if others else "")
        )
    else:
        figures = ", ".join(f"{_as_fast(value)} on {label}" for label, value in shown.items())
        undecided = [label for label, word in case.words.items() if word == UNDECIDED]
        if undecided:
            kind = "cannot tell"
            sentence = f"{what}: {figures}; no difference from {BASELINE} detected on {', '.join(undecided)}"
        else:
            kind = "agrees"
            where = "everywhere" if len(case.words) == len(runs) else f"on {', '.join(case.words)}"
            sentence = f"{what} is {next(iter(words))} than {BASELINE} {where}: {figures}"
    return Statement(
        kind=kind,
        model=case.model,
        variant=case.variant,
        batch_size=case.size,
        sentence=sentence,
        could_explain=could,
    )


def _as_fast(value: Speedup) -> str:
    return f"{value.value:.2f}× [{value.low:.2f}, {value.high:.2f}]"
