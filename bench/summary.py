"""The only statistics. Tables render what these functions return and compute nothing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class MeanStd:
    """Mean and sample standard deviation (n − 1) of ``n`` values."""

    mean: float
    std: float | None
    """``None`` for a single value."""
    n: int


@dataclass(frozen=True)
class Interval:
    """An estimate between the ends of its confidence interval."""

    value: float
    low: float
    high: float
    confidence: float
    """The coverage that the interval has at least; 0 where there were too few values for any."""


def mean_std(values: Sequence[float]) -> MeanStd:
    """Return mean and sample standard deviation; raises ``ValueError`` for no values."""
    if not values:
        raise ValueError("no values to take a mean of")
    std = statistics.stdev(values) if len(values) > 1 else None
    return MeanStd(statistics.fmean(values), std, len(values))


def run_means(rounds: Sequence[float], runs: int) -> list[float]:
    """Return the means of ``runs`` equal, consecutive groups of rounds; raises ``ValueError`` if they are not equal."""
    size, rest = divmod(len(rounds), runs)
    if rest or not size:
        raise ValueError(f"{len(rounds)} rounds do not make {runs} equal runs")
    return [statistics.fmean(rounds[start : start + size]) for start in range(0, len(rounds), size)]


def speedup(baseline: Sequence[float], variant: Sequence[float]) -> Interval:
    """Return the median over paired rounds of ``baseline / variant`` with its 95 % interval.

    The interval is the distribution-free one of a median: between order statistics whose ranks follow
    from the binomial distribution (Conover 1999, Practical Nonparametric Statistics, section 3.2).
    """
    if len(baseline) != len(variant):
        raise ValueError(f"rounds must be paired, not {len(baseline)} against {len(variant)}")
    ratios = sorted(base / other for base, other in zip(baseline, variant, strict=True))
    rank, confidence = median_rank(len(ratios))
    return Interval(statistics.median(ratios), ratios[rank - 1], ratios[-rank], confidence)


def median_rank(n: int) -> tuple[int, float]:
    """Return the largest rank r for which [r-th smallest, r-th largest] covers the median at 95 %, and its coverage.

    With fewer than 6 values no such rank exists: then the extremes are returned, with their coverage.
    """
    if n < 1:
        raise ValueError("no values to take a median of")
    tail = 0.0
    rank, coverage = 1, 1 - 2 * 0.5**n
    for k in range(n // 2):
        tail += math.comb(n, k) * 0.5**n
        if 1 - 2 * tail < CONFIDENCE:
            break
        rank, coverage = k + 1, 1 - 2 * tail
    return rank, max(coverage, 0.0)


def wilson(correct: int, total: int) -> Interval:
    """Return the accuracy ``correct / total`` with its 95 % Wilson score interval (Wilson 1927)."""
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is not a share")
    share = correct / total
    denominator = 1 + Z95**2 / total
    centre = (share + Z95**2 / (2 * total)) / denominator
    margin = Z95 / denominator * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    return Interval(share, max(0.0, centre - margin), min(1.0, centre + margin), CONFIDENCE)
