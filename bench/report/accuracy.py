"""Accuracies with their intervals, and the answers that differ from fp32's."""

from __future__ import annotations

from bench.core.units import MISSING, percent
from bench.report.tables import Figure, Table
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.proportions import wilson

HOW_TO_READ = (
    "Accuracy: with its 95 % Wilson interval. Lost: answers that fp32 alone has right; gained: those that the variant "
    "alone has right. Agreement: answered alike, right or wrong."
)


def accuracies(run: Run, data: Data) -> Table:
    """Return one task's accuracies and how the answers differ from fp32's."""
    rows = [row for row in run.rows_of(data.task) if row.share_right is not None]
    cells = [[row.model, row.key, _accuracy(row), *_answers(row)] for row in rows]
    return Table(["Model", "Technique", "Accuracy", "Lost", "Gained", "Agreement"], cells, f"{data.title}: answers")


def _accuracy(row: Row) -> str:
    if row.accuracy is None:
        return percent(row.accuracy_share) if row.accuracy_share is not None else MISSING
    interval = wilson(row.accuracy.correct, row.accuracy.total)
    text = f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return Figure(text, interval.value)


def _answers(row: Row) -> list[object]:
    if (answers := row.agreement) is None or row.accuracy is None:
        return [MISSING] * 3
    share = answers.same / row.accuracy.total
    return [answers.lost, answers.gained, Figure(percent(share), share)]
