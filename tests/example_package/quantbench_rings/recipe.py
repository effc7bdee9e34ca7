"""A recipe of the package's own: ``bench train rings/radial --recipe patient``."""

from __future__ import annotations

from bench.tasks.recipes import RECIPES, NamedRecipe

RECIPES.add(
    NamedRecipe(
        "patient",
        learning_rate=0.005,
        weight_decay=0.0,
        note="A quarter of the model's own rate, to see how slowly the rings are told apart.",
        schedule="constant",
        optimizer="adam",
    )
)
