"""How long the lab's four MLPs take with all seven techniques, beside a plain script, on this machine.

    python -m tests.benchmarks.suite_speed [--data-root DIR] [--without-plain] [--out reports/speed]

Needs the real MNIST and SST-2. Each part runs in fresh processes, one after the other; the ratio is of one session.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from tabulate import tabulate

from bench import load_run
from bench.core.files import write_atomically
from bench.measuring.latency.blocks import time_calls
from bench.tasks.source import data_folder
from tests.benchmarks.provenance import provenance

SAMPLE_S = 0.5
EMPTY_CALLS = 1_000_000
PLAIN = Path(__file__).with_name("plain_lab.py")


def measure(command: list[str], cache: Path) -> tuple[float, int]:
    """Run a command; return its wall time in seconds and the peak memory of all its processes in bytes.

    Memory is the proportional set size where the system tells it: pages that processes share count once.
    """
    start = time.perf_counter()
    environment = os.environ | {"QUANTBENCH_CACHE": str(cache)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        try:
            process.wait(timeout=SAMPLE_S)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, memory_bytes(psutil.Process(process.pid)))
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {process.returncode}")
    return time.perf_counter() - start, peak


def memory_bytes(root: psutil.Process) -> int:
    """Return what a process and all its descendants hold."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            full = process.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(full, "pss", full.rss)
    return total


def main() -> None:
    """Measure, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--without-plain", action="store_true", help="leave the plain script out: it takes minutes")
    parser.add_argument("--out", type=Path, default=Path("reports/speed"))
    options = parser.parse_args()
    root = data_folder(options.data_root)
    bench = [sys.executable, "-m", "bench"]
    with tempfile.TemporaryDirectory() as folder:
        cache, out = Path(folder) / "cache", Path(folder) / "out"
        run = [*bench, "run", "--task", "mnist", "--task", "sst2", "--data", "real", "--data-root", str(root)]
        parts = {
            "bench run, nothing cached": measure([*run, "--out", str(out)], cache),
            "bench run, checkpoints cached": measure([*run, "--out", str(out)], cache),
            "bench report": measure([*bench, "report", str(out / "run.json")], cache),
            "bench --help": measure([*bench, "--help"], cache),
        }
        machine = load_run(out / "run.json").machine
        if not options.without_plain:
            parts["plain script, four techniques"] = measure([sys.executable, str(PLAIN), str(root)], cache)
    cost_s = min(time_calls(lambda: None, EMPTY_CALLS) for _ in range(5)) / EMPTY_CALLS
    content = {
        **provenance(machine),
        "parts": {name: {"wall_s": wall_s, "peak_bytes": peak or None} for name, (wall_s, peak) in parts.items()},
        "harness_cost_per_call_s": cost_s,
    }
    text = render(content)
    print(text)
    write_atomically(options.out / "speed.json", json.dumps(content, indent=1) + "\n")
    write_atomically(options.out / "speed.md", text + "\n")


def render(content: dict[str, Any]) -> str:
    """Return the table of what ``speed.json`` holds; relative to the first part."""
    parts = content["parts"]
    baseline_s = next(iter(parts.values()))["wall_s"]
    table = [
        [
            name,
            f"{part['wall_s']:.1f} s",
            f"{part['peak_bytes'] / 1e9:.2f} GB" if part["peak_bytes"] else "–",
            f"{part['wall_s'] / baseline_s:.2f}",
        ]
        for name, part in parts.items()
    ]
    header = ["", "Wall time", "Peak memory (sampled)", "Relative"]
    align = ["left", *["right"] * 3]
    return (
        tabulate(table, header, tablefmt="pipe", colalign=align, disable_numparse=True)
        + f"\n\nMeasured on {content['machine']['cpu']}, {content['machine']['logical_cores']} cores. The harness adds "
        f"{content['harness_cost_per_call_s'] * 1e9:.0f} ns to each timed call: the time of a call that does nothing."
    )


if __name__ == "__main__":
    main()
