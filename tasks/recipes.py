"""Recipes by name: what each replaces of the model's recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.tasks.policy import Optimizer, Schedule
from bench.tasks.registry import Registry


@dataclass(frozen=True)
class NamedRecipe:
    """Fields of a recipe that are given, and why they are so."""

    name: str
    learning_rate: float
    weight_decay: float
    note: str
    schedule: Schedule = "cosine"
    optimizer: Optimizer = "sgd"

    def changes(self) -> dict[str, float | str]:
        """Return the fields of ``bench.tasks.task.Recipe`` that it gives."""
        return {name: value for name, value in asdict(self).items() if name not in ("name", "note")}


RECIPES: Registry[NamedRecipe] = Registry("recipe", "bench.tasks", "quantbench.recipes")

CHOSEN = "Chosen by judgement and not by a search"
"""Where none of the values has been compared with another."""

RECIPES.add(
    NamedRecipe(
        "warm-4bit",
        learning_rate=0.04,
        weight_decay=1e-4,
        note=f"{CHOSEN}: APoT's learning rate for quantized nets that start from a float one, the float net's decay.",
    )
)
RECIPES.add(
    NamedRecipe(
        "warm-2bit",
        learning_rate=0.04,
        weight_decay=3e-5,
        note=f"{CHOSEN}: as warm-4bit, with APoT's smaller decay at 2 bits, where a net has less to spare.",
    )
)
RECIPES.add(
    NamedRecipe(
        "warm-1bit",
        learning_rate=0.1,
        weight_decay=0.0,
        note=f"{CHOSEN}: signs must flip, so the rate is higher, and decay, which pulls weights to zero, is left out.",
    )
)
RECIPES.add(
    NamedRecipe(
        "long",
        learning_rate=0.2,
        weight_decay=5e-4,
        note=f"{CHOSEN}: for some 200 epochs from random weights in batches of 256; twice the rate that is usual for "
        f"batches of 128 (He et al. 2016), a larger decay than theirs, and a cosine.",
    )
)
RECIPES.add(
    NamedRecipe(
        "signs",
        learning_rate=0.01,
        weight_decay=0.0,
        optimizer="adam",
        note=f"{CHOSEN}: for XNOR-Net from random weights, whose gradient is scaled by the mean weight, so that a rate "
        "that suits others hardly moves a sign; Adam, which XNOR-Net's own code takes, does not feel the scale.",
    )
)
