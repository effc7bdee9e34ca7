"""The lab's tables."""

from __future__ import annotations

from bench.core.units import MISSING, counted, duration, megabytes, percent
from bench.report import unpaired
from bench.report.tables import Figure, Table
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.describe import mean_std


def lab_tables(run: Run) -> str:
    """Return the lab's table of each task, captioned, and below it what its rows could not do."""
    return "\n\n".join(lab_table(run, data).markdown() for data in run.data)


def lab_table(run: Run, data: Data) -> Table:
    """Return the lab's table of one task."""
    header = ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy"]
    sizes = run.settings.batch_sizes
    header += [f"Latency B{size}" if not position else f"B{size}" for position, size in enumerate(sizes)]
    rows = run.rows_of(data.task)
    cells = [
        [
            row.model,
            row.scheme,
            row.dtype,
            Figure(megabytes(row.size_bytes), row.size_bytes) if row.size_bytes is not None else MISSING,
            Figure(f"{row.params:,}", row.params) if row.params is not None else MISSING,
            _accuracy(row),
            *(_latency(row, size) for size in sizes),
        ]
        for row in rows
    ]
    remarks = [
        f"`{row.model}` {row.scheme} {row.dtype} (`{row.key}`) **{row.status}**: {row.reason}"
        for row in rows
        if row.status != "ok"
    ]
    return Table(header, cells, data.title, caption(run, data), remarks)


def _accuracy(row: Row) -> str:
    share = row.share_right
    return Figure(percent(share), share) if share is not None else MISSING


def _latency(row: Row, size: int) -> str:
    if size not in row.latency:
        return MISSING
    value = mean_std(row.latency[size].runs_s)
    return Figure(duration(value) + (" (simulated)" if row.simulated else ""), value.mean)


def caption(run: Run, data: Data) -> str:
    """Return what every table of a task must say: which data, how timed."""
    if run.timed_by == "pytest-benchmark":
        return unpaired.caption(run, data)
    timed = (
        f"latency of one call on {run.settings.device} with {counted(run.settings.threads, 'thread')}, "
        f"mean ± std over {counted(run.settings.runs, 'run')}"
    )
    if data.kind == "own":
        judged = f"accuracy as {run.settings.evaluate} returned it" if run.settings.evaluate else "accuracy not known"
        return f"{data.title}, inputs: {data.origin}; {judged}; {timed}."
    kind = "real data" if data.kind == "real" else f"**SYNTHETIC data, not {data.title}**"
    return f"{data.title}, {kind}: accuracy on all {data.test_examples:,} test examples; {timed}."
