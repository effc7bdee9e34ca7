"""DoReFa-Net's formulas against numbers worked by hand; equations are numbered as in the paper."""

from __future__ import annotations

import pytest
import torch

from tests.bench.low_bit import gradient_of, input_gradient, low_bit, quantized, weight_gradient

TANHS = torch.tensor([[0.8, -0.8], [0.2, 0.05]])


def test_dorefas_weights_of_one_bit_are_signs_times_the_layers_mean_magnitude() -> None:
    found = low_bit("dorefa:w1").weight(torch.tensor([[1.0, -3.0], [0.0, 2.0]]))  # eq. 8; (1 + 3 + 0 + 2) / 4
    assert found.tolist() == [[1.5, -1.5], [1.5, 1.5]]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        # tanh / 1.6 + 1/2 is 1, 0, 0.625 and 0.53125. Of 3 steps 3, 0, 1.875 and 1.59; of 7 steps 7, 0, 4.375 and 3.72.
        (2, [[1.0, -1.0], [1 / 3, 1 / 3]]),
        (3, [[1.0, -1.0], [1 / 7, 1 / 7]]),
    ],
)
def test_dorefas_weights_of_more_bits(bits: int, expected: list[list[float]]) -> None:
    torch.testing.assert_close(low_bit(f"dorefa:w{bits}").weight(TANHS.atanh()), torch.tensor(expected))
    scaled = low_bit(f"dorefa:w{bits},max-tanh").weight(TANHS.atanh())
    torch.testing.assert_close(scaled, 0.8 * torch.tensor(expected))


def test_the_mean_of_dorefas_one_bit_is_constant_to_the_gradient() -> None:
    weight, upstream = torch.tensor([[1.0, -3.0], [0.0, 2.0]]), torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    assert torch.equal(weight_gradient("dorefa:w1", weight, upstream), 1.5 * upstream)


@pytest.mark.parametrize(("name", "factor"), [("dorefa:w3", 1.0), ("dorefa:w3,max-tanh", 0.8)])
def test_the_gradient_of_dorefas_weights_is_that_of_the_tanh_over_its_maximum(name: str, factor: float) -> None:
    weight, upstream = TANHS.atanh(), torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    plain = weight.clone().requires_grad_()
    (factor * plain.tanh() / plain.tanh().abs().amax()).backward(upstream)
    torch.testing.assert_close(weight_gradient(name, weight, upstream), gradient_of(plain))


def test_the_threshold_of_one_bit_activations_is_a_half() -> None:
    inputs = [-0.1, 0.01, 0.49, 0.51, 2.0]
    assert quantized("dorefa:w32a1", inputs) == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert quantized("wrpn:w32a1", inputs) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_or_every_positive_activation_is_one_where_asked() -> None:
    inputs = [-0.1, 0.0, 0.01, 0.51, 2.0]
    assert quantized("dorefa:w32a1,positive", inputs) == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert input_gradient("dorefa:w32a1,positive", [-0.1, 0.01, 0.51, 2.0]) == [0.0, 1.0, 1.0, 0.0]


def test_activations_of_32_bits_are_left_alone_or_clipped() -> None:
    inputs = [-1.0, 0.25, 3.0]
    assert quantized("dorefa:w32a32", inputs) == inputs
    assert quantized("dorefa:w32a32,clip", inputs) == [0.0, 0.25, 1.0]
