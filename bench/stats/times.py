"""The statistics of times; ``shares.py`` has those of accuracies. Tables render what they return."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95
ALPHA = 0.001
"""A verdict other than "no difference detected" is given where at most this share of equals would get one."""
QUIET_SHARE = 0.25
"""The share of rounds, the fastest ones, that a speed-up is taken from."""
MIN_ROUNDS = 6
"""With fewer no interval is given."""
MAX_GROUPS = 20
BETWEEN_PROCESSES = 0.005
"""By how much processes that hold the same model differ for as long as they live.

The standard deviation of the logarithm of their ratio. The rounds of one process cannot show it, so that much is taken
for granted (docs/measuring.md).
"""
THREADED_START_LUCK = 0.02
"""The same with several threads: how they came to share the cores lasts."""
BETWEEN_SESSIONS = 0.007
"""By how much the relative latency of one session differs from that of another, beyond what its rounds and starts show.

The standard deviation of the logarithm. An assumption: speed-ups of 12 fresh starts spread by about 1 %
(docs/measuring.md), of which this is what rounds and starts are taken not to show; ``tests/benchmarks/gate.py`` tries
it out on real runs.
"""
DRIFT = 0.14
"""The same of a latency in seconds, held against no reference; as much an assumption: shared machines are slower for
minutes on end."""
START_TRUST = 4
"""As how much evidence that assumption counts, in degrees of freedom, once several starts show what is so."""
MAX_FREEDOM = 100
"""Beyond it Student's t is as good as normal."""
BOOTSTRAP_DRAWS = 2000
BOOTSTRAP_PARTS = 20
BOOTSTRAP_SEED = 0
"""Fixed: the same samples always give the same interval."""


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


@dataclass(frozen=True)
class Description:
    """What is said of a sample of latencies, seconds per call."""

    mean: float
    std: float | None
    median: float
    p95: float
    p99: float
    n: int


def describe(values: Sequence[float]) -> Description:
    """Return mean, sample standard deviation, median and upper percentiles; raises ``ValueError`` for no values."""
    whole = mean_std(values)
    return Description(
        whole.mean, whole.std, statistics.median(values), percentile(values, 0.95), percentile(values, 0.99), whole.n
    )


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


@dataclass(frozen=True)
class Ratio(Interval):
    """A ratio of two times, its interval, and how surprising it would be between equals."""

    p_value: float
    """Two-sided probability of a ratio at least this far from 1 if the true one is 1."""
    n: int
    """Paired rounds behind it."""

    @property
    def half_width(self) -> float:
        """How far the interval reaches, as a share of the value; infinite where there is none."""
        return half_width(self.value, self.low, self.high, self.confidence)


def half_width(value: float, low: float, high: float, confidence: float) -> float:
    """Return half the width of an interval around a positive value, as a share of it; infinite without confidence."""
    return (high - low) / 2 / value if confidence else math.inf


def between_processes(threads: int) -> float:
    """Return what is taken for granted of processes of so many threads."""
    return BETWEEN_PROCESSES if threads == 1 else THREADED_START_LUCK


@dataclass(frozen=True)
class LogRatio:
    """The logarithm of a ratio of two times, and how far off it may be."""

    value: float
    error: float | None
    """Standard error; ``None`` where there were too few rounds to tell."""
    freedom: float
    """Student's degrees of freedom of that error."""
    n: int
    """Paired rounds behind it."""


def speedup(
    baseline: Sequence[float], variant: Sequence[float], starts: Sequence[int] = (0,), prior: float = BETWEEN_PROCESSES
) -> Ratio:
    """Return ``baseline / variant`` as ``log_ratio`` has it, with its 95 % interval.

    Interval and p-value use Student's t. Raises ``ValueError`` as ``log_ratio`` does; with fewer than ``MIN_ROUNDS``
    rounds confidence is 0, the interval the value itself, and p is 1.
    """
    from scipy import special  # scipy.stats would take ten times as long to import

    found = log_ratio(baseline, variant, starts, prior)
    if found.error is None:
        value = math.exp(found.value)
        return Ratio(value, value, value, 0.0, p_value=1.0, n=found.n)
    margin = float(special.stdtrit(found.freedom, (1 + CONFIDENCE) / 2)) * found.error
    return Ratio(
        math.exp(found.value),
        math.exp(found.value - margin),
        math.exp(found.value + margin),
        CONFIDENCE,
        p_value=2 * float(special.stdtr(found.freedom, -abs(found.value) / found.error)),
        n=found.n,
    )


def log_ratio(
    baseline: Sequence[float], variant: Sequence[float], starts: Sequence[int] = (0,), prior: float = BETWEEN_PROCESSES
) -> LogRatio:
    """Return the logarithm of ``baseline / variant``, each the mean of its fastest quarter of the paired rounds.

    Disturbances only ever slow a block down, so the fast end of a sample is what moves least from run to run
    (Chen and Revels 2016, Robust benchmarking in noisy environments, take the minimum; a quarter of the rounds
    also has a spread that can be estimated). ``starts`` are the positions of the first rounds of fresh processes. The
    variance of the logarithm is that within starts, from a bootstrap of each one's rounds, and that between starts, by
    which it grows if starts are drawn too, moderated by ``prior`` (as Smyth 2004 does for few replicates). Draws keep
    the pairs together; rounds next to each other are drawn in groups, some ``MAX_GROUPS`` in all, because the
    machine's state lasts longer than a round (Künsch 1989, block bootstrap). The degrees of freedom are Satterthwaite's
    (1946), groups − 1 with one start. Raises ``ValueError`` for times that are not paired or not positive and for
    starts that are not among them.
    """
    import numpy as np

    if len(baseline) != len(variant) or not baseline:
        raise ValueError(f"rounds must be paired, not {len(baseline)} against {len(variant)}")
    pairs = np.array([baseline, variant], dtype=float)
    if not (np.isfinite(pairs).all() and (pairs > 0).all()):
        raise ValueError("times must be positive numbers")
    n = len(baseline)
    ends = [*starts[1:], n]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)] if starts else []
    if not lengths or starts[0] or min(lengths) < 1:
        raise ValueError(f"{list(starts)} are not starts among {n} rounds")
    value = float(_log_ratio(pairs))
    if n < MIN_ROUNDS:
        return LogRatio(value, None, 0.0, n)
    per_start = max(1, min(*lengths, MAX_GROUPS // len(starts)))
    groups = per_start * len(starts)
    bounds = np.linspace(starts, ends, per_start + 1).round().astype(int).T  # (starts, groups of each + 1)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    of_group = rng.integers(per_start, size=(BOOTSTRAP_DRAWS, len(starts), per_start))
    same_starts = np.arange(len(starts))[None, :, None]
    # The bootstrap's variance of a mean of m values is too small by (m - 1) / m; m is the quarter's groups.
    quiet_groups = max(2, _quarter(groups))
    within = _variance(pairs, bounds, same_starts, of_group) * quiet_groups / (quiet_groups - 1)
    between, prior_freedom = prior**2, groups - 1
    if (count := len(starts)) > 1:
        drawn_starts = rng.integers(count, size=(BOOTSTRAP_DRAWS, count, 1))
        both = _variance(pairs, bounds, drawn_starts, of_group) * quiet_groups / (quiet_groups - 1)
        squares = max(0.0, both - within) * count**2  # of the starts' deviations from their mean, summed
        prior_freedom = START_TRUST + count - 1
        between = (START_TRUST * prior**2 + squares) / prior_freedom / count
    error = math.sqrt(within + between)
    freedom = error**4 / (within**2 / (groups - 1) + between**2 / prior_freedom)
    return LogRatio(value, error, freedom, n)


def _variance(pairs: Any, bounds: Any, of_start: Any, of_group: Any) -> float:
    """Return the variance of the log ratio over draws of groups of rounds, the groups of one start being a row."""
    import numpy as np

    # A draw is as many groups as there are, with as many rounds of each as the smallest has.
    size = int(np.diff(bounds).min())
    firsts = bounds[of_start, of_group].reshape(len(of_group), -1)
    drawn = [  # in parts: all draws of a long measurement at once would fill the memory
        _log_ratio(pairs[:, (part[:, :, None] + np.arange(size)).reshape(len(part), -1)])
        for part in np.array_split(firsts, BOOTSTRAP_PARTS)
    ]
    return float(np.var(np.concatenate(drawn), ddof=1))


def change(before: LogRatio, after: LogRatio, prior: float = BETWEEN_SESSIONS) -> Ratio:
    """Return by which factor a time has changed between two independent runs, with its 95 % interval.

    Both are held against the same reference, so what slowed everything in one run is in neither; or each is the
    logarithm of ``in_seconds``. Variances add, ``prior`` of each session among them, with Satterthwaite's degrees of
    freedom. Without an error on either side there is no confidence.
    """
    value, n = after.value - before.value, min(before.n, after.n)
    known = _error_of_change(before, after, prior)
    if known is None:
        return Ratio(math.exp(value), math.exp(value), math.exp(value), 0.0, p_value=1.0, n=n)
    error, freedom = known
    margin = student_quantile(1 - CONFIDENCE, freedom) * error
    return Ratio(
        math.exp(value),
        math.exp(value - margin),
        math.exp(value + margin),
        CONFIDENCE,
        p_value=student_p(value / error, freedom),
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
    """Return the growth, as a share, that ``change`` would just give this p-value: a fall is told a little sooner.

    ``None`` without an error on either side.
    """
    known = _error_of_change(before, after, prior)
    if known is None:
        return None
    error, freedom = known
    return math.expm1(student_quantile(p_value, freedom) * error)


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


def student_p(t: float, freedom: float) -> float:
    """Return the two-sided p-value of Student's t, with ``freedom`` rounded down."""
    from scipy import special  # scipy.stats would take ten times as long to import

    return 2 * float(special.stdtr(_whole(freedom), -abs(t)))


def student_quantile(p_value: float, freedom: float) -> float:
    """Return the t of which ``p_value`` is the two-sided p-value; ``freedom`` is rounded down."""
    from scipy import special

    return -float(special.stdtrit(_whole(freedom), p_value / 2))


def _whole(freedom: float) -> int:
    return max(1, min(int(freedom), MAX_FREEDOM))


def quiet_time(values: Sequence[float]) -> float:
    """Return the mean of the fastest quarter of ``values``: the time of a call while nothing disturbs it."""
    return statistics.fmean(sorted(values)[: _quarter(len(values))])


def _quarter(n: int) -> int:
    return math.ceil(n * QUIET_SHARE)


def _log_ratio(pairs: Any) -> Any:
    """Return the log of the ratio of quiet times over the last axis of ``(2, …, rounds)``."""
    import numpy as np

    count = _quarter(pairs.shape[-1])
    quiet = np.partition(pairs, count - 1, axis=-1)[..., :count].mean(axis=-1)
    return np.log(quiet[0] / quiet[1])


def relative_error(exact: Any, approximate: Any) -> float | None:
    """Return the root mean square of the difference as a share of that of ``exact``, of the same shape.

    ``None`` where there is no such number: nothing to hold against each other, NaN among them, or all zero.
    """
    import numpy as np

    if exact.shape != approximate.shape or not exact.size:
        return None
    exact = exact.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        whole, difference = float(np.linalg.norm(exact)), float(np.linalg.norm(approximate - exact))
    return difference / whole if math.isfinite(difference) and 0 < whole < math.inf else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being this many (Holm 1979): reject those that are still below alpha."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def holm_levels(adjusted: Sequence[float]) -> list[float]:
    """Return below which p-value each of these adjusted ones would be below ``ALPHA``, the others being as they are."""
    rejected = sum(p_value < ALPHA for p_value in adjusted)
    return [ALPHA / (len(adjusted) - rejected + (p_value < ALPHA)) for p_value in adjusted]
