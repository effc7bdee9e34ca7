"""A small CNN that tells the direction of noisy gratings; ``python net.py`` trains it and saves its weights."""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("net.safetensors")
DIRECTIONS = 12


def network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 8 * 8, 256), nn.ReLU(), nn.Linear(256, DIRECTIONS)),
    )


def gratings(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images ``(count, 1, 32, 32)`` and the number of each one's direction."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(DIRECTIONS, (count,), generator=generator)
    angle = (labels * math.pi / DIRECTIONS)[:, None, None]
    phase = 6 * torch.rand(count, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    waves = torch.sin(0.8 * (x * torch.cos(angle) + y * torch.sin(angle)) + phase)
    return (waves + 1.5 * torch.randn(count, 32, 32, generator=generator))[:, None], labels


def build() -> nn.Module:
    model = network()
    model.load_state_dict(load_file(WEIGHTS))
    return model


def inputs(batch_size: int) -> Tensor:
    return gratings(batch_size, seed=1)[0]


def accuracy(model: nn.Module) -> tuple[int, int]:
    images, labels = gratings(2000, seed=2)
    return int((model(images).argmax(1) == labels).sum()), len(labels)


def batches() -> list[Tensor]:
    return [gratings(128, seed)[0] for seed in range(3, 11)]


if __name__ == "__main__":
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for step in range(150):
        images, labels = gratings(64, seed=100 + step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    save_file(model.state_dict(), WEIGHTS)
