"""BinaryConnect's formulas; equations are numbered as in the paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench.models import PreActResNet
from bench.techniques.binaryconnect import LEARNING_RATE_SCALE
from bench.techniques.lowbit.layers import low_bit_layers
from tests.bench.low_bit import convert, low_bit, weight_gradient


def test_binaryconnects_weights_are_signs_with_the_gradient_passed_through() -> None:
    weight, upstream = torch.tensor([[-0.5, 0.0, 0.5, 3.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert low_bit("binaryconnect").weight(weight).tolist() == [[-1.0, 1.0, 1.0, 1.0]]  # eq. 1
    assert torch.equal(weight_gradient("binaryconnect", weight, upstream), upstream), "no mask where |w| > 1"


def test_drawn_signs_have_the_hard_sigmoid_as_their_probability() -> None:
    torch.manual_seed(0)
    weight = torch.tensor([0.5, -0.5, 0.0, 1.5, -1.0]).unsqueeze(1).expand(5, 10_000)
    found = low_bit("binaryconnect:stochastic").weight(weight)
    assert found.unique().tolist() == [-1.0, 1.0]
    # eq. 2 and 3: P(+1) = (w + 1) / 2, so that the mean is w; its standard deviation is at most 0.01.
    assert found.mean(1).tolist() == pytest.approx([0.5, -0.5, 0.0, 1.0, -1.0], abs=0.05)


def test_the_gradient_of_drawn_signs_is_passed_through() -> None:
    upstream = torch.tensor([[1.0, 2.0]])
    found = weight_gradient("binaryconnect:stochastic", torch.tensor([[0.3, -2.0]]), upstream)
    assert torch.equal(found, upstream)


def test_a_stochastic_binaryconnect_runs_with_its_real_weights_and_says_so() -> None:
    torch.manual_seed(0)
    network, inputs = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(8, 6)
    with torch.inference_mode():
        expected = network(inputs)
        low_bit("binaryconnect:stochastic").prepare(network)
        variant = convert("binaryconnect:stochastic", network.eval(), inputs)
        assert torch.equal(variant.forward(inputs), expected)
    assert not variant.simulated
    assert variant.notes == (
        "stochastic BinaryConnect runs with the real weights it was trained with: not a 1-bit model",
    )


@pytest.mark.parametrize(("name", "most"), [("binaryconnect", 1.0), ("binaryconnect:stochastic", 1.0), ("bwn", 3.0)])
def test_only_binary_weights_of_binaryconnect_are_clipped_after_a_step(name: str, most: float) -> None:
    network = low_bit(name).prepare(PreActResNet(8, 5))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3.0)
    layers = low_bit_layers(network)
    for layer in layers.values():
        layer.after_step()
    for key, parameter in network.named_parameters():
        treated = key.rpartition(".")[0] in layers
        assert parameter.unique().tolist() == [most if treated else 3.0], key


def test_glorots_scaling_marks_the_weights_that_are_binarized() -> None:
    network = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4))
    low_bit("binaryconnect:glorot").prepare(network)
    rates = {key: getattr(value, LEARNING_RATE_SCALE, None) for key, value in network.named_parameters()}
    expected = pytest.approx(math.sqrt(6 / 1.5))  # 1 / sqrt(1.5 / (n_in + n_out))
    assert rates == {"0.weight": expected, "0.bias": None, "2.weight": expected, "2.bias": None}
    plain = low_bit("binaryconnect").prepare(nn.Linear(4, 2))
    assert not any(hasattr(value, LEARNING_RATE_SCALE) for value in plain.parameters())
