"""Six trainings one after the other on one core, and over two one-core Ray nodes on this machine.

    python -m tests.benchmarks.fleet_trainings [--out reports/fleet]

Needs two free cores. Both ways train the same checkpoints, which must have the same weights to the bit.
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

import safetensors

from bench.core.files import write_atomically
from tests.bench.fleet.ray_nodes import ENVIRONMENT
from tests.repository import ROOT

SEEDS = range(6)
TRAINING = ["train", "mnist/lab1", "--data", "synthetic", *(f"--seed={seed}" for seed in SEEDS)]


def main() -> None:
    """Measure, check, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "fleet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder, "one"), Path(folder, "two")
        arguments = [*TRAINING, f"--epochs={options.epochs}"]
        alone_s = timed(["taskset", "-c", "0", *command(arguments)], one)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fleet.ray_nodes", "first", "second"],
            cwd=ROOT,
            env=os.environ | {"QUANTBENCH_CACHE": str(two)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as nodes:
            assert nodes.stdin is not None
            assert nodes.stdout is not None
            address = nodes.stdout.readline().strip()
            spread_s = timed(command([*arguments, "--fleet", address]), two)
            nodes.stdin.close()
        same = digests(one) == digests(two)
    figures = {"one_core_s": alone_s, "two_nodes_s": spread_s, "ratio": spread_s / alone_s, "same_weights": same}
    print(json.dumps(figures, indent=1))
    write_atomically(options.out / "trainings.json", json.dumps(figures, indent=1) + "\n")


def command(arguments: list[str]) -> list[str]:
    """Return ``bench`` with arguments."""
    return [sys.executable, "-m", "bench", *arguments]


def timed(arguments: list[str], cache: Path) -> float:
    """Return the seconds that a command takes; raises ``CalledProcessError`` if it fails."""
    start = time.perf_counter()
    environment = os.environ | ENVIRONMENT | {"QUANTBENCH_CACHE": str(cache)}
    subprocess.run(arguments, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - start, 2)


def digests(cache: Path) -> dict[str, str]:
    """Return the digest of each checkpoint's weights, by its name."""
    by_name = {}
    for path in (cache / "checkpoints").glob("*.safetensors"):
        with safetensors.safe_open(path, framework="np") as file:
            by_name[path.name] = file.metadata()["sha256"]
    return by_name


if __name__ == "__main__":
    main()
