"""What a model is called with: positions, names, constants, and what all examples share."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.core.inputs import Inputs

IDS, MASK, EDGES = torch.arange(12).reshape(4, 3), torch.ones(4, 3), torch.zeros(2, 7, dtype=torch.int64)


@pytest.mark.parametrize(
    ("value", "args", "kwargs", "names"),
    [
        (IDS, (IDS,), {}, ("input0",)),
        ([IDS, MASK], (IDS, MASK), {}, ("input0", "input1")),
        ({"ids": IDS, "mask": MASK}, (), {"ids": IDS, "mask": MASK}, ("ids", "mask")),
        (UserDict(ids=IDS), (), {"ids": IDS}, ("ids",)),
        (((IDS,), {"mask": MASK}), (IDS,), {"mask": MASK}, ("input0", "mask")),
        ((IDS, {"mask": MASK}), (IDS, {"mask": MASK}), {}, ("input0", "input1")),
        ({"ids": IDS, "past": (MASK, MASK)}, (), {"ids": IDS, "past": (MASK, MASK)}, ("ids", "past.0", "past.1")),
    ],
)
def test_arguments_are_read_as_they_are_given(
    value: Any, args: tuple[Any, ...], kwargs: dict[str, Any], names: tuple[str, ...]
) -> None:
    inputs = Inputs.of(value)
    assert inputs.args == args
    assert inputs.kwargs == kwargs
    assert inputs.names == names
    assert inputs.batch_size == 4
    assert Inputs.of(inputs) is inputs


def test_rows_are_taken_of_what_has_some() -> None:
    inputs = Inputs.of({"ids": IDS, "edges": EDGES, "scale": torch.tensor(3.0), "use_cache": False})
    assert inputs.shared == {1, 2}
    two = inputs.rows(slice(1, 3))
    assert [tensor.tolist() for tensor in two.batched] == [[[3, 4, 5], [6, 7, 8]]]
    assert torch.equal(two.kwargs["edges"], EDGES)
    assert two.kwargs["use_cache"] is False
    assert [part.batch_size for part in inputs.split(3)] == [3, 1]
    assert inputs.repeated(6).kwargs["ids"][:, 0].tolist() == [0, 3, 6, 9, 0, 3]
    assert inputs.describe() == "ids int64 [batch, 3], edges int64 [2, 7], scale float32 []"


def test_a_function_is_called_as_it_wants_to_be() -> None:
    def forward(ids: Tensor, *, mask: Tensor, scale: float = 1.0) -> Tensor:
        return ids * mask * scale

    inputs = Inputs((IDS,), {"mask": MASK, "scale": 2.0})
    assert torch.equal(inputs.call(forward), IDS * 2.0)
    assert torch.equal(inputs.bind(forward)(), IDS * 2.0)


def test_integers_are_never_cast() -> None:
    inputs = Inputs((torch.tensor([1, 300]), torch.rand(2))).cast(torch.device("cpu"), torch.bfloat16)
    assert [tensor.dtype for tensor in inputs.tensors] == [torch.int64, torch.bfloat16]
    assert inputs.args[0].tolist() == [1, 300], "bfloat16 would make 300 of both 299 and 301"


def test_a_graph_gets_its_inputs_by_name_whatever_their_order() -> None:
    by_name = Inputs(kwargs={"mask": MASK, "ids": IDS, "unused": MASK})
    assert [id(tensor) for tensor in by_name.ordered(["ids", "mask"])] == [id(IDS), id(MASK)]
    by_position = Inputs((IDS, MASK))
    assert [id(tensor) for tensor in by_position.ordered(["ids", "mask"])] == [id(IDS), id(MASK)]
    with pytest.raises(ValueError, match="takes ids, mask, and was called with ids; call the model with what inputs"):
        Inputs(kwargs={"ids": IDS}).ordered(["ids", "mask"])
