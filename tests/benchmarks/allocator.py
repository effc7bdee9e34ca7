"""What eager PyTorch loses where the C library gives memory back after each call: ResNet-8 at batch 64.

    python -m tests.benchmarks.allocator [--data-root DIR] [--out reports/allocator]

By default glibc returns the end of the heap to the system once enough of it is free, and large blocks at once. The next
call takes the same pages anew, each cleared by the kernel; how many depends on where blocks happen to lie in a process.
The same command is run as it is, and with glibc told to keep what it has got.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.core.files import write_atomically
from bench.core.units import MISSING, percent, ratio, seconds
from bench.report.noise import spread
from bench.report.tables import Figure, table
from bench.results import run_file
from bench.results.noise import KEPT_MEMORY
from bench.results.run import Run
from bench.tasks.source import data_folder
from tests.benchmarks import run_folder

BATCH = 64
MODEL = ("--model", "cifar10/resnet8", "--technique", "fp32", "--technique", "bf16", "--technique", "static-qint8")
ASKED = (*MODEL, "--batch", str(BATCH), "--precision", "50%", "--data", "real")
WAYS: Mapping[str, Mapping[str, str]] = {"default": {}, "kept": KEPT_MEMORY}


def main() -> None:
    """Measure in both ways, and write the run files and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=Path("reports/allocator"))
    options = parser.parse_args()
    where = ("--data-root", str(data_folder(options.data_root)))
    for name, variables in WAYS.items():
        command = [sys.executable, "-m", "bench", "run", *ASKED, *where, "--out", str(options.out / name)]
        subprocess.run(command, env=os.environ | variables, check=True)
        run_folder.keep_run_file(options.out / name)
    text = render({name: run_file.load(options.out / name / "run.json") for name in WAYS})
    print(text)
    write_atomically(options.out / "allocator.md", text + "\n")


def render(runs: Mapping[str, Run]) -> str:
    """Return the table of both ways and how to read it."""
    rows: list[list[object]] = []
    for name, run in runs.items():
        for row in run.rows:
            latency, speedup = row.latency[BATCH], row.speedup.get(BATCH)
            rows.append(
                [
                    name,
                    row.key,
                    Figure(seconds(latency.estimate_s), latency.estimate_s),
                    spread(latency),
                    f"{round(statistics.median(latency.page_faults)):,}",
                    f"{max(latency.page_faults):,}",
                    ratio(speedup.interval) if speedup else MISSING,
                ]
            )
    header = ["Memory", "Technique", "Latency", "Spread", "Page faults a call, median", "most", "Speed-up"]
    machine = next(iter(runs.values())).machine
    told = " ".join(f"{name}={value}" for name, value in KEPT_MEMORY.items())
    how = (
        f"ResNet-8 at batch {BATCH}, eager, 1 thread. *Default*: glibc as it is; *kept*: with {told} in the "
        f"environment. Spread: the standard deviation from process to process. With memory kept fp32 takes "
        f"{_gain(runs)} less time. Measured on {machine.cpu}, {machine.logical_cores} cores; torch {machine.torch}."
    )
    return f"{table(rows, header)}\n\n{how}"


def _gain(runs: Mapping[str, Run]) -> str:
    default, kept = (run.rows[0].latency[BATCH].estimate_s for run in runs.values())
    return percent(1 - kept / default, 0)


if __name__ == "__main__":
    main()
