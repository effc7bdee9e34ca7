"""How processes should be sampled: neighbours in time or spread over it, and which estimate and interval to take.

    python -m tests.benchmarks.sampling [--out reports/sampling] [--threads 1 2] [--budget 150]

Times dynamic int8 beside fp32 in 144 processes each, through the engine of ``bench run``, without rests. The same
processes are then dealt into 12 measurements of 12: as they came, so that a measurement is a short time; every 4th; and
every 12th, spread over the whole time. Of each measurement the estimate and the 99 % interval are made in two ways, and
held against the mean of all. After Kalibera and Jones 2013, who sample at the level that varies most.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import bench
from bench.core.files import write_atomically
from bench.core.units import percent
from bench.report.tables import table
from bench.results import run_file
from bench.results.latency import log_ratios
from bench.results.run import Run
from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.ranks import location
from bench.worker import selfcheck_model

PROCESSES = 12
MEASUREMENTS = 12
DISTANCES = {1: "neighbours", 4: "every 4th", 12: "every 12th"}
"""Of the processes of one measurement, and what the table calls them; they divide the number of measurements."""
Values = Sequence[float]
Estimator = Callable[[Values], tuple[float, float, float]]
"""Of logarithms: the estimate and the ends of its 99 % interval."""


def main() -> None:
    """Measure, deal, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("reports/sampling"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--budget", type=float, default=150.0, help="seconds, in which 144 processes must fit")
    options = parser.parse_args()
    runs = []
    for threads in options.threads:
        run = measure(threads, options.budget)
        run_file.save(run, options.out / f"threads-{threads}.json")
        runs.append(run)
    text = render(runs)
    print(text)
    write_atomically(options.out / "sampling.md", text + "\n")


def measure(threads: int, budget_s: float) -> Run:
    """Return a run that spends its budget, as no speed-up is known to a thousandth before."""
    return bench.run(
        models=f"{selfcheck_model.__file__}:build",
        inputs=f"{selfcheck_model.__file__}:inputs",
        techniques="dynamic-qint8",
        threads=threads,
        precision=0.001,
        budget_s=budget_s,
        spread_s=0.0,
        progress=True,
    )


def render(runs: Sequence[Run]) -> str:
    """Return the table of all ways to deal and both ways to estimate."""
    rows = [row for run in runs for size in run.settings.batch_sizes for row in _rows(run, size)]
    header = ["Threads", "Batch", "Processes of a measurement", "Estimate", "CV", "Covers", "± (median)"]
    machine = runs[0].machine
    return (
        table(rows, header)
        + f"\n\n{MEASUREMENTS} measurements of {PROCESSES} processes; *covers*: 99 % intervals that hold the mean of "
        "all. "
        f"Measured on {machine.cpu} ({', '.join(machine.isa)}), {machine.logical_cores} cores, {runs[0].created}, "
        f"torch {machine.torch}."
    )


def _rows(run: Run, size: int) -> list[list[str]]:
    fp32, int8 = (row.latency[size] for row in run.rows)
    values = log_ratios(fp32, int8)[: PROCESSES * MEASUREMENTS]
    return [
        [str(run.settings.threads), str(size), way, name, *_figures(deal(values, distance), values, estimator)]
        for distance, way in DISTANCES.items()
        for name, estimator in ESTIMATORS.items()
    ]


def deal(values: Values, distance: int) -> list[Values]:
    """Return groups of ``PROCESSES`` values that came ``distance`` apart."""
    block = PROCESSES * distance
    return [
        values[start + first : start + block : distance]
        for start in range(0, len(values) - block + 1, block)
        for first in range(distance)
    ]


def _figures(groups: Sequence[Values], values: Values, estimator: Estimator) -> list[str]:
    true, _, _ = estimator(values)
    estimates = [estimator(group) for group in groups]
    covers = sum(low <= true <= high for _, low, high in estimates)
    half = statistics.median((high - low) / 2 for _, low, high in estimates)
    spread = statistics.stdev(value for value, _, _ in estimates)
    return [percent(spread, 1), f"{covers} of {len(groups)}", percent(half, 1)]


def _mean(values: Values) -> tuple[float, float, float]:
    from scipy import stats

    mean = statistics.fmean(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    margin = float(stats.t.ppf((1 + LATENCY_CONFIDENCE) / 2, len(values) - 1)) * error
    return mean, mean - margin, mean + margin


def _by_ranks(values: Values) -> tuple[float, float, float]:
    estimate = location(values)
    return estimate.value, estimate.low, estimate.high


ESTIMATORS: dict[str, Estimator] = {"mean, Student's t": _mean, "Hodges–Lehmann, signed ranks": _by_ranks}


if __name__ == "__main__":
    main()
