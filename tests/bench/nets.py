"""Models as users write them, and what belongs to them; tests name them by this file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

WORDS = 50


def resnet18() -> nn.Module:
    model: nn.Module = torchvision.models.resnet18(weights=None)
    return model


def mobilenet_v2() -> nn.Module:
    """With the statistics of some images: without any, its outputs are too small for float16."""
    model: nn.Module = torchvision.models.mobilenet_v2(weights=None)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        model.train()(torch.rand(8, 3, 32, 32))
    return model


def images(batch_size: int) -> Tensor:
    return torch.rand(batch_size, 3, 32, 32)


def more_images() -> Iterator[Tensor]:
    for _ in range(2):
        yield torch.rand(4, 3, 32, 32)


def seven_of_ten(model: Any) -> tuple[int, int]:
    answers = model(torch.rand(10, 3, 32, 32)).argmax(1)
    return int((answers >= 0).sum()) - 3, 10


class Tagger(nn.Module):
    """Gives a tag to each word of a sentence, and the state that it ended in."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, ids: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        outputs, state = self.lstm(self.embedding(ids))
        return self.head(outputs), state


def sentences() -> Tensor:
    """Three of them, whatever the batch."""
    return torch.randint(0, WORDS, (3, 6))


def share_of_tags(model: Any) -> float:
    tags, _ = model(torch.randint(0, WORDS, (20, 6)))
    return float((tags.argmax(2) == 0).float().mean())


@dataclass
class Classified:
    logits: Tensor
    hidden: Tensor


class Encoder(nn.Module):
    """A small transformer encoder; takes a mask beside the words and returns a dataclass."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, ids: Tensor, weights: Tensor) -> Classified:
        hidden = (self.encoder(self.embedding(ids)) * weights[:, :, None]).mean(1)
        return Classified(self.head(hidden), hidden)


def words_and_weights(batch_size: int) -> tuple[Tensor, Tensor]:
    return torch.randint(0, WORDS, (batch_size, 6)), torch.rand(batch_size, 6)


class Branching(nn.Module):
    """Goes by the values of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs)
        if outputs.sum() > 0:
            outputs = -outputs
        return outputs


class Float32Alone(nn.Module):
    """Makes a float32 tensor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs @ torch.eye(4))
        return outputs


class Treacherous(nn.Module):
    """Takes its process down under one type, and answers under the others."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dtype == torch.float16:
            os.kill(os.getpid(), signal.SIGSEGV)
        outputs: Tensor = self.layer(inputs)
        return outputs


def small() -> nn.Module:
    return nn.Linear(4, 3)


def large() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def fours(batch_size: int) -> Tensor:
    return torch.rand(batch_size, 4)
