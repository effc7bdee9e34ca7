"""How long a CIFAR-10 training takes with batches indexed in memory, beside a DataLoader with transforms.

    python -m tests.benchmarks.training_speed [--model resnet8] [--epochs 1] [--examples 50000] [--out DIR]

Both train the same network from the same seed with the same recipe and augmentation, one after the other, each in a
process of its own on all cores; both are then tested on the whole test set. Ours is ``bench.train``'s loop in its
layout and precision for low-bit techniques (channels-last, bfloat16 autocast); the plain loop is written as tutorials
have it: torchvision's dataset and transforms, a DataLoader, float32 in torch's default layout. The ratio is of one
sitting.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from bench.machine import describe, usable_cores
from bench.report.tables import table
from bench.result import write_atomically
from bench.units import percent
from models import build
from tasks.cifar import MEAN, STD
from tasks.source import data_folder
from tasks.task import TASKS, ModelSpec
from tasks.training.loop import train as train_in_memory

SEED = 0
EVALUATION_BATCH = 250


def ours(model: str, epochs: int, examples: int, root: Path) -> tuple[float, int]:
    """Train in memory; return the seconds and the right answers."""
    task, spec = _model(model)
    torch.set_num_threads(usable_cores())
    torch.manual_seed(SEED)
    dataset = task.load("real", root)
    spec = replace(spec, recipe=replace(spec.recipe, epochs=epochs))
    form = task.training_form(spec, spec.build(), dataset.train[torch.arange(examples)])
    start = time.perf_counter()
    network = train_in_memory(form, "bfloat16", SEED, torch.device("cpu")).network
    seconds = time.perf_counter() - start
    right = 0
    with torch.inference_mode():
        for index in torch.arange(len(dataset.test)).split(EVALUATION_BATCH):
            part = dataset.test[index]
            right += int((network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    return seconds, right


def plain(model: str, epochs: int, examples: int, root: Path) -> tuple[float, int]:
    """Train with a DataLoader; return the seconds and the right answers."""
    _, spec = _model(model)
    torch.set_num_threads(usable_cores())
    torch.manual_seed(SEED)
    recipe = spec.recipe
    network = build(spec.network, dict(spec.hyperparameters))
    final = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    crop = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    train = datasets.CIFAR10(root, train=True, transform=transforms.Compose([*crop, *final]))
    test = datasets.CIFAR10(root, train=False, transform=transforms.Compose(final))
    part = Subset(train, range(examples))
    batches = DataLoader(part, batch_size=recipe.batch_size, shuffle=True, num_workers=usable_cores())
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, epochs * len(batches), pct_start=0.25, cycle_momentum=False
    )
    start = time.perf_counter()
    for _ in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(network(inputs), labels).backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - start
    return seconds, _right(network.eval(), DataLoader(test, batch_size=EVALUATION_BATCH))


def _right(network: nn.Module, batches: DataLoader[Any]) -> int:
    with torch.inference_mode():
        return sum(int((network(inputs).argmax(1) == labels).sum()) for inputs, labels in batches)


def _model(name: str) -> tuple[Any, ModelSpec]:
    task = TASKS.get("cifar10")
    return task, next(spec for spec in task.models if spec.name == name)


LOOPS = {"ours": ours, "plain": plain}


def main() -> None:
    """Train both ways, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--examples", type=int, default=50_000, help="the first so many training images")
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=Path("reports/training-speed"))
    parser.add_argument("--only", choices=list(LOOPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    root = data_folder(options.data_root)
    if options.only:
        seconds, right = LOOPS[options.only](options.model, options.epochs, options.examples, root)
        print(json.dumps({"seconds": seconds, "correct": right}))
        return
    found = {}
    for name in LOOPS:
        command = [sys.executable, "-m", "tests.benchmarks.training_speed", *sys.argv[1:], "--only", name]
        found[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(name, found[name], flush=True)
    ratio = found["plain"]["seconds"] / found["ours"]["seconds"]
    names = {"ours": "in memory, channels-last, bfloat16 autocast", "plain": "DataLoader and transforms, float32"}
    rows = [
        [
            names[name],
            f"{each['seconds']:.1f}",
            percent(each["correct"] / 10_000),
            f"{ratio if name == 'ours' else 1:.1f}×",
        ]
        for name, each in found.items()
    ]
    here = describe()
    caption = (
        f"{options.model}, {options.epochs} epoch(s) of {options.examples:,} images of CIFAR-10, {here.cpu}, "
        f"{usable_cores()} cores, torch {here.torch}."
    )
    text = f"{table(rows, ['Loop', 'Seconds', 'Accuracy', 'Faster'])}\n\n{caption}"
    print(text)
    content = {
        "model": options.model,
        "epochs": options.epochs,
        "examples": options.examples,
        "ratio": ratio,
        **found,
        "machine": here.model_dump(),
    }
    write_atomically(options.out / "training_speed.json", json.dumps(content, indent=1) + "\n")
    write_atomically(options.out / "training_speed.md", text + "\n")


if __name__ == "__main__":
    main()
