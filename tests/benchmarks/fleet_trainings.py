"""Six trainings one after the other on one core, by two commands on a core each, and over two one-core Ray nodes.

    python -m tests.benchmarks.fleet_trainings [--out reports/fleet]

Needs two free cores. All ways train the same checkpoints, which must have the same weights to the bit. The two commands
know nothing of Ray: they show what a second core of this machine gives at most.
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
from tests.benchmarks.provenance import provenance
from tests.repository import ROOT

SEEDS = range(6)
TRAINING = ["train", "mnist/lab1", "--data", "synthetic"]


def main() -> None:
    """Measure, check, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "fleet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, halves, two = Path(folder, "one"), Path(folder, "halves"), Path(folder, "two")
        training = [*TRAINING, f"--epochs={options.epochs}"]
        arguments = [*training, *seeds(SEEDS)]
        alone_s = timed([[*on_core(0), *command(arguments)]], one)
        side_by_side = [[*on_core(core), *command([*training, *seeds(SEEDS[core::2])])] for core in (0, 1)]
        halves_s = timed(side_by_side, halves)
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
            spread_s = timed([command([*arguments, "--fleet", address])], two)
            nodes.stdin.close()
        same = digests(one) == digests(halves) == digests(two)
    figures = {
        "epochs": options.epochs,
        "one_core_s": alone_s,
        "two_commands_s": halves_s,
        "two_nodes_s": spread_s,
        "ratio_of_two_commands": halves_s / alone_s,
        "ratio": spread_s / alone_s,
        "same_weights": same,
    }
    print(json.dumps(figures, indent=1))
    write_atomically(options.out / "trainings.json", json.dumps(provenance() | figures, indent=1) + "\n")


def command(arguments: list[str]) -> list[str]:
    """Return ``bench`` with arguments."""
    return [sys.executable, "-m", "bench", *arguments]


def on_core(core: int) -> list[str]:
    """Return what keeps a command on one core."""
    return ["taskset", "-c", str(core)]


def seeds(chosen: range) -> list[str]:
    """Return the options that ask for trainings of these seeds."""
    return [f"--seed={seed}" for seed in chosen]


def timed(commands: list[list[str]], cache: Path) -> float:
    """Return the seconds that commands take side by side; raises ``CalledProcessError`` if one fails."""
    start = time.perf_counter()
    environment = os.environ | ENVIRONMENT | {"QUANTBENCH_CACHE": str(cache)}
    processes = [subprocess.Popen(one, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for one in commands]
    for process, arguments in zip(processes, commands, strict=True):
        if code := process.wait():
            raise subprocess.CalledProcessError(code, arguments)
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
