"""What inputs and calibrate of a user may return."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UserModelError
from bench.core.inputs import Inputs
from bench.worker.user.examples import Examples
from bench.worker.user.given import calibration_batch, inputs_by_size, inputs_in

IDS = torch.arange(12).reshape(4, 3)


class Classifier(nn.Module):
    """Takes what a tokenizer gives, and labels for a loss."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> Tensor:
        return input_ids


def batch_of(value: object, example: object) -> Inputs:
    return calibration_batch(value, Inputs.of(example), Classifier(), "batches()", "inputs()")


@pytest.mark.parametrize("kind", [dict, UserDict])
def test_of_a_batch_with_names_the_labels_are_left_out(kind: Any) -> None:
    batch = kind({"labels": torch.zeros(4), "attention_mask": IDS, "input_ids": IDS})
    by_name = batch_of(batch, {"input_ids": IDS, "attention_mask": IDS})
    assert list(by_name.kwargs) == ["input_ids", "attention_mask"]
    by_position = batch_of(batch, IDS)
    assert (len(by_position.args), by_position.kwargs) == (1, {})
    assert torch.equal(by_position.args[0], IDS), "the first argument of the model is called input_ids"


def test_without_names_labels_are_refused() -> None:
    with pytest.raises(UserModelError, match=r"of 2 tensors, and inputs.. of 1 tensor: .* leave the labels"):
        batch_of((IDS, torch.zeros(4)), IDS)


def test_what_does_not_vary_with_the_batch_size_is_shared() -> None:
    edges = torch.zeros(2, 8, dtype=torch.int64)
    made = inputs_by_size(lambda size: {"nodes": torch.rand(size, 5), "edges": edges}, [1, 2, 8], "graph()")
    assert {inputs.shared for inputs in made.values()} == {frozenset({1})}, "at size 2 the edges have as many rows"
    assert made[8].rows(slice(3)).kwargs["edges"].shape == (2, 8)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda size: torch.rand(32, 4), r"make\(1\) returned a tensor of shape \[32, 4\], a batch of 32 where 1 was"),
        (
            lambda size: (torch.rand(size, 4), torch.rand(size + 1)),
            r"make\(1\) returned a tensor of shape \[2\], a batch of 2 where 1 was asked for",
        ),
    ],
)
def test_another_size_than_was_asked_for_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(UserModelError, match=sentence):
        inputs_by_size(make, [1, 2], "make()")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"input_ids": [[1, 2], [3, 4]]}, "a int instead of a tensor, .* tokenizer gives tensors with return_tensors"),
        ({"input_ids": object()}, "gives a object instead of a tensor"),
        ((), "gives nothing instead of a tensor"),
    ],
)
def test_what_is_no_tensor_is_named(value: object, sentence: str) -> None:
    with pytest.raises(UserModelError, match=sentence):
        inputs_in(value, "inputs()")


def test_examples_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    value = ((IDS, None), {"past": (IDS, [IDS + 1]), "use_cache": False, "scale": torch.tensor(2.0)})
    batch = Inputs.of(value)
    Examples({4: batch}, [batch.rows(slice(2))]).save(tmp_path / "examples")
    examples = Examples.open(tmp_path / "examples")
    again = examples.batch(4)
    assert (again.args[1], again.kwargs["use_cache"], again.shared) == (None, False, batch.shared)
    assert isinstance(again.kwargs["past"][1], list)
    assert torch.equal(again.kwargs["past"][1][0], IDS + 1)
    assert again.names == batch.names
    [calibration] = examples.calibration()
    assert calibration.batch_size == 2
