"""How a step gets its gradients: by running the network, or on a GPU by replaying what an earlier step ran.

A small network keeps no GPU busy: starting its kernels one by one takes longer than they do. A CUDA graph starts all of
a step's with one call (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_STEPS = 3
"""Steps before one is recorded: kernels are chosen and compiled in them."""

Loss = Callable[[tuple[Tensor, ...], Tensor], Tensor]
"""The mean loss of a batch's inputs and labels."""
Backward = Callable[[Tensor], None]


class Gradients:
    """Gives ``parameters`` the gradients of a batch's loss."""

    def __init__(self, loss: Loss, backward: Backward, parameters: Sequence[Tensor]) -> None:
        self._loss, self._backward, self._parameters = loss, backward, parameters

    def take(self, inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Return the loss, a scalar, and leave its gradients in ``parameters``."""
        for parameter in self._parameters:
            parameter.grad = None
        loss = self._loss(inputs, labels)
        self._backward(loss)
        return loss.detach()


class RecordedGradients(Gradients):
    """The same on a GPU: from the fourth batch of ``size`` on, the recorded kernels on the new batch's values."""

    def __init__(self, loss: Loss, backward: Backward, parameters: Sequence[Tensor], size: int) -> None:
        super().__init__(loss, backward, parameters)
        self._size = size
        self._warm = 0
        self._stream = torch.cuda.Stream()
        self._graph: torch.cuda.CUDAGraph | None = None

    def take(self, inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Return the loss, a scalar, and leave its gradients in ``parameters``."""
        if len(labels) != self._size:  # the last of an epoch
            return super().take(inputs, labels)
        if self._warm < WARM_STEPS:
            self._warm += 1
            return self._aside(inputs, labels)
        if self._graph is None:
            self._record(inputs, labels)
        return self._replay(inputs, labels)

    def _aside(self, inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Take a step on the stream that is recorded later: what libraries allocate for a stream must be there."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            loss = super().take(inputs, labels)
        torch.cuda.current_stream().wait_stream(self._stream)
        return loss

    def _record(self, inputs: tuple[Tensor, ...], labels: Tensor) -> None:
        self._inputs, self._labels = tuple(part.clone() for part in inputs), labels.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):  # runs nothing
            self._recorded = super().take(self._inputs, self._labels)
        self._gradients = [parameter.grad for parameter in self._parameters]

    def _replay(self, inputs: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        assert self._graph is not None  # noqa: S101
        for part, value in zip(self._inputs, inputs, strict=True):
            part.copy_(value)
        self._labels.copy_(labels)
        self._graph.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._recorded.clone()
