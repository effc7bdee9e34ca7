"""Studies of a model of the user's own, by the command and by the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bench
from bench.report.sensitivity import render
from bench.results.row import Accuracy
from bench.results.sensitivity import Change, Sensitivity
from tests.bench.conftest import Command

NET = """
import torch
from torch import nn

class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 24)
        self.second = nn.Linear(24, 3)

    def forward(self, *, pixels, scale=1.0):
        return {"logits": self.second(torch.relu(self.first(pixels * scale)))}

def build():
    torch.manual_seed(0)
    return Named()

def inputs(batch_size):
    return {"pixels": torch.rand(batch_size, 16), "scale": 2.0}

def accuracy(model):
    pixels = torch.rand(200, 16, generator=torch.Generator().manual_seed(1))
    answers = model(pixels=pixels)["logits"].argmax(1)
    return int((answers == build()(pixels=pixels)["logits"].argmax(1)).sum()), 200

def share(model):
    correct, total = accuracy(model)
    return correct / total
"""
QUICK = ["--batch=2", "--runs=1", "--precision=90%", "--threads=1"]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET, encoding="utf-8")
    return path


def parts(net: Path, **others: str) -> list[str]:
    named = {"model": "build", "inputs": "inputs", "evaluate": "accuracy"} | others
    return [f"--{option}={net}:{name}" for option, name in named.items() if name]


@pytest.mark.slow
def test_a_mixture_is_found_for_a_model_with_named_inputs_and_can_be_run(
    command: Command, net: Path, tmp_path: Path
) -> None:
    techniques = ["--technique=range-linear:w2", "--technique=dynamic-qint8", "--recommend", "--max-drop=3pp"]
    code, out, err = command("sensitivity", *parts(net), *techniques, *QUICK, f"--out={tmp_path}/study")
    assert code == 0, err
    study = Sensitivity.model_validate_json((tmp_path / "study/sensitivity.json").read_text(encoding="utf-8"))
    assert study.model == "net/build"
    assert {layer.layer for layer in study.layers} == {"first", "second"}
    assert all(layer.only_error is not None and layer.only_change is not None for layer in study.layers)
    assert study.run.settings.evaluate == "net.py:accuracy"
    recommendation = study.recommendation
    assert recommendation is not None
    assert (recommendation.search.total, recommendation.search.paired, recommendation.held_back) == (200, False, None)
    assert recommendation.search.value >= -0.03
    assert "evaluate it on examples that the search did not see" in " ".join(out.split())
    assert recommendation.technique != "fp32"
    run = [f"--technique={recommendation.technique}", *QUICK, f"--out={tmp_path}/run"]
    code, _, err = command("run", *parts(net), *run)
    assert code == 0, err
    row = bench.load_run(tmp_path / "run/run.json").rows[-1]
    assert (row.technique, row.packed_bytes is not None) == (recommendation.technique, True)


@pytest.mark.slow
def test_without_an_accuracy_layers_are_ranked_by_the_error_of_outputs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3))
    options: dict[str, Any] = {"batch_sizes": [2], "runs": 1, "precision": 0.9, "progress": False}
    study = bench.sensitivity(model, "range-linear:w2", inputs=torch.rand(4, 16), **options)
    errors = [layer.only_error for layer in study.layers]
    assert None not in errors
    assert errors == sorted(errors, reverse=True)  # type: ignore[type-var]
    assert {layer.only_change for layer in study.layers} == {None}
    text = render(study)
    assert "Output error" in text
    assert "![" not in text, "there is nothing to draw"


def test_a_mixture_cannot_be_recommended_by_a_share(command: Command, net: Path, tmp_path: Path) -> None:
    code, _, err = command(
        "sensitivity", *parts(net, evaluate="share"), "--recommend", *QUICK, f"--out={tmp_path}/study"
    )
    assert code == 2
    assert "name an --evaluate that returns (correct, total)" in err


def test_inspect_looks_at_the_layers_of_a_users_model(command: Command, net: Path) -> None:
    code, out, err = command("inspect", *parts(net, evaluate=""), "--technique=range-linear:w3", "--layer=second")
    assert code == 0, err
    assert "first" in out
    assert "second" in out


def test_what_takes_part_in_a_training_is_refused(command: Command, net: Path) -> None:
    code, _, err = command("inspect", *parts(net, evaluate=""), "--technique=dorefa:w2a2")
    assert code == 2
    assert "dorefa:w2a2 takes part in the training, and net/build is measured as it is; give --train" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "TASK/MODEL is missing; give one of TASK/MODEL and --model."),
        (["mnist/lab1", "--model=mnist/lab1"], "TASK/MODEL and --model are both given; give one of"),
        (["mnist/lab1", "--inputs=NET:inputs"], "--inputs belongs to a model of your own"),
        (["--model=NET:build"], "is a model of your own and needs inputs"),
        (["--model=NET:build", "--inputs=NET:inputs", "--epochs=3"], "--epochs is for supplied models"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(
    command: Command, net: Path, arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    given = [argument.replace("NET", str(net)) for argument in arguments]
    code, _, err = command("sensitivity", *given, f"--out={tmp_path}/study")
    assert code == 2
    assert sentence in err


def test_a_change_of_counts_is_not_paired() -> None:
    change = Change.of_counts(Accuracy(correct=90, total=100), Accuracy(correct=85, total=100))
    assert change is not None
    assert (change.lost, change.gained, change.paired, change.p_value) == (5, 0, False, None)
    assert change.low < -0.05 < change.high
    assert Change.of_counts(Accuracy(correct=90, total=100), Accuracy(correct=85, total=99)) is None
