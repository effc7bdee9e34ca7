"""A model as a function of tensors alone, which is what graphs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from bench.core.limits import MAX_BATCH_SIZE
from bench.core.tensors import tensors_in

if TYPE_CHECKING:
    from typing import Any

    from bench.core.inputs import Inputs


class OnTensors(nn.Module):
    """Takes the tensors of ``inputs`` one after the other, and returns those of the outputs so.

    Names, nesting and constants, such as ``use_cache=False``, are a part of it.
    """

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        super().__init__()
        self.model = model
        self._inputs = inputs

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Call the model as it wants to be called."""
        return tuple(tensors_in(self._inputs.with_tensors(tensors).call(self.model)))


def example_of(inputs: Inputs) -> Inputs:
    """Return what to export with: two rows at least, for of a batch of one exporters make a constant."""
    return (inputs if inputs.batch_size > 1 else inputs.repeated(2)).changed(lambda value: value.contiguous())


def dynamic_batch(module: nn.Module, inputs: Inputs) -> tuple[Any, ...]:
    """Return which dimension of each tensor is the batch, as ``torch.export`` wants to be told of ``module``."""
    import torch

    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH_SIZE)
    shapes = tuple({} if number in inputs.shared else {0: batch} for number in range(len(inputs.tensors)))
    # What was exported once has an argument for each tensor.
    return (shapes,) if isinstance(module, OnTensors) else shapes
