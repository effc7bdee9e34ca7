"""Each rule against figures worked by hand; what networks score is in test_work.py."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measuring.scores import Accumulator, LayerWork, course_2025, course_profile, every_rule, micronet_2019
from tests.bench.test_import_cost import modules_after

CONVOLUTION = LayerWork(
    "conv",
    "convolution",
    weights=1000,
    outputs=50,
    fan_in=4,
    weight_bits=4,
    activation_bits=4,
    integer=True,
)
FLOAT = LayerWork("conv", "convolution", weights=1000, outputs=50, fan_in=4)
ORDER: tuple[Accumulator, ...] = ("tree", "int", "fp32")
widths = st.integers(min_value=1, max_value=32)


# course-2025


def test_resnet18_scores_4_in_single_and_2_in_half_precision() -> None:
    # kuangliu's ResNet18; the references are its half-precision figures, rounded up, so the scores fall a little short.
    for bits, printed, exact in ((32, 4, 3.979003), (16, 2, 1.989501)):
        network = LayerWork(
            "ResNet18",
            "convolution",
            weights=11_173_962,
            outputs=555_422_720,
            fan_in=1,
            weight_bits=bits,
            activation_bits=bits,
        )
        score = course_2025([network])
        assert score.value == pytest.approx(exact, abs=1e-6)
        assert round(score.value) == printed


def test_course_2025_by_hand() -> None:
    layer = dataclasses.replace(CONVOLUTION, others=10, activation_bits=8)
    score = course_2025([layer])
    assert score.parameters == pytest.approx((1000 * 4 + 10 * 32) / 32 / 5.6e6)
    assert score.operations == pytest.approx(8 / 32 * 50 * 4 / 2.8e8)


def test_layers_in_full_precision_count_in_full() -> None:
    whole = course_2025([CONVOLUTION, FLOAT])
    assert whole.parameters == pytest.approx((1000 / 8 + 1000) / 5.6e6)
    assert whole.operations == pytest.approx((200 / 8 + 200) / 2.8e8)


def test_binary_weights_on_float_inputs_save_no_operation_of_the_course() -> None:
    binary = dataclasses.replace(FLOAT, weight_bits=1)
    assert course_2025([binary]).operations == course_2025([FLOAT]).operations


# course-profile


def test_course_profile_by_hand() -> None:
    layers = [
        dataclasses.replace(CONVOLUTION, biased=True),
        LayerWork("bn", "norm", others=20, outputs=50),
        LayerWork("relu", "relu", outputs=50),
        LayerWork("pool", "pool", outputs=10, fan_in=4),
        LayerWork("sum 1", "sum", outputs=50),
        LayerWork("fc", "linear", weights=100, others=10, outputs=10, fan_in=10, biased=True),
    ]
    score = course_profile(layers)
    assert score.parameters == pytest.approx((1000 * 4 / 32 + 20 + 110) / 5_586_981)
    convolution = 50 * (4 * 4 / 32 + 3 + 1)
    linear = 10 * (10 + 9)  # the script forgets the bias of a Linear
    assert score.operations == pytest.approx((convolution + 3 * 50 + 50 + 10 * 4 + linear) / 834_362_880)


# micronet-2019


def micronet_operations(layer: LayerWork, accumulator: Accumulator = "fp32") -> float:
    return micronet_2019([layer], accumulator).operations * 10.49e9


@pytest.mark.parametrize(
    ("accumulator", "bits_of_additions"),
    [("fp32", 3 * 32), ("int", 3 * (8 + 2)), ("tree", 2 * 8 + 9)],
)
def test_the_accumulator_decides_what_additions_count(accumulator: Accumulator, bits_of_additions: int) -> None:
    # Four products of 4-bit values: 8 bits each, so 10 bits for their sum, or two sums of 8 bits and one of 9.
    operations = micronet_operations(CONVOLUTION, accumulator=accumulator)
    assert operations == pytest.approx(50 * (4 * 4 + bits_of_additions) / 32)


def test_an_adder_tree_carries_what_has_no_partner() -> None:
    # Five products: two sums of 8 bits and one left; one sum of 9 bits and one left; one sum of 10 bits.
    five = dataclasses.replace(CONVOLUTION, fan_in=5)
    assert micronet_operations(five, accumulator="tree") == pytest.approx(50 * (5 * 4 + 2 * 8 + 9 + 10) / 32)


@given(weight_bits=widths, activation_bits=widths, fan_in=st.integers(min_value=1, max_value=5000))
def test_a_tree_counts_no_more_than_an_int_and_that_no_more_than_fp32(
    weight_bits: int, activation_bits: int, fan_in: int
) -> None:
    layer = dataclasses.replace(CONVOLUTION, fan_in=fan_in, weight_bits=weight_bits, activation_bits=activation_bits)
    tree, integer, floating = (micronet_operations(layer, name) for name in ORDER)
    assert tree <= integer * (1 + 1e-12)
    assert integer <= floating * (1 + 1e-12)


def test_floats_are_added_up_in_fp32_whatever_the_accumulator() -> None:
    for accumulator in ORDER:
        operations = micronet_operations(FLOAT, accumulator=accumulator)
        assert operations == pytest.approx(50 * (4 + 3))


def test_a_product_counts_its_wider_input() -> None:
    # The rule's own example: 3 bits times 5 bits is 5/32 of an operation.
    layer = dataclasses.replace(CONVOLUTION, weight_bits=3, activation_bits=5, fan_in=1)
    assert micronet_operations(layer) == pytest.approx(50 * 5 / 32)


def test_a_binary_weight_times_a_float_is_a_sign_bit() -> None:
    binary = dataclasses.replace(FLOAT, weight_bits=1, fan_in=1)
    assert micronet_operations(binary) == pytest.approx(50 / 32)


def test_a_binary_weight_times_an_integer_is_not() -> None:
    binary = dataclasses.replace(CONVOLUTION, weight_bits=1, activation_bits=8, fan_in=1)
    assert micronet_operations(binary) == pytest.approx(50 * 8 / 32)


def test_everything_that_inference_needs_counts() -> None:
    scaled = dataclasses.replace(CONVOLUTION, others=8, biased=True, scales=8, float_multiplies=50, float_adds=7)
    more, less = micronet_2019([scaled]), micronet_2019([CONVOLUTION])
    assert (more.parameters - less.parameters) * 36.5e6 == pytest.approx(8 + 8)
    assert (more.operations - less.operations) * 10.49e9 == pytest.approx(50 + 50 + 7)


def test_layers_without_products() -> None:
    layers = [
        LayerWork("bn", "norm", others=20, outputs=50),
        LayerWork("relu", "relu", outputs=50),
        LayerWork("pool", "pool", outputs=10, fan_in=4),
        LayerWork("sum 1", "sum", outputs=50),
    ]
    score = micronet_2019(layers)
    assert score.operations * 10.49e9 == pytest.approx(2 * 50 + 50 + 10 * 4 + 50)


# All rules


@given(narrow=widths, wide=widths)
def test_fewer_bits_never_score_worse(narrow: int, wide: int) -> None:
    narrow, wide = sorted((narrow, wide))
    less, more = (
        every_rule([FLOAT, dataclasses.replace(CONVOLUTION, weight_bits=bits, activation_bits=bits)])
        for bits in (narrow, wide)
    )
    for one, other in zip(less, more, strict=True):
        assert one.value <= other.value * (1 + 1e-12)


def test_a_score_is_the_sum_of_its_parts_and_knows_its_rule() -> None:
    scores = every_rule([CONVOLUTION])
    assert all(score.value == score.parameters + score.operations for score in scores)
    assert [score.rule for score in scores] == [
        "course-2025",
        "course-profile, cifar10",
        *(f"micronet-2019, cifar100, {accumulator}" for accumulator in ("fp32", "int", "tree")),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_bits": 0}, "weight_bits must be 1 to 64, not 0"),
        ({"activation_bits": -1}, "activation_bits must be 1 to 64"),
        ({"rest_bits": 65}, "rest_bits must be 1 to 64"),
        ({"weights": -1}, "weights must be finite and not negative"),
        ({"outputs": -5}, "outputs must be finite and not negative"),
        ({"fan_in": 0}, "must be sums of at least one product"),
        ({"scales": math.inf}, "scales must be finite and not negative"),
        ({"kind": "attention"}, "unknown kind of layer 'attention'"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONVOLUTION, **change)  # type: ignore[arg-type]


def test_no_layers_have_no_score() -> None:
    assert every_rule([]) == []
    for rule in (course_2025, course_profile, micronet_2019):
        with pytest.raises(ValueError, match="no layers"):
            rule([])


def test_scores_need_no_torch() -> None:
    assert not {"torch", "numpy"} & modules_after("import bench.measuring.scores")
