"""Means, deviations, percentiles and the lab's runs against numpy and worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.describe import mean_std, percentile, run_means

times = st.floats(min_value=1e-6, max_value=10.0)


def test_mean_and_sample_std_of_a_textbook_example() -> None:
    # NIST/SEMATECH e-Handbook, 1.3.5.6: sample standard deviation divides by n - 1.
    value = mean_std([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
    assert value.mean == 5.0
    assert value.std == pytest.approx(math.sqrt(32 / 7))
    assert value.n == 8


def test_one_value_has_no_std() -> None:
    assert mean_std([3.0]).std is None


def test_no_values_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_std([])


@given(st.lists(times, min_size=1, max_size=50), st.floats(min_value=0.0, max_value=1.0))
def test_a_percentile_is_numpys_default_one(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(np.percentile(values, 100 * share), rel=1e-9)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1), ([1.0], math.nan)])
def test_a_percentile_of_nothing_or_beyond_all_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        percentile(values, share)


@given(st.lists(times, min_size=2, max_size=50))
def test_mean_and_std_agree_with_numpy(values: list[float]) -> None:
    known = mean_std(values)
    assert known.n == len(values)
    assert known.mean == pytest.approx(np.mean(values))
    assert known.std == pytest.approx(np.std(values, ddof=1), abs=1e-12)


# Runs


def test_runs_are_means_of_consecutive_rounds() -> None:
    assert run_means([1.0, 3.0, 5.0, 7.0], runs=2) == [2.0, 6.0]


def test_rounds_that_do_not_divide_leave_the_first_runs_the_larger() -> None:
    assert run_means([1.0, 2.0, 6.0, 4.0, 6.0], runs=2) == [3.0, 5.0]


@given(st.integers(min_value=1, max_value=20), st.integers(min_value=0, max_value=200))
def test_every_round_is_in_one_run_in_order_and_runs_are_as_equal_as_can_be(runs: int, more: int) -> None:
    rounds = [float(number) for number in range(runs + more)]
    # The mean of consecutive integers from a to b is (a + b) / 2: it tells where each group starts and ends.
    ends, start = [], 0.0
    for mean in run_means(rounds, runs):
        end = 2 * mean - start
        ends.append(int(end) + 1)
        start = end + 1
    sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    assert ends[-1] == len(rounds)
    assert len(sizes) == runs
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("rounds", "runs"), [(0, 1), (2, 3)])
def test_fewer_rounds_than_runs_are_refused(rounds: int, runs: int) -> None:
    with pytest.raises(ValueError, match=f"{rounds} rounds do not make {runs} runs"):
        run_means([1.0] * rounds, runs)
