"""A self-check in markdown: a table of what was asked, found and held against, and a sentence on what it means.

``bench selfcheck`` and ``make trust`` print the same table, of few runs and of many.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.core.units import counted, percent
from bench.report.tables import table
from bench.results.selfcheck import Comparison, SelfCheck
from bench.results.verdict import UNDECIDED
from bench.stats.describe import mean_std

FALSE_ALARMS = 0.01
"""The share of verdicts on equals that may be wrong."""
POWER = 0.95
COVERAGE = 37 / 40
"""What intervals of 95 % would reach in all but one of a hundred checks, if nothing changed between the minutes of the
runs. Ours are of 99 % because it does."""
SPREAD = 0.02
"""Coefficient of variation, with 1 thread."""
NOISY = {1: 0.0}
"""By threads; with more, ``NOISY_THREADED``."""
NOISY_THREADED = 0.1
TRUTH = 0.01
COST_S = 50e-9
BUSY_LOAD = 0.5
DISTURBED_SHARE = 0.1


@dataclass(frozen=True)
class Answer:
    """One line of the table."""

    question: str
    tried: str
    value: str
    bound: str = ""
    """Empty where nothing is promised."""
    reached: bool = True
    fault: str = ""
    """What is wrong if the bound is missed."""

    @property
    def cells(self) -> list[str]:
        """The line."""
        reached = ("yes" if self.reached else "missed") if self.bound else ""
        return [self.question, self.tried, self.value, self.bound, reached]


def answers(check: SelfCheck) -> list[Answer]:
    """Return all lines."""
    return [*_verdicts(check), *_intervals(check), *_spreads(check), *_readings(check)]


def faults(check: SelfCheck) -> list[str]:
    """Return why this machine's figures are not to be trusted; empty if they are."""
    return [answer.fault for answer in answers(check) if not answer.reached]


def render(check: SelfCheck) -> str:
    """Return the table, the sentence and the conditions, as markdown."""
    cores = f", on core {', '.join(map(str, check.pinned_cores))}" if check.pinned_cores else ""
    blocks, disturbed = (sum(getattr(run, name) for run in check.runs) for name in ("blocks", "disturbed_blocks"))
    return "\n\n".join(
        [
            table([answer.cells for answer in answers(check)], ["Question", "Tried", "Found", "Bound", "Reached"]),
            sentence(check),
            (
                f"Measured on {check.machine.cpu} ({', '.join(check.machine.isa)}), "
                f"{check.machine.logical_cores} cores, with {counted(check.threads, 'thread')}{cores}, in "
                f"{check.seconds:.0f} s, {check.created}; "
                f"torch {check.machine.torch}. {disturbed:,} of {blocks:,} blocks were disturbed from outside."
            ),
        ]
    )


def sentence(check: SelfCheck) -> str:
    """Return how far this machine's figures can be trusted, and what would help."""
    resolution = percent(_resolution(check), 1)
    said = f"A default run knows a speed-up to ±{resolution} here"
    wrong = faults(check)
    said += f", but do not trust it yet: {'; '.join(wrong)}." if wrong else "."
    advice = _advice(check)
    helps = f"What would help: {'; '.join(advice)}." if advice else "No condition stands out to improve."
    return f"{said} {helps}"


def _verdicts(check: SelfCheck) -> Iterator[Answer]:
    again, slowed = _pooled(check, "again"), _pooled(check, "slowed")
    alarms = sum(one.word != UNDECIDED for one in again)
    detected = sum(one.word == "slower" for one in slowed)
    tried = f"{counted(len(check.runs), 'model')} of default runs, batch {_sizes(check)}"
    yield Answer(
        "False alarms: a model against itself",
        tried,
        f"{alarms} of {len(again)} called different",
        "≤ 1 in 100",
        alarms <= FALSE_ALARMS * len(again),
        f"{alarms} of {len(again)} times a model was called different from itself",
    )
    planted = f"{check.plan.slow_down} %"
    yield Answer(
        f"Power: {planted} longer calls planted",
        tried,
        f"{detected} of {len(slowed)} called slower",
        "≥ 95 in 100",
        detected >= POWER * len(slowed),
        f"a slow-down of {planted} was found {detected} of {len(slowed)} times only",
    )


def _intervals(check: SelfCheck) -> Iterator[Answer]:
    for size, runs in _by_size(check, "int8").items():
        true = statistics.fmean(one.speedup.value for one in runs)
        level = percent(max(one.speedup.confidence for one in runs), 0)
        held = sum(one.speedup.low <= true <= one.speedup.high for one in runs)
        yield Answer(
            f"Coverage: intervals of {level} that hold the mean of all, batch {size}",
            f"int8's speed-up, {counted(len(runs), 'model')}",
            f"{held} of {len(runs)}",
            "≥ 37 in 40",
            held >= COVERAGE * len(runs),
            f"only {held} of {len(runs)} intervals hold the mean of all at batch {size}",
        )
    every = [one for kind in ("again", "slowed", "int8") for one in _pooled(check, kind)]
    noisy, allowed = sum(one.noisy for one in every), NOISY.get(check.threads, NOISY_THREADED)
    yield Answer(
        "Noisy: speed-ups less precise than asked",
        counted(len(every), "speed-up"),
        f"{noisy} of {len(every)}; half of an interval is {percent(_resolution(check), 1)}, the median",
        "none" if not allowed else f"≤ {percent(allowed, 0)}",
        noisy <= allowed * len(every),
        f"{noisy} of {len(every)} speed-ups are less precise than asked",
    )


def _spreads(check: SelfCheck) -> Iterator[Answer]:
    peers = [run.peer for run in check.runs if run.peer]
    for size, runs in _by_size(check, "int8").items():
        ours = variation([one.speedup.value for one in runs])
        limited = check.threads == 1
        yield Answer(
            f"Spread of int8's speed-up, batch {size}",
            counted(len(runs), "model"),
            percent(ours, 2),
            f"≤ {percent(SPREAD, 0)}" if limited else "",
            not limited or ours <= SPREAD,
            f"a speed-up repeats within {percent(ours, 1)} only, batch {size}",
        )
        if len(peers) > 1:
            peer = variation([speedups[size] for speedups in peers])
            yield Answer(
                f"The same by torch.utils.benchmark, batch {size}",
                f"the same seconds, {counted(len(peers), 'time')}",
                percent(peer, 2),
                "more than ours",
                peer > ours,
                f"torch.utils.benchmark's speed-up repeats better at batch {size}",
            )


def _readings(check: SelfCheck) -> Iterator[Answer]:
    error = max(abs(truth.read_s / truth.known_s - 1) for truth in check.truths)
    yield Answer(
        "Truth: a stub that takes a known time",
        f"{_time(check.truths[0].known_s)} to {_time(check.truths[-1].known_s)}",
        f"read within {percent(error, 2)}",
        f"≤ {percent(TRUTH, 0)}",
        error <= TRUTH,
        f"a known time was read {percent(error, 1)} wrong",
    )
    cost = f"{check.cost_s * 1e9:.0f} ns"
    yield Answer(
        "Cost: what the harness adds to a call",
        "a call that does nothing",
        cost,
        f"≤ {COST_S * 1e9:.0f} ns",
        check.cost_s <= COST_S,
        f"the harness adds {cost} to each call",
    )


def variation(values: Sequence[float]) -> float:
    """Return the coefficient of variation: sample standard deviation over mean."""
    summary = mean_std(values)
    return (summary.std or 0.0) / summary.mean


def _by_size(check: SelfCheck, kind: str) -> Mapping[int, list[Comparison]]:
    return {size: [getattr(run, kind)[size] for run in check.runs] for size in getattr(check.runs[0], kind)}


def _pooled(check: SelfCheck, kind: str) -> list[Comparison]:
    return list(itertools.chain.from_iterable(_by_size(check, kind).values()))


def _resolution(check: SelfCheck) -> float:
    return statistics.median(one.speedup.half_width for one in _pooled(check, "int8"))


def _sizes(check: SelfCheck) -> str:
    return " and ".join(map(str, check.runs[0].again))


def _advice(check: SelfCheck) -> list[str]:
    conditions = check.conditions
    advice = []
    if conditions.governor not in (None, "performance"):
        advice.append(f"the performance governor (it is {conditions.governor})")
    if conditions.load is not None and conditions.load > BUSY_LOAD:
        advice.append(f"ending other work (the load was {conditions.load:.1f} before the check)")
    share = sum(run.disturbed_blocks for run in check.runs) / max(1, sum(run.blocks for run in check.runs))
    if share > DISTURBED_SHARE:
        advice.append(f"a quieter machine ({percent(share, 0)} of the blocks were disturbed)")
    if check.threads >= (check.machine.logical_cores or 1) and check.threads > 1:
        advice.append("fewer threads than cores, so that the system has one for itself")
    if conditions.virtual:
        advice.append("a machine that is not virtual: neighbours share its caches and memory")
    return advice


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:g} µs" if seconds < 1e-3 else f"{seconds * 1e3:g} ms"
