"""What is said of a sample of times: mean, deviation, percentiles."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MeanStd:
    """Mean and sample standard deviation (n − 1) of ``n`` values."""

    mean: float
    std: float | None
    """``None`` for a single value."""
    n: int


def mean_std(values: Sequence[float]) -> MeanStd:
    """Return mean and sample standard deviation; raises ``ValueError`` for no values."""
    if not values:
        raise ValueError("no values to take a mean of")
    mean, n = statistics.fmean(values), len(values)
    # statistics.stdev computes in fractions: a hundred times as long, which a comparison of many files would feel.
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None
    return MeanStd(mean, std, n)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the ``share`` quantile by linear interpolation between order statistics (Hyndman and Fan 1996, type 7)."""
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no quantile {share} of {len(values)} values")
    ordered = sorted(values)
    below, rest = divmod(share * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + rest * (high - low)


def run_means(rounds: Sequence[float], runs: int) -> list[float]:
    """Return the means of ``runs`` consecutive groups of rounds, as equal in size as can be, the larger ones first.

    Raises ``ValueError`` if there are fewer rounds than runs.
    """
    size, rest = divmod(len(rounds), runs)
    if not size:
        raise ValueError(f"{len(rounds)} rounds do not make {runs} runs")
    sizes = [size + (run < rest) for run in range(runs)]
    ends = list(itertools.accumulate(sizes))
    return [statistics.fmean(rounds[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
