"""BinaryConnect as it is taught: a wrapper that swaps a model's weights for their signs and back.

Courbariaux, Bengio and David 2015, algorithm 1. A training step is::

    bc.binarization()
    loss = criterion(bc(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    bc.restore()
    optimizer.step()
    bc.clip()

``bench.techniques.binaryconnect`` gives it, too, and is the same as a technique; a training is in docs/examples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bench.techniques.lowbit.binary import draw_signs
from bench.techniques.lowbit.gradient import sign


class BC(nn.Module):
    """Holds ``model`` and the full-precision weights of its Linear and convolution layers while they are binary."""

    def __init__(self, model: nn.Module, stochastic: bool = False) -> None:
        """Binarize every Linear and convolution; with ``stochastic`` signs are drawn (equations 2 and 3)."""
        super().__init__()
        self.model = model
        self.stochastic = stochastic
        self.target_modules: list[Tensor] = [
            module.weight
            for module in model.modules()
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        ]
        """The weights that are binarized, in the order of the modules; biases and BatchNorm are not."""
        self.num_of_params = len(self.target_modules)
        self.bin_range = list(range(self.num_of_params))
        self.saved_params: list[Tensor] = [weight.detach().clone() for weight in self.target_modules]
        """The full-precision weights, as of the last ``save_params``, on the device of the weights."""
        self._binary = False

    def save_params(self) -> None:
        """Copy the full-precision weights; while the weights are binary, the copies stay as they are."""
        if self._binary:
            return
        with torch.no_grad():
            for index, weight in enumerate(self.target_modules):
                saved = self.saved_params[index]
                if saved.device != weight.device or saved.dtype != weight.dtype:  # the model has moved since
                    self.saved_params[index] = weight.detach().clone()
                else:
                    saved.copy_(weight)

    def binarization(self) -> None:
        """Save the weights and put +1 where they are not negative and −1 elsewhere; a second call changes nothing."""
        if self._binary:
            return
        self.save_params()
        with torch.no_grad():
            for weight in self.target_modules:
                weight.copy_(draw_signs(weight) if self.stochastic else sign(weight))
        self._binary = True

    def restore(self) -> None:
        """Put the full-precision weights back; without a binarization before, nothing changes."""
        if not self._binary:
            return
        with torch.no_grad():
            for weight, saved in zip(self.target_modules, self.saved_params, strict=True):
                weight.copy_(saved)
        self._binary = False

    def clip(self) -> None:
        """Clip the full-precision weights to [−1, 1], where binary weights cannot follow them any further."""
        with torch.no_grad():
            for weight in self.saved_params if self._binary else self.target_modules:
                weight.clamp_(-1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the model's outputs with the weights as they are now."""
        outputs: Tensor = self.model(inputs)
        return outputs

    @contextmanager
    def binarized(self) -> Iterator[BC]:
        """Evaluate within this block: binary weights inside, the weights of before afterwards."""
        before = self._binary
        self.binarization()
        try:
            yield self
        finally:
            if not before:
                self.restore()

    def scaled_parameters(self, learning_rate: float, power: int = 1) -> list[dict[str, object]]:
        """Return parameter groups with Glorot scaling of the learning rate (section 2.5).

        Each weight learns ``sqrt((n_in + n_out) / 1.5) ** power`` times as fast: ``power`` is 1 for Adam and 2 for SGD.
        """
        scaled = {id(weight): (1 / glorot_coefficient(weight)) ** power for weight in self.target_modules}
        return [
            {"params": [parameter], "lr": learning_rate * scaled.get(id(parameter), 1.0)}
            for parameter in self.model.parameters()
        ]


def glorot_coefficient(weight: Tensor) -> float:
    """Return ``sqrt(1.5 / (n_in + n_out))``, counting a convolution's window into both (section 2.5 and its code)."""
    window = math.prod(weight.shape[2:])
    return math.sqrt(1.5 / (window * (weight.shape[0] + weight.shape[1])))
