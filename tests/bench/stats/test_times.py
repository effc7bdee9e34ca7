"""Each statistic against scipy, a textbook or a simulation whose truth is known."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.change import BETWEEN_SESSIONS, in_seconds, least_growth, log_ratio_of, time_change
from bench.stats.describe import describe, mean_std, percentile, quiet_time, run_means
from bench.stats.interval import CONFIDENCE
from bench.stats.multiple_tests import ALPHA, holm, holm_levels
from bench.stats.speedup import BETWEEN_PROCESSES, MIN_ROUNDS, LogRatio, Ratio, log_ratio, speedup
from bench.stats.student import student_p, student_quantile

times = st.floats(min_value=1e-6, max_value=10.0)
pairs = st.lists(st.tuples(times, times), min_size=1, max_size=40)
p_values = st.lists(st.floats(min_value=0.0, max_value=1.0), max_size=12)


# Means and percentiles


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
def test_a_description_agrees_with_numpy(values: list[float]) -> None:
    described = describe(values)
    assert described.n == len(values)
    assert described.mean == pytest.approx(np.mean(values))
    assert described.std == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert described.median == pytest.approx(np.median(values))
    assert described.p95 == pytest.approx(np.percentile(values, 95))


def test_the_quiet_time_is_the_mean_of_the_fastest_quarter() -> None:
    assert quiet_time([8.0, 1.0, 7.0, 3.0, 6.0, 5.0, 9.0, 9.0]) == 2.0
    assert quiet_time([4.0, 2.0, 3.0]) == 2.0, "the quarter is rounded up: one value at least"


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


# The speed-up: what must hold whatever the times are


def test_the_speedup_of_a_model_twice_as_fast_is_two() -> None:
    found = speedup([2.0] * 10, [1.0] * 10)
    prior = math.exp(stats.t.ppf(0.975, 9) * BETWEEN_PROCESSES)
    assert [found.low, found.value, found.high] == pytest.approx([2.0 / prior, 2.0, 2.0 * prior], rel=1e-9)
    assert found.confidence == CONFIDENCE
    assert found.p_value < 1e-12
    assert found.n == 10


def test_a_model_against_itself_is_no_surprise() -> None:
    found = speedup([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert found.low < found.value == 1.0 < found.high
    assert found.p_value == 1.0


@given(pairs)
def test_the_value_is_the_ratio_of_the_quiet_times_and_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    baseline, variant = zip(*pairs, strict=True)
    found = speedup(baseline, variant)
    assert found.value == pytest.approx(quiet_time(baseline) / quiet_time(variant))
    assert found.low <= found.value <= found.high
    assert 0 <= found.p_value <= 1


@given(pairs, st.floats(min_value=1e-3, max_value=1e3))
def test_the_unit_of_time_does_not_matter(pairs: list[tuple[float, float]], scale: float) -> None:
    baseline, variant = zip(*pairs, strict=True)
    found = speedup(baseline, variant)
    scaled = speedup([scale * value for value in baseline], [scale * value for value in variant])
    assert scaled.value == pytest.approx(found.value)
    assert [math.log(scaled.low), math.log(scaled.high)] == pytest.approx(
        [math.log(found.low), math.log(found.high)], abs=1e-6
    )


@given(pairs)
def test_swapping_the_two_gives_the_reciprocal(pairs: list[tuple[float, float]]) -> None:
    baseline, variant = zip(*pairs, strict=True)
    found, swapped = speedup(baseline, variant), speedup(variant, baseline)
    assert swapped.value == pytest.approx(1 / found.value)
    assert swapped.low == pytest.approx(1 / found.high)
    assert swapped.high == pytest.approx(1 / found.low)
    assert swapped.p_value == pytest.approx(found.p_value, abs=1e-9)


def test_the_same_rounds_always_give_the_same_interval() -> None:
    baseline, variant = simulated(rounds=30, seed=5, faster=1.1)
    assert speedup(baseline, variant) == speedup(baseline, variant)


def test_rounds_that_were_slow_for_both_leave_the_speedup_alone() -> None:
    baseline, variant = simulated(rounds=40, seed=6, faster=2.0)
    slowed = [3.0 if number % 2 else 1.0 for number in range(40)]
    found = speedup(
        [time * slow for time, slow in zip(baseline, slowed, strict=True)],
        [time * slow for time, slow in zip(variant, slowed, strict=True)],
    )
    assert found.value == pytest.approx(2.0, rel=0.03)
    assert found.half_width < 0.05


@pytest.mark.parametrize(
    ("baseline", "variant", "message"),
    [
        ([1.0, 2.0], [1.0], "paired, not 2 against 1"),
        ([], [], "paired, not 0 against 0"),
        ([1.0, math.nan], [1.0, 1.0], "positive numbers"),
        ([1.0, 1.0], [1.0, math.inf], "positive numbers"),
        ([1.0, 1.0], [1.0, 0.0], "positive numbers"),
        ([-1.0, 1.0], [1.0, 1.0], "positive numbers"),
    ],
)
def test_times_that_cannot_be_compared_are_refused(baseline: list[float], variant: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        speedup(baseline, variant)


@pytest.mark.parametrize("rounds", range(1, MIN_ROUNDS))
def test_too_few_rounds_give_a_value_and_no_confidence(rounds: int) -> None:
    found = speedup([2.0] * rounds, [1.0] * rounds)
    assert found == Ratio(2.0, 2.0, 2.0, confidence=0.0, p_value=1.0, n=rounds)


# The speed-up: how often it is right


def simulated(rounds: int, seed: int, faster: float = 1.0, noise: float = 0.02) -> tuple[list[float], list[float]]:
    """Return times of a baseline and of a variant ``faster`` times as fast.

    Each has lognormal noise of its own and is slowed in a tenth of the rounds by half on average; both share
    a state of the machine that changes by 1 % from round to round.
    """
    rng = np.random.default_rng([seed, rounds])
    state = np.exp(np.cumsum(rng.normal(0, 0.01, rounds)))

    def times(seconds: float) -> list[float]:
        disturbance = np.where(rng.random(rounds) < 0.1, 1 + rng.exponential(0.5, rounds), 1.0)
        series: list[float] = (seconds * state * rng.lognormal(0, noise, rounds) * disturbance).tolist()
        return series

    return times(1.0), times(1 / faster)


@pytest.mark.parametrize("rounds", [10, 20, 40])
def test_equals_are_rarely_told_apart_and_intervals_cover_what_they_promise(rounds: int) -> None:
    found = [speedup(*simulated(rounds, seed)) for seed in range(300)]
    assert sum(ratio.p_value < 0.05 for ratio in found) <= 0.1 * 300
    assert sum(ratio.p_value < ALPHA for ratio in found) <= 1
    assert sum(ratio.low <= 1.0 <= ratio.high for ratio in found) >= 0.9 * 300


def test_five_percent_are_found_with_enough_rounds() -> None:
    found = [speedup(*simulated(200, seed, faster=1.05)) for seed in range(50)]
    assert sum(ratio.p_value < ALPHA and ratio.value > 1 for ratio in found) >= 48
    assert statistics.fmean(ratio.value for ratio in found) == pytest.approx(1.05, abs=0.003)
    assert max(ratio.half_width for ratio in found) < 0.02


def of_processes(seed: int, starts: int, rounds: int, prior: float) -> tuple[list[float], list[float], list[int]]:
    """Return times of equals, each of whose ``starts`` processes is faster or slower for life, and the starts."""
    rng = np.random.default_rng([seed, starts])
    times = rng.lognormal(0, prior, (2, starts, 1)) * rng.lognormal(0, 0.01, (2, starts, rounds))
    baseline, variant = times.reshape(2, -1).tolist()
    return baseline, variant, list(range(0, starts * rounds, rounds))


@pytest.mark.parametrize("starts", [2, 4, 8])
def test_what_processes_differ_by_is_estimated_from_several(starts: int) -> None:
    """Four times as much prior as is taken for granted of one process: the interval must find it out."""
    samples = [of_processes(seed, starts, 10, prior=0.02) for seed in range(300)]
    found = [speedup(baseline, variant, firsts) for baseline, variant, firsts in samples]
    blind = [speedup(baseline, variant) for baseline, variant, _ in samples]
    covered, covered_blindly = (sum(ratio.low <= 1.0 <= ratio.high for ratio in each) / 300 for each in (found, blind))
    assert covered >= {2: 0.65, 4: 0.75, 8: 0.85}[starts], "two processes may look alike by chance, eight hardly do"
    assert covered > covered_blindly + 0.03
    alarms, blind_alarms = (sum(ratio.p_value < ALPHA for ratio in each) for each in (found, blind))
    assert alarms <= blind_alarms / 2


def test_more_processes_make_a_speedup_more_precise() -> None:
    widths = [
        statistics.median(speedup(*of_processes(seed, starts, 40 // starts, 0.005)).half_width for seed in range(20))
        for starts in (2, 8)
    ]
    assert widths[1] < widths[0]


def test_one_slow_process_of_four_does_not_move_the_speedup() -> None:
    baseline, variant, starts = of_processes(1, 4, 10, prior=0.0)
    variant[10:20] = [1.4 * value for value in variant[10:20]]
    assert speedup(baseline, variant, starts).value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("starts", [[], [1], [0, 3, 3], [0, 8]])
def test_starts_that_do_not_fit_the_rounds_are_refused(starts: list[int]) -> None:
    with pytest.raises(ValueError, match="starts"):
        speedup([1.0] * 8, [1.0] * 8, starts)


# Between two runs


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (7, 2.365), (18, 2.101), (100, 1.984)])
def test_students_t_of_a_table(freedom: int, t: float) -> None:
    """Of the 97.5 % quantiles that every textbook has (Fisher and Yates 1963, table III)."""
    assert student_quantile(0.05, freedom) == pytest.approx(t, abs=5e-4)
    assert student_p(t, freedom) == pytest.approx(0.05, abs=1e-4)
    assert student_p(-t, freedom) == student_p(t, freedom)


def test_freedom_is_rounded_down() -> None:
    assert student_p(2.0, 7.9) == student_p(2.0, 7)


def test_a_speedup_is_what_its_log_ratio_says() -> None:
    found, ratio = log_ratio(*simulated(20, seed=3)), speedup(*simulated(20, seed=3))
    assert found.error is not None
    assert math.exp(found.value) == ratio.value
    margin = stats.t.isf(0.025, found.freedom) * found.error
    assert ratio.high == pytest.approx(math.exp(found.value + margin), rel=1e-9)


def test_a_change_of_worked_numbers() -> None:
    # Errors 0.03 and 0.04 make 0.05; freedom (0.05^4) / (0.03^4 / 10 + 0.04^4 / 10) = 18.5, taken as 18: t = 2.10.
    found = time_change(LogRatio(0.1, 0.03, 10, 20), LogRatio(0.3, 0.04, 10, 30), prior=0.0)
    assert found.value == pytest.approx(math.exp(0.2))
    assert found.low == pytest.approx(math.exp(0.2 - 2.1009 * 0.05), rel=1e-4)
    assert found.p_value == pytest.approx(2 * stats.t.sf(4.0, 18))
    assert found.n == 20


def test_sittings_differ_by_more_than_their_rounds_show() -> None:
    sure = LogRatio(0.0, 1e-6, 19, 40)
    assert time_change(sure, sure).half_width == pytest.approx(1.97 * BETWEEN_SESSIONS * math.sqrt(2), rel=0.01)


def test_without_an_error_a_change_has_no_confidence() -> None:
    found = time_change(LogRatio(0.0, None, 0.0, 5), LogRatio(0.1, 0.01, 10, 20))
    assert (found.confidence, found.p_value, found.low) == (0.0, 1.0, found.value)


def test_an_interval_is_what_it_came_from() -> None:
    rounds = simulated(20, seed=3)
    before, found = log_ratio(*rounds), log_ratio_of(speedup(*rounds), 20)
    assert before.error is not None
    assert found.value == pytest.approx(before.value)
    assert found.error == pytest.approx(before.error, rel=0.05), "its freedom is not quite that of the groups"
    assert log_ratio_of(speedup([1.0] * 5, [2.0] * 5), 5).error is None


def test_the_least_growth_is_what_a_change_just_tells() -> None:
    before, after = LogRatio(0.1, 0.03, 10, 20), LogRatio(0.1, 0.04, 10, 30)
    least = least_growth(before, after, 0.001)
    assert least is not None
    grown = LogRatio(0.1 + math.log1p(least), 0.04, 10, 30)
    assert time_change(before, grown).p_value == pytest.approx(0.001)
    assert least_growth(before, LogRatio(0.1, None, 0.0, 5), 0.001) is None


def test_holms_levels_are_what_each_must_be_below() -> None:
    p_values = [1e-5, 0.2, 4e-4]
    assert holm_levels(holm(p_values)) == pytest.approx([ALPHA / 2, ALPHA / 1, ALPHA / 2])
    assert holm([*p_values[:2], 0.99 * ALPHA / 2])[2] < ALPHA <= holm([*p_values[:2], 1.01 * ALPHA / 2])[2]


def test_seconds_are_held_against_the_drift_alone() -> None:
    found = time_change(in_seconds([1.0] * 8), in_seconds([1.5] * 8), prior=0.14)
    assert found.value == pytest.approx(1.5)
    assert found.p_value > ALPHA
    assert in_seconds([1.0] * (MIN_ROUNDS - 1)).error is None


# Many p-values at once


def test_holm_of_worked_numbers() -> None:
    # Ordered they are 0.005, 0.01, 0.03, 0.04; times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04, which may not fall.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_one_and_of_none() -> None:
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(p_values)
def test_holm_never_lowers_never_exceeds_one_and_keeps_the_order(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(before <= after <= 1 for before, after in zip(raw, adjusted, strict=True))
    by_raw = [after for _, after in sorted(zip(raw, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


@given(p_values)
def test_holm_rejects_step_by_step(raw: list[float]) -> None:
    """The definition: reject the smallest while it is below alpha divided by how many are left."""
    ordered = sorted(raw)
    steps = [p * (len(ordered) - rank) < ALPHA for rank, p in enumerate(ordered)]
    assert sum(value < ALPHA for value in holm(raw)) == len(list(itertools.takewhile(bool, steps)))
