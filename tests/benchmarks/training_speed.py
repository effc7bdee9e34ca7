"""How long a training takes with batches indexed in memory, beside a DataLoader with transforms.

    python -m tests.benchmarks.training_speed [--model mnist/lab1 …] [--epochs 1] [--out DIR]

Both train the same network from the same seed with the same recipe and augmentation, one after the other, each in a
process of its own on all cores; both are then tested on the whole test set. Ours is ``bench.train``'s loop, in the
layout and the precision in which the project trains that model (ResNets channels-last under bfloat16 autocast); the
plain loop is written as tutorials have it: torchvision's dataset and transforms, a DataLoader, float32 in torch's
default layout; with no workers and with one a core, of which the faster counts. Ratios are of one session; needs the
real data.

What no loader can win back is the arithmetic. So the table also says how many operations a second a training does,
three forward passes an example (one forward and two backward), and how many a large matrix product does here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from bench.core.files import write_atomically
from bench.core.units import percent
from bench.measuring.machine import instruction_sets, usable_cores
from bench.measuring.macs import count_macs
from bench.models import build
from bench.report.tables import table
from bench.results.machine import Machine
from bench.results.record import Record
from bench.running.suites import Selected, select_models
from bench.running.training_precision import PrecisionPolicy
from bench.tasks.cifar import MEAN, STD
from bench.tasks.source import data_folder
from bench.tasks.task import Recipe
from bench.tasks.training.kept_memory import keep_freed_memory
from bench.tasks.training.loop import train as train_in_memory
from tests.benchmarks.provenance import provenance

SEED = 0
MODELS = ("mnist/lab1", "mnist/lab2", "cifar10/resnet8")
EVALUATION_BATCH = 250
AIM = 10


class Trained(Record):
    """What came of one loop."""

    seconds: float
    correct: int
    """Of the 10,000 test images."""
    operations: int = 0
    """Additions and multiplications of its products and convolutions."""

    @property
    def gflops(self) -> float:
        """Billions of them a second."""
        return self.operations / self.seconds / 1e9


class Pair(Record):
    """One model trained by both loops."""

    model: str
    epochs: int
    ours: Trained
    plain: Trained
    workers: int
    """Of the DataLoader, with which it was faster."""

    @property
    def ratio(self) -> float:
        """By how much ours is faster."""
        return self.plain.seconds / self.ours.seconds


class Session(Record):
    """All models."""

    quantbench: str = ""
    created: str = ""
    machine: Machine
    cores: int
    product_gflops: dict[str, float]
    """What a large matrix product does, in billions of operations a second, by dtype."""
    pairs: list[Pair]


def ours(selected: Selected, epochs: int, root: Path) -> Trained:
    """Train in memory, as ``bench train`` does: in float32 where bfloat16 would be emulated."""
    keep_freed_memory()
    precision = PrecisionPolicy("cpu", instruction_sets()).precision(selected.spec.precision)
    task, spec = selected.task, selected.spec
    dataset = task.load("real", root)
    spec = replace(spec, recipe=replace(spec.recipe, epochs=epochs))
    form = task.training_form(spec, spec.build(), dataset.train)
    start = time.perf_counter()
    network = train_in_memory(form, precision, SEED, torch.device("cpu")).network
    seconds = time.perf_counter() - start
    right = 0
    with torch.inference_mode():
        for index in torch.arange(len(dataset.test)).split(EVALUATION_BATCH):
            part = dataset.test[index]
            right += int((network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    macs = count_macs(spec.build().eval(), task.inputs(spec, dataset.test[torch.arange(1)]))
    return Trained(seconds=seconds, correct=right, operations=3 * 2 * macs * epochs * len(dataset.train))


def plain(selected: Selected, epochs: int, root: Path, workers: int) -> Trained:
    """Train with a DataLoader of so many workers."""
    recipe = selected.spec.recipe
    network = build(selected.spec.network, dict(selected.spec.hyperparameters))
    train, test = _datasets(selected, root)
    batches = DataLoader(train, batch_size=recipe.batch_size, shuffle=True, num_workers=workers)
    optimizer, schedule = _optimizer(network, recipe, epochs * len(batches))
    start = time.perf_counter()
    for _ in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(network(inputs), labels).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
    seconds = time.perf_counter() - start
    network.eval()
    with torch.inference_mode():
        answers = [(network(inputs).argmax(1) == labels).sum() for inputs, labels in DataLoader(test, EVALUATION_BATCH)]
    return Trained(seconds=seconds, correct=int(sum(answers)))


def _datasets(selected: Selected, root: Path) -> list[Dataset[Any]]:
    """Return the training and the test set, with the transforms of the project's own inputs."""
    if selected.task.name == "mnist":
        side = int(selected.spec.hyperparameters["inputs"] ** 0.5)  # type: ignore[operator]
        pixels = transforms.Compose(
            [transforms.CenterCrop(side), transforms.ToTensor(), transforms.Lambda(torch.ravel)]
        )
        return [datasets.MNIST(root, train=train, transform=pixels) for train in (True, False)]
    final = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    crop = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    return [
        datasets.CIFAR10(root, train=train, transform=transforms.Compose([*(crop if train else []), *final]))
        for train in (True, False)
    ]


def _optimizer(network: nn.Module, recipe: Recipe, steps: int) -> tuple[Any, Any]:
    if recipe.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=recipe.learning_rate), None
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
    )
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, steps, pct_start=0.25, cycle_momentum=False
    )


def product_gflops(dtype: torch.dtype, size: int = 2048, times: int = 10, enough_s: float = 10.0) -> float:
    """Return what a product of two matrices of ``size`` does on all cores, the best of some, in GFLOP/s.

    Where a type is emulated one product takes a minute, so none is begun after ``enough_s``.
    """
    left, right = (torch.rand(size, size).to(dtype) for _ in range(2))
    seconds: list[float] = []
    while len(seconds) < times and sum(seconds) < enough_s:
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


LOOPS: dict[str, Callable[[Selected, int, Path], Trained]] = {
    "ours": ours,
    "no workers": partial(plain, workers=0),
    "workers": partial(plain, workers=usable_cores()),
}


def main() -> None:
    """Train both ways, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help=f"repeatable; default: {', '.join(MODELS)}")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=Path("reports/training-speed"))
    parser.add_argument("--only", choices=list(LOOPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    models = options.model or MODELS
    if options.only:
        torch.set_num_threads(usable_cores())
        torch.manual_seed(SEED)
        [selected] = select_models("lab", (), models)
        print(LOOPS[options.only](selected, options.epochs, data_folder(options.data_root)).model_dump_json())
        return
    pairs = [_pair(model, options.epochs, options.data_root) for model in models]
    torch.set_num_threads(usable_cores())
    products = {name: product_gflops(getattr(torch, name)) for name in ("float32", "bfloat16")}
    session = Session(**provenance(), cores=usable_cores(), product_gflops=products, pairs=pairs)
    print(render(session))
    write_atomically(options.out / "training_speed.json", session.model_dump_json(indent=1) + "\n")
    write_atomically(options.out / "training_speed.md", render(session) + "\n")


def _pair(model: str, epochs: int, data_root: Path | None) -> Pair:
    """Train one model both ways, each in a fresh process."""
    trained = {}
    for name in LOOPS:
        command = [sys.executable, "-m", "tests.benchmarks.training_speed", "--model", model, "--epochs", str(epochs)]
        command += ["--only", name, *(["--data-root", str(data_root)] if data_root else [])]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        trained[name] = Trained.model_validate(json.loads(done.stdout))
        print(f"{model}, {name}: {trained[name].seconds:.1f} s", file=sys.stderr, flush=True)
    workers = 0 if trained["no workers"].seconds < trained["workers"].seconds else usable_cores()
    faster = trained["workers" if workers else "no workers"]
    return Pair(model=model, epochs=epochs, ours=trained["ours"], plain=faster, workers=workers)


def render(session: Session) -> str:
    """Return the table."""
    rows = [_row(pair) for pair in session.pairs]
    header = [
        "Model",
        "Epochs",
        "Workers",
        "DataLoader (s)",
        "In memory (s)",
        "Faster",
        "Accuracy: DataLoader",
        "In memory",
        "In memory (GFLOP/s)",
        f"{AIM}× would be (GFLOP/s)",
        f"Bound {AIM}×",
    ]
    machine = session.machine
    products = " and ".join(f"{rate:.3g} in {name}" for name, rate in session.product_gflops.items())
    return (
        f"{table(rows, header)}\n\nA product of two matrices of 2,048 × 2,048 does {products} (GFLOP/s). "
        f"Measured on {machine.cpu}, {session.cores} cores, torch {machine.torch}."
    )


def _row(pair: Pair) -> list[str]:
    return [
        pair.model,
        str(pair.epochs),
        str(pair.workers),
        f"{pair.plain.seconds:.1f}",
        f"{pair.ours.seconds:.1f}",
        f"{pair.ratio:.1f}×",
        percent(pair.plain.correct / 10_000),
        percent(pair.ours.correct / 10_000),
        f"{pair.ours.gflops:.0f}",
        f"{AIM * pair.ours.gflops / pair.ratio:.0f}",
        "reached" if pair.ratio >= AIM else "missed",
    ]


if __name__ == "__main__":
    main()
