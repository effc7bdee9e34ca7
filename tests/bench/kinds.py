"""Users' models of the kinds that public bug reports are about, small; tests name them by this file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WORDS, WIDTH = 100, 16


class TiedHead(nn.Module):
    """The embedding is the head, and a projection is no module's of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.projection = nn.Parameter(torch.randn(WIDTH, WIDTH))
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.tanh(self.embed(ids) @ self.projection))
        return outputs


class Repeated(nn.Module):
    """One Linear under three names, in two places."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(WIDTH, WIDTH)
        self.first = self.second = layer
        self.inner = nn.Sequential(layer, nn.ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.inner(self.second(self.first(inputs)))
        return outputs


class Turned(nn.Module):
    """The class shows in the imaginary part of a complex buffer alone."""

    turn: Tensor

    def __init__(self) -> None:
        super().__init__()
        angles = math.pi / 4 + torch.arange(4) * math.pi / 2
        self.register_buffer("turn", torch.polar(torch.ones(4), angles))
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight = nn.Parameter(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))

    def forward(self, inputs: Tensor) -> Tensor:
        turned = torch.view_as_real(torch.view_as_complex(inputs.float()) * self.turn)
        outputs: Tensor = self.head(turned.sum(1).type_as(inputs))
        return outputs


def places() -> tuple[Tensor, Tensor]:
    """A one at each of four places, and the class: the last two turn downwards."""
    inputs = torch.zeros(4, 4, 2)
    inputs[range(4), range(4), 0] = 1.0
    return inputs, torch.tensor([0, 0, 1, 1])


class Casting(nn.Linear):
    """As speech models derive it: the weight is cast at each call."""

    def forward(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight.to(inputs.dtype), self.bias)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.LSTM | nn.GRU] = nn.LSTM) -> None:
        super().__init__()
        self.layer = kind(4, WIDTH, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * WIDTH, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.layer(inputs)[0])
        return outputs


def transposed(groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(4, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 3, groups=groups, bias=False),
        nn.BatchNorm2d(4),
    )


def normed() -> nn.Sequential:
    """Weight norm by the old hook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 3))


def parametrized() -> nn.Sequential:
    """Weight norm by a parametrization."""
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 3))


def of_a_bank() -> nn.Sequential:
    """Its first weight is a slice of a tensor that is 100 times as large."""
    bank = torch.randn(100 * 16, 16)
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    model[0].weight = nn.Parameter(bank[:16])
    return model


class FixedBatch(nn.Module):
    """Takes four examples at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.relu(self.layer(inputs)).reshape(4, 8))
        return outputs


class AtRandom(nn.Module):
    """Its outputs are noise, of a shape that follows the inputs or does not."""

    def __init__(self, follows: bool = True) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 32)
        self.follows = follows
        with torch.no_grad():
            self.layer.weight.mul_(1e-3)

    def forward(self, inputs: Tensor) -> Tensor:
        mean = self.layer(inputs)
        outputs: Tensor = mean + (torch.randn_like(mean) if self.follows else torch.randn(32).type_as(mean))
        return outputs


def follows_a_draw() -> nn.Module:
    return AtRandom()


def draws_when_traced() -> nn.Module:
    return AtRandom(follows=False)


def compiled() -> Any:
    return torch.compile(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), backend="eager")


def lazy() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3))


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(4, 3)


class Differentiates(nn.Module):
    """Needs autograd in forward, as models of forces do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.requires_grad_()
        return torch.autograd.grad(self.layer(inputs).sum(), inputs)[0]


def a_string() -> str:
    return "resnet18"


def fours(batch_size: int) -> Tensor:
    return torch.randn(batch_size, 4, generator=torch.Generator().manual_seed(1))


def on_meta_too(batch_size: int) -> Tensor:
    return torch.empty(batch_size, 4, device="meta")


def four_batches() -> Iterator[Tensor]:
    yield from fours(8).split(4)


def ends_the_process(model: Any) -> float:
    import os

    os._exit(3)


def linear() -> nn.Module:
    return nn.Linear(4, 3)
