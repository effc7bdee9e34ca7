"""What Ray's processes beside a measurement do to it: tries with an idle Ray node on this machine, and without.

    python -m tests.benchmarks.fleet_disturbance [--tries 20] [--out reports/fleet]

Each try measures dynamic int8 beside fp32 as ``bench run`` does, without rests between its processes; tries with and
without take turns. Needs a quiet machine for ten minutes. What is compared is the speed-up, which is what a fleet
compares between machines, and fp32's own latency.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench
from bench.core.files import write_atomically
from bench.core.units import percent
from bench.core.variant_key import BASELINE
from bench.report.tables import table
from bench.stats.ranks import shift
from bench.worker import selfcheck_model
from tests.benchmarks.provenance import provenance
from tests.repository import ROOT

SIZE = 1


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "fleet")
    options = parser.parse_args()
    tries: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    for _ in range(options.tries):
        tries["without"].append(measured())
        with ray_node():
            tries["with"].append(measured())
    write_atomically(options.out / "disturbance.json", json.dumps(provenance() | tries, indent=1) + "\n")
    text = render(tries)
    print(text)
    write_atomically(options.out / "disturbance.md", text + "\n")


@contextlib.contextmanager
def ray_node() -> Iterator[None]:
    """Let a Ray node of one core run within the block, with its head, as a machine of a fleet has it at least."""
    command = [sys.executable, "-m", "tests.bench.fleet.ray_nodes", "beside"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # its address: it is up
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()


def measured() -> dict[str, float]:
    """Return one try: the speed-up, half of its interval's width as a share, and fp32's latency."""
    run = bench.run(
        models=f"{selfcheck_model.__file__}:build",
        inputs=f"{selfcheck_model.__file__}:inputs",
        techniques="dynamic-qint8",
        batch_sizes=SIZE,
        spread_s=0,
        progress=False,
    )
    rows = {row.key: row for row in run.rows}
    [speedup] = [row.speedup[SIZE] for key, row in rows.items() if key != BASELINE]
    return {
        "speedup": speedup.value,
        "half_width": speedup.half_width,
        "fp32_s": rows[BASELINE].latency[SIZE].estimate_s,
    }


def render(tries: dict[str, list[dict[str, float]]]) -> str:
    """Return how far tries with Ray are from those without, and how wide the intervals of single tries are."""
    rows: list[list[Any]] = []
    for name, key in (("speed-up", "speedup"), ("latency of fp32", "fp32_s")):
        logs = {where: [math.log(one[key]) for one in of_kind] for where, of_kind in tries.items()}
        moved = shift(logs["without"], logs["with"])
        low, value, high = (math.expm1(end) for end in (moved.low, moved.value, moved.high))
        rows.append([name, f"{percent(value, 2)} [{percent(low, 2)}, {percent(high, 2)}]"])
    widths = [one["half_width"] for of_kind in tries.values() for one in of_kind]
    rows.append(["half an interval's width of a speed-up, mean", percent(sum(widths) / len(widths), 2)])
    header = ["Figure", "With Ray against without"]
    return f"# Ray beside a measurement\n\n{len(tries['with'])} tries each, in turns.\n\n{table(rows, header)}"


if __name__ == "__main__":
    main()
