"""Range-based linear quantization against numbers worked by hand; formulas as in Distiller and ACIQ."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.techniques.lowbit.ranges import Observer, limits, scale_of

MODES = ("sym", "sym-restricted", "asym-unsigned", "asym-signed")
modes = st.sampled_from(MODES)
widths = st.integers(2, 16)
values = st.floats(min_value=-1e6, max_value=1e6, width=32).filter(lambda value: value == 0 or abs(value) > 1e-6)


def real(value: float) -> Tensor:
    return torch.tensor(value)


# Scales and integers


@pytest.mark.parametrize(
    ("mode", "bits", "expected"),
    [
        ("sym", 8, (-128, 127)),
        ("sym-restricted", 8, (-127, 127)),
        ("asym-unsigned", 8, (0, 255)),
        ("asym-signed", 8, (-128, 127)),
        ("sym", 2, (-2, 1)),
        ("sym-restricted", 2, (-1, 1)),
        ("asym-unsigned", 2, (0, 3)),
        ("asym-signed", 16, (-32_768, 32_767)),
    ],
)
def test_the_integers_of_a_mode(mode: str, bits: int, expected: tuple[int, int]) -> None:
    assert limits(bits, mode) == expected


@pytest.mark.parametrize(
    ("mode", "low", "high", "scale", "zero", "reals", "integers"),
    [
        # 7.5 / 3 = 2.5; 3 would be 7.5, rounds to 8 and is clamped to 7; −3 is −7.5, which rounds to −8.
        ("sym", -2.0, 3.0, 2.5, 0.0, [3.0, 2.0, 0.1, -2.0, -3.0], [7, 5, 0, -5, -8]),
        # 7 / 3.5 = 2
        ("sym-restricted", -3.5, 1.0, 2.0, 0.0, [-3.5, -9.0, 3.5, 0.3, 1.0], [-7, -7, 7, 1, 2]),
        # 15 / 3 = 5, and −1 stands at 0
        ("asym-unsigned", -1.0, 2.0, 5.0, -5.0, [-1.0, 0.0, 2.0, 9.0, 0.25], [0, 5, 15, 15, 6]),
        # the same, with 2³ taken from the integers
        ("asym-signed", -1.0, 2.0, 5.0, 3.0, [-1.0, 0.0, 2.0, 9.0, 0.25], [-8, -3, 7, 7, -2]),
        # The range is widened to hold 0: 15 / 3 and 15 / 3.
        ("asym-unsigned", 1.0, 3.0, 5.0, 0.0, [0.0, 1.0, 3.0], [0, 5, 15]),
        ("asym-unsigned", -3.0, -1.0, 5.0, -15.0, [-3.0, -1.0, 0.0], [0, 10, 15]),
    ],
)
def test_worked_examples_of_4_bits(
    mode: str, low: float, high: float, scale: float, zero: float, reals: list[float], integers: list[int]
) -> None:
    affine = scale_of(real(low), real(high), 4, mode)
    assert (affine.scale.item(), affine.zero.item()) == pytest.approx((scale, zero))
    assert affine.integers(torch.tensor(reals)).tolist() == integers
    back = torch.tensor([(integer + zero) / scale for integer in integers])
    torch.testing.assert_close(affine.reals(torch.tensor(integers).float()), back)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_the_scale_of_zeros_alone_is_one_and_zero_stays_zero(mode: str, bits: int) -> None:
    affine = scale_of(real(0.0), real(0.0), bits, mode)
    assert affine.scale.item() == 1.0
    assert affine.reals(affine.integers(torch.zeros(3))).tolist() == [0.0, 0.0, 0.0]


@given(modes, widths, values, values)
def test_zero_is_exact_in_every_mode(mode: str, bits: int, one: float, other: float) -> None:
    affine = scale_of(real(min(one, other)), real(max(one, other)), bits, mode)
    assert affine.reals(affine.integers(real(0.0))).item() == 0.0


@given(modes, widths, values, values, st.floats(min_value=0, max_value=1))
def test_a_value_within_the_range_is_off_by_half_a_step_at_most(
    mode: str, bits: int, one: float, other: float, place: float
) -> None:
    low, high = min(one, other), max(one, other)
    affine = scale_of(real(low), real(high), bits, mode)
    value = real(low + place * (high - low)).clamp(low, high)
    error_steps = (affine.reals(affine.integers(value)) - value).abs() * affine.scale
    assert error_steps.item() <= 0.5 + 2.0 ** (bits - 20)  # float32 keeps 24 bits


@given(modes, widths, values, values, st.lists(values, min_size=1, max_size=8))
def test_integers_stay_within_their_bits(mode: str, bits: int, one: float, other: float, inputs: list[float]) -> None:
    affine = scale_of(real(min(one, other)), real(max(one, other)), bits, mode)
    integers = affine.integers(torch.tensor(inputs))
    least, most = limits(bits, mode)
    assert least <= integers.min().item() <= integers.max().item() <= most
    assert torch.equal(integers, integers.round())


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_restricted_mode_never_uses_the_lowest_integer(bits: int) -> None:
    affine = scale_of(real(-1.0), real(1.0), bits, "sym-restricted")
    assert affine.integers(torch.linspace(-3, 3, 4096)).unique().tolist() == list(
        range(1 - 2 ** (bits - 1), 2 ** (bits - 1))
    )


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_full_symmetric_range_has_no_integer_more_than_its_bits(bits: int) -> None:
    # Without the clamp the maximum would round up to 2^(n−1): 2^n + 1 integers.
    affine = scale_of(real(-1.0), real(1.0), bits, "sym")
    assert len(affine.integers(torch.linspace(-1, 1, 4096)).unique()) == 2**bits


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", [1e-30, 1e-37, 1e-45])
def test_a_range_of_almost_nothing_gives_numbers(mode: str, width: float) -> None:
    # Weight decay leaves dead channels with weights like these.
    affine = scale_of(real(0.0), real(width), 8, mode)
    back = affine.reals(affine.integers(torch.tensor([0.0, width, -width])))
    assert back.isfinite().all()
    assert back.abs().max() <= 1.01 * width


def test_one_scale_for_each_channel() -> None:
    low, high = torch.tensor([[-3.5], [0.0], [-0.5]]), torch.tensor([[1.0], [0.0], [0.7]])
    affine = scale_of(low, high, 4, "sym-restricted")
    torch.testing.assert_close(affine.scale, torch.tensor([[2.0], [1.0], [10.0]]))
    assert affine.integers(torch.tensor([[-3.5, 1.0], [0.0, 0.0], [0.7, -0.11]])).tolist() == [[-7, 2], [0, 0], [7, -1]]


# What ranges are taken from observations


def observed(*batches: list[list[float]]) -> Observer:
    observer = Observer()
    for batch in batches:
        observer.see(torch.tensor(batch))
    observer.again()
    for batch in batches:
        observer.see(torch.tensor(batch))
    return observer


@given(st.lists(st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4), min_size=2, max_size=9), st.data())
def test_moments_over_batches_are_those_of_all_values(examples: list[list[float]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(examples) - 1))
    values = torch.tensor(examples)
    mean, std = values.mean().item(), values.std().item()
    low, high = clipped(observed(examples[:cut], examples[cut:]), "std", deviations=1.0)
    assert low == pytest.approx(max(values.min().item(), mean - std), abs=1e-3)
    assert high == pytest.approx(min(values.max().item(), mean + std), abs=1e-3)


def clipped(observer: Observer, clipping: str, bits: int = 2, deviations: float = 2.0) -> tuple[float, float]:
    low, high = observer.range(bits, clipping, deviations)
    return low.item(), high.item()


BATCHES = ([[-1.0, 3.0], [0.0, 5.0]], [[-2.0, 4.0]])
BOTH_SIGNS = [[-10.0, *[0.0] * 8, 10.0]] * 2
"""Mean 0, mean deviation 40 / 20 = 2, variance 400 / 19."""
POSITIVE = [[*[0.0] * 9, 10.0]] * 2
"""Mean 1, mean deviation (18 · 1 + 2 · 9) / 20 = 1.8, variance (18 · 1 + 2 · 81) / 19 = 180 / 19."""


def test_the_range_as_it_was() -> None:
    assert clipped(observed(*BATCHES), "none") == (-2.0, 5.0)


def test_the_average_of_each_examples_extremes() -> None:
    assert clipped(observed(*BATCHES), "avg") == (-1.0, 4.0)  # (−1 + 0 − 2) / 3 and (3 + 5 + 4) / 3


def test_standard_deviations_around_the_mean_and_not_beyond_what_was_seen() -> None:
    # Mean 9 / 6 = 1.5; squares of deviations sum to 41.5, and 41.5 / 5 = 8.3.
    one = math.sqrt(8.3)
    assert clipped(observed(*BATCHES), "std", deviations=1.0) == pytest.approx((1.5 - one, 1.5 + one))
    assert clipped(observed(*BATCHES), "std", deviations=2.0) == (-2.0, 5.0)


@pytest.mark.parametrize(
    ("clipping", "bits", "margin"),
    [("gauss", 2, 1.71 * math.sqrt(400 / 19)), ("gauss", 3, 2.15 * math.sqrt(400 / 19)), ("laplace", 2, 2.83 * 2)],
)
def test_aciq_of_both_signs_is_the_mean_and_its_margin(clipping: str, bits: int, margin: float) -> None:
    assert clipped(observed(BOTH_SIGNS), clipping, bits) == pytest.approx((-margin, margin))


@pytest.mark.parametrize(
    ("clipping", "bits", "margin"),
    [("gauss", 2, 2.15 * math.sqrt(180 / 19)), ("gauss", 4, 2.93 * math.sqrt(180 / 19)), ("laplace", 3, 5.02 * 1.8)],
)
def test_distillers_half_range_is_of_the_spread_behind_the_relu(clipping: str, bits: int, margin: float) -> None:
    assert clipped(observed(POSITIVE), f"distiller-{clipping}", bits) == pytest.approx((0.0, margin))


FAR = [[*[0.0] * 9, 10.0, 200.0]] * 2
"""Never negative, with a largest value beyond every clip; the mean is 210 / 11."""


@pytest.mark.parametrize(("clipping", "optimum", "rectified"), [("gauss", 2.15, 0.58382), ("laplace", 3.89, 0.60653)])
def test_aciqs_half_range_is_of_the_spread_before_the_relu(clipping: str, optimum: float, rectified: float) -> None:
    values = torch.tensor(FAR)
    spread = values.std() if clipping == "gauss" else (values - values.mean()).abs().mean()
    expected = min(200.0, optimum * spread.item() / rectified)
    assert clipped(observed(FAR), clipping) == pytest.approx((0.0, expected), rel=1e-4)


def test_aciqs_half_range_is_not_beyond_what_was_seen() -> None:
    assert clipped(observed(POSITIVE), "gauss", 8) == (0.0, 10.0)


@pytest.mark.parametrize("clipping", ["gauss", "laplace"])
def test_behind_a_relu_aciq_ends_where_it_does_before_it_with_a_bit_more(clipping: str) -> None:
    # Rectified, values need the levels of one sign alone: k bits for them are k + 1 bits for both.
    torch.manual_seed(0)
    values = torch.randn(4, 100_000)
    if clipping == "laplace":
        values = torch.distributions.Laplace(0.0, 1.0).sample((4, 100_000))
    _, before = clipped(observed(values.tolist()), clipping, bits=4)
    _, behind = clipped(observed(values.relu().tolist()), clipping, bits=3)
    assert behind == pytest.approx(before, rel=0.01)


def test_aciq_around_zero_behind_a_relu_is_the_optimum_of_both_signs() -> None:
    observer = observed(FAR)
    low, high = observer.range(2, "laplace", 2.0, symmetric=True)
    deviation = (torch.tensor(FAR) - 210 / 11).abs().mean().item()
    assert (-low.item(), high.item()) == pytest.approx((2.83 * deviation / math.exp(-0.5),) * 2)


def test_aciq_starts_at_the_average_of_the_least_values_where_that_is_more() -> None:
    # Average of −10 and 0; mean 0, mean deviation 20 / 10 = 2; from −5 twice the margin of 2.83 · 2.
    observer = observed([[-10.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 10.0]])
    assert clipped(observer, "laplace") == pytest.approx((-5.0, -5.0 + 2 * 5.66))


def test_images_are_examples_too() -> None:
    observer = Observer()
    observer.see(torch.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2).float())
    assert clipped(observer, "avg") == (6.0, 17.0)  # 0 to 11 and 12 to 23
