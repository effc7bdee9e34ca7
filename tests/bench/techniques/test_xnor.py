"""The formulas of BWN and XNOR-Net against numbers worked by hand; equations are numbered as in the paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers
from tests.bench.low_bit import gradient_of, low_bit, second_layer, weight_gradient


def test_bwns_scale_is_each_filters_mean_magnitude() -> None:
    filters = torch.tensor([[[[1.0, -3.0]]], [[[0.0, -8.0]]]])  # eq. 6
    assert low_bit("bwn").weight(filters).tolist() == [[[[2.0, -2.0]]], [[[4.0, -4.0]]]]


def test_bwns_gradient_has_the_term_of_the_scale() -> None:
    # α = 0.75, the sum over j of ∂C/∂W̃_j sign(W_j) is 1 − 2 + 3 + 4 = 6: 6/4 sign(W_i) + 0.75 ∂C/∂W̃_i where |W_i| ≤ 1.
    found = weight_gradient("bwn", torch.tensor([[0.5, -2.0, 0.25, 0.25]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert found.tolist() == [[2.25, -1.5, 3.75, 4.5]]


@pytest.mark.parametrize(("technique", "expected"), [("bwn", [[3.0, -1.0]]), ("xnor:centred", [[1.0, -1.0]])])
def test_centred_weights_have_no_mean_over_the_inputs_and_are_within_one(technique: str, expected: Any) -> None:
    layer = second_layer(technique, width=2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -1.0], [0.5, 0.0]]))  # means 1 and 0.25
    layer.after_step()
    assert layer.weight[:1].tolist() == expected


def test_centring_leaves_a_single_input_channel_alone() -> None:
    layer = second_layer("bwn:centred", width=1)
    layer.after_step()
    assert layer.weight.tolist() == [[1.0]]


@given(st.integers(0, 10_000))
def test_bwns_gradient_is_the_formulas(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, upstream = (torch.randn(3, 2, 3, 3, generator=generator) for _ in range(2))
    signs = torch.where(weight >= 0, 1.0, -1.0)
    axes = (1, 2, 3)
    through_scale = signs / 18 * (upstream * signs).sum(axes, keepdim=True)
    through_sign = weight.abs().mean(axes, keepdim=True) * upstream * (weight.abs() <= 1)
    torch.testing.assert_close(weight_gradient("bwn", weight, upstream), through_scale + through_sign)


def binary(layer: LowBitLayer) -> Tensor:
    """The layer's weights by eq. 6, written out."""
    axes = tuple(range(1, layer.weight.dim()))
    return torch.where(layer.weight >= 0, 1.0, -1.0) * layer.weight.abs().mean(axes, keepdim=True)


def test_xnor_on_a_linear_layer_by_hand() -> None:
    layer = second_layer("xnor", 2)
    layer.bias = nn.Parameter(torch.tensor([0.5, 0.0]))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -3.0], [0.0, 1.0]]))
    # Row 1: α = 2, signs (1, −1); row 2: α = 1/2, signs (1, 1). K is 3: the signs of the inputs are (1, −1).
    inputs = torch.tensor([[2.0, -4.0]])
    assert layer(inputs).tolist() == [[3 * 2 * 2 + 0.5, 0.0]]
    without = second_layer("xnor:no-k", 2)
    without.weight, without.bias = layer.weight, layer.bias
    assert without(inputs).tolist() == [[2 * 2 + 0.5, 0.0]]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 1), (1, 0), (2, 2)])
def test_xnor_on_a_convolution_by_the_formula(stride: int, padding: int, bias: bool) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(2, 3, 7, 7)
    signs = torch.where(inputs >= 0, 1.0, -1.0)
    window = torch.full((1, 1, 3, 3), 1 / 9)
    scale = F.conv2d(inputs.abs().mean(1, keepdim=True), window, stride=stride, padding=padding)
    for name, factor in (("xnor:all", scale), ("xnor:no-k,all", torch.ones(()))):
        convolution = nn.Conv2d(3, 4, 3, stride, padding, bias=bias)
        _, layer = low_bit_layers(low_bit(name).prepare(nn.Sequential(nn.Conv2d(3, 3, 1), convolution))).values()
        expected = F.conv2d(signs, binary(layer), stride=stride, padding=padding) * factor
        if layer.bias is not None:
            expected = expected + layer.bias.view(-1, 1, 1)
        torch.testing.assert_close(layer(inputs), expected)


def test_the_sign_of_an_input_of_zero_is_plus_one_and_gradients_stop_beyond_one() -> None:
    layer = second_layer("xnor:no-k", 4)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    source = torch.tensor([[0.0, -0.5, 0.9, 1.5]], requires_grad=True)
    outputs = layer(source)
    assert outputs[0].tolist() == [2.0] * 4  # 1 − 1 + 1 + 1
    outputs[0, 0].backward()
    assert gradient_of(source)[0].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_k_has_a_gradient_too() -> None:
    layer = second_layer("xnor", 2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    source = torch.tensor([[2.0, -4.0]], requires_grad=True)
    # y = (s₁ + s₂) (|x₁| + |x₂|) / 2: the signs cancel out, and pass nothing beyond 1.
    layer(source)[0, 0].backward()
    assert gradient_of(source).tolist() == [[0.0, 0.0]]
    source = torch.tensor([[2.0, 4.0]], requires_grad=True)
    layer(source)[0, 0].backward()
    assert gradient_of(source).tolist() == [[1.0, 1.0]]
