"""A self-check in markdown: a table, and a sentence on what it means."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.core.units import counted, percent
from bench.report.tables import table
from bench.results.selfcheck import SelfCheck, Try
from bench.results.verdict import UNDECIDED
from bench.stats.describe import mean_std
from bench.stats.interval import CONFIDENCE
from bench.stats.multiple_tests import ALPHA

POWER = 0.9
"""The share of tries that is to find a difference."""

TRUTH_TOLERANCE = 0.01
COST_TOLERANCE = 0.001
SHORTEST_CALL_S = 50e-6
"""A batch-1 forward pass of a small MLP: the harness's cost is held against it."""
BUSY_LOAD = 0.5
DISTURBED_SHARE = 0.1


def false_alarms(check: SelfCheck) -> list[Try]:
    """Return the tries in which a model was called different from itself."""
    return [one for one in check.alone if one.word != UNDECIDED]


def detected(check: SelfCheck) -> list[Try]:
    """Return the tries in which the planted slow-down was found."""
    return [one for one in check.slowed if one.word == "slower"]


def truth_error(check: SelfCheck) -> float:
    """Return the largest error of a reading of a known time, as a share."""
    return max(abs(truth.read_s / truth.known_s - 1) for truth in check.truths)


def variation(values: Sequence[float]) -> float:
    """Return the coefficient of variation: sample standard deviation over mean."""
    summary = mean_std(values)
    return (summary.std or 0.0) / summary.mean


def resolution(check: SelfCheck) -> float:
    """Return the median half-width of the tries' intervals, as a share."""
    return statistics.median(one.half_width for one in check.alone)


def render(check: SelfCheck) -> str:
    """Return the table, the sentence and the conditions, as markdown."""
    threads = counted(check.threads, "thread")
    cores = f", on core {', '.join(map(str, check.pinned_cores))}" if check.pinned_cores else ""
    return "\n\n".join(
        [
            table(_rows(check), ["Question", "Tried", "Found"]),
            sentence(check),
            (
                f"Measured on {check.machine.cpu}, {check.machine.logical_cores} cores, with {threads}{cores}, in "
                f"{check.seconds:.0f} s; torch {check.machine.torch}. {check.disturbed_blocks:,} of "
                f"{check.blocks:,} blocks were disturbed from outside."
            ),
        ]
    )


def _rows(check: SelfCheck) -> list[list[str]]:
    plan = check.plan
    sizes = " and ".join(map(str, plan.try_batch_sizes))
    tries = f"{counted(plan.tries, 'try').replace('trys', 'tries')} of {plan.try_s:g} s, batch {sizes}"
    rows = [
        ["False alarms: a model against itself", tries, f"{len(false_alarms(check))} of {plan.tries} called different"],
        [
            f"Power: {percent(plan.slow_down, 0)} longer calls planted",
            tries,
            f"{len(detected(check))} of {plan.tries} called slower",
        ],
        [
            "Resolution: half of the 95 % interval",
            tries,
            f"median ±{percent(resolution(check), 1)}",
        ],
        [
            "Truth: a stub that takes a known time",
            f"{_time(check.truths[0].known_s)} to {_time(check.truths[-1].known_s)}",
            f"read within {percent(truth_error(check), 2)}",
        ],
        ["Cost: what the harness adds to a call", "a call that does nothing", f"{check.cost_s * 1e9:.0f} ns"],
    ]
    return rows + [
        [
            f"Spread: int8's speed-up, batch {spread.batch_size}",
            f"{plan.spread_runs} fresh starts of {plan.spread_s:g} s",
            f"{percent(variation(spread.ours), 1)}; torch.utils.benchmark {percent(variation(spread.peers), 1)}",
        ]
        for spread in check.spreads
    ]


def sentence(check: SelfCheck) -> str:
    """Return how far this machine's figures can be trusted, and what would help."""
    wrong = faults(check)
    worst = max(check.spreads, key=lambda spread: variation(spread.ours))
    precision = (
        f"In {check.plan.try_s:g} s this machine finds differences of {percent(_detectable(check), 0)} nine times in "
        f"ten, and a speed-up repeats within {percent(variation(worst.ours), 1)} from start to start "
        f"(one standard deviation, batch {worst.batch_size})"
    )
    verdict = f"{precision}." if not wrong else f"{precision}, but do not trust it yet: {'; '.join(wrong)}."
    help_ = _help(check)
    return (
        f"{verdict} {'What would help: ' + '; '.join(help_) + '.' if help_ else 'No condition stands out to improve.'}"
    )


def _detectable(check: SelfCheck) -> float:
    """Return the difference that nine tries in ten would have found, at the verdict's level and with its own noise."""
    from scipy import special

    # Intervals and verdicts use Student's t with groups - 1 degrees of freedom; the tries' median stands for all.
    rounds = round(statistics.median(one.n for one in check.alone))
    freedom = max(1, min(rounds, 20) - 1)
    verdict, power, interval = (
        float(special.stdtrit(freedom, share)) for share in (1 - ALPHA / 2, POWER, (1 + CONFIDENCE) / 2)
    )
    return resolution(check) * (verdict + power) / interval


def faults(check: SelfCheck) -> list[str]:
    """Return why this machine's figures are not to be trusted; empty if they are."""
    wrong = []
    # One false alarm in so few tries would already be more than ALPHA promises.
    if false_alarms(check):
        wrong.append(f"{len(false_alarms(check))} of {check.plan.tries} times a model was called different from itself")
    if truth_error(check) > TRUTH_TOLERANCE:
        wrong.append(f"a known time was read {percent(truth_error(check), 1)} wrong")
    if check.cost_s > COST_TOLERANCE * SHORTEST_CALL_S:
        wrong.append(f"the harness adds {check.cost_s * 1e9:.0f} ns to each call")
    if len(detected(check)) < 0.9 * check.plan.tries:
        wrong.append(
            f"a slow-down of {percent(check.plan.slow_down, 0)} was found in {len(detected(check))} of "
            f"{check.plan.tries} tries only, so give runs a longer --budget"
        )
    return wrong


def _help(check: SelfCheck) -> list[str]:
    conditions = check.conditions
    advice = []
    if conditions.governor not in (None, "performance"):
        advice.append(f"the performance governor (it is {conditions.governor})")
    if conditions.load is not None and conditions.load > BUSY_LOAD:
        advice.append(f"ending other work (the load was {conditions.load:.1f} before the check)")
    if check.disturbed_blocks > DISTURBED_SHARE * check.blocks:
        share = check.disturbed_blocks / check.blocks
        advice.append(f"a quieter machine ({percent(share, 0)} of the blocks were disturbed)")
    if check.threads >= (check.machine.logical_cores or 1) and check.threads > 1:
        advice.append("fewer threads than cores, so that the system has one for itself")
    if conditions.virtual:
        advice.append("a machine that is not virtual: neighbours share its caches and memory")
    return advice


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:g} µs" if seconds < 1e-3 else f"{seconds * 1e3:g} ms"
