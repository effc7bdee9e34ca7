"""How long a training step of a low-bit network takes: with masks, with fused gradients, and compiled.

    python -m tests.benchmarks.training_step [--model M] [--technique dorefa:w2a2] [--steps 15] [--out DIR]

One process, one thread, a batch of random images: forward, loss, backward and the optimizer's step. *Masks* is how
``round_unit`` was before: its gradient multiplied by a mask that the forward pass made. The three take turns, step by
step, and processor time is counted, not wall time, so other work on the machine disturbs it less; the median counts.
What the compiler needs once is beside it. Losses of the first step are shown: under autocast compiled code rounds at
other places, and in float32 they agree to rounding.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.measuring.machine import describe
from bench.report.tables import table
from bench.results.isa import computes_bfloat16
from bench.tasks.task import TASKS
from bench.tasks.training.compiled import compile_module
from bench.techniques.base import TECHNIQUES
from bench.techniques.lowbit import gradient
from tests.benchmarks.provenance import provenance

BATCH = 128
AIM = 1.5
WAYS = ("masks", "eager", "compiled")
Step = Callable[[], float]


def main() -> None:
    """Time the steps, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cifar10/resnet20")
    parser.add_argument("--technique", default="dorefa:w2a2")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("reports/training-speed"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = describe()
    bfloat16 = computes_bfloat16(machine.isa)
    steps = {way: step_of(options.model, options.technique, bfloat16, compiled=way == "compiled") for way in WAYS}
    first = {way: _timed(way, step) for way, step in steps.items()}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with Bars(display(None)).live() as bars:
        show = bars.bar("steps")
        for position in range(options.steps):
            for way, step in steps.items():
                seconds[way].append(_timed(way, step)[0])
            show(position + 1, options.steps)
    content = {
        **provenance(machine),
        "model": options.model,
        "technique": options.technique,
        "precision": "bfloat16" if bfloat16 else "float32",
        "first_step_s": {way: round(took, 3) for way, (took, _) in first.items()},
        "first_loss": {way: loss for way, (_, loss) in first.items()},
        "step_s": {way: [round(one, 5) for one in taken] for way, taken in seconds.items()},
    }
    text = render(content)
    print(text)
    write_atomically(options.out / "training_step.json", json.dumps(content, indent=1) + "\n")
    write_atomically(options.out / "training_step.md", text + "\n")


def step_of(model: str, technique: str, bfloat16: bool, compiled: bool) -> Step:
    """Return a function that takes one training step and returns its loss."""
    torch.manual_seed(0)
    task, name = model.split("/")
    spec = next(spec for spec in TASKS.get(task).models if spec.name == name)
    network = TECHNIQUES.get(technique).prepare(spec.build()).train()
    call = compile_module(network) if compiled else network
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True)
    images = spec.arrange(torch.randn(BATCH, 3, 32, 32))
    labels = torch.randint(0, 10, (BATCH,))

    def step() -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(call(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        return loss.item()

    return step


def _timed(way: str, step: Step) -> tuple[float, float]:
    """Return the processor time of a step, of children that compile for it too, and its loss."""
    before = _processor_s()
    with _with_masks() if way == "masks" else contextlib.nullcontext():
        loss = step()
    return _processor_s() - before, loss


def _processor_s() -> float:
    times = os.times()
    return float(times.user + times.system + times.children_user + times.children_system)


@contextlib.contextmanager
def _with_masks() -> Iterator[None]:
    """Let the gradient of ``round_unit`` be one of masks."""

    def round_unit(values: Tensor, steps: int) -> Tensor:
        quantized = values.detach().to(torch.float32, copy=True).clamp_(0, 1).mul_(steps).round_().div_(steps)
        inside = gradient.within(values, 0, 1)
        return gradient.straight_through(quantized.to(values.dtype), values, inside)

    with mock.patch.object(gradient, "round_unit", round_unit):
        yield


def render(content: dict[str, Any]) -> str:
    """Return the table."""
    medians = {way: statistics.median(taken) for way, taken in content["step_s"].items()}
    rows = [
        [
            way,
            f"{1000 * medians[way]:.0f}",
            f"{medians['masks'] / medians[way]:.2f}×",
            f"{content['first_step_s'][way]:.1f}",
            f"{content['first_loss'][way]:.4f}",
        ]
        for way in WAYS
    ]
    best = max(medians["masks"] / median for median in medians.values())
    machine = content["machine"]
    return (
        f"{table(rows, ['Step', 'Median (ms)', 'Faster', 'First step (s)', 'First loss'])}\n\n"
        f"{content['model']} with {content['technique']}, batch {BATCH}, {content['precision']}, one thread, processor "
        f"time of {len(content['step_s']['eager'])} steps in turns. The goal of {AIM}× is "
        f"{'reached' if best >= AIM else 'missed'}. Measured on {machine['cpu']}, torch {machine['torch']}."
    )


if __name__ == "__main__":
    main()
