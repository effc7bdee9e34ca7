"""Coloured shapes on noise in CIFAR's pickled batches.

Ten shapes in ten colours: the shape is the label of CIFAR-10, shape and colour together that of CIFAR-100.
"""

from __future__ import annotations

import colorsys
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PER_BATCH = 400
"""Of the five training batches and of the test batch; each class has the same number."""
SIDE = 32
COLOURS = torch.tensor([colorsys.hsv_to_rgb(index / 10, 0.9, 0.95) for index in range(10)])


def inside(shape: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return where each pixel lies inside its image's shape; ``shape`` ``(n,)``, ``x`` and ``y`` ``(n, 32, 32)``."""
    radius, largest = (x**2 + y**2).sqrt(), torch.maximum(x.abs(), y.abs())
    diamond = x.abs() + y.abs()
    masks = torch.stack(
        [
            radius < 1,
            largest < 0.85,
            (y < 0.8) & (y > 2 * x.abs() - 1),
            diamond < 1,
            (radius < 1) & (radius > 0.6),
            (largest < 0.9) & (torch.minimum(x.abs(), y.abs()) < 0.3),
            (y.abs() < 0.3) & (x.abs() < 1),
            (largest < 0.9) & (largest > 0.55),
            (radius < 1) & (y < 0),
            (radius < 1) & (((x - 0.5) ** 2 + y**2).sqrt() > 0.8),
        ]
    )
    return masks[shape, torch.arange(len(shape))]


def draw(shape: Tensor, colour: Tensor, generator: torch.Generator) -> Tensor:
    """Return images, uint8 ``(n, 3, 32, 32)``."""
    count = len(shape)

    def uniform(low: float, high: float) -> Tensor:
        return (torch.rand(count, generator=generator) * (high - low) + low)[:, None, None]

    axis = torch.linspace(-1, 1, SIDE)
    size, angle = uniform(0.45, 0.8), uniform(-0.3, 0.3)
    x, y = axis[None, None, :] - uniform(-0.25, 0.25), axis[None, :, None] - uniform(-0.25, 0.25)
    turned_x = (x * angle.cos() - y * angle.sin()) / size
    turned_y = (x * angle.sin() + y * angle.cos()) / size
    mask = inside(shape, turned_x, turned_y)[:, None]
    ground = torch.rand(count, 3, 1, 1, generator=generator) * 0.5
    picture = torch.where(mask, COLOURS[colour][:, :, None, None], ground)
    noise = torch.randn(picture.shape, generator=generator) * 0.1
    return ((picture + noise).clamp(0, 1) * 255).to(torch.uint8)


def write(folder: Path, reader: Any, classes: int) -> None:
    """Write the files that torchvision's ``reader`` class (CIFAR10 or CIFAR100) expects, ``classes`` 10 or 100."""
    generator = torch.Generator().manual_seed(classes)
    for batch, _ in (*reader.train_list, *reader.test_list):
        count = 5 * PER_BATCH if batch == "train" else PER_BATCH
        label = torch.randperm(count, generator=generator) % 100
        shape, colour = label % 10, label // 10
        images = draw(shape, colour, generator).flatten(1).numpy()
        content: dict[str, object] = {"data": images}
        if classes == 10:
            content["labels"] = shape.tolist()
        else:
            content |= {"fine_labels": (10 * shape + colour).tolist(), "coarse_labels": shape.tolist()}
        (folder / batch).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"class {index}" for index in range(classes)]
    (folder / reader.meta["filename"]).write_bytes(pickle.dumps({reader.meta["key"]: names}, protocol=2))
