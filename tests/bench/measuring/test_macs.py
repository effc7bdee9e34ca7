"""Multiply-accumulates of one example, against figures worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.measuring.macs import count_macs
from bench.models import MLP, PreActResNet


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_linear_makes_inputs_times_outputs(device: str) -> None:
    with torch.device(device):
        macs = count_macs(MLP(400, [1024, 1024], 10), torch.zeros(1, 400))
    assert macs == 400 * 1024 + 1024 * 1024 + 1024 * 10 == 1_468_416


def test_a_convolution_makes_its_kernel_at_every_output() -> None:
    # 3×3 over 4 channels of 8×8, stride 2 with padding 1: 4×4 places, 6 output channels, each of 36 products.
    convolution = nn.Conv2d(4, 6, kernel_size=3, stride=2, padding=1)
    assert count_macs(convolution, torch.zeros(1, 4, 8, 8)) == 4 * 4 * 6 * (3 * 3 * 4) == 3_456


def test_biases_norms_activations_and_pooling_are_not_counted() -> None:
    rest = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    assert count_macs(rest.eval(), torch.zeros(1, 4, 8, 8)) == 0


def resnet_macs(depth: int, device: str = "meta") -> int:
    with torch.device(device):
        return count_macs(PreActResNet(depth, 10).eval(), torch.zeros(1, 3, 32, 32))


def test_a_resnet_by_hand() -> None:
    first = 32 * 32 * 16 * 9 * 3
    stages = 2 * 32 * 32 * 16 * 9 * 16, 16 * 16 * 32 * (9 * 16 + 9 * 32 + 16), 8 * 8 * 64 * (9 * 32 + 9 * 64 + 32)
    assert resnet_macs(8) == first + sum(stages) + 64 * 10 == 12_501_632


def test_six_more_layers_are_one_more_block_a_stage() -> None:
    assert resnet_macs(14) - resnet_macs(8) == resnet_macs(20) - resnet_macs(14) == 3 * 2 * 32 * 32 * 16 * 9 * 16


def test_the_model_is_left_as_it_was() -> None:
    model = PreActResNet(8, 10).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_macs(model, torch.rand(1, 3, 32, 32))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
