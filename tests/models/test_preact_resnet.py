"""Sizes of the pre-activation ResNets for 10 classes, derived layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.models.preact_resnet import PreActBlock, PreActResNet

DEPTHS = [8, 14, 20, 26]


@pytest.mark.parametrize(("depth", "expected"), [(8, 77_850), (14, 175_066), (20, 272_282), (26, 369_498)])
def test_parameters(depth: int, expected: int) -> None:
    network = PreActResNet(depth, classes=10)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(("depth", "expected"), [(8, 73_728), (14, 170_496), (20, 267_264), (26, 364_032)])
def test_parameters_of_the_3x3_convolutions_in_the_blocks(depth: int, expected: int) -> None:
    layers = PreActResNet(depth, classes=10).blocks.modules()
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
    assert sum(weight.numel() for weight in weights) == expected


@pytest.mark.parametrize("depth", DEPTHS)
def test_depth_counts_the_convolutions_on_the_longest_path_and_the_linear(depth: int) -> None:
    layers = [layer for layer in PreActResNet(depth, classes=10).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    projections = [layer for layer in layers if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)]
    assert len(layers) - len(projections) == depth
    assert len(projections) == 2


@pytest.mark.parametrize("depth", [-4, 0, 2, 7, 9, 18, 21])
def test_a_depth_that_is_not_6n_plus_2_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth 6 n \+ 2 .* not {depth}"):
        PreActResNet(depth, classes=10)


@pytest.mark.parametrize("classes", [4, 10, 100])
def test_logits_are_one_row_of_classes_for_each_image(classes: int) -> None:
    assert PreActResNet(8, classes)(torch.zeros(2, 3, 32, 32)).shape == (2, classes)


def test_a_block_of_stride_2_halves_height_and_width() -> None:
    assert PreActBlock(16, 32, stride=2)(torch.zeros(1, 16, 32, 32)).shape == (1, 32, 16, 16)


def test_a_block_whose_convolutions_are_zero_passes_its_input_through() -> None:
    block = PreActBlock(16, 16, stride=1).eval()
    nn.init.zeros_(block.conv2.weight)
    images = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    assert block.projection is None
    assert torch.equal(block(images), images)


def test_a_projection_sees_the_activated_input() -> None:
    block = PreActBlock(16, 32, stride=2).eval()
    nn.init.zeros_(block.conv2.weight)
    # An untrained batch normalization in eval mode keeps the sign, and ReLU then leaves nothing of -1.
    assert block(torch.full((1, 16, 8, 8), -1.0)).count_nonzero() == 0
    assert block(torch.full((1, 16, 8, 8), +1.0)).count_nonzero() > 0


def test_the_second_and_third_stage_halve_the_side_and_double_the_channels() -> None:
    network, shapes = PreActResNet(8, classes=10), []
    images = network.conv(torch.zeros(1, 3, 32, 32))
    for block in network.blocks:
        images = block(images)
        shapes.append(tuple(images.shape[1:]))
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
