"""The measurement that would settle what a run leaves open: the first that its figures ask for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence

from bench.core.units import percent
from bench.core.variant_key import VariantKey
from bench.report.findings.finding import Finding
from bench.report.findings.judged import Judged
from bench.results.run import Run
from bench.results.verdict import UNDECIDED
from bench.stats.multiple_tests import ACCURACY_ALPHA
from bench.stats.proportions import mcnemar

PER_TENSOR, PER_CHANNEL = "dynamic-qint8", "dynamic-qint8:per-channel"
COLLAPSED = 0.9
"""Less than this share of the answers as they were is a collapse."""
LONGER = 4
"""So many times as many processes halve an interval."""


def follow_up(run: Run, judged: Sequence[Judged], asked: Sequence[Finding] = ()) -> Iterator[Finding]:
    """Find the first question that the figures raise, of: granularity, accuracy, precision, batch size, seed.

    Those that were ``asked`` before are passed over.
    """
    for ask in (_granularity, _accuracy, _precision, _batch_sizes, _seed):
        if (finding := ask(run, judged)) is not None and finding not in asked:
            yield finding
            return


def _granularity(_: Run, judged: Sequence[Judged]) -> Finding | None:
    """Ask whether a scale for each output helps where one for a whole tensor makes answers collapse."""
    measured = {one.row.technique for one in judged}
    return next((asked for one in judged if (asked := per_channel(one, measured)) is not None), None)


def per_channel(one: Judged, measured: Collection[str]) -> Finding | None:
    """Ask that of one row, unless the run ``measured`` it."""
    if one.row.key == VariantKey(PER_TENSOR) and PER_CHANNEL not in measured and (lost := _collapsed(one)):
        return Finding("per-channel weights", (one.row,), {"lost": lost})
    return None


def _collapsed(one: Judged) -> str:
    """Return what of the answers is lost, if much is."""
    if one.alike is not None:
        same, total = one.alike
        return f"answers {percent(same / total)} of the examples as fp32 does" if same < COLLAPSED * total else ""
    share, baseline = one.row.share_right, one.baseline.share_right if one.baseline else None
    if share is not None and baseline is not None and share < COLLAPSED * baseline:
        return f"answers {percent(share)} right, and fp32 {percent(baseline)}"
    error = one.row.output_error
    return f"puts out what is {percent(error)} off" if error is not None and error > 1 - COLLAPSED else ""


def _accuracy(run: Run, judged: Sequence[Judged]) -> Finding | None:
    """Ask whether an accuracy really changed that looks as if, but not by the verdict's standard."""
    hints = [
        (one.row.agreement.p_value, one)
        for one in judged
        if one.row.agreement and one.accuracy and one.accuracy.word == UNDECIDED
        if one.row.agreement.p_value < ACCURACY_ALPHA
    ]
    if not hints:
        return None
    p_value, one = min(hints, key=lambda pair: pair[0])
    figures = {"points": one.points, "p_value": p_value}
    if run.settings.inputs:  # given weights have no other training
        return Finding("more test examples", (one.row,), figures)
    seeds = next(count for count in itertools.count(1) if mcnemar(count, 0) <= ACCURACY_ALPHA)
    return Finding("repeat with seeds", (one.row,), {**figures, "seeds": seeds, "sign_p": mcnemar(seeds, 0)})


def _precision(run: Run, judged: Sequence[Judged]) -> Finding | None:
    """Ask for the speed-up that is known least of those that show no difference."""
    vague = [
        (one.speedup(size).half_width, one, size)
        for one in judged
        for size in one.speed
        if one.speed[size].word == UNDECIDED and one.speedup(size).half_width > run.settings.precision
    ]
    if not vague:
        return None
    width, one, size = max(vague, key=lambda candidate: candidate[0])
    figures = {"batch": size, "speedup": one.speedup(size), "half_width": width, "budget_s": _budget_s(run, one, size)}
    return Finding("more processes", (one.row,), figures)


def _batch_sizes(_: Run, judged: Sequence[Judged]) -> Finding | None:
    """Ask at which batch size int8 begins to pay, of the first row of which that is a question."""
    return next((asked for one in judged if (asked := batches_between(one)) is not None), None)


def batches_between(one: Judged) -> Finding | None:
    """Ask at which batch size int8 begins to pay, where it is slower at a small one and faster at a large one."""
    slow = [size for size in one.speed if one.int8 and one.slower(size)]
    fast = [size for size in one.speed if one.faster(size)]
    if slow and fast and max(slow) < min(fast):
        return Finding("batch sizes between", (one.row,), {"batches": powers_between(max(slow), min(fast))})
    return None


def powers_between(first: int, last: int) -> list[int]:
    """Return two batch sizes, and between them the first one's double, its double, and so on."""
    return [first, *(size for power in range(1, 20) if first < (size := first * 2**power) < last), last]


def _seed(run: Run, judged: Sequence[Judged]) -> Finding | None:
    """Ask whether the largest difference in accuracy is the technique's or this training's."""
    compared = [one for one in judged if one.points]
    if not compared or run.settings.seed is None or run.settings.inputs:  # given weights have no other seed
        return None
    most = max(compared, key=lambda one: abs(one.points or 0.0))
    return Finding("another seed", (most.row,), {"points": most.points, "seed": run.settings.seed})


def _budget_s(run: Run, one: Judged, size: int) -> float:
    """Return seconds that last for so many more processes of the row, of fp32 and of the reference workload.

    Twice what their blocks took here: they end at the precision asked for, and starting processes takes time too.
    """
    timed = [row.latency for row in (one.row, one.baseline) if row is not None]
    timed += [reference.latency for reference in run.references if reference.model == one.model]
    of_size = [latency[size] for latency in timed if size in latency]
    seconds = sum(
        sum(latency.warm_up_s + latency.rounds_s + latency.repeated_s) * latency.calls_per_block for latency in of_size
    )
    return float(math.ceil(2 * LONGER * seconds))
