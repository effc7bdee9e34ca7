"""What options accept: each refusal names the option, its value and what it must be."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import RequestError, UnknownNameError
from bench.options.run import RunOptions
from bench.options.studies import DistillOptions, SensitivityOptions, TrainOptions


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"batch_sizes": [0]}, "--batch 0 "),
        ({"batch_sizes": [1, -3]}, "--batch -3 "),
        ({"batch_sizes": 10**9}, "--batch 1000000000 "),
        ({"batch_sizes": []}, "--batch must be given"),
        ({"runs": 0}, "--runs 0 "),
        ({"precision": 0.0}, "--precision 0% "),
        ({"precision": 1.0}, "--precision 100% "),
        ({"precision": math.nan}, "--precision nan% "),
        ({"budget_s": 0.0}, "--budget 0 "),
        ({"budget_s": math.inf}, "--budget inf "),
        ({"budget_s": math.nan}, "--budget nan "),
        ({"timeout_s": 0.0}, "--timeout 0 "),
        ({"timeout_s": math.inf}, "--timeout inf "),
        ({"seed": -1}, "--seed -1 "),
        ({"seed": 2**63}, f"--seed {2**63} "),
        ({"epochs": 0}, "--epochs 0 "),
        ({"epochs": 10_001}, "--epochs 10001 "),
        ({"data": "fake"}, "--data fake "),
        ({"data_root": "/no/such/folder"}, "--data-root /no/such/folder "),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], option: str) -> None:
    with pytest.raises(RequestError) as refused:
        RunOptions(**options)
    assert str(refused.value).startswith(option)


def test_options_that_make_sense_are_let_through(tmp_path: Path) -> None:
    RunOptions(precision=0.001, timeout_s=0.1, budget_s=3600.0, seed=2**63 - 1, data_root=tmp_path)
    RunOptions(precision=0.99, timeout_s=1e6, epochs=10_000, batch_sizes=65_536)


@pytest.mark.parametrize(
    ("chain", "reason"),
    [([32], "at least two widths"), ([32, 8, 32], "at least two widths"), ([8, 32], "from wide to narrow")],
)
def test_a_chain_descends(chain: list[int], reason: str) -> None:
    with pytest.raises(RequestError, match=f"--chain {','.join(map(str, chain))} must .*{reason}"):
        DistillOptions(model="mnist/lab1", chain=chain)


@pytest.mark.parametrize("options", [{"sources": []}, {"seeds": []}, {"seeds": [1, 1]}, {"sources": ["end"]}])
def test_what_may_be_given_several_times_is_given_once(options: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"--(source|seed) .*must be"):
        DistillOptions(model="mnist/lab1", **options)


def test_every_value_of_several_is_checked() -> None:
    with pytest.raises(RequestError, match="--seed -2 must be between"):
        TrainOptions("mnist/lab1", seeds=[0, -2])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"learning_rate": 0.0}, "--learning-rate 0 must be a number above 0; for example 0.05."),
        ({"learning_rate": math.nan}, "--learning-rate nan must be a number above 0"),
        ({"learning_rate": math.inf}, "--learning-rate inf must be a number above 0"),
        ({"weight_decay": -1e-4}, "--weight-decay -0.0001 must be 0 or more, and below 1; for example 1e-4."),
        ({"weight_decay": 1.0}, "--weight-decay 1 must be 0 or more, and below 1"),
        ({"weight_decay": math.nan}, "--weight-decay nan must be"),
        ({"schedule": "linear"}, "--schedule linear must be constant, one-cycle, cosine or steps."),
        ({"optimizer": "lamb"}, "--optimizer lamb must be adam or sgd."),
        ({"optimizer": "adam"}, "--optimizer adam must have a --learning-rate with it; for example 0.001."),
    ],
)
def test_a_recipe_that_trains_nothing_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=re.escape(sentence)):
        TrainOptions("mnist/lab1", **changes)


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'warm-1bit'"):
        TrainOptions("mnist/lab1", recipe="warm-1bits")


def test_what_is_given_outweighs_the_named_recipe() -> None:
    options = TrainOptions("mnist/lab1", epochs=3, recipe="warm-4bit", learning_rate=0.5, optimizer="sgd")
    assert options.recipe_changes() == {
        "epochs": 3,
        "learning_rate": 0.5,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "optimizer": "sgd",
    }
    assert TrainOptions("mnist/lab1").recipe_changes() == {}


@pytest.mark.parametrize("allowance", [-0.1, 100.0, math.nan])
def test_a_loss_that_cannot_be_allowed_is_refused(allowance: float) -> None:
    with pytest.raises(RequestError, match=r"--max-drop .*pp must be 0pp or more"):
        SensitivityOptions("mnist/lab1", max_drop_pp=allowance)
