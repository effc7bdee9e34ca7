"""The sentence on each verdict of a run."""

from __future__ import annotations

from bench.core.units import percent
from bench.core.variant_key import BASELINE
from bench.report.names import named
from bench.results.run import Run
from bench.results.verdict import accuracy_verdicts, latency_verdicts

ADJUSTED = (
    "These p-values are adjusted (Holm): of latency for all verdicts on a model at a batch size, of accuracy for all "
    "on a task. The discussion gives those of single comparisons."
)


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
                given[named(row)] = sentences
    return given
