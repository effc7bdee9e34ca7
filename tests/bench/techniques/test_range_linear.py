"""Range-based linear quantization against numbers worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.techniques.lowbit.layers import LowBitLayer, low_bit_layers
from tests.bench.low_bit import convert, low_bit

ROWS = torch.tensor([[-3.5, 1.0], [0.3, 0.5]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # 7 / 3.5 = 2, so 0.6 rounds to 1; by row 2 and 14, so 4.2 rounds to 4.
        ("sym-restricted", [[-3.5, 1.0], [0.5, 0.5]]),
        ("sym-restricted,per-channel", [[-3.5, 1.0], [4 / 14, 0.5]]),
        # 7.5 / 3.5 = 15/7: −7.5 rounds to −8, 2.14 to 2, 0.64 and 1.07 to 1.
        ("sym", [[-8 * 7 / 15, 2 * 7 / 15], [7 / 15, 7 / 15]]),
        # 15 / 4.5 = 10/3, zero round(−11.67) = −12: 0.33 to 0, 15.33 to 15, 13 and 13.67 to 14.
        ("asym-unsigned", [[-3.6, 0.9], [0.3, 0.6]]),
        ("asym-signed", [[-3.6, 0.9], [0.3, 0.6]]),
        ("asym-unsigned,per-channel", [[-3.6, 0.9], [9 / 30, 0.5]]),  # row 2: 15 / 0.5 = 30
    ],
)
def test_range_linears_weights_of_4_bits(options: str, expected: list[list[float]]) -> None:
    torch.testing.assert_close(low_bit(f"range-linear:w4,{options}").weight(ROWS), torch.tensor(expected))


def test_scales_are_one_a_layer_or_one_an_output_channel() -> None:
    filters = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert low_bit("range-linear:w4,asym-signed").encode(filters).scales["scale"].shape == ()
    scales = low_bit("range-linear:w4,asym-signed,per-channel").encode(filters).scales
    assert {key: list(value.shape) for key, value in scales.items()} == {"scale": [4, 1, 1, 1], "zero": [4, 1, 1, 1]}
    assert low_bit("range-linear:w4").encode(filters).scales.keys() == {"scale"}


def calibrated(name: str, examples: list[list[float]]) -> LowBitLayer:
    """The second of two layers of the identity, calibrated on the inputs of both."""
    width = len(examples[0])
    network = nn.Sequential(nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.eye(width))
    convert(name, network, torch.tensor(examples))
    first, second = low_bit_layers(network).values()
    assert "input_scale" not in dict(first.named_buffers())
    return second


def test_range_linears_activations_are_rounded_by_the_range_of_the_calibration() -> None:
    layer = calibrated("range-linear:w32a4,asym-unsigned", [[-1.0, 0.0, 0.5], [0.0, 2.0, 1.0]])
    # 15 / 3 = 5 and −1 stands at 0.
    with torch.no_grad():
        found = layer(torch.tensor([[-2.0, 0.27, 1.02], [0.0, 2.0, 9.0]]))
    torch.testing.assert_close(found, torch.tensor([[-1.0, 0.2, 1.0], [0.0, 2.0, 2.0]]))


def test_with_32_bits_activations_are_left_alone() -> None:
    layer = calibrated("range-linear:w4", [[-1.0, 2.0]])
    assert "input_scale" not in dict(layer.named_buffers())


POSITIVE = [[*[0.0] * 9, 10.0]] * 2
"""Mean 1, mean deviation (18 · 1 + 2 · 9) / 20 = 1.8."""


@pytest.mark.parametrize(
    ("mode", "levels", "largest"),
    [
        # Distiller's clip is |mean| + α in symmetric modes, and from the smallest average to α more in the others.
        ("sym", 1.5, 1 + 2.83 * 1.8),
        ("sym-restricted", 1.0, 1 + 2.83 * 1.8),
        ("asym-unsigned", 3.0, 3.89 * 1.8),
        ("asym-signed", 3.0, 3.89 * 1.8),
    ],
)
def test_distillers_clip_of_what_follows_a_relu(mode: str, levels: float, largest: float) -> None:
    layer = calibrated(f"range-linear:w32a2,distiller-laplace,activations={mode}", POSITIVE)
    assert layer.get_buffer("input_scale").item() == pytest.approx(levels / largest)


@pytest.mark.parametrize(
    ("options", "levels", "zero"),
    [
        # All 15 steps of 4 bits from 0 to 10, which stands at −8; or 7.5 of them on each side of 0.
        ("", 15, 8),
        (",sym-restricted", 15, 8),
        (",asym-unsigned", 15, 0),
        (",activations=sym", 7.5, 0),
        (",activations=sym-restricted", 7, 0),
        (",asym-unsigned,activations=sym", 7.5, 0),
        (",activations=asym-unsigned", 15, 0),
    ],
)
def test_activations_have_a_mode_of_their_own(options: str, levels: float, zero: float) -> None:
    layer = calibrated(f"range-linear:w32a4{options}", POSITIVE)
    scale, start = layer.get_buffer("input_scale").item(), layer.get_buffer("input_zero").item()
    assert (scale, start) == pytest.approx((levels / 10, zero))
    assert layer.technique.name == f"range-linear:w32a4{options}"


def test_activations_of_both_signs_are_symmetric_beside_symmetric_weights() -> None:
    layer = calibrated("range-linear:w32a4", [[-1.0, 3.0]])
    assert (layer.get_buffer("input_scale").item(), layer.get_buffer("input_zero").item()) == (2.5, 0)
    with torch.no_grad():  # as with the integers of −8 to 7
        assert layer(torch.tensor([[-9.0, 9.0]]))[0].tolist() == pytest.approx([-8 / 2.5, 7 / 2.5])


def test_behind_a_relu_values_in_range_are_off_by_half_a_step_of_all_levels() -> None:
    layer = calibrated("range-linear:w32a4", POSITIVE)
    inputs = torch.linspace(0, 10, 10).view(1, 10)
    with torch.no_grad():
        assert (layer(inputs) - inputs).abs().max().item() <= 10 / 15 / 2 + 1e-5
