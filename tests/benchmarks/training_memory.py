"""What a training step takes where the C library keeps freed memory, as trainings here ask it to, and by its default.

    python -m tests.benchmarks.training_memory [--rounds 5] [--steps 15] [--out DIR]

Processes of both kinds take turns, each with one thread and the steps of ``tests.benchmarks.training_step``. The median
step of each process counts, in wall time, and its page faults.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.measuring.machine import describe
from bench.report.tables import table
from bench.results.isa import computes_bfloat16
from bench.tasks.training.kept_memory import keep_freed_memory
from tests.benchmarks.provenance import provenance
from tests.benchmarks.training_step import BATCH, step_of

TRAININGS = (("cifar10/resnet8", "fp32"), ("cifar10/resnet8", "dorefa:w4a4"), ("cifar10/resnet20", "dorefa:w2a2"))
WAYS = ("default", "kept")
WARM_UP = 3


def main() -> None:
    """Time steps in processes, print the table, write it and the figures; ``--one`` is such a process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("reports/training-speed"))
    parser.add_argument("--one", nargs=3, metavar=("WAY", "MODEL", "TECHNIQUE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, model, technique = options.one
        print(json.dumps(_one(way, model, technique, options.steps)))
        return
    machine = describe()
    trainings: list[dict[str, Any]] = []
    with Bars(display(None)).live() as bars:
        show = bars.bar("processes")
        for model, technique in TRAININGS:
            taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
            for _ in range(options.rounds):
                for way in WAYS:
                    taken[way].append(_in_process(way, model, technique, options.steps))
                    done = options.rounds * len(WAYS) * len(trainings) + sum(map(len, taken.values()))
                    show(done, options.rounds * len(WAYS) * len(TRAININGS))
            trainings.append({"model": model, "technique": technique, "processes": taken})
    content = {
        **provenance(machine),
        "precision": "bfloat16" if computes_bfloat16(machine.isa) else "float32",
        "steps": options.steps,
        "trainings": trainings,
    }
    text = render(content)
    print(text)
    write_atomically(options.out / "training_memory.json", json.dumps(content, indent=1) + "\n")
    write_atomically(options.out / "training_memory.md", text + "\n")


def _in_process(way: str, model: str, technique: str, steps: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.training_memory", "--steps", str(steps)]
    done = subprocess.run([*command, "--one", way, model, technique], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _one(way: str, model: str, technique: str, steps: int) -> dict[str, float]:
    """Return the median time of a step in this process, in seconds, and its page faults."""
    torch.set_num_threads(1)
    if way == "kept":
        keep_freed_memory()
    step = step_of(model, technique, computes_bfloat16(describe().isa), compiled=False)
    for _ in range(WARM_UP):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / steps
    return {"step_s": round(statistics.median(seconds), 6), "page_faults": round(faults)}


def render(content: dict[str, Any]) -> str:
    """Return the table."""
    rows = []
    for training in content["trainings"]:
        for way in WAYS:
            processes = training["processes"][way]
            taken = [process["step_s"] for process in processes]
            before = [process["step_s"] for process in training["processes"]["default"]]
            rows.append(
                [
                    training["model"],
                    training["technique"],
                    way,
                    ", ".join(f"{1000 * seconds:.1f}" for seconds in taken),
                    f"{round(statistics.median(process['page_faults'] for process in processes)):,}",
                    f"{statistics.median(before) / statistics.median(taken):.2f}×",
                ]
            )
    header = ["Model", "Technique", "Memory", "Step in each process (ms)", "Page faults a step", "Faster"]
    machine = content["machine"]
    return (
        f"{table(rows, header)}\n\n"
        f"Batch {BATCH}, {content['precision']}, one thread, the median of {content['steps']} steps in each process. "
        f"*Default*: glibc gives freed memory back; *kept*: as trainings here ask it to. Measured on "
        f"{machine['cpu']}, torch {machine['torch']}."
    )


if __name__ == "__main__":
    main()
