"""A run's settings as the command that asks for them again."""

from __future__ import annotations

import inspect

import pytest

import bench
from bench.measuring.machine import DEFAULT_ENGINE
from bench.report.command import DEFAULTS, command
from bench.results.run import Run
from tests.bench.examples import DATA, QINT8, RUN

OWN = DATA.model_copy(update={"task": "net", "kind": "own", "title": "net.py"})
ROW = QINT8.model_copy(update={"task": "net", "model": "build"})


def run_with(**settings: object) -> Run:
    return RUN.model_copy(update={"data": [DATA, OWN], "settings": RUN.settings.model_copy(update=settings)})


def test_what_is_left_out_is_what_the_command_takes_anyhow() -> None:
    taken = {name: parameter.default for name, parameter in inspect.signature(bench.run).parameters.items()}
    taken |= {"engine": DEFAULT_ENGINE, "batch_sizes": list(taken["batch_sizes"])}
    taken |= dict.fromkeys(("inputs", "evaluate", "calibrate"), "")  # as settings have it where none is named
    assert {name: taken[name] for name in DEFAULTS} == DEFAULTS


def test_a_run_of_defaults_needs_no_options() -> None:
    assert command(RUN, QINT8) == "`bench run --model mnist/lab1 --technique dynamic-qint8`"


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"device": "cuda", "seed": 3, "engine": "x86"}, "--engine x86 --device cuda --seed 3"),
        ({"threads": 2, "data": "synthetic", "epochs": 1}, "--threads 2 --data synthetic --epochs 1"),
        ({"batch_sizes": [8, 16], "runs": 3}, "--batch 8 --batch 16 --runs 3"),
        ({"precision": 0.02, "budget_s": 30.0, "timeout_s": 60.0}, "--precision 0.02 --budget 30 --timeout 60"),
        ({"data": None, "seed": None}, ""),
    ],
)
def test_what_was_asked_for_is_asked_for_again(settings: dict[str, object], options: str) -> None:
    expected = f"bench run --model mnist/lab1 --technique dynamic-qint8 {options}".rstrip()
    assert command(run_with(**settings), QINT8) == f"`{expected}`"


def test_changes_take_the_place_of_settings() -> None:
    assert command(run_with(seed=3), QINT8, seed=4).endswith("--seed 4`")
    assert "--seed" not in command(run_with(seed=3), QINT8, seed=0)


def test_a_model_of_ones_own_is_named_by_its_files() -> None:
    run = run_with(inputs="net.py:inputs", evaluate="judge.py:accuracy", calibrate="", threads=2)
    assert command(run, ROW) == (
        "`bench run --model net.py:build --technique dynamic-qint8 --inputs net.py:inputs "
        "--evaluate judge.py:accuracy --threads 2`"
    )


def test_a_module_is_handed_to_the_library_again() -> None:
    run = run_with(inputs="example_inputs", evaluate="accuracy", batch_sizes=[64])
    assert command(run, ROW.model_copy(update={"task": "own", "model": "Net"})) == (
        "`bench.measure(Net, example_inputs, techniques=['dynamic-qint8'], evaluate=accuracy, batch_sizes=[64])`"
    )
