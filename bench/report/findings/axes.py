"""The axes along which the figures of one technique vary most: the model, the batch size, the size and the accuracy.

Each has the factor by which a figure varies along it, so that axes of different units have an order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from bench.report.findings.batch_sizes import growth, moves, reads_weights
from bench.report.findings.finding import Finding
from bench.report.findings.judged import Judged
from bench.report.findings.sizes import times_smaller
from bench.report.findings.slower import causes
from bench.results.latency import Latency
from bench.results.run import Run

PROMISED = 4.0
"""How many times smaller 8 bits for 32 make a file, and at most how many times faster what reads and multiplies it."""
DEVELOPED = 2
"""So many axes are discussed."""


def axes(run: Run, group: Sequence[Judged]) -> Iterator[Finding]:
    """Find the two axes along which the rows of one technique vary most, that of the larger factor first."""
    findings = (_models(run, group), _batches(group), _size(group), _accuracy(group))
    ranked = sorted((axis for axis in findings if axis is not None), key=lambda axis: -axis.figures["factor"])
    for position, axis in enumerate(ranked[:DEVELOPED]):
        yield dataclasses.replace(axis, figures={**axis.figures, "position": position})


def _models(run: Run, group: Sequence[Judged]) -> Finding | None:
    """Order the models by their speed-ups, at the batch size at which these differ most."""
    orders = {
        size: sorted((one for one in group if size in one.speed), key=lambda one: one.speedup(size).value)
        for size in run.settings.batch_sizes
    }
    factors = {
        size: order[-1].speedup(size).value / order[0].speedup(size).value
        for size, order in orders.items()
        if len(order) > 1
    }
    if not factors:
        return None
    size = max(factors, key=factors.__getitem__)
    order = orders[size]
    least, greatest = order[0], order[-1]
    files = [one.baseline.file_bytes or 0 if one.baseline else 0 for one in order]
    figures = {
        "factor": factors[size],
        "batch": size,
        "files": files,
        "by_size": files[0] > 0 and files == sorted(set(files)),
        "causes": causes(run, least, size) if least.slower(size) else [],
        "baseline_s": least.baseline_s(size),
        "reading": reads_weights(greatest),
    }
    return Finding("model axis", tuple(one.row for one in order), figures)


def _batches(group: Sequence[Judged]) -> Finding | None:
    """Take the model whose speed-up differs most between the smallest and the largest batch, beyond chance."""
    moved = [one for one in group if moves(one)]
    if not moved:
        return None
    most = max(moved, key=lambda one: _either_way(growth(one)))
    few, many = min(most.speed), max(most.speed)
    lines = [line(latency, few, many) for latency in (most.baseline.latency if most.baseline else {}, most.row.latency)]
    figures = {"factor": _either_way(growth(most)), "batches": (few, many), "lines": lines if all(lines) else []}
    return Finding("batch axis", (most.row,), figures)


def line(latency: dict[int, Latency], few: int, many: int) -> tuple[float, float] | None:
    """Return what a call and what an example takes, in seconds, on a line through two batch sizes.

    ``None`` where one of them is not timed, or either would not be positive: what an example takes is not the same at
    both then.
    """
    if few not in latency or many not in latency:
        return None
    example_s = (latency[many].estimate_s - latency[few].estimate_s) / (many - few)
    call_s = latency[few].estimate_s - few * example_s
    return (call_s, example_s) if min(call_s, example_s) > 0 else None


def _size(group: Sequence[Judged]) -> Finding | None:
    """Take the file that is farthest from a quarter of the baseline's."""
    packed = [(one, times) for one in group if (times := times_smaller(one)) is not None]
    if not packed:
        return None
    farthest, times = max(packed, key=lambda pair: _either_way(PROMISED / pair[1]))
    others = [other for one, other in packed if one is not farthest]
    figures = {"factor": _either_way(PROMISED / times), "times": times, "others": others}
    return Finding("size axis", (farthest.row,), figures)


def _accuracy(group: Sequence[Judged]) -> Finding | None:
    """Take the model whose wrong answers change by the largest factor."""
    counted = [(one, factor) for one in group if (factor := error_factor(one)) is not None]
    if not counted:
        return None
    most, factor = max(counted, key=lambda pair: _either_way(pair[1]))
    figures = {"factor": _either_way(factor), "errors": most.errors}
    return Finding("accuracy axis", (most.row,), figures)


def error_factor(one: Judged) -> float | None:
    """Return how many times as many answers as the baseline's are wrong; none at all counts as one.

    ``None`` where it is not known, and of a stand-in, whose accuracies say nothing.
    """
    if one.errors is None or one.data.kind == "synthetic":
        return None
    baseline, variant = one.errors
    return max(1, variant) / max(1, baseline)


def _either_way(factor: float) -> float:
    return max(factor, 1 / factor)
