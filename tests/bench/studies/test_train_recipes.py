"""Trainings with a recipe of their own, and those that start from a checkpoint, the whole way on synthetic digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.errors import CheckpointError, RequestError
from bench.storage import checkpoint
from bench.studies.train import train
from bench.tasks.task import TASKS
from tests.bench.conftest import Command
from tests.bench.studies.conftest import MODEL, OPTIONS, QUICK


def test_a_recipe_can_be_asked_for_by_name_and_by_part() -> None:
    [named] = train(MODEL, ["dorefa:w1"], recipe="warm-1bit", weight_decay=0.01, **QUICK)
    asked = {name: named.recipe[name] for name in ("learning_rate", "weight_decay", "schedule", "optimizer", "epochs")}
    assert asked == {
        "learning_rate": 0.1,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "optimizer": "sgd",
        "epochs": 1,
    }
    assert named.recipe["batch_size"] == TASKS.get("mnist").models[0].recipe.batch_size
    [usual] = train(MODEL, ["dorefa:w1"], **QUICK)
    assert named.checkpoint != usual.checkpoint


def test_a_training_starts_from_a_checkpoint() -> None:
    [plain] = train(MODEL, ["fp32"], **QUICK)
    still: dict[str, Any] = QUICK | {"learning_rate": 1e-12, "schedule": "constant"}
    [warm, cold] = [train(MODEL, ["pact:w8a8"], start=start, **still)[0] for start in (plain.checkpoint, None)]
    assert warm.start.startswith("teacher-")
    assert cold.start == ""
    assert warm.checkpoint != cold.checkpoint
    assert warm.accuracy is not None
    assert plain.accuracy is not None
    assert abs(warm.accuracy.correct - plain.accuracy.correct) < 30, "of 2,000: almost the weights it started from"
    before, after = (checkpoint.load(trained.checkpoint)[0].state_dict() for trained in (plain, warm))
    torch.testing.assert_close({name: after[name] for name in before}, before)


@pytest.mark.slow
def test_the_command_takes_a_recipe_and_a_start(command: Command, tmp_path: Path) -> None:
    [plain] = train(MODEL, ["fp32"], **QUICK)
    recipe = ("--recipe", "warm-2bit", "--learning-rate", "0.01", "--schedule", "steps")
    start = ("--start", str(plain.checkpoint))
    code, _, _ = command(
        "train", MODEL, "--technique", "dorefa:w2a2", *recipe, *start, *OPTIONS, "--out", str(tmp_path)
    )
    assert code == 0
    [warm] = train(
        MODEL,
        ["dorefa:w2a2"],
        recipe="warm-2bit",
        learning_rate=0.01,
        schedule="steps",
        start=plain.checkpoint,
        **QUICK,
    )
    assert warm.model_dump_json(indent=1) in (tmp_path / "training.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_start_that_does_not_fit_is_refused() -> None:
    [other] = train("mnist/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match=r"the start .* takes other inputs than lab1; give one that takes the same"):
        train(MODEL, ["bwn"], start=other.checkpoint, **QUICK)
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="whose weights do not fit lab1; give one of that network"):
        train(MODEL, ["bwn"], start=larger.checkpoint, **QUICK)


def test_a_start_that_is_not_there_is_answered_with_the_option_that_names_one() -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.safetensors cannot be read .*; name another with --start"):
        train(MODEL, ["bwn"], start="nowhere.safetensors", **QUICK)
