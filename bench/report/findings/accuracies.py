"""Which accuracies differ from the baseline's, and how far the test set can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.core.variant_key import BASELINE
from bench.report.findings import trainings
from bench.report.findings.finding import Finding, Kind
from bench.report.findings.judged import Judged
from bench.results.run import Run
from bench.results.verdict import UNDECIDED
from bench.stats.multiple_tests import ACCURACY_ALPHA

AT_MOST = 4
"""Rows of one kind that are named; the tables have the others."""


def accuracies(run: Run, judged: Sequence[Judged]) -> Iterator[Finding]:
    """Find what the accuracies of each task show, the largest difference first."""
    for data in run.data:
        of_task = [one for one in judged if one.data is data and one.accuracy is not None]
        baselines = [row for row in run.rows_of(data.task) if row.key == BASELINE and row.accuracy is not None]
        if of_task and baselines:
            yield Finding("accuracy scale", (baselines[0],), {"title": data.title, "kind": data.kind})
            yield from _of_task(run, sorted(of_task, key=lambda one: -abs(one.points or 0.0)))
            if alike := tuple(one.row for one in of_task if one.alike and one.alike[0] == one.alike[1]):
                yield Finding("answers alike", alike)


def _of_task(run: Run, by_size: Sequence[Judged]) -> Iterator[Finding]:
    decided = [one for one in by_size if one.accuracy and one.accuracy.word != UNDECIDED]
    yield from (_difference("accuracy differs", run, one) for one in decided[:AT_MOST])
    for word in ("worse", "better"):
        if more := [one for one in decided[AT_MOST:] if one.accuracy and one.accuracy.word == word]:
            ends = more[:1] + more[1:][-1:]
            figures = {"word": word, "count": len(more), "points": [one.points for one in ends]}
            yield Finding("accuracies differ less", tuple(one.row for one in ends), figures)
    undecided = [one for one in by_size if one not in decided]
    hints = [one for one in undecided if one.row.agreement and one.row.agreement.p_value < ACCURACY_ALPHA]
    rest = next((one for one in undecided if one not in hints and one.points), None)
    if rest is not None:
        yield _difference("accuracy undecided", run, rest, others=bool(decided or hints))


def _difference(kind: Kind, run: Run, one: Judged, **figures: object) -> Finding:
    word = one.accuracy.word if one.accuracy else UNDECIDED
    own_training = trainings.of_its_own(run, one.row)
    return Finding(kind, (one.row,), {"points": one.points, "word": word, "own_training": own_training, **figures})
