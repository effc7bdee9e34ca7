"""Measurement noise: the processes and rounds behind each latency, what disturbed them, and which rows stayed vague."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from bench.core.units import MISSING, counted, percent, seconds
from bench.core.variant_key import BASELINE
from bench.report.names import together
from bench.report.tables import Figure, Table
from bench.results.latency import Latency, log_seconds
from bench.results.noise import main_cause, vague_sizes
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run


def latency_details(run: Run, data: Data) -> Table:
    """Return one task's latencies, how much processes differ, and how many blocks were repeated."""
    header = ["Model", "Technique", "Batch", "Latency", "Spread", "Processes", "Rounds", "Repeated"]
    cells = [
        [
            row.model,
            row.key,
            size,
            Figure(seconds(latency.estimate_s, digits=4), latency.estimate_s),
            spread(latency),
            len(set(latency.processes)) or MISSING,
            latency.timed_rounds,
            len(latency.repeated_s),
        ]
        for row in run.rows_of(data.task)
        for size, latency in row.latency.items()
    ]
    return Table(header, cells, f"{data.title}: latency and its samples")


def spread(latency: Latency) -> str:
    """Return the standard deviation of a latency from process to process, as a share."""
    values = log_seconds(latency)
    if len(values) < 2:
        return MISSING
    spread = math.expm1(min(statistics.stdev(values), 100.0))
    return Figure(percent(spread, 1), spread)


def disturbances(run: Run) -> str:
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
        f"still disturbed at the last repetition (causes: {named}). Spread: the standard deviation of a latency from "
        f"process to process; what all variants share in a round cancels in a speed-up. `run.json` has every sample."
    )


def _were(count: int) -> str:
    return f"{count:,} {'was' if count == 1 else 'were'}"


def noise_line(rows: Sequence[Row], precision: float) -> list[str]:
    """Return one sentence on the noisy rows of a table, the widest interval, its main cause and advice; or none.

    Speed-ups without an interval are not noisy but of too few processes.
    """
    vague = [
        (row, size)
        for row in rows
        if row.status == "noisy"
        for size in vague_sizes(row.speedup, precision)
        if row.speedup[size].confidence
    ]
    if not vague:
        return []
    baselines = {row.model: row.latency for row in rows if row.key == BASELINE}
    involved = [
        of_row[size] for row, size in vague for of_row in (row.latency, baselines.get(row.model, {})) if size in of_row
    ]
    widest = max(row.speedup[size].half_width for row, size in vague)
    reached = f"known to ±{percent(widest, 1)} at worst, where ±{percent(precision, 1)} was asked"
    named = together([row for row, _ in vague])
    return [f"**noisy**, speed-ups {reached}: {named}. Main cause: {main_cause(involved)}"]
