"""What models take and return, whatever holds the tensors."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.tensors import changed, digest, tensors_in
from bench.stats.relative_error import relative_error
from bench.techniques.base import Artifact
from bench.worker.user.evaluate import CallableLikeTheModel

ONE, TWO, THREE = torch.ones(1), torch.full((2,), 2.0), torch.full((3,), 3.0)


class State(NamedTuple):
    hidden: Tensor
    cell: Tensor


@dataclass
class Output:
    logits: Tensor
    loss: Tensor | None = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONE, [ONE]),
        ((ONE, (TWO, THREE)), [ONE, TWO, THREE]),
        ([TWO, State(ONE, THREE)], [TWO, ONE, THREE]),
        ({"b": TWO, "a": [ONE]}, [TWO, ONE]),
        (OrderedDict(a=ONE), [ONE]),
        (Output(TWO), [TWO]),
        (("words", None, 7, ONE), [ONE]),
        ("nothing", []),
    ],
)
def test_tensors_are_found_in_order_and_changed_where_they_are(value: Any, expected: list[Tensor]) -> None:
    assert [id(tensor) for tensor in tensors_in(value)] == [id(tensor) for tensor in expected]
    doubled = changed(value, lambda tensor: 2 * tensor)
    assert type(doubled) is type(value)
    assert all(torch.equal(new, 2 * old) for new, old in zip(tensors_in(doubled), expected, strict=True))


def test_a_digest_is_of_bytes_and_their_order() -> None:
    assert digest([ONE, TWO]) == digest([ONE.clone(), TWO.clone()])
    assert digest([ONE, TWO]) != digest([TWO, ONE])
    assert digest([torch.tensor(0.0)]) != digest([torch.tensor(-0.0)])
    assert digest([torch.rand(2, 3, dtype=torch.bfloat16)[:, 1:]]), "strided, and a type that numpy does not have"


def test_an_evaluate_function_meets_float32_whatever_the_variant_computes_in() -> None:
    linear = torch.nn.Linear(4, 3).bfloat16()
    model = CallableLikeTheModel(Artifact(linear, linear, "bfloat16"), torch.device("cpu"))
    with torch.no_grad():
        outputs = model(torch.rand(2, 4))
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, outputs.bfloat16().float())
    assert next(model.parameters()).device.type == "cpu"


def test_an_error_is_relative_to_the_exact_values() -> None:
    exact = np.array([3.0, 4.0], dtype=np.float32)
    assert relative_error(exact, exact) == 0
    assert relative_error(exact, np.array([3.0, 4.5], dtype=np.float32)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("exact", "approximate"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [np.nan]), ([np.inf], [1.0])]
)
def test_where_there_is_no_such_number_there_is_none(exact: list[float], approximate: list[float]) -> None:
    assert relative_error(np.array(exact), np.array(approximate)) is None
