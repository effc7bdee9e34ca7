"""What several machines say together of each technique's speed-up: it differs, it agrees, or it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.comparing.explanation import explanations
from bench.core.units import ratio
from bench.core.variant_key import BASELINE, VariantKey
from bench.results.latency import Speedup, log_ratios
from bench.results.record import Record
from bench.results.row import Row
from bench.results.run import Run
from bench.results.variant_field import VariantField
from bench.results.verdict import UNDECIDED, latency_verdicts
from bench.stats.multiple_tests import LATENCY_ALPHA, holm
from bench.stats.ratio import change

ALIKE = 1.1
"""The ratio of two speed-ups that is no difference, however precisely they are known: nobody would choose by it."""
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
    samples: Mapping[str, Sequence[float]]
    """The logarithm of the speed-up in each process."""
    words: Mapping[str, str]
    """The verdict of each run by itself."""

    @property
    def most(self) -> str:
        return max(self.speedups, key=lambda label: self.speedups[label].value)

    @property
    def least(self) -> str:
        return min(self.speedups, key=lambda label: self.speedups[label].value)

    def p_value(self) -> float:
        """Return that of the greatest and the least speed-up being ``ALIKE``, as the farthest apart of all pairs."""
        pairs = math.comb(len(self.speedups), 2)
        apart = change(self.samples[self.least], self.samples[self.most], math.log(ALIKE))
        return min(1.0, pairs * apart.p_value)


def statements(runs: Mapping[str, Run], variants: Variants) -> list[Statement]:
    """Return a statement for each variant and batch size that two runs or more know a speed-up of.

    Speed-ups differ if machines say opposite words, or if a test of the two farthest apart, with Holm's correction for
    all these statements, says that they are not ``ALIKE``.
    """
    words = {(label, *key): word for label, run in runs.items() for key, word in _words(run).items()}
    cases = []
    for (model, variant), rows in variants.items():
        baselines = variants.get((model, BASELINE), {})
        for size in dict.fromkeys(size for run in runs.values() for size in run.settings.batch_sizes):
            samples = {
                label: observations
                for label, row in rows.items()
                if variant != BASELINE and (observations := _observations(row, baselines.get(label), size))
            }
            if len(samples) > 1:
                dtype = next(iter(rows.values())).dtype
                speedups = {label: rows[label].speedup[size] for label in samples}
                said = {label: words[label, model, variant, size] for label in samples}
                cases.append(_Case(model, variant, dtype, size, speedups, samples, said))
    adjusted_p = holm([case.p_value() for case in cases])
    return [_statement(case, runs, adjusted) for case, adjusted in zip(cases, adjusted_p, strict=True)]


def _observations(row: Row, baseline: Row | None, size: int) -> list[float]:
    """Return the logarithm of the speed-up in each process; nothing where there is no verdict on it."""
    speedup = row.speedup.get(size)
    known = speedup is not None and (speedup.retired or speedup.confidence) and not row.simulated
    if not known or baseline is None or size not in row.latency or size not in baseline.latency:
        return []
    return log_ratios(baseline.latency[size], row.latency[size])


def _words(run: Run) -> dict[tuple[str, VariantKey, int], str]:
    """Return the verdict on each speed-up, as the report of the run has it: one family a model and batch size."""
    words: dict[tuple[str, VariantKey, int], str] = {}
    for model in dict.fromkeys(row.full_model for row in run.rows):
        rows = [row for row in run.rows if row.full_model == model]
        for size in run.settings.batch_sizes:
            for row, verdict in zip(rows, latency_verdicts(rows, size), strict=True):
                words[model, row.key, size] = verdict.word
    return words


def _statement(case: _Case, runs: Mapping[str, Run], adjusted_p: float) -> Statement:
    most, least = case.most, case.least
    high, low = case.speedups[most], case.speedups[least]
    words = set(case.words.values())
    what = f"`{case.variant}` on `{case.model}` at batch {case.size}"
    shown = case.speedups if len(case.speedups) <= ALL_NAMED else {least: low, most: high}
    could: list[str] = []
    kind: Literal["differs", "agrees", "cannot tell"]
    if {"faster", "slower"} <= words or adjusted_p <= LATENCY_ALPHA:
        kind = "differs"
        others = [f"{_as_fast(value)} on {label}" for label, value in shown.items() if label not in (most, least)]
        could = explanations({label: run for label, run in runs.items() if label in (most, least)}, case.dtype)
        sentence = f"{what} is {_as_fast(high)} as fast as {BASELINE} on {most} and {_as_fast(low)} on {least}" + (
            f" ({', '.join(others)})" if others else ""
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
    return ratio(value.interval)
