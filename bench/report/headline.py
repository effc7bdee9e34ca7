"""What a run shows first: how much smaller, how accurate and how fast each variant is beside fp32, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.units import MISSING, megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE, EAGER
from bench.report import unpaired
from bench.report.lab import where
from bench.report.names import points, together
from bench.report.noise import noise_line
from bench.report.tables import Figure, Table
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.results.verdict import Verdict, accuracy_verdicts, cell, latency_verdicts, p_text, uncertain_losses
from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA
from bench.stats.ranks import least_n

HOW_TO_READ = (
    "× smaller: fp32's packed file divided by the variant's. Accuracy change: in percentage points, on the same "
    "examples. Speed-up: fp32's time divided by the variant's in the same rounds, estimated over processes, with its "
    "99 % interval. The rows of fp32 show its packed size, accuracy and latency. Behind a figure stands its verdict: "
    f"nothing where no difference was detected, {MISSING} where none can be given. Verdicts control the family-wise "
    f"error rate (Holm) at {100 * LATENCY_ALPHA:g} % over the speed-ups of one model at one batch size, and at "
    f"{100 * ACCURACY_ALPHA:g} % over the accuracies of a task."
)
OTHER_RUNTIMES = (
    " On another runtime than eager the variant's file is the one that it loads. At batch 1 a small model shows what a "
    "call of a runtime costs, more than its arithmetic."
)
"""What is said where there are any."""


def headline(run: Run, data: Data) -> Table:
    """Return one task's gains and costs beside fp32."""
    rows, sizes = run.rows_of(data.task), run.settings.batch_sizes
    speeds = {size: latency_verdicts(rows, size) for size in sizes}
    baselines = {row.model: row for row in rows if row.key == BASELINE}
    cells = [
        [
            row.model,
            row.technique,
            row.runtime,
            _size(row, baselines.get(row.model)),
            _accuracy(row, baselines.get(row.model), accuracy),
            *(_speed(row, size, speeds[size][position]) for size in sizes),
        ]
        for position, (row, accuracy) in enumerate(zip(rows, accuracy_verdicts(rows), strict=True))
    ]
    header = ["Model", "Technique", "Runtime", "× smaller", "Accuracy change", *(f"Speed-up B{size}" for size in sizes)]
    return Table(header, cells, f"{data.title}: against fp32", where(run, data), _remarks(run, rows))


def how_to_read(run: Run) -> str:
    """Return what the columns of the table hold."""
    if run.timed_by != "bench":
        return unpaired.HOW_TO_READ
    costs = ", ".join(f"{seconds(cost_s)} on {runtime}" for runtime, cost_s in run.call_costs.items())
    called = f" A call that does nothing takes {costs}; that is a part of each latency." if costs else ""
    return HOW_TO_READ + OTHER_RUNTIMES * any(row.runtime != EAGER for row in run.rows) + called


def smaller(row: Row, baseline: Row | None) -> str:
    """Return how many times smaller than fp32's a row's packed file is, or larger."""
    if baseline is None or not row.file_bytes or not baseline.file_bytes:
        return MISSING
    times = baseline.file_bytes / row.file_bytes
    return Figure(f"{times:.2f}×" if round(times, 2) >= 1 else f"{1 / times:.2f}× larger", times)


def _size(row: Row, baseline: Row | None) -> str:
    if row.key == BASELINE and row.file_bytes is not None:
        return Figure(f"{megabytes(row.file_bytes)} MB", 1.0)
    return smaller(row, baseline)


def _accuracy(row: Row, baseline: Row | None, verdict: Verdict) -> str:
    share = row.share_right
    if share is not None and row.key == BASELINE:
        return Figure(percent(share), 0.0)
    if share is None or baseline is None or baseline.share_right is None:
        return MISSING
    change = 100 * (share - baseline.share_right)
    return Figure(points(change), change, cell(verdict.word))


def _speed(row: Row, size: int, verdict: Verdict) -> str:
    if not row.measured and size not in row.speedup:
        return row.status
    if row.simulated:
        return "simulated"
    if row.key == BASELINE and size in row.latency:
        return Figure(seconds(row.latency[size].estimate_s, digits=4), 1.0)
    speedup = row.speedup.get(size)
    if speedup is None:
        return MISSING
    return Figure(ratio(speedup.interval), speedup.value, cell(verdict.word))


def _remarks(run: Run, rows: Sequence[Row]) -> list[str]:
    """Return what the rows could not do and what is not sure of them, in sentences."""
    remarks = [f"`{row.model}` `{row.key}` **{row.status}**: {row.reason}" for row in rows if not row.measured]
    remarks += [f"`{row.model}` `{row.key}`: **{row.output_fault}**" for row in rows if row.output_fault]
    remarks += [
        f"`{row.model}` `{row.key}` lost {agreement.lost - agreement.gained:,} more answers than it gained "
        f"({p_text(agreement.p_value)}), which is not beyond doubt with this many rows"
        for row in uncertain_losses(rows)
        if (agreement := row.agreement)
    ]
    if retired := [row for row in rows if any(value.retired for value in row.speedup.values())]:
        remarks.append(f"timed no more after a few processes, each more than three times as slow: {together(retired)}")
    least = least_n(1 - LATENCY_CONFIDENCE)
    few = [
        row
        for row in rows
        if not row.simulated and any(0 < value.n < least and not value.retired for value in row.speedup.values())
    ]
    if few:
        named = "every speed-up" if len(few) == sum(bool(row.speedup) for row in rows) else together(few)
        remarks.append(
            f"no interval and no verdict, as measured in fewer than {least} processes: {named}; measure again, with a "
            f"longer --budget where that ended it"
        )
    return remarks + noise_line(rows, run.settings.precision)
