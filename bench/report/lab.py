"""The lab's tables, with the mean and the standard deviation over runs that the lab asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.core.units import MISSING, counted, duration, megabytes, percent
from bench.core.variant_key import BASELINE, EAGER
from bench.report.names import together
from bench.report.tables import Figure, Table
from bench.results.latency import Latency
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.describe import mean_std


def lab_table(run: Run, data: Data) -> Table:
    """Return the lab's table of one task."""
    header = ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy"]
    sizes = run.settings.batch_sizes
    header += [f"Latency B{size}" if not position else f"B{size}" for position, size in enumerate(sizes)]
    rows = run.rows_of(data.task)
    cells = [
        [
            row.model if row.runtime == EAGER else f"{row.model} ({row.runtime})",
            row.scheme,
            row.dtype,
            Figure(megabytes(row.size_bytes), row.size_bytes) if row.size_bytes is not None else MISSING,
            Figure(f"{row.params:,}", row.params) if row.params is not None else MISSING,
            _accuracy(row),
            *(_latency(row, size) for size in sizes),
        ]
        for row in rows
    ]
    return Table(header, cells, data.title, caption(run, data), _disagreement(rows))


def _accuracy(row: Row) -> str:
    share = row.share_right
    return Figure(percent(share), share) if share is not None else MISSING


def _latency(row: Row, size: int) -> str:
    if size not in row.latency:
        return MISSING
    value = mean_std(row.latency[size].runs_s)
    return Figure(duration(value) + (" (simulated)" if row.simulated else ""), value.mean)


def _disagreement(rows: Sequence[Row]) -> list[str]:
    """Name the rows whose means say another speed-up than its interval holds, in one sentence; or none."""
    baselines = {row.model: row.latency for row in rows if row.key == BASELINE}
    apart = [row for row in rows if not row.simulated and _apart(row, baselines.get(row.model, {}))]
    if not apart:
        return []
    remark = f"the ratio of these means lies outside the interval of the speed-up: {together(apart)}. Means follow"
    return [f"{remark} whatever disturbed the machine; decide by the speed-up"]


def _apart(row: Row, baseline: Mapping[int, Latency]) -> bool:
    for size, speedup in row.speedup.items():
        if speedup.confidence and size in row.latency and size in baseline:
            ratio = mean_std(baseline[size].runs_s).mean / mean_std(row.latency[size].runs_s).mean
            if not speedup.low <= ratio <= speedup.high:
                return True
    return False


def caption(run: Run, data: Data) -> str:
    """Return what the table of a task must say: which data, how timed, and what is said of the times."""
    runs = run.settings.runs
    means = f"mean ± std over {counted(runs, 'run')}" if runs > 1 else "mean over all rounds"
    return f"{where(run, data).removesuffix('.')}, {means}."


def where(run: Run, data: Data) -> str:
    """Return what every table of a task must say: which data, how timed."""
    timed = f"latency of one call on {run.settings.device} with {counted(run.settings.threads, 'thread')}"
    judged = f"accuracy on all {data.test_examples:,} test examples" if data.test_examples else "accuracy not known"
    own = f", inputs: {data.origin};"
    if run.timed_by == "pytest-benchmark":
        timed, judged, own = f"{timed}, timed by pytest-benchmark", "accuracy on the examples that each test took", ":"
    elif data.kind == "own" and run.settings.evaluate:
        judged = f"accuracy as {run.settings.evaluate} returned it"
    kinds = {"real": ", real data:", "synthetic": f", **SYNTHETIC data, not {data.title}**:", "own": own}
    return f"{data.title}{kinds[data.kind]} {judged}; {timed}."
