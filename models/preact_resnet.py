"""A pre-activation ResNet for 32×32 images (He et al. 2016, "Identity Mappings in Deep Residual Networks").

Depth is ``6 n + 2`` for n basic blocks in each of three stages of 16, 32 and 64 channels, times ``widening``.
The first convolution, the 1×1 projections and the last Linear are the layers that low-bit work
leaves in full precision; ResNet-20 has 272,282 parameters of which 267,264 lie in the 3×3 convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64)


class PreActBlock(nn.Module):
    """BN → ReLU → 3×3 convolution, twice, plus the input; ``stride`` 2 halves height and width."""

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(fan_in)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(fan_in, fan_out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(fan_out)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(fan_out, fan_out, kernel_size=3, padding=1, bias=False)
        self.projection: nn.Conv2d | None = None
        if stride != 1 or fan_in != fan_out:
            self.projection = nn.Conv2d(fan_in, fan_out, kernel_size=1, stride=stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``(batch, fan_out, height / stride, width / stride)``."""
        activated = self.relu1(self.bn1(inputs))
        # As in the paper's code, the projection sees the activated input and the identity the raw one.
        shortcut = inputs if self.projection is None else self.projection(activated)
        residual: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(activated))))
        return residual + shortcut


class PreActResNet(nn.Module):
    """Logits of shape ``(batch, classes)`` from images of shape ``(batch, 3, 32, 32)``."""

    def __init__(self, depth: int, classes: int, widening: int = 1) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"a basic-block ResNet has depth 6 n + 2 (8, 14, 20, 26, …), not {depth}")
        widths = [widening * width for width in WIDTHS]
        self.conv = nn.Conv2d(3, widths[0], kernel_size=3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        fan_in = widths[0]
        for stage, width in enumerate(widths):
            for index in range((depth - 2) // 6):
                blocks.append(PreActBlock(fan_in, width, stride=2 if stage and not index else 1))
                fan_in = width
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(fan_in)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(fan_in, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape ``(batch, classes)``."""
        features = self.relu(self.bn(self.blocks(self.conv(images))))
        logits: Tensor = self.fc(torch.flatten(self.pool(features), 1))
        return logits
