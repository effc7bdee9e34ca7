"""The lab's tables."""

from __future__ import annotations

from bench.report import unpaired
from bench.report.tables import table
from bench.result import Data, Row, Run
from bench.summary import mean_std
from bench.units import MISSING, counted, duration, megabytes, percent


def lab_tables(run: Run) -> str:
    """Return the lab's table of each task, captioned, and below it what its rows could not do."""
    return "\n\n".join(_task(run, data) for data in run.data)


def _task(run: Run, data: Data) -> str:
    header = ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy"]
    sizes = run.settings.batch_sizes
    header += [f"Latency B{size}" if not position else f"B{size}" for position, size in enumerate(sizes)]
    rows = run.rows_of(data.task)
    cells = [
        [
            row.model,
            row.scheme,
            row.dtype,
            megabytes(row.size_bytes) if row.size_bytes is not None else MISSING,
            f"{row.params:,}" if row.params is not None else MISSING,
            percent(row.share_right) if row.share_right is not None else MISSING,
            *(_latency(row, size) for size in sizes),
        ]
        for row in rows
    ]
    parts = [f"### {data.title}", caption(run, data), table(cells, header)]
    parts += [
        f"- `{row.model}` {row.scheme} {row.dtype} (`{row.technique}`) **{row.status}**: {row.reason}"
        for row in rows
        if row.status != "ok"
    ]
    return "\n\n".join(parts[:3]) + ("\n\n" + "\n".join(parts[3:]) if parts[3:] else "")


def _latency(row: Row, size: int) -> str:
    if size not in row.latency:
        return MISSING
    return duration(mean_std(row.latency[size].runs_s)) + (" (simulated)" if row.simulated else "")


def caption(run: Run, data: Data) -> str:
    """Return what every table of a task must say: which data, how timed."""
    if run.timed_by == "pytest-benchmark":
        return unpaired.caption(run, data)
    kind = "real data" if data.kind == "real" else f"**SYNTHETIC data, not {data.title}**"
    return (
        f"{data.title}, {kind}: accuracy on all {data.test_examples:,} test examples; latency of one call on "
        f"{run.settings.device} with {counted(run.settings.threads, 'thread')}, "
        f"mean ± std over {counted(run.settings.runs, 'run')}."
    )
