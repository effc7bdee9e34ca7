"""The two int8 techniques of each model beside each other: which is faster, and which answers more as fp32 does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from bench.report.findings.finding import Finding
from bench.report.findings.judged import Judged
from bench.results.latency import log_ratios
from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA, holm
from bench.stats.proportions import two_shares
from bench.stats.ranks import signed_rank_p

Pair: TypeAlias = tuple[Judged, Judged]
"""Dynamic and static."""


def dynamic_or_static(judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find which of the two is ahead of the other, at which batch sizes."""
    pairs = []
    for model in dict.fromkeys(one.model for one in judged):
        by_scheme = {one.row.scheme: one for one in judged if one.model == model and one.int8}
        if "D" in by_scheme and "S" in by_scheme:
            pairs.append((by_scheme["D"], by_scheme["S"]))
    timed = [
        (pair, size)
        for pair in pairs
        for size in pair[0].speed
        if size in pair[1].speed and all(size in one.row.latency for one in pair)
    ]
    p_values = [
        signed_rank_p(log_ratios(one.row.latency[size], other.row.latency[size])) for (one, other), size in timed
    ]
    significant = [one for one, p_value in zip(timed, p_values, strict=True) if p_value <= LATENCY_ALPHA]
    rest = [one for one, p_value in zip(timed, p_values, strict=True) if p_value > LATENCY_ALPHA]
    for pair in pairs:
        for ahead, behind in (pair[::-1], pair):
            sizes = [
                size
                for of, size in significant
                if of is pair and ahead.speedup(size).value > behind.speedup(size).value
            ]
            if sizes:
                yield Finding("one int8 ahead", (ahead.row, behind.row), {"batches": sizes})
    undecided = {pair[0].model: [size for of, size in rest if of is pair] for pair in pairs}
    if where := {model: sizes for model, sizes in undecided.items() if sizes}:
        yield Finding("neither int8 ahead", figures={"batches": where})
    yield from _closer(pairs)


def _closer(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Find which of the two answers more examples as fp32 does."""
    known = [(pair, one, other) for pair in pairs if (one := pair[0].alike) and (other := pair[1].alike)]
    p_values = holm([two_shares(*one, *other) for _, one, other in known])
    for ((dynamic, static), one, other), p_value in zip(known, p_values, strict=True):
        if p_value <= ACCURACY_ALPHA:
            shares = [(one[0] / one[1], dynamic.row), (other[0] / other[1], static.row)]
            (most, closer), (least, farther) = sorted(shares, key=lambda share: -share[0])
            yield Finding("closer answers", (closer, farther), {"shares": (most, least)})
