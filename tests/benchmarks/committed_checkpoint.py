"""Whether the committed ResNet-20 has, on the real CIFAR-10, the accuracy that its training file says.

    python -m tests.benchmarks.committed_checkpoint [--data-root DIR]

Exit code 1 if not. Another CPU may round otherwise and so answer a few of the 10,000 images differently.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from bench.measuring.machine import usable_cores
from bench.storage import checkpoint
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS
from tests.repository import ROOT

REPORTS = ROOT / "reports/resnet20"
BATCH = 250
TOLERATED = 10
"""Answers."""


def main() -> None:
    """Evaluate and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    root = data_folder(parser.parse_args().data_root)
    [trained] = json.loads((REPORTS / "training.json").read_text(encoding="utf-8"))
    torch.set_num_threads(usable_cores())
    network, header = checkpoint.load(REPORTS / trained["checkpoint"])
    task = TASKS.get(header.task)
    spec = next(spec for spec in task.models if spec.name == header.model)
    network = spec.arrange(network)
    test = task.load("real", root).test
    correct = 0
    with torch.inference_mode():
        for index in torch.arange(len(test)).split(BATCH):
            part = test[index]
            correct += int((network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    expected = trained["accuracy"]["correct"]
    print(f"{REPORTS.name}: {correct:,} of {len(test):,} right, {expected:,} when it was trained")
    sys.exit(abs(correct - expected) > TOLERATED)


if __name__ == "__main__":
    main()
