"""The statistics of accuracies: shares of right answers, of the same examples or of independent ones."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from bench.stats.interval import ACCURACY_CONFIDENCE, Interval

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""
MOST_EXAMPLES = 10**9
"""Of a test set that anybody could want."""


def wilson(correct: int, total: int) -> Interval:
    """Return the accuracy ``correct / total`` with its 95 % Wilson score interval (Wilson 1927)."""
    if not 0 <= correct <= total or not total:
        raise ValueError(f"{correct} of {total} is not a share")
    return _wilson(correct / total, total)


def _wilson(share: float, total: float) -> Interval:
    denominator = 1 + Z95**2 / total
    centre = (share + Z95**2 / (2 * total)) / denominator
    margin = Z95 / denominator * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    return Interval(share, max(0.0, centre - margin), min(1.0, centre + margin), ACCURACY_CONFIDENCE)


def difference(before: Interval, after: Interval) -> Interval:
    """Return ``after − before`` of two independent shares with its 95 % interval (Newcombe 1998, method 10)."""
    value = after.value - before.value
    return Interval(
        value,
        value - math.hypot(after.value - after.low, before.high - before.value),
        value + math.hypot(after.high - after.value, before.value - before.low),
        ACCURACY_CONFIDENCE,
    )


def two_shares(correct: int, total: int, later_correct: int, later_total: int) -> float:
    """Return the two-sided p-value that two independent shares are equal, by the normal test with a pooled variance."""
    if not (0 <= correct <= total and 0 <= later_correct <= later_total and total and later_total):
        raise ValueError(f"{correct} of {total} and {later_correct} of {later_total} are not shares")
    pooled = (correct + later_correct) / (total + later_total)
    variance = pooled * (1 - pooled) * (1 / total + 1 / later_total)
    distance = abs(later_correct / later_total - correct / total)
    return math.erfc(distance / math.sqrt(2 * variance)) if variance else 1.0


def least_loss(correct: int, total: int, later_total: int, p_value: float) -> float | None:
    """Return the loss, as a difference of shares, to which ``two_shares`` would just give less than this p-value.

    ``None`` if so few examples cannot show any.
    """
    fewer = range(math.ceil(correct / total * later_total))
    enough = bisect_left(fewer, True, key=lambda count: two_shares(correct, total, count, later_total) >= p_value)
    return correct / total - (enough - 1) / later_total if enough else None


def least_net_loss(gained: int, total: int, p_value: float) -> float | None:
    """Return the loss, as a share, to which ``mcnemar`` would just give less than this p-value with so many gained.

    ``None`` if so few examples cannot show any.
    """
    more = range(gained, total - gained + 1)
    net = bisect_left(more, True, key=lambda lost: mcnemar(lost, gained) < p_value)
    return net / total if net < len(more) else None


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
    from scipy import special  # scipy.stats would take ten times as long to import

    return min(1.0, 2 * float(special.bdtr(min(lost, gained), lost + gained, 0.5)))


def paired_difference(lost: int, gained: int, total: int) -> Interval:
    """Return ``(gained − lost) / total``, the change of an accuracy, with its 95 % score interval (Tango 1998).

    Both models answered the same ``total`` examples: ``lost`` counts those that only the baseline has right, ``gained``
    those that only the variant has. The interval holds the differences d that a score test does not reject:
    ``|gained − lost − total d| ≤ z √(total (2 q + d (1 − d)))``, q being the probability of a loss that is most likely
    given d. It stays within [−1, 1], and has a width where nothing was lost or gained.
    """
    if min(lost, gained) < 0 or total < 1 or lost + gained > total:
        raise ValueError(f"{lost} and {gained} are not counts among {total}")
    return _paired(lost, gained, total)


def _paired(lost: float, gained: float, total: float) -> Interval:
    value = (gained - lost) / total

    def excess(difference: float) -> float:
        """Return by how much the score, which falls as the difference grows, is from 0 in units of z."""
        linear = -gained - lost + (2 * total - gained + lost) * difference
        constant = -lost * difference * (1 - difference)
        likely = (math.sqrt(max(0.0, linear**2 - 8 * total * constant)) - linear) / (4 * total)
        variance = total * (2 * likely + difference * (1 - difference))
        distance = gained - lost - total * difference
        return distance / (Z95 * math.sqrt(variance)) if variance > 0 else math.copysign(math.inf, distance)

    low = _crossing(lambda difference: excess(difference) - 1, -1.0, value)
    high = _crossing(lambda difference: excess(difference) + 1, value, 1.0)
    return Interval(value, low, high, ACCURACY_CONFIDENCE)


def paired_examples_to_tell(lost: int, gained: int, total: int, margin: float) -> int | None:
    """Return of how many examples ``paired_difference`` tells the change from ``margin``, if its shares stay as seen.

    It is told where the interval does not hold ``margin``. ``None`` where ``MOST_EXAMPLES`` would not do.
    """
    return _examples_to_tell(lambda factor: _paired(factor * lost, factor * gained, factor * total), total, margin)


def examples_to_tell(correct: int, later_correct: int, total: int, margin: float) -> int | None:
    """Return the same of two shares that are taken for independent, each of ``total`` examples (``difference``)."""

    def change(factor: float) -> Interval:
        before, after = (_wilson(count / total, factor * total) for count in (correct, later_correct))
        return difference(before, after)

    return _examples_to_tell(change, total, margin)


def _examples_to_tell(change: Callable[[float], Interval], total: int, margin: float) -> int | None:
    def told(examples: int) -> bool:
        interval = change(examples / total)
        return not interval.low <= margin <= interval.high

    examples = 1 + bisect_left(range(1, MOST_EXAMPLES + 1), True, key=told)
    return examples if examples <= MOST_EXAMPLES else None


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function crosses 0, by bisection: 60 halvings are a float's precision."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
