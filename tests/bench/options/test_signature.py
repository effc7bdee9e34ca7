"""The library's functions take the options of their group, and say so."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import bench
from bench.core.errors import RequestError
from bench.options.group import Options, names_of, option_group
from bench.options.option import option
from bench.options.run import MeasureOptions, RunOptions
from bench.options.shared import DataOptions
from bench.options.signature import from_options
from bench.options.studies import (
    DistillOptions,
    ExportOptions,
    InspectOptions,
    SelfCheckOptions,
    SensitivityOptions,
    TrainOptions,
)

FUNCTIONS: dict[Callable[..., Any], type[Options]] = {
    bench.run: RunOptions,
    bench.measure: MeasureOptions,
    bench.train: TrainOptions,
    bench.distill: DistillOptions,
    bench.sensitivity: SensitivityOptions,
    bench.export: ExportOptions,
    bench.inspect: InspectOptions,
    bench.self_check: SelfCheckOptions,
}


@option_group
class Meal(DataOptions):
    """A group of options."""

    dish: str = option(kw_only=False)
    """What is cooked, in
    two lines."""
    guests: int = option(default=2, check=lambda guests: None if guests else "must be 1 or more")
    """How many eat."""


@from_options(Meal)
def cook(meal: Meal) -> str:
    """Cook a meal."""
    return f"{meal.dish} for {meal.guests}"


def test_a_function_is_called_with_options_or_their_object() -> None:
    assert cook("soup", guests=3) == cook(dish="soup", guests=3) == cook.with_options(Meal("soup", guests=3))


def test_the_type_checker_knows_the_options() -> None:
    with pytest.raises(TypeError, match="guest"):
        cook("soup", guest=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        cook("soup", 3)  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError):
        cook(guests="3", data=1)  # type: ignore[call-arg, arg-type]


def test_a_function_is_documented_by_the_docstrings_of_its_options() -> None:
    documentation = inspect.getdoc(cook)
    assert documentation is not None
    assert documentation.startswith("Cook a meal.\n\nOptions:\n    dish: What is cooked, in two lines.\n")
    assert "\n    data_root: Folder of the real data.  [default: $QUANTBENCH_DATA" in documentation


def test_options_are_frozen_and_checked_when_they_are_replaced() -> None:
    meal = Meal("soup")
    with pytest.raises(dataclasses.FrozenInstanceError):
        meal.guests = 3  # type: ignore[misc]
    assert meal.replaced(guests=3) == Meal("soup", guests=3)
    with pytest.raises(RequestError, match="--guests 0 must be 1 or more"):
        meal.replaced(guests=0)


def test_what_was_given_is_what_is_not_at_its_default() -> None:
    assert Meal("soup").given(names_of(DataOptions)) == []
    assert Meal("soup", data="real", data_root=".").given(names_of(DataOptions)) == ["--data", "--data-root"]
    assert RunOptions(tasks=[], batch_sizes=[1, 64]).given(["tasks", "batch_sizes"]) == []


def test_options_are_shared_with_smaller_groups() -> None:
    assert Meal("soup", data="real").shared(DataOptions) == {"data": "real", "data_root": None, "progress": None}


@pytest.mark.parametrize(("function", "group"), FUNCTIONS.items())
def test_a_signature_is_its_groups(function: Callable[..., Any], group: type[Options]) -> None:
    parameters = inspect.signature(function).parameters
    fields = {field.name: field for field in dataclasses.fields(group)}
    assert parameters.keys() == fields.keys()
    for name, parameter in parameters.items():
        default = fields[name].default
        assert parameter.default is (inspect.Parameter.empty if default is dataclasses.MISSING else default)


@pytest.mark.parametrize("group", FUNCTIONS.values())
def test_every_option_has_its_help(group: type[Options]) -> None:
    assert [each.name for each in group.declared if not each.help.endswith(".")] == []


def test_positional_options_stay_in_their_order() -> None:
    expected: dict[Callable[..., Any], list[str]] = {
        bench.run: ["suite"],
        bench.measure: ["model", "example_inputs"],
        bench.train: ["model", "techniques"],
        bench.sensitivity: ["model", "technique"],
        bench.export: ["model", "path", "technique"],
        bench.inspect: ["model", "technique", "layers"],
        bench.distill: ["model"],
    }
    for function, names in expected.items():
        parameters = inspect.signature(function).parameters.values()
        assert [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY] == names
