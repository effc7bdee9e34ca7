"""A run's settings as the command that asks for them again."""

from __future__ import annotations

import pytest

from bench.options.run import RunOptions
from bench.report.command import OF_A_ROW, OPTIONS, command
from bench.results.run import Run
from bench.results.settings import Settings
from bench.running.execute import settings_of
from bench.running.plan import plan
from tests.bench.examples import DATA, MACHINE, QINT8, RUN

OWN = DATA.model_copy(update={"task": "net", "kind": "own", "title": "net.py"})
ROW = QINT8.model_copy(update={"task": "net", "model": "build"})


def run_with(**settings: object) -> Run:
    return RUN.model_copy(update={"data": [DATA, OWN], "settings": RUN.settings.model_copy(update=settings)})


def test_a_run_at_the_options_defaults_is_asked_for_without_options() -> None:
    settings = settings_of(plan(RunOptions(models="mnist/lab1")), MACHINE)
    run = RUN.model_copy(update={"settings": settings})
    assert command(run, QINT8) == "`bench run --model mnist/lab1 --technique dynamic-qint8`"


def test_every_option_that_decides_a_row_is_asked_for_again() -> None:
    known = {option.name for option in RunOptions.declared}
    assert known & Settings.model_fields.keys() == OPTIONS.keys() | OF_A_ROW


def test_a_run_of_defaults_needs_no_options() -> None:
    assert command(RUN, QINT8) == "`bench run --model mnist/lab1 --technique dynamic-qint8`"


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"device": "cuda", "seed": 3, "engine": "fbgemm"}, "--seed 3 --engine fbgemm --device cuda"),
        ({"threads": 2, "precision": 0.1, "data": "synthetic", "epochs": 1}, "--threads 2 --epochs 1 --data synthetic"),
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
    run = run_with(inputs="net.py:inputs", evaluate="judge.py:accuracy", calibrate="", threads=2, precision=0.1)
    assert command(run, ROW) == (
        "`bench run --model net.py:build --technique dynamic-qint8 --inputs net.py:inputs "
        "--evaluate judge.py:accuracy --threads 2`"
    )


def test_a_module_is_handed_to_the_library_again() -> None:
    run = run_with(inputs="example_inputs", evaluate="accuracy", batch_sizes=[64])
    assert command(run, ROW.model_copy(update={"task": "own", "model": "Net"})) == (
        "`bench.measure(Net, example_inputs, techniques=['dynamic-qint8'], evaluate=accuracy, batch_sizes=[64])`"
    )
