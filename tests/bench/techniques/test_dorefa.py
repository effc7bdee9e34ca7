"""DoReFa-Net's formulas against numbers worked by hand; equations are numbered as in the paper."""

from __future__ import annotations

import pytest
import torch

from bench.core.errors import RequestError
from bench.models import MLP, PreActResNet
from bench.techniques.lowbit.layers import freeze, low_bit_layers
from tests.bench.low_bit import gradient_of, input_gradient, low_bit, quantized, second_layer, weight_gradient

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


# A learned clip


def test_a_learned_clip_starts_where_a_rectified_normal_is_best_cut() -> None:
    # ACIQ's optimum at 2 bits and the half range, 2.15: of 3 steps 0, 0.7, 1.4 and 3.
    levels = quantized("dorefa:w32a2,clip=learned", [-1.0, 0.5, 1.0, 9.0])
    assert levels == pytest.approx([0.0, 2.15 / 3, 2.15 / 3, 2.15])
    assert second_layer("dorefa:w32a16,clip=learned").get_parameter("clip").item() == pytest.approx(4.2)


def test_a_learned_clip_is_pacts() -> None:
    inputs = [-0.5, 0.3, 2.2, 3.0, 5.0]
    assert quantized("dorefa:w32a4,clip=learned", inputs) == quantized("pact:w32a4,alpha=2.93", inputs)
    layer = second_layer("dorefa:w32a4,clip=learned", 5)
    layer(torch.tensor([inputs])).sum().backward()
    assert gradient_of(layer.get_parameter("clip")).item() == 2.0  # 3 and 5 are clipped


def test_a_learned_clip_stays_above_zero() -> None:
    layer = second_layer("dorefa:w32a2,clip=learned")
    with torch.no_grad():
        layer.get_parameter("clip").fill_(-1.0)
    layer.after_step()
    assert layer.get_parameter("clip").item() == pytest.approx(1e-3)


def test_the_papers_clip_learns_nothing() -> None:
    network = low_bit("dorefa:w2a2").prepare(PreActResNet(8, 5))
    assert not [name for name, _ in network.named_parameters() if "clip" in name]


def test_a_learned_clip_does_nothing_to_activations_of_32_bits() -> None:
    with pytest.raises(RequestError, match="clip=learned does nothing to activations of 32 bits"):
        low_bit("dorefa:w2a32,clip=learned")
    with pytest.raises(RequestError, match="leave one of them out"):
        low_bit("dorefa:w1a1,positive,clip=learned")


# 8-bit ends


@pytest.mark.parametrize("name", ["dorefa:w2a2,ends=8", "pact:w2a2,ends=8"])
def test_the_first_and_the_last_layer_can_have_a_width_of_their_own(name: str) -> None:
    network = low_bit(name).prepare(PreActResNet(8, 5))
    layers = low_bit_layers(network)
    widths = {name: (layer.technique.weight_bits, layer.technique.activation_bits) for name, layer in layers.items()}
    assert {widths.pop("conv"), widths.pop("fc")} == {(8, 8)}
    assert set(widths.values()) == {(2, 2)}
    assert not any(name.endswith("projection") for name in widths)
    assert not layers["conv"].quantizes_inputs  # which are the data
    assert layers["fc"].quantizes_inputs


def test_ends_of_8_bits_are_stored_in_8_bits_and_are_what_was_trained() -> None:
    network = low_bit("dorefa:w2a32,ends=8").prepare(PreActResNet(8, 5)).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        trained = network(images)
        freeze(network, low_bit("dorefa:w2a32,ends=8"))
        assert torch.equal(network(images), trained)
    state = network.state_dict()
    assert state["conv.codes"].numel() == 16 * 3 * 9  # a byte each
    assert state["blocks.0.conv1.codes"].numel() == 16 * 16 * 9 // 4


def test_ends_of_a_perceptron_are_its_first_and_last_linear_layer() -> None:
    layers = low_bit_layers(low_bit("dorefa:w2a2,ends=4").prepare(MLP(6, [5, 5, 5], 3))).values()
    assert [layer.technique.weight_bits for layer in layers] == [4, 2, 2, 4]


def test_without_an_option_ends_stay_as_they_are() -> None:
    assert "conv" not in low_bit_layers(low_bit("dorefa:w2a2").prepare(PreActResNet(8, 5)))
