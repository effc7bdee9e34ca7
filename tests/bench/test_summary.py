from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.summary import mean_std, median_rank, run_means, speedup, wilson

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


def test_runs_are_means_of_consecutive_rounds() -> None:
    assert run_means([1.0, 3.0, 5.0, 7.0], runs=2) == [2.0, 6.0]


@pytest.mark.parametrize(("rounds", "runs"), [(5, 2), (0, 1), (2, 3)])
def test_rounds_that_do_not_fill_the_runs_are_refused(rounds: int, runs: int) -> None:
    with pytest.raises(ValueError, match="equal runs"):
        run_means([1.0] * rounds, runs)


@pytest.mark.parametrize(
    ("n", "rank", "coverage"),
    # Conover 1999, table A3, and Hollander & Wolfe: n = 10 gives ranks 2 and 9 at 97.9 %.
    [(6, 1, 0.9688), (10, 2, 0.9785), (15, 4, 0.9648), (20, 6, 0.9586), (25, 8, 0.9567)],
)
def test_ranks_of_the_interval_of_a_median(n: int, rank: int, coverage: float) -> None:
    assert median_rank(n)[0] == rank
    assert median_rank(n)[1] == pytest.approx(coverage, abs=5e-5)


@given(st.integers(min_value=6, max_value=300))
def test_the_median_interval_is_the_tightest_that_covers_95_percent(n: int) -> None:
    rank, coverage = median_rank(n)
    binomial = stats.binom(n, 0.5)
    assert coverage == pytest.approx(1 - 2 * binomial.cdf(rank - 1))
    assert coverage >= 0.95
    assert rank == n // 2 or 1 - 2 * binomial.cdf(rank) < 0.95


def test_too_few_rounds_say_how_little_they_cover() -> None:
    assert median_rank(5)[1] == pytest.approx(0.9375)
    assert median_rank(1) == (1, 0.0)


def test_the_speedup_of_a_model_twice_as_fast_is_two() -> None:
    interval = speedup([2.0] * 10, [1.0] * 10)
    assert (interval.low, interval.value, interval.high) == (2.0, 2.0, 2.0)


def test_a_slow_round_hits_both_and_leaves_the_speedup_alone() -> None:
    interval = speedup([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])
    assert interval.value == 2.0


def test_rounds_must_be_paired() -> None:
    with pytest.raises(ValueError, match="paired"):
        speedup([1.0, 2.0], [1.0])


@given(st.lists(st.tuples(times, times), min_size=1, max_size=50))
def test_the_speedup_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    baseline, variant = zip(*pairs, strict=True)
    interval = speedup(baseline, variant)
    assert interval.low <= interval.value <= interval.high
    assert interval.value == statistics.median(a / b for a, b in pairs)


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
