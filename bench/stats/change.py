"""By which factor a time changed between two runs, each held against a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.stats.describe import quiet_time
from bench.stats.interval import CONFIDENCE, Interval
from bench.stats.speedup import LARGEST_LOG, MAX_GROUPS, MIN_ROUNDS, LogRatio, Ratio, bounded_exp
from bench.stats.student import MAX_FREEDOM, student_p, student_quantile

BETWEEN_SESSIONS = 0.007
"""By how much the relative latency of one session differs from that of another, beyond what its rounds and starts show.

The standard deviation of the logarithm. An assumption: speed-ups of 12 fresh starts spread by about 1 %
(docs/measuring.md), of which this is what rounds and starts are taken not to show; ``tests/benchmarks/gate.py`` tries
it out on real runs.
"""
DRIFT = 0.14
"""The same of a latency in seconds, held against no reference; as much an assumption: shared machines are slower for
minutes on end."""


def time_change(before: LogRatio, after: LogRatio, prior: float = BETWEEN_SESSIONS) -> Ratio:
    """Return by which factor a time has changed between two independent runs, with its 95 % interval.

    Both are held against the same reference, so what slowed everything in one run is in neither; or each is the
    logarithm of ``in_seconds``. Variances add, ``prior`` of each session among them, with Satterthwaite's degrees of
    freedom. Without an error on either side there is no confidence.
    """
    value, n = after.value - before.value, min(before.n, after.n)
    known = _error_of_change(before, after, prior)
    if known is None:
        return Ratio(bounded_exp(value), bounded_exp(value), bounded_exp(value), 0.0, p_value=1.0, n=n)
    error, freedom = known
    margin = student_quantile(1 - CONFIDENCE, freedom) * error
    return Ratio(
        bounded_exp(value),
        bounded_exp(value - margin),
        bounded_exp(value + margin),
        CONFIDENCE,
        p_value=student_p(value / error, freedom) if error else float(not value),
        n=n,
    )


def log_ratio_of(interval: Interval, n: int) -> LogRatio:
    """Return what a 95 % interval of a ratio over ``n`` rounds came from, as if of one start: the groups' freedom."""
    freedom = max(1, min(n, MAX_GROUPS) - 1)
    error = None
    if interval.confidence:
        error = math.log(interval.high / interval.low) / 2 / student_quantile(1 - CONFIDENCE, freedom)
    return LogRatio(math.log(interval.value), error, freedom, n)


def least_growth(before: LogRatio, after: LogRatio, p_value: float, prior: float = BETWEEN_SESSIONS) -> float | None:
    """Return the growth, as a share, that ``time_change`` would just give this p-value: a fall is told a little sooner.

    ``None`` without an error on either side.
    """
    known = _error_of_change(before, after, prior)
    if known is None:
        return None
    error, freedom = known
    return math.expm1(min(student_quantile(p_value, freedom) * error, LARGEST_LOG))


def _error_of_change(before: LogRatio, after: LogRatio, prior: float) -> tuple[float, float] | None:
    """Return the standard error of a change and its degrees of freedom."""
    if before.error is None or after.error is None:
        return None
    error = math.hypot(before.error, after.error, prior, prior)
    shown = before.error**4 / before.freedom + after.error**4 / after.freedom
    return error, error**4 / shown if shown else MAX_FREEDOM


def in_seconds(rounds_s: Sequence[float]) -> LogRatio:
    """Return a latency, the mean of its fastest quarter, to be held against that of another session in seconds.

    What the rounds of one session differ by is little beside the ``DRIFT`` to be allowed for, and is left out.
    """
    error = 0.0 if len(rounds_s) >= MIN_ROUNDS else None
    return LogRatio(math.log(quiet_time(rounds_s)), error, MAX_FREEDOM, len(rounds_s))
