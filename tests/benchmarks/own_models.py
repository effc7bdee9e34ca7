"""Measures the models that people bring, each with every technique and runtime; makes the table of docs/own-models.md.

    python -m tests.benchmarks.own_models [--model NAME] [--budget SECONDS] [--out FOLDER]

Run files go to ``FOLDER/NAME/run.json``, and the table to ``FOLDER/table.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import bench
from bench.report.tables import table
from bench.results.row import Row
from bench.results.run import Run
from tests.bench import brought
from tests.repository import ROOT

BATCH_SIZES = (1, 8)
FILE = Path(brought.__file__)


def measure(name: str, folder: Path, budget_s: float | None) -> Run:
    """Measure one model; what the folder has of it is kept."""
    return bench.run(
        models=[f"{FILE}:{name}"],
        inputs=f"{FILE}:{name}_inputs",
        runtimes="all",
        batch_sizes=list(BATCH_SIZES),
        budget_s=budget_s,
        spread_s=0,
        out=folder,
    )


def line(run: Run) -> list[str]:
    """Return what the table says of a model: its rows and reasons, its smallest file, and its largest speed-up."""
    measured = [row for row in run.rows if row.measured and not row.simulated]
    fp32 = run.rows[0]
    smallest = min(measured, key=lambda row: row.deploy_bytes or row.size_bytes or 0)
    largest = max(BATCH_SIZES)
    fastest = max(measured, key=lambda row: _speedup(row, largest))
    return [
        run.rows[0].model,
        f"{fp32.params:,}" if fp32.params else "",
        str(sum(row.measured for row in run.rows)),
        str(sum(row.status == "unsupported" for row in run.rows)),
        str(sum(row.status == "failed" for row in run.rows)),
        f"`{smallest.key}` {_bytes(fp32) / _bytes(smallest):.1f} ×",
        f"`{fastest.key}` {_speedup(fastest, largest):.2f} ×",
    ]


def _bytes(row: Row) -> int:
    return row.deploy_bytes or row.size_bytes or 1


def _speedup(row: Row, batch_size: int) -> float:
    return row.speedup[batch_size].value if batch_size in row.speedup else 1.0


def tabulated(runs: Sequence[Run]) -> str:
    """Return the table of all models."""
    header = [
        "Model",
        "Parameters",
        "Rows",
        "Unsupported",
        "Failed",
        "Smallest",
        f"Fastest at batch {max(BATCH_SIZES)}",
    ]
    return table([line(run) for run in runs], header)


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=brought.NAMES, help="only this one; repeatable")
    parser.add_argument("--budget", type=float, default=None, help="seconds for the passes of one model")
    parser.add_argument("--out", type=Path, default=ROOT / "reports/own-models")
    arguments = parser.parse_args()
    runs = []
    for name in arguments.model or brought.NAMES:
        start = time.monotonic()
        runs.append(measure(name, arguments.out / name, arguments.budget))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    text = tabulated(runs)
    (arguments.out / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
