"""Measures the models that people bring, each with every technique and runtime; makes the table of docs/own-models.md.

    python -m tests.benchmarks.own_models [--model NAME] [--budget SECONDS] [--out FOLDER]

Each model is run twice: by eager PyTorch alone, from nothing, on the clock, which is the table that a newcomer waits
for (``FOLDER/seconds.json``), and on every runtime (``FOLDER/NAME/run.json``). What the folder has of
either is kept. Of the committed ones ``python -m tests.test_readme`` makes the page's table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import bench
from bench.core.files import write_atomically
from bench.core.units import ratio
from bench.report.tables import table
from bench.results.row import Row
from bench.results.run import Run
from bench.running.run_folder import RUN_FILE
from tests.bench import brought
from tests.benchmarks.run_folder import keep_run_file
from tests.repository import ROOT

BATCH_SIZES = (1, 8)
FILE = Path(brought.__file__)


def measure(
    name: str, runtimes: Sequence[str], folder: Path, budget_s: float | None = None, spread_s: float | None = None
) -> Run:
    """Measure one model with every technique; what the folder has of it is kept."""
    return bench.run(
        models=[f"{FILE}:{name}"],
        inputs=f"{FILE}:{name}_inputs",
        runtimes=list(runtimes),
        batch_sizes=list(BATCH_SIZES),
        budget_s=budget_s,
        spread_s=spread_s,
        out=folder,
    )


def seconds_of_eager(name: str) -> float:
    """Return how long the rows of eager PyTorch take from nothing, as anybody's defaults make them."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        measure(name, ["eager"], Path(folder))
        return time.monotonic() - start


def finished(folder: Path) -> bool:
    """Return whether a run was measured to its end; another one would begin anew there."""
    path = folder / RUN_FILE
    return path.exists() and bench.load_run(path).finished


def line(run: Run, eager_s: float) -> list[str]:
    """Return what the table says of a model: rows by status, smallest file, largest speed-up, and eager's seconds."""
    measured = [row for row in run.rows if row.measured and not row.simulated]
    fp32 = run.rows[0]
    smallest = min(measured, key=lambda row: row.deploy_bytes or row.size_bytes or 0)
    largest = max(BATCH_SIZES)
    fastest = max((row for row in measured if largest in row.speedup), key=lambda row: row.speedup[largest].value)
    return [
        run.rows[0].model,
        f"{fp32.params:,}" if fp32.params else "",
        str(sum(row.measured for row in run.rows)),
        str(sum(row.status == "noisy" for row in run.rows)),
        str(sum(row.status == "unsupported" for row in run.rows)),
        str(sum(row.status == "failed" for row in run.rows)),
        f"`{smallest.key}` {_bytes(fp32) / _bytes(smallest):.1f}×",
        f"`{fastest.key}` {ratio(fastest.speedup[largest].interval)}",
        f"{eager_s:.0f}",
    ]


def _bytes(row: Row) -> int:
    return row.deploy_bytes or row.size_bytes or 1


def tabulated(runs: Mapping[str, Run], seconds: Mapping[str, float]) -> str:
    """Return the table of all models."""
    header = [
        "Model",
        "Parameters",
        "Rows",
        "Noisy",
        "Unsupported",
        "Failed",
        "Smallest",
        f"Fastest at batch {max(BATCH_SIZES)}",
        "Eager (s)",
    ]
    return table([line(run, seconds[name]) for name, run in runs.items()], header)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=brought.NAMES, help="only this one; repeatable")
    parser.add_argument("--budget", type=float, default=None, help="seconds for the passes of one model")
    parser.add_argument("--out", type=Path, default=ROOT / "reports/own-models")
    arguments = parser.parse_args()
    file = arguments.out / "seconds.json"
    seconds: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    runs = {}
    for name in arguments.model or brought.NAMES:
        if name not in seconds:
            seconds[name] = seconds_of_eager(name)
            write_atomically(file, json.dumps(seconds, indent=1) + "\n")
        folder = arguments.out / name
        if not finished(folder):
            measure(name, ["all"], folder, arguments.budget, spread_s=0)
            keep_run_file(folder)
        runs[name] = bench.load_run(folder / RUN_FILE)
        print(f"{name}: {seconds[name]:.0f} s with eager PyTorch alone", flush=True)
    print(tabulated(runs, seconds))


if __name__ == "__main__":
    main()
