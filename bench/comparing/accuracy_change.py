"""What became of an accuracy between two runs of one machine.

Both runs answered the same examples, so they are compared example by example (McNemar). Where a file does not say
which were right, equal counts are no difference, and unequal ones are two shares, as if of different examples, which
errs towards no difference. Where a user's function returned only a fraction, no confidence interval and no verdict can
be given.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.core.units import percent
from bench.core.variant_key import VariantKey
from bench.results.change import Change, ChangeWord
from bench.results.row import Accuracy, Row
from bench.results.verdict import p_text
from bench.stats import proportions
from bench.stats.interval import Interval
from bench.stats.multiple_tests import ACCURACY_ALPHA

ADVICE = "evaluate both runs on more examples"


@dataclass(frozen=True)
class AccuracyTest:
    """One row's accuracies of known numbers of examples."""

    model: str
    variant: VariantKey
    before: Accuracy
    after: Accuracy
    unpaired: tuple[int, int] | None
    """How many examples only the run before has right, and only the one after; ``None`` if that is not known."""
    alpha: float = ACCURACY_ALPHA

    @property
    def change(self) -> Change:
        """The change with its interval."""
        difference = self._difference
        return Change(
            model=self.model,
            variant=self.variant,
            quantity="accuracy",
            before=self.before.correct / self.before.total,
            after=self.after.correct / self.after.total,
            value=difference.value,
            low=None if self._same else difference.low,
            high=None if self._same else difference.high,
            advice=ADVICE,
            word="the same",
            sentence="",
        )

    @property
    def p_value(self) -> float:
        """Of both being equally accurate."""
        if self.unpaired is not None:
            return proportions.mcnemar(*self.unpaired)
        return proportions.two_shares(self.before.correct, self.before.total, self.after.correct, self.after.total)

    def judged(self, adjusted_p: float, level: float) -> Change:
        """Return the change with its verdict."""
        change = self.change.model_copy(update={"p_value": adjusted_p, "least": self._least(level)})
        counts = f"{self.before.correct:,} of {self.before.total:,}"
        if self._same:
            what = "counts" if self.unpaired is None else "answers"
            return change.model_copy(update={"sentence": f"accuracy: the same {what}, {counts} right"})
        word: ChangeWord = "better" if change.value > 0 else "worse"
        if adjusted_p > self.alpha:
            word = "no difference detected"
        how = "as two independent samples"
        if self.unpaired is not None:
            how = "{:,} lost and {:,} gained".format(*self.unpaired)
        sentence = (
            f"accuracy: {word}, {change.figure}, {counts} right and {self.after.correct:,} of {self.after.total:,}, "
            f"{how}, {p_text(adjusted_p)}"
        )
        return change.model_copy(update={"word": word, "sentence": sentence})

    @property
    def _same(self) -> bool:
        alike = (self.before.correct, self.before.total) == (self.after.correct, self.after.total)
        return alike and self.unpaired in (None, (0, 0))

    @property
    def _difference(self) -> Interval:
        if self.unpaired is not None:
            return proportions.paired_difference(*self.unpaired, self.before.total)
        return proportions.difference(
            *(proportions.wilson(accuracy.correct, accuracy.total) for accuracy in (self.before, self.after))
        )

    def _least(self, level: float) -> float | None:
        """Return the least loss that would be called one at a level of significance."""
        if self.unpaired is not None:
            return proportions.least_net_loss(self.unpaired[1], self.before.total, level)
        return proportions.least_loss(self.before.correct, self.before.total, self.after.total, level)


def accuracy_change(before: Row, after: Row) -> AccuracyTest | Change | None:
    """Return what is to be judged of a row's accuracy, or the change of a fraction; ``None`` if a run has none."""
    if before.accuracy is not None and after.accuracy is not None:
        return AccuracyTest(after.full_model, after.key, before.accuracy, after.accuracy, unpaired(before, after))
    was, now = before.share_right, after.share_right
    return None if was is None or now is None else _of_shares(after, was, now)


def unpaired(before: Row, after: Row) -> tuple[int, int] | None:
    """Return how many examples only the first has right, and only the second; ``None`` where that is not known."""
    if before.right is None or after.right is None or len(before.right) != len(after.right):
        return None
    was, now = (int.from_bytes(right, "big") for right in (before.right, after.right))
    return (was & ~now).bit_count(), (now & ~was).bit_count()


def _of_shares(row: Row, was: float, now: float) -> Change:
    change = Change(
        model=row.full_model,
        variant=row.key,
        quantity="accuracy",
        before=was,
        after=now,
        value=now - was,
        word="the same" if was == now else "not comparable",
        sentence="",
    )
    figures = f"the same {percent(was)}" if was == now else f"{change.figure}, {percent(was)} and {percent(now)}"
    return change.model_copy(update={"sentence": f"accuracy: {figures} of an unknown number of examples"})
