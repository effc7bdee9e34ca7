"""The only statistics. Tables render what these functions return and compute nothing."""

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
START_LUCK = 0.005
"""By how much processes that hold the same model differ for as long as they live.

The standard deviation of the logarithm of their ratio. The rounds of one process cannot show it, so that much is taken
for granted (docs/measuring.md).
"""
THREADED_START_LUCK = 0.02
"""The same with several threads: how they came to share the cores lasts."""
START_TRUST = 4
"""As how much evidence that assumption counts, in degrees of freedom, once several starts show what is so."""
BOOTSTRAP_DRAWS = 2000
BOOTSTRAP_PARTS = 20
BOOTSTRAP_SEED = 0
"""Fixed: the same samples always give the same interval."""
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
    mean = statistics.fmean(values)
    # statistics.stdev reckons in fractions, which takes most of the time of a report of many runs.
    squares = math.fsum((value - mean) ** 2 for value in values)
    return MeanStd(mean, math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else None, len(values))


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


def start_luck(threads: int) -> float:
    """Return what is taken for granted of processes of so many threads."""
    return START_LUCK if threads == 1 else THREADED_START_LUCK


def speedup(
    baseline: Sequence[float], variant: Sequence[float], starts: Sequence[int] = (0,), luck: float = START_LUCK
) -> Ratio:
    """Return ``baseline / variant``, each the mean of its fastest quarter of the paired rounds, with its 95 % interval.

    Disturbances only ever slow a block down, so the fast end of a sample is what moves least from run to run
    (Chen and Revels 2016, Robust benchmarking in noisy environments, take the minimum; a quarter of the rounds
    also has a spread that can be estimated). ``starts`` are the positions of the first rounds of fresh processes. The
    variance of the logarithm is that within starts, from a bootstrap of each one's rounds, and that between starts, by
    which it grows if starts are drawn too, moderated by ``luck`` (as Smyth 2004 does for few replicates). Draws keep
     the pairs together; rounds next to each other are drawn in groups, some ``MAX_GROUPS`` in all, because the
    machine's state lasts longer than a round (Künsch 1989, block bootstrap). Interval and p-value use Student's t with
    Satterthwaite's (1946) degrees of freedom, groups − 1 with one start. Raises ``ValueError`` for times that are not
    paired or not positive and for starts that are not among them; with fewer than ``MIN_ROUNDS`` rounds confidence is
    0, the interval the value itself, and p is 1.
    """
    import numpy as np
    from scipy import special  # scipy.stats would take ten times as long to import

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
        return Ratio(math.exp(value), math.exp(value), math.exp(value), 0.0, p_value=1.0, n=n)
    per_start = max(1, min(*lengths, MAX_GROUPS // len(starts)))
    groups = per_start * len(starts)
    bounds = np.linspace(starts, ends, per_start + 1).round().astype(int).T  # (starts, groups of each + 1)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    of_group = rng.integers(per_start, size=(BOOTSTRAP_DRAWS, len(starts), per_start))
    same_starts = np.arange(len(starts))[None, :, None]
    # The bootstrap's variance of a mean of m values is too small by (m - 1) / m; m is the quarter's groups.
    quiet_groups = max(2, _quarter(groups))
    within = _variance(pairs, bounds, same_starts, of_group) * quiet_groups / (quiet_groups - 1)
    between, luck_freedom = luck**2, groups - 1
    if (count := len(starts)) > 1:
        drawn_starts = rng.integers(count, size=(BOOTSTRAP_DRAWS, count, 1))
        both = _variance(pairs, bounds, drawn_starts, of_group) * quiet_groups / (quiet_groups - 1)
        squares = max(0.0, both - within) * count**2  # of the starts' deviations from their mean, summed
        luck_freedom = START_TRUST + count - 1
        between = (START_TRUST * luck**2 + squares) / luck_freedom / count
    error = math.sqrt(within + between)
    freedom = error**4 / (within**2 / (groups - 1) + between**2 / luck_freedom)
    margin = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    distance = abs(value) / error
    return Ratio(
        math.exp(value),
        math.exp(value - margin),
        math.exp(value + margin),
        CONFIDENCE,
        p_value=2 * float(special.stdtr(freedom, -distance)),
        n=n,
    )


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


def wilson(correct: int, total: int) -> Interval:
    """Return the accuracy ``correct / total`` with its 95 % Wilson score interval (Wilson 1927)."""
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is not a share")
    share = correct / total
    denominator = 1 + Z95**2 / total
    centre = (share + Z95**2 / (2 * total)) / denominator
    margin = Z95 / denominator * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    return Interval(share, max(0.0, centre - margin), min(1.0, centre + margin), CONFIDENCE)


def standard_error(correct: int, total: int) -> float:
    """Return the binomial standard error of the accuracy ``correct / total``."""
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is not a share")
    share = correct / total
    return math.sqrt(share * (1 - share) / total)


def mcnemar(lost: int, gained: int) -> float:
    """Return the exact two-sided p-value that ``lost`` and ``gained`` answers are equally likely (McNemar 1947).

    ``lost`` counts examples that only the baseline got right, ``gained`` those that only the variant did: under
    equality each is a fair coin, so the test is the binomial one (Conover 1999, section 3.5).
    """
    if lost < 0 or gained < 0:
        raise ValueError(f"{lost} and {gained} are not counts")
    n = lost + gained
    tail = ways = 1
    for k in range(min(lost, gained)):
        ways = ways * (n - k) // (k + 1)  # n choose k + 1; math.comb anew for each k takes minutes where n is 60,000
        tail += ways
    return float(min(1.0, 2 * tail / 2**n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being this many (Holm 1979): reject those that are still below alpha."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted
