"""How many times faster one model is than another over paired rounds, and how far off that may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.stats.describe import quarter
from bench.stats.interval import CONFIDENCE, Interval, half_width

MIN_ROUNDS = 6
"""With fewer no interval is given."""
MAX_GROUPS = 20
BETWEEN_PROCESSES = 0.005
"""By how much processes that hold the same model differ for as long as they live.

The standard deviation of the logarithm of their ratio. The rounds of one process cannot show it, so that much is taken
for granted (docs/measuring.md).
"""
BETWEEN_THREADED_PROCESSES = 0.02
"""The same with several threads: how they came to share the cores lasts."""
START_TRUST = 4
"""As how much evidence that assumption counts, in degrees of freedom, once several starts show what is so."""
LARGEST_LOG = 230.0
"""Of a ratio: e²³⁰ is 10¹⁰⁰, within which powers and products of ratios stay finite."""
BOOTSTRAP_DRAWS = 2000
BOOTSTRAP_PARTS = 20
BOOTSTRAP_SEED = 0
"""Fixed: the same samples always give the same interval."""


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


def between_processes(threads: int) -> float:
    """Return what is taken for granted of processes of so many threads."""
    return BETWEEN_PROCESSES if threads == 1 else BETWEEN_THREADED_PROCESSES


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

    ratio = log_ratio(baseline, variant, starts, prior)
    if ratio.error is None:
        value = bounded_exp(ratio.value)
        return Ratio(value, value, value, 0.0, p_value=1.0, n=ratio.n)
    margin = float(special.stdtrit(ratio.freedom, (1 + CONFIDENCE) / 2)) * ratio.error
    return Ratio(
        bounded_exp(ratio.value),
        bounded_exp(ratio.value - margin),
        bounded_exp(ratio.value + margin),
        CONFIDENCE,
        p_value=min(1.0, 2 * float(special.stdtr(ratio.freedom, -abs(ratio.value) / ratio.error))),
        n=ratio.n,
    )


def bounded_exp(logarithm: float) -> float:
    """Return the ratio, a finite one however wide an interval is."""
    return math.exp(min(max(logarithm, -LARGEST_LOG), LARGEST_LOG))


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
    quiet_groups = max(2, quarter(groups))
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


def _log_ratio(pairs: Any) -> Any:
    """Return the log of the ratio of quiet times over the last axis of ``(2, …, rounds)``."""
    import numpy as np

    count = quarter(pairs.shape[-1])
    quiet = np.partition(pairs, count - 1, axis=-1)[..., :count].mean(axis=-1)
    return np.log(quiet[0] / quiet[1])
