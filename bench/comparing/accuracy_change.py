"""What became of the accuracies of one model between two runs of one machine.

Both runs answered the same examples, so they are compared example by example (McNemar). Where a file does not say
which were right, equal counts are no difference, and unequal ones are two shares, as if of different examples, which
errs towards no difference. Where a user's function returned only a fraction, no confidence interval and no verdict can
be given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.units import percent
from bench.core.variant_key import VariantKey
from bench.results.change import Change, ChangeWord
from bench.results.row import Accuracy, Row
from bench.results.verdict import p_text
from bench.stats import proportions
from bench.stats.interval import Interval
from bench.stats.multiple_tests import ALPHA, holm, holm_levels

ADVICE = "evaluate both runs on more examples"


@dataclass(frozen=True)
class _Pair:
    """One row's accuracies of known numbers of examples."""

    variant: VariantKey
    before: Accuracy
    after: Accuracy
    unpaired: tuple[int, int] | None
    """How many examples only the run before has right, and only the one after; ``None`` if that is not known."""

    @property
    def p_value(self) -> float:
        if self.unpaired is not None:
            return proportions.mcnemar(*self.unpaired)
        return proportions.two_shares(self.before.correct, self.before.total, self.after.correct, self.after.total)

    @property
    def difference(self) -> Interval:
        if self.unpaired is not None:
            return proportions.paired_difference(*self.unpaired, self.before.total)
        return proportions.difference(
            *(proportions.wilson(accuracy.correct, accuracy.total) for accuracy in (self.before, self.after))
        )

    def least(self, level: float) -> float | None:
        """Return the least loss that would be called one at a level of significance."""
        if self.unpaired is not None:
            return proportions.least_net_loss(self.unpaired[1], self.before.total, level)
        return proportions.least_loss(self.before.correct, self.before.total, self.after.total, level)


def accuracy_changes(model: str, rows: Sequence[tuple[Row, Row]]) -> Iterator[Change]:
    """Judge the accuracies of a model's rows, those of known numbers of examples as one family."""
    pairs = [
        _Pair(after.key, before.accuracy, after.accuracy, _unpaired(before, after))
        for before, after in rows
        if before.accuracy is not None and after.accuracy is not None
    ]
    adjusted_p = holm([pair.p_value for pair in pairs])
    for pair, adjusted, level in zip(pairs, adjusted_p, holm_levels(adjusted_p), strict=True):
        yield _of_counts(model, pair, adjusted, level)
    for before_row, after_row in rows:
        if before_row.accuracy is None or after_row.accuracy is None:
            was, now = before_row.share_right, after_row.share_right
            if was is not None and now is not None:
                yield _of_shares(model, after_row.key, was, now)


def _unpaired(before: Row, after: Row) -> tuple[int, int] | None:
    if before.right is None or after.right is None or len(before.right) != len(after.right):
        return None
    was, now = (int.from_bytes(right, "big") for right in (before.right, after.right))
    return (was & ~now).bit_count(), (now & ~was).bit_count()


def _of_counts(model: str, pair: _Pair, adjusted: float, level: float) -> Change:
    before, after, difference = pair.before, pair.after, pair.difference
    same = (before.correct, before.total) == (after.correct, after.total) and pair.unpaired in (None, (0, 0))
    word: ChangeWord = "no difference detected" if adjusted >= ALPHA else "better" if difference.value > 0 else "worse"
    change = Change(
        model=model,
        variant=pair.variant,
        quantity="accuracy",
        before=before.correct / before.total,
        after=after.correct / after.total,
        value=difference.value,
        low=None if same else difference.low,
        high=None if same else difference.high,
        p_value=adjusted,
        least=pair.least(level),
        advice=ADVICE,
        word="the same" if same else word,
        sentence="",
    )
    counts = f"{before.correct:,} of {before.total:,}"
    if same:
        what = "counts" if pair.unpaired is None else "answers"
        sentence = f"accuracy: the same {what}, {counts} right"
    else:
        how = "as two independent samples"
        if pair.unpaired is not None:
            how = "{:,} lost and {:,} gained".format(*pair.unpaired)
        sentence = (
            f"accuracy: {word}, {change.figure}, {counts} right and {after.correct:,} of {after.total:,}, {how}, "
            f"{p_text(adjusted)}"
        )
    return change.model_copy(update={"sentence": sentence})


def _of_shares(model: str, variant: VariantKey, was: float, now: float) -> Change:
    change = Change(
        model=model,
        variant=variant,
        quantity="accuracy",
        before=was,
        after=now,
        value=now - was,
        word="the same" if was == now else "not comparable",
        sentence="",
    )
    figures = f"the same {percent(was)}" if was == now else f"{change.figure}, {percent(was)} and {percent(now)}"
    return change.model_copy(update={"sentence": f"accuracy: {figures} of an unknown number of examples"})
