"""Trainings whose network torch's compiler makes the code of."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch

from bench.tasks.errors import TrainingError
from bench.tasks.task import Recipe
from bench.tasks.training import compiled
from bench.tasks.training.loop import train
from bench.techniques.base import TECHNIQUES
from tests.tasks.test_training import CPU, RECIPE, form_of, points


def test_a_machine_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(TrainingError, match=r"needs a C\+\+ compiler .* or train without --compile"):
        train(form_of(replace(RECIPE, compiled=True), points()), "float32", 0, CPU)


def test_recipes_keep_their_names_where_later_options_are_not_asked_for() -> None:
    assert not {"threads", "reestimate", "compiled"} & RECIPE.as_dict().keys()
    assert replace(RECIPE, compiled=True, reestimate=True).as_dict() | {"x": 1} == {
        **RECIPE.as_dict(),
        "compiled": True,
        "reestimate": True,
        "x": 1,
    }


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, compiled.COMPILERS)), reason="no C++ compiler")
@pytest.mark.parametrize("technique", ["dorefa:w2a2", "pact:w4a4", "xnor"])
def test_compiled_and_eager_losses_are_equal_within_float_noise(technique: str) -> None:
    recipe = Recipe(epochs=1, batch_size=30, optimizer="sgd", learning_rate=0.01)  # the last batch has 10
    losses = []
    for one in (recipe, replace(recipe, compiled=True)):
        form = form_of(one, points())
        form.network = TECHNIQUES.get(technique).prepare(form.network)
        losses.append([epoch.loss for epoch in train(form, "float32", 0, CPU).history])
        torch.compiler.reset()
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
