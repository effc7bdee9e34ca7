"""Every variant against fp32: speed-up, accuracy, size, and the verdicts on them."""

from __future__ import annotations

from bench.core.units import MISSING, percent, ratio
from bench.core.variant_key import BASELINE
from bench.report.lab import caption
from bench.report.tables import Figure, Table
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.results.verdict import accuracy_verdicts, cell, latency_verdicts
from bench.stats.multiple_tests import ALPHA
from bench.stats.proportions import wilson

HOW_TO_READ = (
    "Speed-up: fp32's time divided by the variant's, each the mean of the fastest quarter of the paired rounds, with "
    "its 95 % interval. Accuracy: 95 % Wilson interval. Verdict: blank where no difference was detected, "
    f"{MISSING} where none can be given. Verdicts control the family-wise error rate of each column at "
    f"{100 * ALPHA:g} % (Holm)."
)


def comparison(run: Run, data: Data) -> Table:
    """Return one task's speed-ups and accuracies with their intervals and verdicts."""
    sizes = run.settings.batch_sizes
    header = [
        "Model",
        "Technique",
        *(text for size in sizes for text in (f"Speed-up B{size}", "Verdict")),
        "Accuracy",
        "Verdict",
        "Agreement",
    ]
    rows = run.rows_of(data.task)
    speeds = [latency_verdicts(rows, size) for size in sizes]
    accuracies = accuracy_verdicts(rows)
    cells = [
        [
            row.model,
            row.key,
            *(
                text
                for size, verdicts in zip(sizes, speeds, strict=True)
                for text in (_speedup(row, size), cell(verdicts[position].word))
            ),
            _accuracy(row),
            cell(accuracies[position].word),
            _agreement(row),
        ]
        for position, row in enumerate(rows)
    ]
    return Table(header, cells, f"{data.title}: against fp32", caption(run, data))


def verdicts(run: Run) -> dict[str, list[str]]:
    """Return the sentences on each row that is not the baseline, by its name in markdown."""
    given = {}
    for data in run.data:
        rows = run.rows_of(data.task)
        families = [latency_verdicts(rows, size) for size in run.settings.batch_sizes] + [accuracy_verdicts(rows)]
        for position, row in enumerate(rows):
            if row.key != BASELINE:
                sentences = list(dict.fromkeys(family[position].sentence for family in families))
                if row.output_error is not None:
                    sentences.append(
                        f"outputs: {percent(row.output_error)} off fp32's on the example inputs (root mean square)"
                    )
                given[f"`{row.full_model}` `{row.key}`"] = sentences
    return given


def _speedup(row: Row, size: int) -> str:
    if row.key == BASELINE and size in row.latency:
        return Figure("1", 1)
    speedup = row.speedup.get(size)
    if speedup is None:
        return MISSING
    return Figure(ratio(speedup.interval), speedup.value)


def _accuracy(row: Row) -> str:
    if row.accuracy is None:
        return percent(row.accuracy_share) if row.accuracy_share is not None else MISSING
    interval = wilson(row.accuracy.correct, row.accuracy.total)
    text = f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return Figure(text, interval.value)


def _agreement(row: Row) -> str:
    if row.agreement is None or row.accuracy is None:
        return MISSING
    share = row.agreement.same / row.accuracy.total
    return Figure(percent(share), share)
