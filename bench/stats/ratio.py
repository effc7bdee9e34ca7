"""The ratio of two times over processes, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stats.interval import Interval, half_width
from bench.stats.ranks import Estimate, location, rank_sum_p, shift

LARGEST_LOG = 230.0
"""Of a ratio: e²³⁰ is 10¹⁰⁰, within which powers and products of ratios stay finite."""


@dataclass(frozen=True)
class Ratio(Interval):
    """A ratio of two times, its 99 % interval, and how surprising it would be between equals."""

    p_value: float
    """Two-sided."""
    n: int
    """Processes behind it; of two runs, those of the one that has fewer."""

    @property
    def half_width(self) -> float:
        """How far the interval reaches, as a share of the value; infinite where there is none."""
        return half_width(self.value, self.low, self.high, self.confidence)


def ratio(log_ratios: Sequence[float]) -> Ratio:
    """Return the ratio that these logarithms, one of each process, lie about (``bench.stats.ranks.location``)."""
    return _exponential(location(log_ratios))


def change(before: Sequence[float], after: Sequence[float], margin: float = 0.0) -> Ratio:
    """Return by which factor a time has changed between two runs, given the logarithms of it in their processes.

    The p-value is that of a change by no more than ``margin``, a logarithm, in either direction.
    """
    estimate = shift(before, after)
    p_value = rank_sum_p(before, after, margin)
    return _exponential(Estimate(estimate.value, estimate.low, estimate.high, estimate.confidence, p_value, estimate.n))


def least_growth(before: Sequence[float], after: Sequence[float], p_value: float, margin: float = 0.0) -> float | None:
    """Return the growth, as a share, that would just be told from ``margin`` with this p-value between such samples.

    ``None`` where so few processes cannot show any.
    """
    estimate = shift(before, after, 1 - p_value)
    if not estimate.confidence:
        return None
    return math.expm1(min(margin + (estimate.high - estimate.low) / 2, LARGEST_LOG))


def bounded_exp(logarithm: float) -> float:
    """Return the ratio, a finite one however wide an interval is."""
    return math.exp(min(max(logarithm, -LARGEST_LOG), LARGEST_LOG))


def _exponential(estimate: Estimate) -> Ratio:
    return Ratio(
        bounded_exp(estimate.value),
        bounded_exp(estimate.low),
        bounded_exp(estimate.high),
        estimate.confidence,
        estimate.p_value,
        estimate.n,
    )
