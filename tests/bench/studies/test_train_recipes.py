"""Trainings with a recipe of their own, and those that start from a checkpoint, the whole way on synthetic digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.errors import CheckpointError, RequestError
from bench.options.studies import TrainOptions
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


@pytest.mark.slow
def test_statistics_taken_anew_are_part_of_the_recipe() -> None:
    [anew] = train("mnist/mlp3x1024", ["binaryconnect"], reestimate=True, **QUICK)
    [usual] = train("mnist/mlp3x1024", ["binaryconnect"], **QUICK)
    assert anew.recipe["reestimate"] is True
    assert "reestimate" not in usual.recipe
    assert anew.checkpoint != usual.checkpoint
    states = [checkpoint.load(trained.checkpoint)[0].state_dict() for trained in (anew, usual)]
    changed = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert changed
    assert all("running" in name or "tracked" in name for name in changed)


def test_a_start_can_teach() -> None:
    [plain] = train(MODEL, ["fp32"], **QUICK)
    [taught] = train(MODEL, ["dorefa:w2a2"], start=plain.checkpoint, teacher_weight=0.5, temperature=2.0, **QUICK)
    [started] = train(MODEL, ["dorefa:w2a2"], start=plain.checkpoint, **QUICK)
    assert (taught.teacher_weight, taught.temperature, taught.start) == (0.5, 2.0, started.start)
    assert (started.teacher_weight, started.temperature) == (0.0, 1.0)
    assert taught.checkpoint != started.checkpoint
    header = checkpoint.read_header(taught.checkpoint)
    assert header.distillation_spec is not None
    assert (header.distillation_spec.weight, header.distillation_spec.initialise) == (0.5, True)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"teacher_weight": 0.5}, "--teacher-weight must have a --start with it"),
        ({"temperature": 2.0}, "--temperature must have a --teacher-weight with it"),
        ({"teacher_weight": 1.5}, r"--teacher-weight 1.5 must be between 0 and 1; for example 0.5"),
    ],
)
def test_what_teaches_must_be_there(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        train(MODEL, ["dorefa:w2a2"], **QUICK, **options)


def test_compiling_is_part_of_the_recipe_where_it_is_asked_for() -> None:
    changes = TrainOptions(model=MODEL, compiled=True, reestimate=True).recipe_changes()
    assert changes == {"compiled": True, "reestimate": True}
    assert TrainOptions(model=MODEL).recipe_changes() == {}
