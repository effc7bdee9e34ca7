"""Each low-bit technique's formulas against numbers worked by hand; equations are numbered as in the papers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import models
from bench.errors import UnsupportedError
from bench.lowbit.layers import LowBitLayer, low_bit_layers
from bench.techniques.binaryconnect import LEARNING_RATE_SCALE
from bench.techniques.low_bit import LowBit
from bench.techniques.technique import TECHNIQUES, Context, Variant
from models import PreActResNet

WIDTHS = (1, 2, 3, 4, 8, 16)
TRAINED = [
    *(f"{family}:w{bits}" for family in ("dorefa", "pact", "wrpn") for bits in WIDTHS),
    *(f"dorefa:w{bits},max-tanh" for bits in WIDTHS if bits > 1),
    "bwn",
    "xnor",
    "binaryconnect",
]
CALIBRATED = [
    f"range-linear:w{bits},{mode},{granularity}"
    for bits in (2, 3, 4, 8, 16)
    for mode in ("sym", "sym-restricted", "asym-unsigned", "asym-signed")
    for granularity in ("per-tensor", "per-channel")
]
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


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are not faster on more, and much slower on a machine that is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def low_bit(name: str) -> LowBit:
    technique = TECHNIQUES.get(name)
    assert isinstance(technique, LowBit)
    return technique


def second_layer(name: str, width: int = 5) -> LowBitLayer:
    """The second of two Linear layers, whose inputs are quantized: with weights of 32 bits it returns just these."""
    network = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width, bias=False))
    _, layer = low_bit_layers(low_bit(name).prepare(network)).values()
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width))
    return layer


def quantized(name: str, inputs: list[float]) -> list[float]:
    """The inputs as a layer multiplies them."""
    with torch.no_grad():
        found: list[float] = second_layer(name, len(inputs))(torch.tensor([inputs]))[0].tolist()
    return found


def input_gradient(name: str, inputs: list[float]) -> list[float]:
    """Of the sum of the inputs as a layer multiplies them."""
    source = torch.tensor([inputs], requires_grad=True)
    second_layer(name, len(inputs))(source).sum().backward()
    return gradient_of(source)[0].tolist()


def gradient_of(source: Tensor) -> Tensor:
    assert source.grad is not None
    return source.grad


def weight_gradient(name: str, weight: Tensor, upstream: Tensor) -> Tensor:
    source = weight.clone().requires_grad_()
    low_bit(name).weight(source).backward(upstream)
    return gradient_of(source)


def convert(name: str, network: nn.Module, calibration: Tensor) -> Variant:
    return low_bit(name).convert(network, Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: calibration))


# DoReFa-Net

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


@pytest.mark.parametrize("name", [name for name in TRAINED if not name.startswith("binary")])
def test_a_layer_of_zeros_has_weights(name: str) -> None:
    assert low_bit(name).weight(torch.zeros(2, 3)).isfinite().all()


@pytest.mark.parametrize("family", ["dorefa", "wrpn"])
def test_activations_are_clipped_and_rounded(family: str) -> None:
    # Of 3 steps: 0.3, 1.2 and 2.7.
    inputs = [-1.0, 0.1, 0.4, 0.9, 3.0]
    assert quantized(f"{family}:w32a2", inputs) == pytest.approx([0.0, 0.0, 1 / 3, 1.0, 1.0])
    assert input_gradient(f"{family}:w32a2", inputs) == [0.0, 1.0, 1.0, 1.0, 0.0]


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


# PACT


def test_pact_clips_at_alpha_and_rounds_in_its_steps() -> None:
    # eq. 1 and 2 with α = 6: of 3 steps 0.45, 1.45, 2.95 and 3.
    expected = [0.0, 0.0, 2.0, 6.0, 6.0]
    assert quantized("pact:w32a2,alpha=6", [-1.0, 0.9, 2.9, 5.9, 9.0]) == pytest.approx(expected)


def pact_gradients(inputs: list[float]) -> tuple[list[float], float]:
    """Of the sum of outputs, with respect to inputs and α = 6."""
    layer = second_layer("pact:w32a2,alpha=6", len(inputs))
    source = torch.tensor([inputs], requires_grad=True)
    layer(source).sum().backward()
    return gradient_of(source)[0].tolist(), gradient_of(layer.get_parameter("clip")).item()


def test_alphas_gradient_counts_the_inputs_that_it_clips() -> None:
    assert pact_gradients([-1.0, 0.9, 5.9, 6.1, 9.0]) == ([0.0, 1.0, 1.0, 0.0, 0.0], 2.0)


def test_an_input_of_exactly_alpha_is_clipped() -> None:
    # eq. 3: 0 for x < α and 1 for x ≥ α.
    assert pact_gradients([3.0, 6.0]) == ([1.0, 0.0], 1.0)


def test_alpha_is_one_a_layer_but_the_first_and_starts_high() -> None:
    network = low_bit("pact:w2a2").prepare(PreActResNet(8, 5))
    learned = {name: value for name, value in network.named_parameters() if name.endswith(".clip")}
    assert learned.keys() == {f"blocks.{block}.conv{index}.clip" for block in range(3) for index in (1, 2)}
    assert {value.item() for value in learned.values()} == {10.0}
    assert {value.dim() for value in learned.values()} == {0}
    first, *rest = low_bit_layers(low_bit("pact:w2a2,all,alpha=3").prepare(PreActResNet(8, 5))).values()
    assert "clip" not in dict(first.named_parameters())
    assert {layer.get_parameter("clip").item() for layer in rest} == {3.0}


def test_pacts_weights_are_dorefas() -> None:
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    for bits in (1, 2, 4):
        assert torch.equal(low_bit(f"pact:w{bits}").weight(weight), low_bit(f"dorefa:w{bits}").weight(weight))


def test_without_activation_bits_there_is_no_alpha() -> None:
    network = low_bit("pact:w2").prepare(PreActResNet(8, 5))
    assert not any(name.endswith("clip") for name, _ in network.named_parameters())


@pytest.mark.parametrize("beyond", [0.0, -0.5])
def test_alpha_stays_above_zero(beyond: float) -> None:
    layer = second_layer("pact:w32a2", 3)
    alpha = layer.get_parameter("clip")
    with torch.no_grad():
        alpha.fill_(beyond)
    layer.after_step()
    assert alpha.item() == pytest.approx(1e-3)
    outputs = layer(torch.tensor([[-1.0, 4e-4, 2.0]]))
    assert outputs[0].tolist() == pytest.approx([0.0, 1e-3 / 3, 1e-3])
    outputs.sum().backward()
    assert gradient_of(alpha).item() == 1.0


def test_an_alpha_that_is_large_is_left_as_it_was_learned() -> None:
    layer = second_layer("pact:w32a2,alpha=3", 3)
    layer.after_step()
    assert layer.get_parameter("clip").item() == 3.0


# WRPN


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


# BWN and XNOR-Net


def test_bwns_scale_is_each_filters_mean_magnitude() -> None:
    filters = torch.tensor([[[[1.0, -3.0]]], [[[0.0, -8.0]]]])  # eq. 6
    assert low_bit("bwn").weight(filters).tolist() == [[[[2.0, -2.0]]], [[[4.0, -4.0]]]]


def test_bwns_gradient_has_the_term_of_the_scale() -> None:
    # α = 0.75, the sum over j of ∂C/∂W̃_j sign(W_j) is 1 − 2 + 3 + 4 = 6: 6/4 sign(W_i) + 0.75 ∂C/∂W̃_i where |W_i| ≤ 1.
    found = weight_gradient("bwn", torch.tensor([[0.5, -2.0, 0.25, 0.25]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert found.tolist() == [[2.25, -1.5, 3.75, 4.5]]


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


# BinaryConnect


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


# Range-based linear quantization

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
def test_aciq_clips_what_follows_a_relu(mode: str, levels: float, largest: float) -> None:
    layer = calibrated(f"range-linear:w32a2,laplace,{mode}", POSITIVE)
    assert layer.get_buffer("input_scale").item() == pytest.approx(levels / largest)


# What all share


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
    with pytest.raises(UnsupportedError, match="Linear and convolution layers, and this model has none"):
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
