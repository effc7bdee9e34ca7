"""What became of the accuracies of one model between two runs of one machine.

Files hold counts alone: equal counts are no difference, and unequal ones are two shares, as if of different examples,
which errs towards no difference. Where a user's function gave a bare share, of how many examples is not known: there is
no interval and no verdict, and noise may explain it or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench import summary
from bench.change import Change, ChangeWord
from bench.result import Accuracy, Row
from bench.summary import ALPHA, holm, holm_levels
from bench.units import percent
from bench.verdict import p_text

ADVICE = "judge both runs on more examples"


def accuracy_changes(model: str, rows: Sequence[tuple[Row, Row]]) -> Iterator[Change]:
    """Judge the accuracies of a model's rows, those of known numbers of examples as one family."""
    counted = [
        (before.accuracy, after.accuracy, after.technique)
        for before, after in rows
        if before.accuracy is not None and after.accuracy is not None
    ]
    p_values = [
        summary.two_shares(before.correct, before.total, after.correct, after.total) for before, after, _ in counted
    ]
    adjusted_p = holm(p_values)
    for (before, after, technique), adjusted, level in zip(counted, adjusted_p, holm_levels(adjusted_p), strict=True):
        yield _of_counts(model, technique, before, after, adjusted, level)
    for before_row, after_row in rows:
        if before_row.accuracy is None or after_row.accuracy is None:
            was, now = before_row.share_right, after_row.share_right
            if was is not None and now is not None:
                yield _of_shares(model, after_row.technique, was, now)


def _of_counts(model: str, technique: str, before: Accuracy, after: Accuracy, adjusted: float, level: float) -> Change:
    found = summary.difference(summary.wilson(before.correct, before.total), summary.wilson(after.correct, after.total))
    same = (before.correct, before.total) == (after.correct, after.total)
    word: ChangeWord = "no difference detected" if adjusted >= ALPHA else "better" if found.value > 0 else "worse"
    change = Change(
        model=model,
        technique=technique,
        quantity="accuracy",
        before=before.correct / before.total,
        after=after.correct / after.total,
        value=found.value,
        low=None if same else found.low,
        high=None if same else found.high,
        p_value=adjusted,
        least=summary.least_loss(before.correct, before.total, after.total, level),
        advice=ADVICE,
        word="the same" if same else word,
        sentence="",
    )
    counts = f"{before.correct:,} of {before.total:,}"
    sentence = f"accuracy: the same {counts} right"
    if not same:
        sentence = (
            f"accuracy: {word}, {change.figure}, {counts} right and {after.correct:,} of {after.total:,}, "
            f"as two independent samples, {p_text(adjusted)}"
        )
    return change.model_copy(update={"sentence": sentence})


def _of_shares(model: str, technique: str, was: float, now: float) -> Change:
    change = Change(
        model=model,
        technique=technique,
        quantity="accuracy",
        before=was,
        after=now,
        value=now - was,
        word="the same" if was == now else "not comparable",
        sentence="",
    )
    figures = f"the same {percent(was)}" if was == now else f"{change.figure}, {percent(was)} and {percent(now)}"
    return change.model_copy(update={"sentence": f"accuracy: {figures} of an unknown number of examples"})
