"""What is said of one latency, whether its rounds were kept one by one or only summed up."""

from __future__ import annotations

from dataclasses import dataclass

from bench.results.latency import Latency
from bench.stats.describe import describe


@dataclass(frozen=True)
class Times:
    """Seconds of one call over all rounds; ``None`` for what a sum cannot tell."""

    mean: float
    std: float | None
    median: float
    p95: float | None
    rounds: int


def times(latency: Latency) -> Times:
    """Return what the rounds say, or what is left of them."""
    if (left := latency.summary) is not None:
        return Times(left.mean_s, left.std_s, left.median_s, None, left.rounds)
    whole = describe(latency.rounds_s)
    return Times(whole.mean, whole.std, whole.median, whole.p95, whole.n)
