"""Location and shift of small samples by ranks: any shape of distribution, and little weight to outliers.

One sample: Hodges and Lehmann's (1963) estimate, with the interval and the test of Wilcoxon's signed ranks (1945). Two
independent samples: Hodges and Lehmann's shift, with the interval and the test of Mann and Whitney (1947). All
probabilities are exact; see Hollander, Wolfe and Chicken 2014, *Nonparametric Statistical Methods*, chapters 3 and 4.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from bench.stats.interval import LATENCY_CONFIDENCE, Interval


@dataclass(frozen=True)
class Estimate(Interval):
    """A location or a shift with its interval, and how surprising it would be if the true one were 0."""

    p_value: float
    """Two-sided."""
    n: int
    """Values behind it; of two samples, the smaller number."""


def location(values: Sequence[float], confidence: float = LATENCY_CONFIDENCE) -> Estimate:
    """Return the Hodges–Lehmann estimate: the median of the means of all pairs of values, each with itself too.

    Too few values for such an interval (fewer than 8 for 99 %) leave the confidence 0 and the interval the value
    itself. Raises ``ValueError`` for no values.
    """
    if not values:
        raise ValueError("no values to estimate a location of")
    means = sorted((first + second) / 2 for first, second in itertools.combinations_with_replacement(values, 2))
    ranks = tuple(2 * rank for rank in range(1, len(values) + 1))
    return _estimate(means, _tail_of_sums(ranks), 2, confidence, signed_rank_p(values), len(values))


def signed_rank_p(values: Sequence[float]) -> float:
    """Return the two-sided p-value that ``values`` are symmetric about 0: exact, also where some are of equal size.

    Zeros say nothing and are left out, as Wilcoxon did.
    """
    signed = sorted((value for value in values if value), key=abs)
    doubled: list[int] = []  # twice the ranks: of equal sizes, their mean
    for _, equals in itertools.groupby(signed, key=abs):
        count, below = len(list(equals)), len(doubled)
        doubled += [2 * below + count + 1] * count
    positive = sum(rank for rank, value in zip(doubled, signed, strict=True) if value > 0)
    tail = _tail_of_sums(tuple(doubled))
    return min(1.0, 2 * tail[min(positive, sum(doubled) - positive)])


def shift(before: Sequence[float], after: Sequence[float], confidence: float = LATENCY_CONFIDENCE) -> Estimate:
    """Return by how much ``after`` lies above ``before``: the median of the differences of all pairs.

    Too few values leave the confidence 0, as in ``location``. Raises ``ValueError`` if a sample is empty.
    """
    if not before or not after:
        raise ValueError("a shift is between two samples that have values")
    differences = sorted(later - earlier for earlier in before for later in after)
    tail = _tail_of_inversions(len(before), len(after))
    p_value = rank_sum_p(before, after)
    return _estimate(differences, tail, 1, confidence, p_value, min(len(before), len(after)))


def rank_sum_p(before: Sequence[float], after: Sequence[float], margin: float = 0.0) -> float:
    """Return the two-sided p-value that the samples are not shifted by more than ``margin``, in either direction."""
    tail = _tail_of_inversions(len(before), len(after))

    def one_sided(sign: float) -> float:
        below = math.fsum(
            1.0 if sign * (later - earlier) < margin else 0.5 if sign * (later - earlier) == margin else 0.0
            for earlier in before
            for later in after
        )
        return tail[math.ceil(below)]

    return min(1.0, 2 * min(one_sided(1.0), one_sided(-1.0)))


def least_n(p_value: float) -> int:
    """Return how many values of one sign it takes for ``signed_rank_p`` to be at most ``p_value``."""
    return max(1, math.ceil(1 - math.log2(p_value)))


def _estimate(
    ordered: Sequence[float], tail: Sequence[float], step: int, confidence: float, p_value: float, n: int
) -> Estimate:
    """Return the median of ``ordered``, and as interval what the rank test does not reject.

    ``tail[step * k]`` is the probability that at most k of the ordered values lie on one side of the true one.
    """
    value = statistics.median(ordered)
    outside = sum(1 for probability in tail[::step] if probability <= (1 - confidence) / 2 + 1e-12) - 1
    if outside < 0:
        return Estimate(value, value, value, 0.0, p_value, n)
    return Estimate(value, ordered[outside], ordered[-1 - outside], confidence, p_value, n)


@cache
def _tail_of_sums(ranks: tuple[int, ...]) -> list[float]:
    """Return the probability that a random subset of ``ranks`` sums to at most 0, 1, 2 and so on."""
    chances = [1.0]
    for rank in ranks:
        longer = [*chances, *[0.0] * rank]
        for total, chance in enumerate(chances):
            longer[total + rank] += chance
        chances = [chance / 2 for chance in longer]
    return list(itertools.accumulate(chances))


@cache
def _tail_of_inversions(before: int, after: int) -> list[float]:
    """Return the probability that at most 0, 1, 2 and so on pairs of two samples of one distribution are inverted.

    The counts are the coefficients of Gauss's binomial (Mann and Whitney's recurrence, multiplied out).
    """
    counts = [1]
    for factor in range(1, before + 1):
        rise = after + factor
        longer = [*counts, *[0] * rise]
        for position in range(len(longer) - 1, rise - 1, -1):
            longer[position] -= longer[position - rise]
        for position in range(factor, len(longer)):
            longer[position] += longer[position - factor]
        counts = longer[: factor * after + 1]
    total = math.comb(before + after, before)
    return [count / total for count in itertools.accumulate(counts)]
