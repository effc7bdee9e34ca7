"""Accuracies: worked numbers, properties, and scipy beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.interval import ACCURACY_CONFIDENCE
from bench.stats.proportions import (
    Z95,
    difference,
    examples_to_tell,
    least_loss,
    mcnemar,
    paired_difference,
    paired_examples_to_tell,
    standard_error,
    two_shares,
    wilson,
)

counts = st.integers(min_value=0, max_value=300)


def test_the_least_loss_is_what_two_shares_just_tell() -> None:
    least = least_loss(90, 100, 100, 0.01)
    assert least is not None
    right = round(100 * (0.9 - least))
    assert two_shares(90, 100, right, 100) < 0.01 <= two_shares(90, 100, right + 1, 100)
    assert least_loss(2, 3, 3, 0.001) is None, "no loss of three can be told"
    assert least_loss(0, 100, 100, 0.01) is None, "there is nothing to lose"


def test_two_shares_agree_with_a_test_of_a_contingency_table() -> None:
    table = [[9507, 493], [9707, 293]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert two_shares(9507, 10_000, 9707, 10_000) == pytest.approx(expected, rel=1e-9)
    assert two_shares(10, 10, 5, 5) == 1.0
    with pytest.raises(ValueError, match="are not shares"):
        two_shares(11, 10, 5, 5)


def test_a_difference_of_shares_of_newcombes_example() -> None:
    # Newcombe 1998, table II, example (a): 56/70 - 48/80 = 0.2, by method 10 from 0.0524 to 0.3339.
    interval = difference(wilson(48, 80), wilson(56, 70))
    assert interval.value == pytest.approx(0.2)
    assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("correct", "total"), [(715, 872), (9706, 10_000), (0, 10), (10, 10)])
def test_wilson_agrees_with_scipy(correct: int, total: int) -> None:
    expected = stats.binomtest(correct, total).proportion_ci(0.95, method="wilson")
    interval = wilson(correct, total)
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)
    assert interval.value == correct / total


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_a_share_outside_zero_to_one_is_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="share"):
        wilson(correct, total)


def test_mcnemar_of_a_textbook_example() -> None:
    # Agresti 1990, table 10.1: approval of the prime minister in two surveys, 150 changed to disapproval and
    # 86 to approval; the exact two-sided p-value is 3.7e-05.
    assert mcnemar(150, 86) == pytest.approx(3.716e-5, rel=1e-3)


@given(st.integers(min_value=0, max_value=400), st.integers(min_value=0, max_value=400))
def test_mcnemar_is_the_two_sided_test_of_a_fair_coin(lost: int, gained: int) -> None:
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar(lost, gained) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_mcnemar_stands_tens_of_thousands_of_differences() -> None:
    assert mcnemar(30_000, 30_000) == 1.0
    assert mcnemar(30_000, 0) == 0.0


@pytest.mark.parametrize(("lost", "gained"), [(-1, 3), (3, -1)])
def test_mcnemar_of_no_counts_is_refused(lost: int, gained: int) -> None:
    with pytest.raises(ValueError, match="are not counts"):
        mcnemar(lost, gained)


def test_tangos_interval_of_published_examples() -> None:
    # Fagerland, Lydersen and Laake 2014: 7 and 1 discordant pairs of 21; −0.517 to −0.026.
    interval = paired_difference(lost=7, gained=1, total=21)
    assert (interval.value, interval.low, interval.high) == pytest.approx((-0.286, -0.517, -0.026), abs=5e-4)
    # Agresti 1990, section 10.1: approval fell from 944 to 880 of 1,600, a difference of −0.04 with a Wald interval
    # of (−0.06, −0.02), from which the score interval cannot be far where the counts are large.
    approval = paired_difference(lost=150, gained=86, total=1600)
    assert (approval.value, approval.low, approval.high) == pytest.approx((-0.04, -0.059, -0.021), abs=5e-4)
    assert approval.confidence == ACCURACY_CONFIDENCE


def test_no_difference_among_n_examples_may_be_a_small_one() -> None:
    # Without a loss or a gain the score is n d / √(n d (1 − d)) for d > 0: it reaches z at z² / (n + z²).
    interval = paired_difference(0, 0, 10_000)
    assert interval.value == 0
    assert interval.high == -interval.low == pytest.approx(Z95**2 / (10_000 + Z95**2))


@given(counts, counts, st.integers(min_value=1, max_value=10_000))
def test_a_difference_lies_in_its_interval_and_turns_with_the_models(lost: int, gained: int, others: int) -> None:
    interval = paired_difference(lost, gained, lost + gained + others)
    assert -1 <= interval.low <= interval.value <= interval.high <= 1
    other = paired_difference(gained, lost, lost + gained + others)
    assert (other.low, other.high) == pytest.approx((-interval.high, -interval.low), abs=1e-12)


@given(counts, counts)
def test_the_interval_is_that_of_the_test_without_correction(lost: int, gained: int) -> None:
    """At a difference of 0 the score is McNemar's (gained − lost) / √(gained + lost)."""
    score = (gained - lost) / math.sqrt(gained + lost) if gained + lost else 0.0
    interval = paired_difference(lost, gained, 1000)
    if abs(abs(score) - Z95) > 1e-6:
        assert (interval.low <= 0 <= interval.high) == (abs(score) < Z95)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(2000, (0.010, 0.006, 0.984), size=2000)
    intervals = [paired_difference(int(lost), int(gained), 2000) for lost, gained, _ in drawn]
    covered = sum(interval.low <= -0.004 <= interval.high for interval in intervals) / len(intervals)
    assert covered == pytest.approx(ACCURACY_CONFIDENCE, abs=0.015)


@pytest.mark.parametrize(("lost", "gained", "total"), [(-1, 0, 5), (0, -1, 5), (0, 0, 0), (3, 3, 5)])
def test_differences_among_too_few_are_refused(lost: int, gained: int, total: int) -> None:
    with pytest.raises(ValueError, match="are not counts among"):
        paired_difference(lost, gained, total)


def test_the_standard_error_of_an_accuracy_is_the_binomial_ones() -> None:
    # 720 of 872, SST-2's development set: the square root of 720/872 · 152/872 / 872
    assert standard_error(720, 872) == pytest.approx(0.012848, abs=1e-6)
    assert standard_error(872, 872) == 0
    with pytest.raises(ValueError, match="not a share"):
        standard_error(3, 2)


def test_as_many_examples_as_it_takes_to_show_that_nothing_was_lost() -> None:
    # Without a loss or a gain the interval ends at z² / (n + z²): below 0.5 % from n = z² (1 / 0.005 − 1) on.
    assert paired_examples_to_tell(0, 0, 100, -0.005) == math.ceil(Z95**2 * 199)


@given(counts, counts, st.floats(-0.5, 0.5))
def test_with_so_many_examples_a_change_is_told_and_not_with_fewer(lost: int, gained: int, margin: float) -> None:
    total = 10 * (lost + gained) + 1_000
    needed = paired_examples_to_tell(lost, gained, total, margin)
    interval = paired_difference(lost, gained, total)
    if needed is not None:
        assert (needed <= total) == (not interval.low <= margin <= interval.high)


def test_a_change_of_just_the_margin_is_never_told() -> None:
    assert paired_examples_to_tell(10, 5, 1_000, -0.005) is None


def test_two_shares_take_more_examples_than_pairs() -> None:
    # Newcombe's interval of equal shares p of n is about z √(2 p (1 − p) / n) wide on each side: here n is 27,886.
    needed = examples_to_tell(900, 900, 1_000, -0.005)
    assert needed == pytest.approx(2 * 0.09 * (Z95 / 0.005) ** 2, rel=0.01)
