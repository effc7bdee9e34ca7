"""What all low-bit techniques share: codes that are the weights to the bit, clipping, rounding, learning."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench import models
from bench.core.errors import UnsupportedError
from bench.models import PreActResNet
from bench.techniques.base import TECHNIQUES
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.layers import low_bit_layers
from tests.bench.low_bit import (
    CALIBRATED,
    TRAINED,
    convert,
    gradient_of,
    input_gradient,
    low_bit,
    quantized,
    second_layer,
)

entries = st.floats(min_value=-4, max_value=4, width=32)
ordinary = entries.filter(lambda value: value == 0 or abs(value) > 1e-6)


def weights(entries: st.SearchStrategy[float]) -> st.SearchStrategy[Tensor]:
    """Of a Linear with one to three outputs and one to five inputs."""
    return (
        st.integers(1, 5)
        .flatmap(
            lambda columns: st.lists(st.lists(entries, min_size=columns, max_size=columns), min_size=1, max_size=3)
        )
        .map(torch.tensor)
    )


@pytest.mark.parametrize("name", [*TRAINED, *CALIBRATED])
def test_codes_are_within_their_bits_and_decode_to_the_weights(name: str) -> None:
    technique = low_bit(name)
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    weight[0], weight[1, 0] = 0.0, 1.0
    require_exact(technique, weight)
    require_exact(technique, weight.to(memory_format=torch.channels_last))
    require_exact(technique, torch.zeros(2, 3))


def require_exact(technique: LowBit, weight: Tensor) -> None:
    encoded = technique.encode(weight)
    assert encoded.codes.shape == weight.shape
    assert 0 <= encoded.codes.min().item() <= encoded.codes.max().item() < 2**technique.weight_bits
    assert {scale.dtype for scale in encoded.scales.values()} <= {torch.float32}
    with torch.no_grad():
        # As integers: to a comparison of floats −0.0 is 0.0, and NaN is not NaN.
        assert torch.equal(technique.decode(encoded).view(torch.int32), technique.weight(weight).view(torch.int32))


@settings(max_examples=400)
@given(st.sampled_from(TRAINED), weights(entries))
def test_codes_and_scales_are_the_weights_to_the_bit(name: str, weight: Tensor) -> None:
    require_exact(low_bit(name), weight)


@settings(max_examples=400)
@given(st.sampled_from(CALIBRATED), weights(ordinary))
def test_range_linears_codes_and_scales_are_the_weights_to_the_bit(name: str, weight: Tensor) -> None:
    require_exact(low_bit(name), weight)


@given(st.sampled_from(CALIBRATED), weights(entries))
def test_range_linears_codes_are_within_their_bits_however_small_the_weights(name: str, weight: Tensor) -> None:
    require_exact(low_bit(name), weight * 1e-38)


@given(st.sampled_from(TRAINED + CALIBRATED), weights(ordinary))
def test_weights_have_the_shape_and_type_that_they_had(name: str, weight: Tensor) -> None:
    found = low_bit(name).weight(weight)
    assert found.shape == weight.shape
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("name", "trained_as"),
    [
        ("dorefa:w2a2", "dorefa:w2a2"),
        ("dorefa:w2a2,float16,max-tanh", "dorefa:w2a2,max-tanh"),
        ("wrpn:w1a1,wide=2,float16", "wrpn:w1a1,wide=2"),
        ("binaryconnect:stochastic", "binaryconnect:w1a32,stochastic"),
        ("range-linear:w4a4,float16", ""),
        ("dorefa:w32a32", ""),
        ("dorefa:w32a32,clip", "dorefa:w32a32,clip"),
        ("fp32", ""),
    ],
)
def test_variants_that_differ_only_after_the_training_share_it(name: str, trained_as: str) -> None:
    assert TECHNIQUES.get(name).trained_as == trained_as


@pytest.mark.parametrize("name", [*TRAINED, "range-linear:w8"])
def test_a_model_without_weight_layers_is_unsupported(name: str) -> None:
    with pytest.raises(UnsupportedError, match="quantizes Linear and Conv2d layers, and this model has none"):
        low_bit(name).prepare(nn.Sequential(nn.ReLU()))


@pytest.mark.parametrize("name", ["dorefa:w2a2", "pact:w1a2", "xnor", "range-linear:w4a8,per-channel"])
def test_a_variant_says_that_it_is_simulated(name: str) -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    if low_bit(name).trained_as:
        low_bit(name).prepare(network)
    variant = convert(name, network, torch.rand(4, 4))
    assert variant.simulated
    assert variant.input_dtype == "float32"
    assert variant.notes == ("simulated: computed in float32 with the values that low precision has",)
    assert variant.forward is variant.module


def test_the_dtype_is_the_family_and_both_widths() -> None:
    assert low_bit("dorefa:w1a2").dtype("cpu") == "dorefa w1a2"
    assert low_bit("bwn").dtype("cuda") == "bwn w1a32"


@pytest.mark.parametrize(
    "name",
    ["dorefa:w1a1", "dorefa:w2a2", "pact:w2a2,alpha=3", "wrpn:w2a2", "bwn", "xnor", "xnor:no-k", "binaryconnect"],
)
def test_a_small_network_learns(name: str) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(128, 4)
    labels = (inputs.sum(1) > 0).long()
    network = models.MLP(4, [32, 32], 2, batch_norm=True)
    low_bit(name).prepare(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
        for layer in low_bit_layers(network).values():
            layer.after_step()
    module = convert(name, network.eval(), inputs).module
    with torch.inference_mode():
        assert (module(inputs).argmax(1) == labels).float().mean().item() > 0.85


@pytest.mark.parametrize("name", [name for name in TRAINED if not name.startswith("binary")])
def test_a_layer_of_zeros_has_weights(name: str) -> None:
    assert low_bit(name).weight(torch.zeros(2, 3)).isfinite().all()


@pytest.mark.parametrize("family", ["dorefa", "wrpn"])
def test_activations_are_clipped_and_rounded(family: str) -> None:
    # Of 3 steps: 0.3, 1.2 and 2.7.
    inputs = [-1.0, 0.1, 0.4, 0.9, 3.0]
    assert quantized(f"{family}:w32a2", inputs) == pytest.approx([0.0, 0.0, 1 / 3, 1.0, 1.0])
    assert input_gradient(f"{family}:w32a2", inputs) == [0.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("dorefa:w32a2", [0.0, 1.0]),
        ("dorefa:w32a1,positive", [0.0, 1.0]),
        ("wrpn:w32a2", [0.0, 1.0]),
        ("pact:w32a2,alpha=6", [0.0, 0.0]),
        ("xnor:no-k", [-1.0, 1.0]),
    ],
)
def test_gradients_are_one_at_the_ends_of_the_clipping(name: str, ends: list[float]) -> None:
    # clip's own gradient at its ends was 1 in torch until 2.13 and is 0 since.
    layer = second_layer(name, 2)
    source = torch.tensor([ends], requires_grad=True)
    layer(source).sum().backward()
    assert gradient_of(source)[0].tolist() == pytest.approx(layer.quantized_weight().sum(0).tolist())
    assert gradient_of(source).all()


@pytest.mark.parametrize("rounding", ["deterministic", "stochastic"])
def test_the_rest_is_rounded_whatever_becomes_of_the_weights(rounding: str) -> None:
    torch.manual_seed(0)
    network = low_bit(f"binaryconnect:{rounding}").prepare(PreActResNet(8, 5)).eval()
    module = convert(f"binaryconnect:{rounding},float16", network, torch.zeros(0)).module
    first = module.get_parameter("conv.weight")
    assert torch.equal(first, first.half().float())


def test_a_value_that_float16_cannot_hold_is_refused_by_the_layers_name() -> None:
    network = low_bit("bwn").prepare(PreActResNet(8, 5)).eval()
    network.get_buffer("blocks.1.bn2.running_var")[3] = 1e5
    with pytest.raises(UnsupportedError, match=r"blocks\.1\.bn2 holds 100,000, and float16 ends at 65,504; leave"):
        convert("bwn:float16", network, torch.zeros(0))


def test_what_was_infinite_before_float16_is_none_of_its_faults() -> None:
    network = low_bit("bwn").prepare(PreActResNet(8, 5)).eval()
    network.get_buffer("bn.running_mean")[0] = math.inf
    assert convert("bwn:float16", network, torch.zeros(0)).module.get_buffer("bn.running_mean")[0] == math.inf
