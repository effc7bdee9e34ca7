"""Whether a variant keeps to an allowed loss of accuracy: it does only if the data show it (non-inferiority).

The paired 95 % interval of the change must lie above the loss that is allowed. Where it is not known which examples
were answered right, the interval of two independent shares takes its place, which is wider for the same examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.core.units import counted
from bench.results.recommendation import AccuracyChange
from bench.results.row import Accuracy, Row
from bench.stats import proportions

DEFAULT_DROPS = (0.005, 0.01, 0.02, 0.05)
"""What may be lost where nobody says: the first that the test set can show to be kept to, else the last."""
TYPICAL_DIFFERENCES = 0.01
"""Share of examples that int8 answers otherwise than fp32: half of them lost, half gained, must be shown to be within
a default."""
Outcome = Literal["met", "missed", "undecided"]


@dataclass(frozen=True)
class Judgement:
    """Whether the loss of one variant is within what is allowed."""

    outcome: Outcome
    reason: str = ""
    """Why it is not met, as a part of a sentence."""
    more_examples: int | None = None
    """That would tell; ``None`` where no number is known to."""


def default_max_drop(accuracy: Accuracy, *, paired: bool) -> float:
    """Return the loss, a share, that is allowed where nobody says, on the test set of fp32's ``accuracy``.

    ``paired`` says whether it is known which examples variants answered right.
    """
    if paired:
        half = round(accuracy.total * TYPICAL_DIFFERENCES / 2)
        low = proportions.paired_difference(half, half, accuracy.total).low
    else:
        same = proportions.wilson(accuracy.correct, accuracy.total)
        low = proportions.difference(same, same).low
    return next((drop for drop in DEFAULT_DROPS if low > -drop), DEFAULT_DROPS[-1])


def change(row: Row, baseline: Row) -> AccuracyChange | None:
    """Return how a row's accuracy differs from the baseline's, with its interval; ``None`` if that is not known."""
    if row.accuracy is None or baseline.accuracy is None:
        return None
    if row.agreement is not None:
        lost, gained, total = row.agreement.lost, row.agreement.gained, row.accuracy.total
        paired = proportions.paired_difference(lost, gained, total)
        return AccuracyChange(
            value=paired.value, low=paired.low, high=paired.high, examples=total, lost=lost, gained=gained
        )
    before, after = (
        proportions.wilson(accuracy.correct, accuracy.total) for accuracy in (baseline.accuracy, row.accuracy)
    )
    apart = proportions.difference(before, after)
    return AccuracyChange(value=apart.value, low=apart.low, high=apart.high, examples=row.accuracy.total)


def judge(row: Row, baseline: Row, max_drop: float) -> Judgement:
    """Say whether the row loses no more than ``max_drop``, a share."""
    known = change(row, baseline)
    if known is None:
        return Judgement("undecided", _unknown(row, baseline))
    if known.low > -max_drop:
        return Judgement("met")
    if known.high < -max_drop:
        return Judgement("missed", "it loses more accuracy than is allowed")
    more = _more_examples(row, baseline, known, max_drop)
    needed = counted(more, "more test example") if more else "no number of test examples would do"
    return Judgement("undecided", f"its loss cannot be told from what is allowed: {needed}", more)


def _more_examples(row: Row, baseline: Row, known: AccuracyChange, max_drop: float) -> int | None:
    """Return how many examples more would tell, if the shares stay what they are."""
    total = known.examples
    if known.lost is not None and known.gained is not None:
        needed = proportions.paired_examples_to_tell(known.lost, known.gained, total, -max_drop)
    elif row.accuracy and baseline.accuracy and baseline.accuracy.total == total:
        needed = proportions.examples_to_tell(baseline.accuracy.correct, row.accuracy.correct, total, -max_drop)
    else:
        needed = None
    return None if needed is None else max(1, needed - total)


def _unknown(row: Row, baseline: Row) -> str:
    if baseline.share_right is None:
        return "its accuracy cannot be told, as nothing was given to evaluate it with: measure with --evaluate"
    if row.share_right is None:
        return "its accuracy is not known"
    return "its loss cannot be told, as evaluate returned a fraction: return (correct, total)"
