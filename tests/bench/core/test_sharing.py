"""Which tensors of a model are one."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from bench.core.copies import copy_of
from bench.core.sharing import aliases, distinct, tied_parameters
from tests.bench import kinds


def test_parameters_are_tied_by_object_or_by_memory() -> None:
    model = kinds.TiedHead()
    assert tied_parameters(model) == [["embed.weight", "head.weight"]]
    model.head.weight = nn.Parameter(model.embed.weight.detach())
    assert tied_parameters(model) == [["embed.weight", "head.weight"]], "two parameters on one storage"
    model.head.weight = nn.Parameter(model.embed.weight.detach().clone())
    assert tied_parameters(model) == []


def test_slices_of_one_tensor_are_not_one() -> None:
    bank = torch.randn(4, 3)
    assert len(distinct([bank[:2], bank[2:], bank[:2]])) == 2


def test_entries_of_a_layer_under_several_names_are_those_of_the_first() -> None:
    model = kinds.Repeated()
    same = aliases(model, model.state_dict())
    assert same == {
        "second.weight": "first.weight",
        "second.bias": "first.bias",
        "inner.0.weight": "first.weight",
        "inner.0.bias": "first.bias",
    }


def test_a_module_with_weight_norm_is_copied_after_a_call() -> None:
    model = kinds.normed()
    model(torch.rand(2, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match="deepcopy protocol"):
            copy.deepcopy(model)
    inputs = torch.rand(2, 4)
    assert torch.equal(copy_of(model)(inputs), model(inputs))
