"""What the figures allow to be said: one of a few words, and one sentence with the figures behind it.

Many verdicts are given at once, so their p-values are adjusted (Holm 1979). Of latency, the rows of one model at one
batch size are a family, judged at ``LATENCY_ALPHA``; of accuracy, the rows of one task, judged at ``ACCURACY_ALPHA``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.units import MISSING, counted, percent, ratio
from bench.core.variant_key import BASELINE
from bench.results.latency import Speedup
from bench.results.row import Row
from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA, holm
from bench.stats.ranks import least_n

Word = Literal["faster", "slower", "better", "worse", "no difference detected", "not comparable"]
UNDECIDED: Word = "no difference detected"
NOT_COMPARABLE: Word = "not comparable"


@dataclass(frozen=True)
class Verdict:
    """A word and its reason."""

    word: Word
    sentence: str


def latency_verdicts(rows: Sequence[Row], batch_size: int) -> list[Verdict]:
    """Judge each row's latency against the fp32 row of its model, the rows of a model as one family.

    The baseline is not comparable, nor is what only simulates low precision.
    """
    speedups = [None if row.simulated else row.speedup.get(batch_size) for row in rows]
    families: dict[str, list[float]] = {}
    for row, value in zip(rows, speedups, strict=True):
        if value is not None and value.confidence:
            families.setdefault(row.full_model, []).append(value.p_value)
    adjusted = {model: iter(holm(p_values)) for model, p_values in families.items()}
    verdicts = []
    for row, value in zip(rows, speedups, strict=True):
        if value is not None and value.confidence:
            p_value, family = next(adjusted[row.full_model]), len(families[row.full_model])
            verdicts.append(speed(value, p_value, f"at batch {batch_size}", family))
        elif value is not None and value.retired:
            verdicts.append(_retired(value, batch_size))
        else:
            verdicts.append(Verdict(NOT_COMPARABLE, _why_not(row, rows, value, batch_size)))
    return verdicts


def accuracy_verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Judge each row's accuracy against the fp32 row of its model, as one family; the baseline is not comparable."""
    adjusted = iter(holm([row.agreement.p_value for row in rows if row.agreement is not None]))
    return [
        _accuracy(row, next(adjusted))
        if row.agreement is not None
        else Verdict(NOT_COMPARABLE, _why_unjudged(row, rows) or _why_not(row, rows))
        for row in rows
    ]


def uncertain_losses(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that lost answers, judged alone, which the verdicts leave undecided among so many rows."""
    verdicts = zip(rows, accuracy_verdicts(rows), strict=True)
    return [
        row
        for row, verdict in verdicts
        if verdict.word == UNDECIDED and (agreement := row.agreement)
        if agreement.lost > agreement.gained and agreement.p_value < ACCURACY_ALPHA
    ]


def speed(value: Speedup, adjusted_p: float, where: str = "", family: int = 1) -> Verdict:
    """Judge one speed-up by its p-value, adjusted among ``family`` rows."""
    word: Word = UNDECIDED if adjusted_p > LATENCY_ALPHA else "faster" if value.value > 1 else "slower"
    figures = f"{ratio(value.interval)} over {counted(value.n, 'process')}"
    least = least_n(LATENCY_ALPHA / family)
    few = f"; a verdict takes at least {least}" if word == UNDECIDED and value.n < least else ""
    return Verdict(word, f"{f'{where}: ' if where else ''}{word}, {figures}, {p_text(adjusted_p)}{few}")


def _retired(value: Speedup, batch_size: int) -> Verdict:
    return Verdict(
        "slower",
        f"at batch {batch_size}: slower, {ratio(value.interval)}; it took more than three times {BASELINE}'s time in "
        f"every process timed ({value.n}), so no more were",
    )


def _accuracy(row: Row, adjusted_p: float) -> Verdict:
    agreement, accuracy = row.agreement, row.accuracy
    if agreement is None or accuracy is None:
        raise ValueError("no agreement to judge")
    word: Word = (
        UNDECIDED if adjusted_p > ACCURACY_ALPHA else "better" if agreement.gained > agreement.lost else "worse"
    )
    return Verdict(
        word,
        f"accuracy: {word}, of {accuracy.total:,} examples {agreement.lost:,} lost and {agreement.gained:,} gained, "
        f"{p_text(adjusted_p)}, {percent(agreement.same / accuracy.total, 2)} answered alike",
    )


def _why_not(row: Row, rows: Sequence[Row], value: Speedup | None = None, batch_size: int | None = None) -> str:
    if row.key == BASELINE:
        return f"it is {BASELINE} itself"
    if value is not None and not value.n:
        return f"at batch {batch_size}: not comparable, its rounds are not paired with {BASELINE}'s"
    if value is not None:
        return (
            f"at batch {batch_size}: not comparable, measured in {counted(value.n, 'process')}, and an interval takes "
            f"{least_n(1 - LATENCY_CONFIDENCE)}; measure again"
        )
    if not row.measured:
        return f"not comparable, {row.reason}"
    if row.simulated and batch_size is not None:
        return "latency: not comparable, float32 kernels simulate what low precision would compute"
    for other in rows:
        of_baseline = (other.task, other.model, other.key) == (row.task, row.model, BASELINE)
        if of_baseline and batch_size in other.latency:
            return f"at batch {batch_size}: not comparable, its rounds were not kept"
    return f"not comparable, {BASELINE} was not measured"


def _why_unjudged(row: Row, rows: Sequence[Row]) -> str | None:
    """Return why nothing is said of the accuracy, though both rows were measured: single answers are not known."""
    measured = {other.key for other in rows if other.model == row.model and other.measured}
    if row.key == BASELINE or not {row.key, BASELINE} <= measured:
        return None
    if row.share_right is None:
        return "accuracy: not comparable, nothing was given to evaluate it with"
    return "accuracy: not comparable, how many examples were answered right is known, and not which"


def cell(word: str) -> str:
    """Return a word as a table has it: blank for no difference, a dash where nothing could be compared."""
    return {UNDECIDED: "", NOT_COMPARABLE: MISSING, "the same": ""}.get(word, word)


def p_text(p_value: float) -> str:
    """Return ``p = 0.02``, or ``p < 0.0001`` where it is smaller."""
    return f"p = {p_value:.2g}" if p_value >= 1e-4 else "p < 0.0001"
