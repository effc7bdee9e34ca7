"""The committed ResNet-20 quantized after training with range-linear, on all real test images of CIFAR-10.

    python -m tests.benchmarks.post_training [--data-root DIR] [--out reports/lowbit-post-training] | --table

For each pair of widths, how activations are clipped is chosen on training images: the clipping with which most of the
last 2,000 of them are answered right. The chosen variants, and those that show what the activations' mode and
Distiller's clipping do, are then made and evaluated by ``bench train``, which finds the checkpoint and trains nothing.
Accuracy only: k bits are simulated, so there is no latency to measure. ``--table`` writes README.md from the file.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.core.units import kilobytes, percent
from bench.measuring.machine import describe
from bench.report.tables import table
from bench.storage import checkpoint
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.train import TrainedModel, train
from bench.tasks.dataset import Dataset
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES, Context
from tests.repository import ROOT

FLOAT = ROOT / "reports/resnet20"
OUT = ROOT / "reports/lowbit-post-training"
MODEL = "cifar10/resnet20"
WIDTHS = ("w8a8", "w6a6", "w4a8", "w4a4")
CLIPPINGS = ("none", "avg", "gauss", "laplace")
BESIDE = ("activations=sym", "distiller-gauss", "distiller-laplace")
"""What is evaluated beside the chosen clipping: how things were before, and Distiller's form."""
JUDGED = 2_000
BATCH = 250


def main() -> None:
    """Choose, evaluate and write, or write the page alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="write README.md and measure nothing")
    options = parser.parse_args()
    path = options.out / "post_training.json"
    if not options.table:
        root = data_folder(options.data_root)
        judged = choose(root)
        chosen = [max(tried, key=lambda name: tried[name]) for tried in judged.values()]
        beside = [_named(widths, extra) for widths in WIDTHS for extra in BESIDE]
        content = {
            "machine": describe().model_dump(),
            "judged_on_training_images": {"images": JUDGED, "correct": judged},
            "variants": [json.loads(one.model_dump_json()) for one in evaluate(["fp32", *chosen, *beside], root)],
        }
        write_atomically(path, json.dumps(content, indent=1) + "\n")
    text = render(json.loads(path.read_text(encoding="utf-8")))
    print(text)
    write_atomically(options.out / "README.md", text + "\n")


def _named(widths: str, extra: str) -> str:
    return TECHNIQUES.get(f"range-linear:{widths},per-channel{'' if extra == 'none' else f',{extra}'}").name


def choose(root: Path) -> dict[str, dict[str, int]]:
    """Return how many of the last training images each clipping answers right, by the variant's name, by widths."""
    torch.set_num_threads(1)
    [path] = FLOAT.glob("*.safetensors")
    network, header = checkpoint.load(path)
    task = TASKS.get(header.task)
    spec = next(spec for spec in task.models if spec.name == header.model)
    dataset = task.load("real", root)
    calibration = task.calibration(spec, dataset)
    names = {widths: [_named(widths, clipping) for clipping in CLIPPINGS] for widths in WIDTHS}
    judged: dict[str, dict[str, int]] = {}
    with Bars(display(None)).live() as bars:
        show = bars.bar("choose the clipping")
        for widths, candidates in names.items():
            for name in candidates:
                context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: calibration)
                model = TECHNIQUES.get(name).convert(spec.arrange(copy.deepcopy(network)), context).module
                judged.setdefault(widths, {})[name] = _correct(model, spec, dataset)
                show(sum(map(len, judged.values())), len(WIDTHS) * len(CLIPPINGS))
    return judged


def _correct(model: nn.Module, spec: Any, dataset: Dataset) -> int:
    task, last = TASKS.get("cifar10"), torch.arange(len(dataset.train))[-JUDGED:]
    correct = 0
    with torch.inference_mode():
        for index in last.split(BATCH):
            part = dataset.train[index]
            correct += int((model(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    return correct


def evaluate(names: list[str], root: Path) -> list[TrainedModel]:
    """Return the accuracy of each variant on the test set; the weights are those that are committed."""
    [path] = FLOAT.glob("*.safetensors")
    header = checkpoint.read_header(path)
    folder = CheckpointStore.of_user().folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / path.name).exists():
        shutil.copyfile(path, folder / path.name)
    # The checkpoint is under bfloat16 autocast, so a CPU without that must be told so, or it trains another.
    return train(
        MODEL,
        names,
        epochs=int(header.recipe["epochs"]),
        training_precision="bfloat16" if header.precision == "bfloat16" else "float32",
        data="real",
        data_root=root,
    )


def render(content: dict[str, Any]) -> str:
    """Return the page."""
    by_name = {one["technique"]: TrainedModel.model_validate(one) for one in content["variants"]}
    base = _share(by_name["fp32"])
    judged = content["judged_on_training_images"]
    rows = []
    for widths, tried in judged["correct"].items():
        best = max(tried, key=lambda name: tried[name])
        others = [_named(widths, extra) for extra in BESIDE]
        rows.append(
            [
                f"`{best}`",
                percent(_share(by_name[best])),
                _points(_share(by_name[best]) - base),
                kilobytes(by_name[best].packed_bytes or 0),
                *(percent(_share(by_name[name])) for name in others),
            ]
        )
    header = ["Variant", "Accuracy", "beside fp32", "Packed (kB)", *(f"`{extra}`" for extra in BESIDE)]
    choice = [
        [widths, *(f"{100 * tried[_named(widths, one)] / judged['images']:.2f} %" for one in CLIPPINGS)]
        for widths, tried in judged["correct"].items()
    ]
    machine = content["machine"]
    return f"""# ResNet-20 on CIFAR-10, quantized after training

{table(rows, header)}

Accuracy on all 10,000 test images; fp32 has {percent(base)}, and its weights are those of
[reports/resnet20](../resnet20). All layers are quantized, the first and the last included; weights are symmetric and
per output channel, activations have one range a layer from 1,024 training images. Behind a ReLU that range is
asymmetric: it starts at 0. The three columns on the right are the same widths with one thing changed: with activations
symmetric around 0, where half of the levels stay unused; and with ACIQ's clipping as Distiller's code has it, which
takes the spread behind the ReLU for that before it. k bits are simulated, so no latency was measured. One checkpoint:
differences below half a point are within chance.

How activations are clipped was chosen on the last {judged["images"]:,} training images, by the share of right answers:

{table(choice, ["Widths", *(f"`{one}`" for one in CLIPPINGS)])}

Made by `python -m tests.benchmarks.post_training` on {machine["cpu"]}, torch {machine["torch"]}.\
"""


def _share(trained: TrainedModel) -> float:
    assert trained.accuracy is not None, trained.reason
    return trained.accuracy.correct / trained.accuracy.total


def _points(change: float) -> str:
    return f"{100 * change:+.2f}".replace("-", "−")


if __name__ == "__main__":
    main()
