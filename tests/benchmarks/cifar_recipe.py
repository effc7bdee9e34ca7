"""Which learning rate and weight decay CIFAR-10's recipe takes, chosen on training images that are held out.

    python -m tests.benchmarks.cifar_recipe [--model resnet8] [--epochs 20] [--data-root DIR] [--out DIR]
        [--training-device cuda]

The last 5,000 of the 50,000 training images are set aside for the choice, the others are trained on; the test set is
not looked at. Each candidate is trained once, from one seed, under bfloat16 autocast, one core each, side by side; on
a GPU they share it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from bench.core.files import write_atomically
from bench.core.progress import Bars, display
from bench.core.units import percent
from bench.measuring.machine import processor, usable_cores
from bench.report.tables import table
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS, Recipe
from bench.tasks.training.loop import train
from tests.benchmarks.provenance import provenance

SEED = 0
HELD_OUT = 5_000
EVALUATION_BATCH = 250
CANDIDATES = [(rate, decay) for rate in (0.4, 0.8) for decay in (1e-4, 5e-4)]
"""Learning rates and weight decays."""


def try_out(model: str, recipe: Recipe, root: Path, device: str = "cpu") -> dict[str, Any]:
    """Train on what is not held out; return the recipe and what it reached on the rest."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    task = TASKS.get("cifar10")
    spec = next(spec for spec in task.models if spec.name == model)
    spec = replace(spec, recipe=recipe)
    whole = task.load("real", root).train
    kept, held_out = torch.arange(len(whole)).split([len(whole) - HELD_OUT, HELD_OUT])
    there = torch.device(device)
    form = task.training_form(spec, spec.build().to(there), whole[kept].to(there))
    trained = train(form, "bfloat16", SEED, there)
    right = 0
    with torch.inference_mode():
        for index in held_out.split(EVALUATION_BATCH):
            part = whole[index].to(there)
            right += int((trained.network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    return {"recipe": recipe.as_dict(), "correct": right, "total": HELD_OUT, "seconds": round(trained.seconds, 1)}


def try_all(model: str, recipes: list[Recipe], root: Path, device: str) -> Iterator[dict[str, Any]]:
    """Yield what each recipe reached, as they finish."""
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(try_out, model, recipe, root, device) for recipe in recipes]):
            yield done.result()


def main() -> None:
    """Try the candidates, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=Path("reports/cifar-recipe"))
    parser.add_argument("--training-device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    recipe = next(spec for spec in TASKS.get("cifar10").models if spec.name == options.model).recipe
    recipes = [
        replace(recipe, epochs=options.epochs, learning_rate=rate, weight_decay=decay) for rate, decay in CANDIDATES
    ]
    tried = []
    with Bars(display(None)).live() as bars:
        show = bars.bar(f"{options.model}, {options.epochs} epochs")
        show(0, len(recipes))
        for figures in try_all(options.model, recipes, data_folder(options.data_root), options.training_device):
            tried.append(figures)
            show(len(tried), len(recipes))
    write(options.out, options.model, options.epochs, tried, processor(options.training_device))


def write(out: Path, model: str, epochs: int, tried: list[dict[str, Any]], trained_on: str) -> None:
    """Print the table, write it and the figures; ``trained_on`` is the name of a CPU or a GPU."""
    tried = sorted(tried, key=lambda figures: -figures["correct"])
    error = math.sqrt(tried[0]["correct"] * (HELD_OUT - tried[0]["correct"]) / HELD_OUT) / HELD_OUT
    rows = [
        [
            f"{figures['recipe']['learning_rate']:g}",
            f"{figures['recipe']['weight_decay']:g}",
            percent(figures["correct"] / figures["total"]),
            f"{figures['seconds']:.0f}",
        ]
        for figures in tried
    ]
    caption = (
        f"{model}, {epochs} epochs on {50_000 - HELD_OUT:,} training images of CIFAR-10, judged on the other "
        f"{HELD_OUT:,} (standard error {percent(error)}), seed {SEED}, {trained_on}, torch {torch.__version__}."
    )
    text = f"{table(rows, ['Learning rate', 'Weight decay', 'Held-out accuracy', 'Seconds'])}\n\n{caption}"
    print(text)
    content = {
        **provenance(),
        "model": model,
        "held_out": HELD_OUT,
        "seed": SEED,
        "tried": tried,
        "processor": trained_on,
    }
    write_atomically(out / "cifar_recipe.json", json.dumps(content, indent=1) + "\n")
    write_atomically(out / "cifar_recipe.md", text + "\n")


if __name__ == "__main__":
    main()
