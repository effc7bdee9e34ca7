"""The committed ResNet-20 quantized after training with range-linear, on all real test images of CIFAR-10.

    python -m tests.benchmarks.post_training [--data-root DIR] [--out reports/lowbit-post-training] | --table

For each pair of widths, the weights' mode and how activations are clipped are chosen on training images: those with
which most of the last 1,000 of them are answered right. The chosen variants, and those that show what the activations'
mode and ACIQ's correction do, then answer the test set, one after the other in one thread; what is in the file is not
done again. Accuracy only: k bits are simulated, so there is no latency to measure. ``--table`` writes README.md alone.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.core.units import percent
from bench.report.tables import table
from bench.storage import checkpoint
from bench.tasks.dataset import Split
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Context
from tests.benchmarks.provenance import provenance
from tests.repository import ROOT

FLOAT = ROOT / "reports/resnet20"
OUT = ROOT / "reports/lowbit-post-training"
WIDTHS = ("w4a4", "w8a8", "w4a8", "w6a6")
SHOWN = ("w8a8", "w6a6", "w4a8", "w4a4")
"""The order of rows; the hardest is measured first."""
CHOICES = [",".join(filter(None, parts)) for parts in product(("", "asym-unsigned"), ("", "avg", "gauss", "laplace"))]
BEFORE = "activations=sym"
"""What is evaluated beside the chosen variant: how things were before."""
ACIQ_WIDTHS = "w4a4"
ACIQ = ("laplace", "distiller-laplace", "gauss", "distiller-gauss")
"""What is compared at these widths: the correction, and Distiller's form."""
JUDGED = 1_000
BATCH = 50

Converted = Callable[[str], nn.Module]
"""Makes a variant of the committed network."""


def main() -> None:
    """Choose, evaluate and write, or write the page alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="write README.md and measure nothing")
    options = parser.parse_args()
    path = options.out / "post_training.json"
    if not options.table:
        content: dict[str, Any] = {**provenance(), "judged": {}, "correct": {}}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            content |= {"judged": before["judged"], "correct": before["correct"]}
        with Bars(display(None)).live() as bars:
            show = bars.bar("answers")
            total = len(WIDTHS) * (len(CHOICES) + 2) + len(ACIQ)
            for done, _ in enumerate(measure(content, data_folder(options.data_root)), start=1):
                write_atomically(path, json.dumps(content, indent=1) + "\n")
                show(done, total)
    text = render(json.loads(path.read_text(encoding="utf-8")))
    print(text)
    write_atomically(options.out / "README.md", text + "\n")


def named(widths: str, extra: str) -> str:
    """Return the name of a variant with per-channel weights."""
    return TECHNIQUES.get(f"range-linear:{widths},per-channel{extra and f',{extra}'}").name


def best(tried: dict[str, int]) -> str:
    """Return the variant with most right answers on training images; of equals the first."""
    return max(tried, key=lambda name: tried[name])


def measure(content: dict[str, Any], root: Path) -> Iterator[None]:
    """Fill in what ``content`` has not yet, and yield after each part."""
    torch.set_num_threads(1)
    [path] = FLOAT.glob("*.safetensors")
    network, header = checkpoint.load(path)
    task = TASKS.get(header.task)
    spec = next(spec for spec in task.models if spec.name == header.model)
    dataset = task.load("real", root)
    calibration = task.calibration(spec, dataset)

    def converted(name: str) -> nn.Module:
        context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: calibration)
        return TECHNIQUES.get(name).convert(spec.arrange(copy.deepcopy(network)), context).module

    def inputs(split: Split) -> Tensor:
        return task.inputs(spec, split)

    last = dataset.train[torch.arange(len(dataset.train))[-JUDGED:]]
    for widths in WIDTHS:
        tried = content["judged"].setdefault(widths, {})
        for name in (named(widths, choice) for choice in CHOICES):
            if name not in tried:
                tried[name] = _correct(converted(name), last, inputs)
                yield
        yield from _answer(best(tried), content, converted, dataset.test, inputs)
    beside = [named(widths, BEFORE) for widths in WIDTHS]
    beside += [named(ACIQ_WIDTHS, f"asym-unsigned,{clipping}") for clipping in ACIQ]
    for name in beside:
        yield from _answer(name, content, converted, dataset.test, inputs)


def _answer(
    name: str, content: dict[str, Any], converted: Converted, test: Split, inputs: Callable[[Split], Tensor]
) -> Iterator[None]:
    if name not in content["correct"]:
        content["correct"][name] = _correct(converted(name), test, inputs)
        yield


def _correct(model: nn.Module, split: Split, inputs: Callable[[Split], Tensor]) -> int:
    correct = 0
    with torch.inference_mode():
        for index in torch.arange(len(split)).split(BATCH):
            part = split[index]
            correct += int((model(inputs(part)).argmax(1) == part.labels).sum())
    return correct


def render(content: dict[str, Any]) -> str:
    """Return the page."""
    [trained] = json.loads((FLOAT / "training.json").read_text(encoding="utf-8"))
    base, correct = trained["accuracy"]["correct"], content["correct"]

    def share(name: str) -> str:
        return percent(correct[name] / 10_000) if name in correct else "not measured"

    rows = []
    for widths in SHOWN:
        name = best(content["judged"][widths])
        change = f"{(correct[name] - base) / 100:+.2f}".replace("-", "−")
        rows.append([f"`{name}`", share(name), change, share(named(widths, BEFORE))])
    header = ["Variant", "Accuracy", "points beside fp32", f"`{BEFORE}`"]
    judged = content["judged"]
    choice = [
        [f"`{one or 'none'}`", *(f"{100 * judged[widths][named(widths, one)] / JUDGED:.1f} %" for widths in SHOWN)]
        for one in CHOICES
    ]
    aciq = [[f"`{one}`", share(named(ACIQ_WIDTHS, f"asym-unsigned,{one}"))] for one in ACIQ]
    machine = content["machine"]
    return f"""# ResNet-20 on CIFAR-10, quantized after training

{table(rows, header)}

Accuracy on all 10,000 test images; fp32 has {percent(base / 10_000)}, and its weights are those of
[reports/resnet20](../resnet20). All layers are quantized, the first and the last included; weights are quantized per
output channel, activations have one range a layer from 1,024 training images. Behind a ReLU that range is asymmetric:
it starts at 0. On the right are the same widths as they were before, with activations symmetric around 0, where half of
the levels stay unused, and weights symmetric. k bits are simulated, so no latency was measured. One checkpoint:
differences below half a point are within chance.

The mode of the weights and the clipping of activations were chosen on the last {JUDGED:,} training images, by the share
of right answers:

{table(choice, ["Choice", *SHOWN])}

ACIQ's clipping at {ACIQ_WIDTHS} with `asym-unsigned`, on the test images; nothing was chosen by it. Distiller's form
takes the spread behind the ReLU for that before it, and clips at 0.6 of the optimum:

{table(aciq, ["Clipping", "Accuracy"])}

Made by `python -m tests.benchmarks.post_training` on {machine["cpu"]}, torch {machine["torch"]}.\
"""


if __name__ == "__main__":
    main()
