"""Where a technique's speed-up at the largest batch size is another than at the smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.findings.finding import Finding, Kind
from bench.report.findings.judged import Judged
from bench.results.latency import log_ratios
from bench.stats.multiple_tests import LATENCY_ALPHA, holm
from bench.stats.ratio import change

READ_BYTES = 4_000_000
"""Fewer weights stay in a core's own cache, of 1 to 2 MB today, in large part; more are fetched anew by each call."""
ONCE = 0.1
"""Up to this far from one multiply-accumulate a parameter, a weight is used once an example: that of a Linear is, that
of a convolution once for each pixel."""
WORTH_READING = 1.5
"""From this many times smaller on, reading less is a gain worth naming."""


def batch_sizes(judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find each technique whose speed-up grows or falls with the batch, and how a batch shares what a call costs."""
    tested = {id(one): p_value for one in judged if (p_value := _p_of_growth(one)) is not None}
    several = [one for one in judged if id(one) in tested]
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    grown = []
    for variant in dict.fromkeys(one.row.key for one in judged):
        of_variant = [one for one in several if one.row.key == variant]
        moved = [one for one in of_variant if adjusted[id(one)] <= LATENCY_ALPHA]
        up = sorted((one for one in moved if growth(one) > 1), key=growth, reverse=True)
        down = sorted((one for one in moved if growth(one) < 1), key=growth)
        grown += up
        if up:
            yield _moved("gains with the batch", up, len(of_variant), reading=False)
        if down:
            yield _moved("loses with the batch", down, len(of_variant), reading=reads_weights(down[0]))
    yield from _shared(grown)


def _moved(kind: Kind, group: Sequence[Judged], models: int, reading: bool) -> Finding:
    most = group[0]
    rows = (most.row, *((most.baseline,) if most.baseline else ()))
    batches = (min(most.speed), max(most.speed))
    return Finding(kind, rows, {"models": len(group), "of": models, "batches": batches, "reading": reading})


def reads_weights(one: Judged) -> bool:
    """Say whether small weights likely help at batch 1, because a call of one example is mostly the reading of them."""
    row, baseline, size = one.row, one.baseline, min(one.speed)
    if size > 1 or not one.faster(size) or baseline is None or not (baseline.macs and baseline.params):
        return False
    packed, whole = row.file_bytes or 0, baseline.file_bytes or 0
    once = abs(baseline.macs / baseline.params - 1) < ONCE
    return once and whole >= READ_BYTES and 0 < packed < whole / WORTH_READING


def moves(one: Judged) -> bool:
    """Say whether a speed-up is another at the largest batch than at the smallest, beyond chance."""
    p_value = _p_of_growth(one)
    return p_value is not None and p_value <= LATENCY_ALPHA


def _p_of_growth(one: Judged) -> float | None:
    """Return how surprising it would be if the speed-ups at the smallest and the largest batch were the same."""
    timed = [size for size in one.speed if one.baseline and size in one.baseline.latency and size in one.row.latency]
    if one.baseline is None or len(one.speed) < 2 or len(timed) < len(one.speed):
        return None
    few, many = (log_ratios(one.baseline.latency[size], one.row.latency[size]) for size in (min(timed), max(timed)))
    return change(few, many).p_value if few and many else None


def growth(one: Judged) -> float:
    """Return by which factor the speed-up grows from the smallest to the largest batch."""
    return one.speedup(max(one.speed)).value / one.speedup(min(one.speed)).value


def _shared(grown: Sequence[Judged]) -> Iterator[Finding]:
    """Show, on the row where it is plainest, how what a call costs by itself is shared by a batch."""
    known = [one for one in grown if one.baseline is not None and one.row.latency.keys() >= one.speed.keys()]
    if known:
        most = max(known, key=growth)
        batches = (min(most.speed), max(most.speed))
        seconds = [most.row.latency[size].estimate_s / size for size in batches]
        yield Finding("overhead shared", (most.row,), {"batches": batches, "example_s": seconds})
