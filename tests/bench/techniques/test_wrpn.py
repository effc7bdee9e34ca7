"""WRPN's formulas against numbers worked by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bench import models
from bench.models import PreActResNet
from bench.techniques.lowbit.layers import low_bit_layers
from tests.bench.low_bit import WIDTHS, gradient_of, low_bit, weight_gradient


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (2, [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]),
        (3, [-1.0, -2 / 3, -1 / 3, 0.0, 2 / 3, 1.0]),  # of 3 steps −1.8, −1.2, 0, 1.8
        (4, [-1.0, -4 / 7, -3 / 7, 0.0, 4 / 7, 1.0]),  # of 7 steps −4.2, −2.8, 0, 4.2
    ],
)
def test_wrpns_weights_are_clipped_and_rounded_with_a_sign(bits: int, expected: list[float]) -> None:
    found = low_bit(f"wrpn:w{bits}").weight(torch.tensor([[-2.0, -0.6, -0.4, 0.0, 0.6, 1.7]]))
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_wrpns_weights_of_one_bit_are_scaled_by_channel() -> None:
    weight, upstream = torch.tensor([[1.0, -3.0], [0.0, -8.0]]), torch.ones(2, 2)
    assert low_bit("wrpn:w1").weight(weight).tolist() == [[2.0, -2.0], [4.0, -4.0]]
    assert weight_gradient("wrpn:w1", weight, upstream).tolist() == [[2.0, 2.0], [4.0, 4.0]]


def test_the_gradient_of_wrpns_weights_stops_where_they_are_clipped() -> None:
    found = weight_gradient("wrpn:w3", torch.tensor([[-1.5, -0.4, 0.9, 1.1]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert found.tolist() == [[0.0, 2.0, 3.0, 0.0]]


@pytest.mark.parametrize("bits", WIDTHS)
def test_fresh_weights_are_not_all_rounded_to_zero(bits: int) -> None:
    # A convolution of zeros passes no gradient either: it would stay one for the whole training.
    torch.manual_seed(0)
    network = low_bit(f"wrpn:w{bits}a{bits}").prepare(PreActResNet(20, 10))
    F.cross_entropy(network(torch.randn(4, 3, 32, 32)), torch.arange(4)).backward()
    for layer in low_bit_layers(network).values():
        assert layer.quantized_weight().any()
        assert gradient_of(layer.weight).any()


def test_a_wider_wrpn_has_so_many_times_the_channels() -> None:
    wide = low_bit("wrpn:w2a2,wide=2")
    network = models.build("preact_resnet", dict(wide.hyperparameters("preact_resnet", {"depth": 8, "classes": 10})))
    assert isinstance(network, PreActResNet)
    assert (network.conv.out_channels, network.fc.in_features, network.fc.out_features) == (32, 128, 10)
    perceptron = {"inputs": 784, "hidden": [512, 256], "classes": 10}
    assert wide.hyperparameters("mlp", perceptron) == {"inputs": 784, "hidden": [1024, 512], "classes": 10}
    assert low_bit("wrpn:w2a2").hyperparameters("mlp", perceptron) == perceptron


def test_a_network_that_is_wide_already_is_made_wider() -> None:
    wide = low_bit("wrpn:wide=3").hyperparameters("preact_resnet", {"depth": 8, "classes": 10, "widening": 2})
    assert wide["widening"] == 6
