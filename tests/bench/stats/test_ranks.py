"""Estimates by ranks against scipy, worked numbers of textbooks, and what must hold whatever the values are."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.ranks import least_n, location, rank_sum_p, shift, signed_rank_p

HAMILTON = [-0.952, 0.147, -1.022, -0.430, -0.620, -0.590, -0.490, 0.080, -0.010]
"""Changes of the Hamilton depression scale in nine patients (Hollander, Wolfe and Chicken 2014, example 3.1)."""
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Differences of the heights of cross- and self-fertilized maize, eighths of an inch (Darwin 1876; Fisher 1935)."""

values = st.integers(min_value=-1000, max_value=1000)
samples = st.lists(values, min_size=1, max_size=14)
distinct = st.lists(values.filter(bool), min_size=8, max_size=14, unique_by=abs)


# One sample


def test_the_estimate_of_a_textbook_example() -> None:
    estimate = location(HAMILTON)
    assert estimate.value == pytest.approx(-0.46)
    assert estimate.p_value == pytest.approx(0.0390625), "the rank sum is 5: 10 of 256 subsets, on either side"
    assert estimate.n == 9


def test_the_test_of_darwins_maize() -> None:
    """Fisher's data have the two-sided p-value 0.0413 by the signed ranks."""
    assert signed_rank_p(DARWIN) == pytest.approx(0.04126, abs=5e-6)


@pytest.mark.parametrize(
    ("confidence", "n", "below"),
    [
        *((0.95, n, below) for n, below in [(6, 0), (8, 3), (10, 8), (12, 13), (15, 25), (20, 52)]),
        *((0.99, n, below) for n, below in [(8, 0), (10, 3), (12, 7), (15, 15), (20, 37)]),
    ],
)
def test_the_interval_leaves_out_what_the_table_of_the_signed_ranks_says(confidence: float, n: int, below: int) -> None:
    """Wilcoxon's critical values, two-sided: an interval ends at the next of the ordered means of pairs."""
    sample = [float(2**number) for number in range(n)]
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(sample, 2))
    estimate = location(sample, confidence)
    assert (estimate.low, estimate.high) == (means[below], means[-1 - below])
    assert estimate.confidence == confidence


@pytest.mark.parametrize("n", range(1, 8))
def test_fewer_than_eight_values_have_no_interval(n: int) -> None:
    estimate = location([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0][:n])
    assert (estimate.confidence, estimate.low, estimate.high) == (0.0, estimate.value, estimate.value)
    assert estimate.p_value == 2.0 ** (1 - n)


def test_no_values_have_no_location() -> None:
    with pytest.raises(ValueError, match="no values"):
        location([])


@given(distinct)
def test_the_p_value_of_one_sample_is_scipys_exact_one(sample: list[int]) -> None:
    assert signed_rank_p(sample) == pytest.approx(stats.wilcoxon(sample, method="exact").pvalue, abs=1e-12)


@given(st.lists(st.integers(min_value=-4, max_value=4), min_size=1, max_size=9))
def test_values_of_equal_size_are_tested_over_all_their_signs(sample: list[int]) -> None:
    """The permutation distribution itself, of which the exact tables are those without ties."""
    sizes = [abs(value) for value in sample if value]
    ranks = stats.rankdata(sizes)
    signs = [[rank for rank, up in zip(ranks, ups, strict=True) if up] for ups in _subsets(len(sizes))]
    positive = sum(rank for rank, value in zip(ranks, filter(None, sample), strict=True) if value > 0)
    least = min(positive, sum(ranks) - positive)
    expected = min(1.0, 2 * statistics.fmean(sum(chosen) <= least for chosen in signs))
    assert signed_rank_p(sample) == pytest.approx(expected)


def _subsets(n: int) -> list[tuple[bool, ...]]:
    return list(itertools.product((False, True), repeat=n))


@given(samples)
def test_the_value_lies_in_its_interval(sample: list[int]) -> None:
    estimate = location(sample)
    assert estimate.low <= estimate.value <= estimate.high
    assert min(sample) <= estimate.low
    assert estimate.high <= max(sample)
    assert 0 < estimate.p_value <= 1


@given(distinct)
def test_the_p_value_is_at_most_1_percent_where_0_is_outside_the_interval(sample: list[int]) -> None:
    means = [first + second for first, second in itertools.combinations_with_replacement(sample, 2)]
    assume(0 not in means)  # 0 on an end itself is of both
    estimate = location(sample)
    assert (estimate.p_value <= 0.01) == (not estimate.low <= 0 <= estimate.high)


@given(samples, values, st.sampled_from([-4, -1, 2, 8]))
def test_a_location_moves_and_grows_with_the_values(sample: list[int], moved: int, scale: int) -> None:
    before, after = location(sample), location([scale * value + moved for value in sample])
    ends = sorted((scale * before.low + moved, scale * before.high + moved))
    assert (after.value, [after.low, after.high]) == (scale * before.value + moved, ends)


@given(distinct)
def test_one_outlier_moves_the_estimate_no_further_than_the_other_values(sample: list[int]) -> None:
    spoiled = location([*sample, 10**9])
    assert spoiled.value <= max(sample)
    assert spoiled.confidence


@pytest.mark.parametrize(("p_value", "n"), [(0.05, 6), (0.005, 9), (0.005 / 6, 12), (1.0, 1)])
def test_the_least_number_of_unanimous_values(p_value: float, n: int) -> None:
    assert least_n(p_value) == n
    assert signed_rank_p([1.0] * n) <= p_value
    assert n == 1 or signed_rank_p([1.0] * (n - 1)) > p_value


# Two samples

BEFORE = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
AFTER = [1.15, 0.88, 0.90, 0.74, 1.21]
"""Water transfer through a membrane at term and at 12 to 26 weeks (Hollander, Wolfe and Chicken 2014, example 4.1)."""


def test_the_shift_of_a_textbook_example() -> None:
    estimate = shift(AFTER, BEFORE)
    assert estimate.value == pytest.approx(0.305)
    assert estimate.p_value == pytest.approx(0.2544, abs=5e-5)
    assert estimate.n == 5


apart = st.lists(values, min_size=8, max_size=16, unique=True)


@given(apart, st.integers(min_value=1, max_value=7))
def test_the_p_value_of_two_samples_is_scipys_exact_one(sample: list[int], size: int) -> None:
    before, after = sample[:size], sample[size:]
    expected = stats.mannwhitneyu(before, after, method="exact").pvalue
    assert rank_sum_p(before, after) == pytest.approx(expected, abs=1e-12)


@given(apart, st.integers(min_value=1, max_value=7))
def test_the_p_value_of_a_shift_is_at_most_1_percent_where_0_is_outside(sample: list[int], size: int) -> None:
    estimate = shift(sample[:size], sample[size:])
    assert estimate.low <= estimate.value <= estimate.high
    if estimate.confidence:
        assert (estimate.p_value <= 0.01) == (not estimate.low <= 0 <= estimate.high)
    else:
        assert estimate.p_value > 0.01


@given(samples, samples, values)
def test_a_shift_follows_the_later_sample_and_turns_with_the_order(a: list[int], b: list[int], moved: int) -> None:
    forth, back, further = shift(a, b), shift(b, a), shift(a, [value + moved for value in b])
    assert (back.low, back.value, back.high) == (-forth.high, -forth.value, -forth.low)
    assert back.p_value == pytest.approx(forth.p_value)
    assert (further.low, further.value, further.high) == (forth.low + moved, forth.value + moved, forth.high + moved)


def test_a_margin_forgives_a_shift_of_its_size() -> None:
    before, after = [float(n) for n in range(10)], [float(n + 20) for n in range(10)]
    assert rank_sum_p(before, after) == pytest.approx(2 / math.comb(20, 10))
    assert rank_sum_p(before, after, margin=10.0) == pytest.approx(2 / math.comb(20, 10))
    assert rank_sum_p(before, after, margin=20.0) == 1.0


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([1.0], [])])
def test_an_empty_sample_is_refused(before: Sequence[float], after: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="two samples"):
        shift(before, after)
