"""Digits of a 5×7 font, turned, scaled, shifted and noisy, in MNIST's idx files."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

TRAIN, TEST = 6000, 1000
SIDE = 28
FONT = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111",
    "01110 10001 00001 00110 00001 10001 01110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)


def draw(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return images, uint8 ``(n, 28, 28)``, of the digits ``labels``."""
    glyphs = torch.tensor([[[float(bit) for bit in row] for row in digit.split()] for digit in FONT])
    count = len(labels)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle, scale = uniform(-0.35, 0.35), uniform(1.25, 1.9)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    aspect = math.sqrt(7 / 5)
    across, down = uniform(-0.3, 0.3), uniform(-0.3, 0.3)
    affine = torch.stack(
        [torch.stack([cosine * aspect, -sine, across], 1), torch.stack([sine, cosine / aspect, down], 1)], 1
    )
    canvas = F.pad(glyphs, (1, 1, 1, 1))[labels].unsqueeze(1)
    grid = F.affine_grid(affine, [count, 1, SIDE, SIDE], align_corners=False)
    ink = F.grid_sample(canvas, grid, align_corners=False)[:, 0] * uniform(0.6, 1.0)[:, None, None]
    noise = torch.randn(ink.shape, generator=generator) * 0.08
    return ((ink + noise).clamp(0, 1) * 255).to(torch.uint8)


def write(folder: Path) -> None:
    """Write the four idx files (magic number, sizes, bytes; big-endian)."""
    generator = torch.Generator().manual_seed(0)
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        labels = torch.randint(0, 10, (count,), generator=generator)
        images = draw(labels, generator)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 2051, count, SIDE, SIDE) + images.numpy().tobytes()
        )
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 2049, count) + labels.to(torch.uint8).numpy().tobytes()
        )
