"""Measurement noise: the rounds behind each latency, and what disturbed them."""

from __future__ import annotations

from collections import Counter

from bench.core.units import MISSING, counted, seconds
from bench.report.tables import Figure, Table
from bench.report.times import times
from bench.results.provenance import Data
from bench.results.run import Run


def latency_details(run: Run, data: Data) -> Table:
    """Return one task's latencies over all rounds, and how many blocks were repeated."""
    header = ["Model", "Technique", "Batch", "Median", "Std", "p95", "Rounds", "Starts", "Repeated"]
    cells = []
    for row in run.rows_of(data.task):
        for size, latency in row.latency.items():
            latency_times = times(latency)
            cells.append(
                [
                    row.model,
                    row.key,
                    size,
                    *(
                        Figure(seconds(value), value) if value is not None else MISSING
                        for value in (latency_times.median, latency_times.std, latency_times.p95)
                    ),
                    latency_times.rounds,
                    len(latency.starts),
                    len(latency.repeated_s),
                ]
            )
    return Table(header, cells, f"{data.title}: latency of all rounds")


def quiet(run: Run) -> str:
    """Return how many blocks were disturbed, and by what."""
    timed = [latency for row in run.rows for latency in row.latency.values()]
    blocks = sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in timed)
    repeated = sum(len(latency.repeated_s) for latency in timed)
    kept = sum(len(latency.disturbed) for latency in timed)
    causes: Counter[str] = Counter()
    for latency in timed:
        causes.update(latency.causes)
    named = ", ".join(f"{count:,} × {cause}" for cause, count in causes.most_common()) or "none known"
    return (
        f"Of {counted(blocks, 'block')} timed, {_were(repeated)} disturbed from outside and repeated; {_were(kept)} "
        f"still disturbed at the last repetition (causes: {named}). `run.json` holds all of them."
    )


def _were(count: int) -> str:
    return f"{count:,} {'was' if count == 1 else 'were'}"
