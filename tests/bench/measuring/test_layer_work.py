"""Work of whole networks against published and hand-worked figures, and their scores."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.measuring.layer_work import layer_work
from bench.measuring.macs import count_macs
from bench.measuring.params import count_parameters
from bench.measuring.scores import COURSE_PROFILE, LayerWork, course_2025, course_profile, micronet_2019
from bench.models import MLP, PreActResNet
from bench.models.preact_resnet import PreActBlock
from bench.techniques.base import TECHNIQUES, Context
from bench.techniques.lowbit import layers as lowbit
from tests.bench.low_bit import low_bit

BITS = (32, 16, 8, 4, 2, 1)


def preact(depth: int, name: str = "", device: str = "meta") -> list[LayerWork]:
    """Return the work of a PreAct ResNet, prepared by a technique."""
    with torch.device(device):
        network = PreActResNet(depth, 10).eval()
        example = torch.zeros(1, 3, 32, 32)
    return layer_work(low_bit(name).prepare(network) if name else network, example)


def small(name: str) -> nn.Module:
    """Return a network whose second convolution is low-bit."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1, bias=False),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 10),
    )
    return low_bit(name).prepare(network).eval()


def inner(name: str) -> LayerWork:
    """Return the work of that convolution: 6 × 8 × 8 outputs, each of 36 products."""
    return next(work for work in layer_work(small(name), torch.zeros(1, 3, 8, 8)) if work.name == "3")


# Published networks


class Block(nn.Module):
    """ResNet-18's basic block, with functions for what has no parameters, as in kuangliu's."""

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(fan_out)
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(fan_out)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(fan_in, fan_out, 1, stride, bias=False), nn.BatchNorm2d(fan_out))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(inputs)))))
        outputs += self.shortcut(inputs)
        return F.relu(outputs)


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.blocks = nn.Sequential(*self._blocks())
        self.linear = nn.Linear(512, 10)

    def _blocks(self) -> Iterator[Block]:
        fan_in = 64
        for fan_out in (64, 128, 256, 512):
            for stride in (1 if fan_out == 64 else 2, 1):
                yield Block(fan_in, fan_out, stride)
                fan_in = fan_out

    def forward(self, images: Tensor) -> Tensor:
        features = self.blocks(F.relu(self.bn1(self.conv1(images))))
        logits: Tensor = self.linear(F.avg_pool2d(features, 4).flatten(1))
        return logits


def resnet18(dtype: torch.dtype) -> list[LayerWork]:
    with torch.device("meta"):
        return layer_work(ResNet18().eval().to(dtype), torch.zeros(1, 3, 32, 32, dtype=dtype))


def test_resnet18_is_the_reference_of_both_rules_of_the_course() -> None:
    half = resnet18(torch.float16)
    assert sum(work.params for work in half) == 11_173_962
    assert sum(work.macs for work in half) == 555_422_720
    assert round(course_2025(resnet18(torch.float32)).value) == 4
    assert round(course_2025(half).value) == 2
    profile = course_profile(half)
    assert profile.parameters == 1
    counted = profile.operations * COURSE_PROFILE.operations
    assert counted == pytest.approx(834_362_870, abs=1e-3)
    assert np.float32(834_362_870) == 834_362_880, "the script adds up in float32"


def test_wrn_28_10_is_the_reference_of_micronet() -> None:
    with torch.device("meta"):
        blocks: list[nn.Module] = []
        fan_in = 16
        for width in (160, 320, 640):
            for index in range(4):
                blocks.append(PreActBlock(fan_in, width, stride=2 if width > 160 and not index else 1))
                fan_in = width
        network = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False),
            *blocks,
            nn.BatchNorm2d(640),
            nn.ReLU(),
            nn.AvgPool2d(8),
            nn.Flatten(),
            nn.Linear(640, 100),
        )
        work = layer_work(network.eval(), torch.zeros(1, 3, 32, 32))
    score = micronet_2019(work)
    assert score.parameters == pytest.approx(1, abs=0.002)
    assert score.operations == pytest.approx(1, abs=0.003)


@pytest.mark.parametrize(
    ("depth", "params", "quantizable", "quantized_macs", "kibibytes", "scores"),
    [
        (8, 77_850, 73_728, "11.80", "304/160/88/52/34/25", ".0586/.0309/.0171/.0102/.0067/.0050"),
        (14, 175_066, 170_496, "25.95", "684/351/184/101/59/39", ".1265/.0649/.0341/.0187/.0110/.0072"),
        (20, 272_282, 267_264, "40.11", "1064/542/281/150/85/52", ".1944/.0989/.0512/.0273/.0154/.0094"),
        (26, 369_498, 364_032, "54.26", "1443/732/377/199/110/66", ".2623/.1329/.0682/.0358/.0197/.0116"),
    ],
)
def test_preact_resnets_at_every_width(
    depth: int, params: int, quantizable: int, quantized_macs: str, kibibytes: str, scores: str
) -> None:
    work = {bits: preact(depth, f"dorefa:w{bits}a{bits}") for bits in BITS}
    for bits in BITS:
        assert sum(layer.params for layer in work[bits]) == params
    assert sum(layer.weights for layer in work[1] if layer.weight_bits == 1) == quantizable
    assert f"{sum(layer.macs for layer in work[1] if layer.weight_bits == 1) / 1e6:.2f}" == quantized_macs
    assert f"{sum(layer.macs for layer in work[1] if layer.weight_bits == 32) / 1e6:.2f}" == "0.71"
    sizes = [sum(layer.parameter_bits for layer in work[bits]) / 8 / 1024 for bits in BITS]
    assert "/".join(f"{size:.0f}" for size in sizes) == kibibytes
    assert "/".join(f"{course_2025(work[bits]).value:.4f}"[1:] for bits in BITS) == scores


# Against the other counters


@pytest.mark.parametrize("name", ["", "dorefa:w2a2", "pact:w4a4", "xnor", "wrpn:w1a1", "range-linear:w4a8"])
def test_parameters_and_multiply_accumulates_are_those_of_the_other_counters(name: str) -> None:
    perceptron = MLP(40, [30, 20], 5, batch_norm=True)
    for plain, example in ((PreActResNet(8, 10), torch.zeros(1, 3, 32, 32)), (perceptron, torch.zeros(1, 40))):
        network = (low_bit(name).prepare(plain) if name else plain).eval()
        work = layer_work(network, example)
        assert sum(layer.params for layer in work) == count_parameters(network)
        assert sum(layer.macs for layer in work) == count_macs(network, example)


def test_meta_tensors_give_the_same() -> None:
    assert preact(8, "bwn", "cpu") == preact(8, "bwn")


def test_every_block_adds_its_branches_once() -> None:
    sums = [layer for layer in preact(8) if layer.kind == "sum"]
    assert [layer.outputs for layer in sums] == [16 * 32 * 32, 32 * 16 * 16, 64 * 8 * 8]


def test_kinds_and_sizes_of_a_small_network() -> None:
    with torch.device("meta"):
        plain = small("dorefa:w32a32")
        work = layer_work(plain, torch.zeros(1, 3, 8, 8))
    assert [(layer.kind, layer.outputs, layer.fan_in, layer.params, layer.biased) for layer in work] == [
        ("convolution", 256, 27, 108, False),
        ("norm", 256, 0, 8, False),
        ("relu", 256, 0, 0, False),
        ("convolution", 384, 36, 216, False),
        ("pool", 96, 4, 0, False),
        ("linear", 10, 96, 970, True),
    ]


def test_an_adaptive_pool_shares_out_its_input() -> None:
    [pool] = layer_work(nn.Sequential(nn.AdaptiveAvgPool2d(1)).eval(), torch.zeros(1, 64, 8, 8))
    assert (pool.outputs, pool.fan_in) == (64, 64)


def test_groups_divide_the_products() -> None:
    [depthwise] = layer_work(nn.Sequential(nn.Conv2d(8, 8, 3, groups=8)).eval(), torch.zeros(1, 8, 5, 5))
    assert (depthwise.fan_in, depthwise.macs) == (9, 8 * 9 * 9)


def test_a_layer_that_is_called_twice_works_twice_and_is_stored_once() -> None:
    layer = nn.Linear(4, 4)
    first, second = layer_work(nn.Sequential(layer, layer).eval(), torch.zeros(1, 4))
    assert (first.params, second.params) == (20, 0)
    assert first.macs == second.macs == 16


# Widths


def test_low_bit_layers_have_their_techniques_widths_and_others_their_tensors() -> None:
    work = {layer.name: layer for layer in preact(8, "dorefa:w2a4") if layer.multiplies_weights}
    low = [name for name, layer in work.items() if layer.weight_bits == 2]
    assert low == [f"blocks.{block}.conv{which}" for block in range(3) for which in (1, 2)]
    assert all(work[name].activation_bits == 4 and work[name].integer for name in low)
    rest = [layer for name, layer in work.items() if name not in low]
    assert {(layer.weight_bits, layer.activation_bits, layer.integer) for layer in rest} == {(32, 32, False)}


def test_the_inputs_of_the_network_are_not_quantized() -> None:
    with torch.device("meta"):
        network = low_bit("dorefa:w2a2").prepare(MLP(40, [30], 5)).eval()
        first, _, second = layer_work(network, torch.zeros(1, 40))
    assert (first.weight_bits, first.activation_bits, first.integer) == (2, 32, False)
    assert (second.weight_bits, second.activation_bits, second.integer) == (2, 2, True)
    assert first.rest_bits == second.rest_bits == 32, "biases are not quantized"


def test_a_frozen_network_counts_as_the_prepared_one() -> None:
    for name in ("dorefa:w2a2", "bwn", "range-linear:w4,per-channel"):
        network = small(name)
        frozen = copy.deepcopy(network)
        lowbit.freeze(frozen, low_bit(name))
        example = torch.zeros(1, 3, 8, 8)
        assert layer_work(frozen, example) == layer_work(network, example)


def test_what_is_not_treated_may_be_stored_in_half_precision() -> None:
    work = preact(8, "dorefa:w2a2,float16")
    assert {layer.weight_bits for layer in work if layer.multiplies_weights} == {2, 16}
    assert {layer.rest_bits for layer in work if layer.kind == "norm"} == {16}
    assert {layer.activation_bits for layer in work if layer.weight_bits == 16} == {32}, "it is computed in float32"


def test_half_precision_is_16_bits_of_everything() -> None:
    with torch.device("meta"):
        work = layer_work(PreActResNet(8, 10).eval().half(), torch.zeros(1, 3, 32, 32, dtype=torch.float16))
    assert {layer.activation_bits for layer in work} == {16}
    assert {layer.weight_bits for layer in work if layer.weights} == {16}
    assert {layer.rest_bits for layer in work if layer.others} == {16}


def test_stochastic_binaryconnect_infers_with_real_weights() -> None:
    assert inner("binaryconnect").weight_bits == 1
    assert inner("binaryconnect:stochastic").weight_bits == 32


@pytest.mark.parametrize(
    ("name", "scales", "multiplies"),
    [
        ("dorefa:w32a32", 0, 0),
        ("binaryconnect", 0, 0),  # its values are +1 and −1 themselves
        ("dorefa:w1a32", 1, 384),
        ("dorefa:w4a32", 0, 384),
        ("bwn", 6, 384),
        ("range-linear:w4,asym-signed,per-channel", 12, 384),
    ],
)
def test_values_and_multiplies_that_bring_back_to_scale(name: str, scales: int, multiplies: int) -> None:
    work = inner(name)
    assert (work.scales, work.float_multiplies, work.float_adds) == (scales, multiplies, 0)


def test_xnors_input_scale_is_work() -> None:
    # |x| of 4 × 64 inputs, its means over 64 pixels; means over 3 × 3 at 64 places; K at each of 384 outputs.
    assert inner("xnor:no-k").float_adds == 0
    work = inner("xnor")
    assert (work.float_multiplies, work.float_adds) == (2 * 384, 2 * 4 * 64 + 64 * 9)


def test_pacts_clipping_level_is_a_parameter() -> None:
    assert inner("pact:w2a2").others == 1
    assert inner("dorefa:w2a2").others == 0


# What cannot be counted


def test_a_network_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="call eval"):
        layer_work(MLP(4, [3], 2), torch.zeros(1, 4))


def test_a_batch_of_several_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch of one, not of 2"):
        layer_work(MLP(4, [3], 2).eval(), torch.zeros(2, 4))


def test_a_module_that_no_rule_knows_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)).eval()
    with pytest.raises(UnsupportedError, match=r"1 \(LayerNorm\) is not a layer whose work"):
        layer_work(network, torch.zeros(1, 4))
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())


def test_parameters_beside_parts_are_refused() -> None:
    network = nn.Sequential(nn.Linear(4, 4)).eval()
    network.register_parameter("factor", nn.Parameter(torch.ones(4)))
    with pytest.raises(UnsupportedError, match="both parameters and parts"):
        layer_work(network, torch.zeros(1, 4))


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="this torch has no fbgemm")
@pytest.mark.parametrize("name", ["dynamic-qint8", "static-qint8"])
def test_packed_kernels_are_refused_and_not_counted_as_nothing(name: str) -> None:
    example = torch.rand(4, 3, 32, 32)
    context = Context(device=torch.device("cpu"), engine="fbgemm", isa=frozenset(), calibration=lambda: example)
    packed = TECHNIQUES.get(name).convert(PreActResNet(8, 10).eval(), context).module
    with pytest.raises(UnsupportedError, match="is packed, and what its kernels compute is not known"):
        layer_work(packed.eval(), example[:1])


def test_products_outside_the_modules_are_refused() -> None:
    class Squared(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(super().forward(inputs))

    with pytest.raises(UnsupportedError, match="16 multiply-accumulates are made outside"):
        layer_work(nn.Sequential(Squared(4, 4)).eval(), torch.zeros(1, 4))


def test_the_network_is_left_as_it_was() -> None:
    network = PreActResNet(8, 10).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    layer_work(network, torch.rand(1, 3, 32, 32))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())
