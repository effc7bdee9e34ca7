"""Two runs of one machine, row by row: what changed, and whether noise explains it.

A latency is held against the yardstick of its own rounds, so that a machine which was slower altogether has changed
nothing (``bench.summary.change``). Where a run has none, or most blocks were disturbed, so much is allowed for drift
that a factor of some 2 is the least that is told. Of accuracies the files hold counts alone: equal counts are no
difference, and unequal ones are two shares, as if of different examples, which errs towards no difference. Sizes and
parameters are exact; memory is one reading, of which ``MEMORY_SLACK`` is taken for noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench import summary, verdict
from bench.result import Latency, Record, Row, Run
from bench.summary import ALPHA, CONFIDENCE, Ratio, holm
from bench.units import counted, percent, seconds

Quantity = Literal["latency", "accuracy", "size", "packed", "params", "memory"]
ChangeWord = Literal[
    "faster",
    "slower",
    "better",
    "worse",
    "smaller",
    "larger",
    "the same",
    "no difference detected",
    "not comparable",
]
NO_DIFFERENCE: tuple[ChangeWord, ...] = ("the same", "no difference detected", "not comparable")
MEMORY_SLACK = 0.05
"""A process's growth depends on how its allocator happened to be used."""
DISTURBED_SHARE = 0.5
"""Of the rounds; from here on the fastest quarter may be made of disturbed blocks, and says little."""


class Change(Record):
    """One figure of one row in two runs."""

    model: str
    """As ``task/model``."""
    technique: str
    quantity: Quantity
    batch_size: int | None = None
    """Of a latency."""
    before: float
    """Seconds, bytes, a number, or a share of right answers."""
    after: float
    value: float
    """The change: of accuracy as a difference of shares, of everything else as a share of ``before``.

    That of a latency is of its pace, where both runs have a yardstick.
    """
    low: float | None = None
    high: float | None = None
    """Its 95 % interval, where there is one."""
    p_value: float | None = None
    """Adjusted for the rows of the model."""
    word: ChangeWord
    sentence: str

    @property
    def row(self) -> str:
        """The row's name."""
        return f"`{self.model}` `{self.technique}`"

    @property
    def figure(self) -> str:
        """The change with its interval."""
        unit, decimals = ("points", 2) if self.quantity == "accuracy" else ("%", 1 if self.quantity == "latency" else 2)
        shown = f"{signed(self.value, decimals)} {unit}"
        if self.low is None or self.high is None:
            return shown
        return f"{shown} [{signed(self.low, decimals)}, {signed(self.high, decimals)}]"


class Missing(Record):
    """A row, or a row's latency, that only one of two runs has."""

    model: str
    technique: str
    lost: bool
    """Whether the new run lacks it; otherwise the base does."""
    sentence: str


def signed(share: float, decimals: int = 2) -> str:
    """Return a share in percent with its sign; what rounds to zero has none."""
    shown = f"{100 * share:+.{decimals}f}"
    return shown if float(shown) else "0"


def changes(base: Run, new: Run) -> list[Change]:
    """Return what became of each figure that both runs have, model by model."""
    found: list[Change] = []
    for model, pairs in _models(base, new).items():
        for size in new.settings.batch_sizes:
            timed = [
                _Timed(before, after, was, now)
                for before, after in pairs
                if (was := _time(before, size)) is not None and (now := _time(after, size)) is not None
            ]
            beside = [yardstick for run in (base, new) if (yardstick := _yardstick(run, model, size)) is not None]
            found += _latencies(model, timed, size, beside)
        found += _accuracies(model, pairs)
        for before, after in pairs:
            found += _sizes(model, before, after)
    return found


def missing(base: Run, new: Run) -> list[Missing]:
    """Return the rows that were measured in one run alone."""
    return [*_missing(base, new, lost=True), *_missing(new, base, lost=False)]


def _missing(has: Run, lacks: Run, lost: bool) -> Iterator[Missing]:
    others = {_key(row): row for row in lacks.rows}
    side = "new run" if lost else "base"
    for row in has.rows:
        if row.status not in ("ok", "noisy"):
            continue
        other = others.get(_key(row))
        model = f"{row.task}/{row.model}"
        if other is None:
            yield Missing(model=model, technique=row.technique, lost=lost, sentence=f"the {side} has no such row")
        elif other.status not in ("ok", "noisy"):
            sentence = f"in the {side} it is {other.status}: {other.reason}"
            yield Missing(model=model, technique=row.technique, lost=lost, sentence=sentence)


def _models(base: Run, new: Run) -> dict[str, list[tuple[Row, Row]]]:
    before = {_key(row): row for row in base.rows}
    models: dict[str, list[tuple[Row, Row]]] = {}
    for row in new.rows:
        if _key(row) in before:
            models.setdefault(f"{row.task}/{row.model}", []).append((before[_key(row)], row))
    return models


def _key(row: Row) -> tuple[str, str, str, str]:
    return row.task, row.model, row.technique, row.runtime


def _yardstick(run: Run, model: str, size: int) -> Latency | None:
    return next((each.latency.get(size) for each in run.yardsticks if each.model == model), None)


def _time(row: Row, size: int) -> float | None:
    """Return the seconds of a call; ``None`` too for a simulation, whose seconds say nothing."""
    return row.latency[size].typical_s if size in row.latency and not row.simulated else None


@dataclass(frozen=True)
class _Timed:
    """One row of two runs, and the seconds of a call in each."""

    before: Row
    after: Row
    was_s: float
    now_s: float


def _latencies(model: str, timed: Sequence[_Timed], size: int, yardsticks: Sequence[Latency]) -> Iterator[Change]:
    compared = [_compared(each, size, yardsticks) for each in timed]
    adjusted_p = holm([ratio.p_value for ratio, _ in compared])
    for each, (ratio, by), adjusted in zip(timed, compared, adjusted_p, strict=True):
        word: ChangeWord = "not comparable"
        if ratio.confidence:
            word = "no difference detected" if adjusted >= ALPHA else "slower" if ratio.value > 1 else "faster"
        change = Change(
            model=model,
            technique=each.after.technique,
            quantity="latency",
            batch_size=size,
            before=each.was_s,
            after=each.now_s,
            value=ratio.value - 1,
            low=ratio.low - 1 if ratio.confidence else None,
            high=ratio.high - 1 if ratio.confidence else None,
            p_value=adjusted if ratio.confidence else None,
            word=word,
            sentence="",
        )
        why = verdict.p_text(adjusted) if ratio.confidence else f"{counted(ratio.n, 'round')} are too few"
        times = f"{seconds(each.was_s)} and {seconds(each.now_s)}"
        sentence = f"latency at batch {size}: {word}, {change.figure} {by} ({times}), {why}"
        yield change.model_copy(update={"sentence": sentence})


def _compared(each: _Timed, size: int, yardsticks: Sequence[Latency]) -> tuple[Ratio, str]:
    """Return by which factor a latency changed, and by what that was told."""
    before, after = each.before, each.after
    times = before.latency[size], after.latency[size]
    drift = summary.DRIFT
    if not all(latency.rounds_s for latency in times):
        value = each.now_s / each.was_s
        return Ratio(value, value, value, 0.0, p_value=1.0, n=0), "in seconds, of rounds that were not kept"
    if size not in before.pace or size not in after.pace:
        was, now = (summary.in_seconds(latency.rounds_s) for latency in times)
        return summary.change(was, now, drift), "in seconds, without a yardstick"
    was, now = before.pace[size].log_ratio, after.pace[size].log_ratio
    if any(len(latency.disturbed) > DISTURBED_SHARE * len(latency.rounds) for latency in (*times, *yardsticks)):
        return summary.change(was, now, drift), "by the yardstick, but most blocks were disturbed"
    return summary.change(was, now), "by the yardstick"


def _accuracies(model: str, pairs: Sequence[tuple[Row, Row]]) -> Iterator[Change]:
    known = [
        (before.accuracy, after.accuracy, after.technique)
        for before, after in pairs
        if before.accuracy is not None and after.accuracy is not None
    ]
    p_values = [
        summary.two_shares(before.correct, before.total, after.correct, after.total) for before, after, _ in known
    ]
    for (before, after, technique), adjusted in zip(known, holm(p_values), strict=True):
        found = summary.difference(
            summary.wilson(before.correct, before.total), summary.wilson(after.correct, after.total)
        )
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
            word="the same" if same else word,
            sentence="",
        )
        counts = f"{before.correct:,} of {before.total:,}"
        sentence = f"accuracy: the same {counts} right"
        if not same:
            sentence = (
                f"accuracy: {word}, {change.figure}, {counts} right and {after.correct:,} of {after.total:,}, "
                f"as two independent samples, {verdict.p_text(adjusted)}"
            )
        yield change.model_copy(update={"sentence": sentence})


_EXACT: dict[Quantity, Callable[[Row], int | None]] = {
    "size": lambda row: row.size_bytes,
    "packed": lambda row: row.packed_bytes,
    "params": lambda row: row.params,
    "memory": lambda row: row.peak_memory_bytes,
}


def _sizes(model: str, before: Row, after: Row) -> Iterator[Change]:
    for quantity, read in _EXACT.items():
        was, now = read(before), read(after)
        if was is None or now is None:
            continue
        share = now / was - 1 if was else math.inf if now else 0.0
        word: ChangeWord = "the same" if now == was else "larger" if now > was else "smaller"
        if quantity == "memory" and now != was and abs(share) <= MEMORY_SLACK:
            word = "no difference detected"
        unit = "parameters" if quantity == "params" else "bytes"
        figures = f"{was:,} {unit}" if now == was else f"{was:,} and {now:,} {unit}, {signed(share)} %"
        yield Change(
            model=model,
            technique=after.technique,
            quantity=quantity,
            before=was,
            after=now,
            value=share,
            word=word,
            sentence=f"{quantity}: {word}, {figures}",
        )


def how_it_was_done(base: Run, new: Run) -> list[str]:
    """Return what a reader must know to judge the changes."""
    said = []
    if base.yardsticks and new.yardsticks:
        said.append(
            "A latency is held against the yardstick of its own rounds, a fixed computation, so that a machine that "
            f"was slower altogether changes nothing; with its {percent(CONFIDENCE, 0)} interval over both runs."
        )
    else:
        said.append(
            "**Without a yardstick** in both files latencies are compared in seconds: a machine may be a third slower "
            "for some minutes, so that differences below some 2× are not told; measure again to have one."
        )
    said.append(
        "Files hold counts of right answers, not the answers: unequal counts are compared as two independent samples, "
        "which errs towards no difference."
    )
    return said
