"""What 8-bit DoReFa loses, part by part: the clip of activations to [0, 1], the weights' tanh, the rounding.

    python -m tests.benchmarks.dorefa_clip [--epochs 8] [--images 10000] [--data-root DIR] [--out DIR] | --table

A ResNet-8 is trained from random weights on the first training images of CIFAR-10, with one part of DoReFa changed at
a time and everything else equal: the model's recipe for a few epochs, one seed, one thread. Accuracy is that of all
10,000 test images after the last epoch. A training whose row is in the file is not made again. ``--table`` writes the
page alone.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.core.units import percent
from bench.measuring.machine import describe
from bench.report.tables import table
from bench.results.isa import computes_bfloat16
from bench.tasks.dataset import Dataset
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS, Precision
from bench.tasks.training.loop import train
from bench.techniques.base import TECHNIQUES
from tests.benchmarks.provenance import provenance
from tests.repository import ROOT

OUT = ROOT / "reports/dorefa-clip"
MODEL = "resnet8"
SEED = 0
BATCH = 250
PARTS = {
    "fp32": "nothing: the float network",
    "dorefa:w8a32": "8-bit weights alone",
    "dorefa:w32a32,clip": "the clip to [0, 1] alone, nothing rounded",
    "dorefa:w8a8": "8-bit DoReFa as in the paper",
    "dorefa:w8a8,clip=learned": "the same with a learned clip",
}
"""What is quantized or clipped, by technique."""


def main() -> None:
    """Train what has no row yet, and write the rows and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="write README.md and train nothing")
    options = parser.parse_args()
    path = options.out / "dorefa_clip.json"
    if not options.table:
        machine = describe()
        precision: Precision = "bfloat16" if computes_bfloat16(machine.isa) else "float32"
        settings = {"epochs": options.epochs, "images": options.images, "precision": precision, "seed": SEED}
        content: dict[str, Any] = {**provenance(machine), "settings": settings, "correct": {}}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            content["correct"] = before["correct"] if before["settings"] == settings else {}
        dataset = TASKS.get("cifar10").load("real", data_folder(options.data_root))
        with Bars(display(None)).live() as bars:
            for name in PARTS:
                if name not in content["correct"]:
                    content["correct"][name] = correct(name, dataset, options.epochs, options.images, precision, bars)
                    write_atomically(path, json.dumps(content, indent=1) + "\n")
    text = render(json.loads(path.read_text(encoding="utf-8")))
    print(text)
    write_atomically(options.out / "README.md", text + "\n")


def correct(name: str, dataset: Dataset, epochs: int, images: int, precision: Precision, bars: Bars) -> int:
    """Train with a technique; return how many test images are answered right."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    task = TASKS.get("cifar10")
    spec = next(spec for spec in task.models if spec.name == MODEL)
    spec = replace(spec, recipe=replace(spec.recipe, epochs=epochs))
    network = TECHNIQUES.get(name).prepare(spec.build())
    form = task.training_form(spec, network, dataset.train[torch.arange(images)])
    network = train(form, precision, SEED, torch.device("cpu"), bars.bar(f"train {name}")).network
    right = 0
    with torch.inference_mode():
        for index in torch.arange(len(dataset.test)).split(BATCH):
            part = dataset.test[index]
            right += int((network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    return right


def render(content: dict[str, Any]) -> str:
    """Return the page."""
    settings, machine = content["settings"], content["machine"]
    base = content["correct"]["fp32"]
    rows = [
        [f"`{name}`", PARTS[name], percent(right / 10_000), f"{(right - base) / 100:+.2f}".replace("-", "−")]
        for name, right in content["correct"].items()
    ]
    error = math.sqrt(base * (10_000 - base) / 10_000) / 10_000
    return f"""# What the clip of DoReFa costs

{table(rows, ["Technique", "What is quantized or clipped", "Accuracy", "points beside fp32"])}

ResNet-8 trained on {settings["images"]:,} images of CIFAR-10 for {settings["epochs"]} epochs in
{settings["precision"]}, seed {settings["seed"]}, everything equal but the technique; all 10,000 test images (standard
error {percent(error)}), one seed each, so ±1 point is chance. The networks are trained briefly and only their
differences mean something. Made by `python -m tests.benchmarks.dorefa_clip` on {machine["cpu"]},
torch {machine["torch"]}.\
"""


if __name__ == "__main__":
    main()
