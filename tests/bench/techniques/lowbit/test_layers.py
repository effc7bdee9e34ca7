"""Low-bit layers in whole networks: which there are, that freezing changes nothing, and what a state dict holds."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.inputs import Inputs
from bench.models import MLP, PreActResNet
from bench.storage.packed import pack, unpack
from bench.techniques.base import Artifact, Context
from bench.techniques.lowbit.bitpack import packed_bytes
from bench.techniques.lowbit.codes import FULL
from bench.techniques.lowbit.layers import LowBitConv2d, LowBitLayer, LowBitLinear, freeze, low_bit_layers
from bench.techniques.range_linear import RangeLinear
from tests.bench.low_bit import low_bit

KINDS = ["mlp", "resnet"]
TRAINED = [
    *(f"{family}:w{bits}a{bits}" for family in ("dorefa", "pact", "wrpn") for bits in (1, 2, 3, 4, 8)),
    "dorefa:w2a2,max-tanh",
    "dorefa:w1a1,positive,all",
    "dorefa:w4a32,clip",
    "dorefa:w32a2",
    "wrpn:w16a16",
    "bwn",
    "bwn:projections",
    "xnor",
    "xnor:no-k,all",
    "binaryconnect",
]
CALIBRATED = [
    *(f"range-linear:w{bits}a{bits}" for bits in (2, 3, 4, 8, 16)),
    "range-linear:w4",
    "range-linear:w3a3,sym-restricted,inner",
    "range-linear:w4a4,asym-unsigned,per-channel,avg",
    "range-linear:w8a8,asym-signed,laplace",
    "range-linear:w32a8",
]
NAMES = [*TRAINED, *CALIBRATED]
CASES = [
    *((name, "mlp") for name in NAMES),
    *(
        (name, "resnet")
        for name in NAMES
        if not name.startswith(("pact:w1", "pact:w3", "pact:w8", "wrpn:w2", "wrpn:w3"))
    ),
]
"""Each technique on a perceptron, and on a network with convolutions those that differ from the others there."""


def example(kind: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """A network and inputs for it."""
    torch.manual_seed(seed)
    if kind == "mlp":
        return MLP(40, [30, 20], 5, batch_norm=True), torch.randn(16, 40)
    images = torch.randn(4, 3, 32, 32).to(memory_format=torch.channels_last)
    return PreActResNet(8, 5).to(memory_format=torch.channels_last), images


def ready(name: str, kind: str) -> tuple[nn.Module, Tensor]:
    """A network whose low-bit layers are as a training or a calibration leaves them, and inputs for it."""
    technique = low_bit(name)
    network, inputs = example(kind)
    technique.prepare(network)
    with torch.no_grad():
        network.train()(inputs)  # BatchNorm's statistics are of the quantized weights
    network.eval()
    if isinstance(technique, RangeLinear) and technique.activation_bits != FULL:
        technique._calibrate(network, [Inputs((inputs,))])
    return network, inputs


def frozen(name: str, kind: str) -> tuple[nn.Module, Tensor]:
    network, inputs = ready(name, kind)
    freeze(network, low_bit(name))
    return network, inputs


def convert(name: str, network: nn.Module, inputs: Tensor) -> Artifact:
    """Convert what is prepared already, or needs no preparation."""
    return low_bit(name).convert(network, Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: inputs))


def skeleton(name: str, kind: str) -> nn.Module:
    """A converted network of zeros, as a packed file is loaded into."""
    network, inputs = example(kind, seed=1)
    for value in network.state_dict().values():
        value.zero_()
    if low_bit(name).trained_as:
        low_bit(name).prepare(network)
    return convert(name, network.eval(), torch.zeros_like(inputs)).module


def logits(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        outputs: Tensor = network(inputs)
    assert outputs.isfinite().all()
    return outputs


# Which layers are treated

CONVOLUTIONS = {f"blocks.{block}.conv{index}" for block in range(3) for index in (1, 2)}
PROJECTIONS = {"blocks.1.projection", "blocks.2.projection"}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("inner", CONVOLUTIONS),
        ("projections", CONVOLUTIONS | PROJECTIONS),
        ("all", CONVOLUTIONS | PROJECTIONS | {"conv", "fc"}),
    ],
)
def test_the_layers_of_a_network_with_convolutions(layers: str, expected: set[str]) -> None:
    network, _ = example("resnet")
    treated = low_bit_layers(low_bit(f"dorefa:w1,{layers}").prepare(network))
    assert treated.keys() == expected
    assert {name for name, layer in treated.items() if layer.is_first} == ({"conv"} if layers == "all" else set())
    assert {type(layer) for name, layer in treated.items() if name != "fc"} == {LowBitConv2d}


@pytest.mark.parametrize("layers", ["inner", "projections", "all"])
def test_every_linear_of_a_perceptron(layers: str) -> None:
    network, _ = example("mlp")
    treated = low_bit_layers(low_bit(f"dorefa:w1,{layers}").prepare(network))
    assert [type(layer) for layer in treated.values()] == [LowBitLinear] * 3
    assert [layer.is_first for layer in treated.values()] == [True, False, False]


def test_a_layer_in_two_places_is_one_low_bit_layer_in_both() -> None:
    shared = nn.Linear(4, 4)
    network = low_bit("dorefa:w2a2").prepare(nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared)))
    assert isinstance(network.get_submodule("0"), LowBitLinear)
    assert network.get_submodule("0") is network.get_submodule("1.1")


def test_a_network_that_is_one_layer() -> None:
    assert isinstance(low_bit("bwn").prepare(nn.Linear(4, 4)), LowBitLinear)
    variant = convert("range-linear:w4a8", nn.Linear(4, 3), torch.randn(8, 4))
    assert isinstance(variant.module, LowBitLinear)
    assert len(variant.module.weight.unique()) <= 15


def test_range_linear_treats_all_layers_unless_asked_otherwise() -> None:
    network, _ = example("resnet")
    assert len(low_bit_layers(low_bit("range-linear:w8").prepare(network))) == 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dorefa:w2a2", "xnor", "binaryconnect:glorot"])
def test_a_prepared_network_keeps_its_parameters(name: str, kind: str) -> None:
    network, _ = example(kind)
    before = dict(network.named_parameters())
    after = dict(low_bit(name).prepare(network).named_parameters())
    assert list(after) == list(before)
    assert all(after[key] is before[key] for key in before)
    assert network.state_dict().keys() == example(kind)[0].state_dict().keys()


def test_the_sign_of_xnor_takes_the_place_of_the_relu() -> None:
    network, _ = example("resnet")
    low_bit("xnor").prepare(network)
    assert [name for name, module in network.named_modules() if isinstance(module, nn.ReLU)] == ["relu"]
    perceptron, _ = example("mlp")
    low_bit("xnor").prepare(perceptron)
    assert not any(isinstance(module, nn.ReLU) for module in perceptron.modules())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    ["dorefa:w32a1,all", "dorefa:w4a32,clip,all", "pact:w2a2,all", "wrpn:w8a2,all", "xnor:all", "range-linear:w2a2"],
)
def test_the_inputs_of_the_network_are_not_quantized(name: str, kind: str) -> None:
    network, inputs = ready(name, kind)
    first, second, *_ = low_bit_layers(network).values()
    with torch.no_grad():
        assert first.is_first
        assert torch.equal(first(3 * inputs), first.operate(3 * inputs, first.quantized_weight()))
        hidden = 3 * torch.randn(4, 30) if kind == "mlp" else 3 * torch.randn(4, 16, 8, 8)
        assert not torch.equal(second(hidden), second.operate(hidden, second.quantized_weight()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*TRAINED, "binaryconnect:stochastic"])
def test_a_gradient_reaches_every_parameter(name: str, kind: str) -> None:
    network, inputs = ready(name, kind)
    nn.functional.cross_entropy(network.train()(inputs), torch.arange(len(inputs)) % 5).backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


# Freezing


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_freezing_changes_no_bit_of_the_logits(name: str, kind: str) -> None:
    network, inputs = ready(name, kind)
    before = logits(network, inputs)
    freeze(network, low_bit(name))
    assert torch.equal(logits(network, inputs), before)
    freeze(network, low_bit(name))
    assert torch.equal(logits(network, inputs), before), "a second time changes nothing"


def test_freezing_a_network_in_the_other_memory_format() -> None:
    network, inputs = ready("wrpn:w1a1,projections", "resnet")
    network = network.to(memory_format=torch.contiguous_format)
    before = logits(network, inputs.contiguous())
    freeze(network, low_bit("wrpn:w1a1,projections"))
    assert torch.equal(logits(network, inputs.contiguous()), before)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_layer_has_no_more_values_than_its_bits_tell_apart(name: str, kind: str) -> None:
    network, _ = frozen(name, kind)
    for layer in low_bit_layers(network).values():
        if layer.technique.weight_bits == FULL:
            assert layer.frozen is None
            continue
        assert layer.frozen is not None
        per_channel = any(scale.numel() > 1 for scale in layer.frozen.scales.values())
        for values in layer.weight.flatten(1) if per_channel else layer.weight.reshape(1, -1):
            assert len(values.unique()) <= 2**layer.technique.weight_bits


def test_frozen_weights_are_not_trained() -> None:
    network, _ = frozen("dorefa:w2a2", "mlp")
    layers = low_bit_layers(network).values()
    assert not any(layer.weight.requires_grad for layer in layers)
    assert all(layer.bias is not None and layer.bias.requires_grad for layer in layers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["pact:w2a2", "range-linear:w4a4,per-channel"])
def test_a_copy_answers_the_same_and_is_one_of_its_own(name: str, kind: str) -> None:
    network, inputs = frozen(name, kind)
    expected = logits(network, inputs)
    duplicate = copy.deepcopy(network)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            value.zero_()
    assert torch.equal(logits(duplicate, inputs), expected)
    assert torch.equal(logits(copy.deepcopy(duplicate), inputs), expected)
    assert duplicate.state_dict().keys() == network.state_dict().keys()


def test_a_copy_before_freezing_can_be_frozen_by_itself() -> None:
    network, inputs = ready("dorefa:w2a2", "mlp")
    before = logits(network, inputs)
    duplicate = copy.deepcopy(network)
    freeze(duplicate, low_bit("dorefa:w2a2"))
    assert torch.equal(logits(duplicate, inputs), before)
    assert all(layer.frozen is None for layer in low_bit_layers(network).values())


# The state dict and the packed file


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_state_dict_has_codes_as_bits_in_the_place_of_weights(name: str, kind: str) -> None:
    network, _ = frozen(name, kind)
    state = network.state_dict()
    bits = low_bit(name).weight_bits
    for key, layer in low_bit_layers(network).items():
        assert (f"{key}.weight" in state) == (bits == FULL)
        assert (f"{key}.codes" in state) == (bits != FULL)
        if bits != FULL:
            assert state[f"{key}.codes"].dtype == torch.uint8
            assert state[f"{key}.codes"].shape == (packed_bytes(layer.weight.numel(), bits),)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_state_dict_gives_a_network_of_zeros_the_same_logits(name: str, kind: str) -> None:
    network, inputs = frozen(name, kind)
    expected = logits(network, inputs)
    reloaded = skeleton(name, kind)
    assert not torch.equal(logits(reloaded, inputs), expected)
    reloaded.load_state_dict(network.state_dict())
    assert torch.equal(logits(reloaded, inputs), expected)
    again = reloaded.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_packed_file_gives_the_same_logits(name: str, kind: str, tmp_path: Path) -> None:
    network, inputs = frozen(name, kind)
    packed = pack(network, tmp_path / "packed")
    bits = low_bit(name).weight_bits
    codes = [packed_bytes(layer.weight.numel(), bits) for layer in low_bit_layers(network).values()]
    assert packed.bytes_by_dtype.get("uint8", 0) == (0 if bits == FULL else sum(codes))
    reloaded = skeleton(name, kind)
    unpack(reloaded, tmp_path / "packed")
    assert torch.equal(logits(reloaded, inputs), logits(network, inputs))


@pytest.mark.parametrize(("name", "times"), [("dorefa:w1a1", 9), ("dorefa:w2a2", 7), ("dorefa:w4a4", 5)])
def test_a_packed_file_is_many_times_smaller(name: str, times: int, tmp_path: Path) -> None:
    plain = pack(example("resnet")[0], tmp_path / "plain").file_bytes
    assert pack(frozen(name, "resnet")[0], tmp_path / "packed").file_bytes < plain / times


# The rest of a network


def test_the_rest_is_rounded_to_float16_where_asked(tmp_path: Path) -> None:
    network, _ = ready("dorefa:w1a1", "resnet")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plain = pack(frozen("dorefa:w1a1", "resnet")[0], tmp_path / "plain").file_bytes
    module = convert("dorefa:w1a1,float16", network, torch.zeros(0)).module
    treated = tuple(low_bit_layers(network))
    rest = {name: value for name, value in module.state_dict().items() if not name.startswith(treated)}
    assert "conv.weight" in rest
    assert "bn.running_var" in rest
    for name, value in rest.items():
        rounded = before[name].half().float() if value.is_floating_point() else before[name]
        assert torch.equal(value, rounded), name
    assert pack(module, tmp_path / "half").file_bytes < 0.75 * plain


def test_the_weights_of_treated_layers_are_not_rounded_once_more() -> None:
    network, _ = ready("pact:w2a2,max-tanh,float16", "mlp")
    with torch.no_grad():
        expected = [layer.quantized_weight().clone() for layer in low_bit_layers(network).values()]
    freeze(network, low_bit("pact:w2a2,max-tanh,float16"))
    layers = [layer.quantized_weight() for layer in low_bit_layers(network).values()]
    assert all(torch.equal(*pair) for pair in zip(layers, expected, strict=True))


@pytest.mark.parametrize("name", ["range-linear:w8a8", "range-linear:w16a16,asym-unsigned"])
def test_the_scales_of_treated_layers_are_not_rounded_to_float16(name: str) -> None:
    plain, _ = ready(name, "mlp")
    half, _ = ready(f"{name},float16", "mlp")
    for network in (plain, half):
        for layer in low_bit_layers(network).values():
            if not layer.is_first:
                layer.get_buffer("input_scale").mul_(1.0001)  # no value that float16 has
    expected = {key: value.clone() for key, value in plain.named_buffers() if "input" in key}
    freeze(half, low_bit(f"{name},float16"))
    assert expected
    assert all(torch.equal(half.get_buffer(key), value) for key, value in expected.items())


def test_a_layer_shows_what_it_is() -> None:
    network, _ = ready("dorefa:w2a2", "mlp")
    layer = network.get_submodule("layers.3")
    assert isinstance(layer, LowBitLayer)
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features, layer.quantizes_inputs) == (30, 20, True)
    assert layer.technique == low_bit("dorefa:w2a2")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU to decode on")
@pytest.mark.parametrize("name", ["dorefa:w3a3", "wrpn:w4a4", "bwn", "range-linear:w5,asym-signed,per-channel"])
def test_a_reloaded_layer_on_a_gpu_has_the_weights_that_were_packed(name: str, tmp_path: Path) -> None:
    technique = low_bit(name)
    torch.manual_seed(0)
    packed, reloaded = (technique.prepare(MLP(40, [30, 20], 5)).to("cuda") for _ in range(2))
    for network in (packed, reloaded):
        freeze(network, technique)
    pack(packed, tmp_path / "packed")
    unpack(reloaded, tmp_path / "packed")
    for one, other in zip(low_bit_layers(packed).values(), low_bit_layers(reloaded).values(), strict=True):
        assert one.weight.is_cuda
        assert torch.equal(one.weight, other.weight)
