"""Ratios of times: the exponentials of what the ranks say of their logarithms."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.ranks import location
from bench.stats.ratio import LARGEST_LOG, Ratio, change, least_growth, ratio

logs = st.lists(st.floats(min_value=-5.0, max_value=5.0), min_size=1, max_size=15)


def normal(seed: int, n: int, mean: float = 0.0, spread: float = 0.02) -> list[float]:
    """Return logarithms of times in ``n`` processes."""
    rng = random.Random(seed)
    return [rng.gauss(mean, spread) for _ in range(n)]


def assert_alike(one: Ratio, other: Ratio) -> None:
    """Compare all figures."""
    figures = [[value.value, value.low, value.high, value.p_value] for value in (one, other)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-9)
    assert (one.confidence, one.n) == (other.confidence, other.n)


def test_twice_as_fast_in_each_of_twelve_processes() -> None:
    known = ratio([math.log(2)] * 12)
    assert [known.low, known.value, known.high] == pytest.approx([2.0] * 3)
    assert (known.confidence, known.n) == (LATENCY_CONFIDENCE, 12)
    assert known.p_value == 2 * 0.5**12


def test_a_model_against_itself_is_no_surprise() -> None:
    known = ratio([-0.04, -0.03, -0.02, -0.01, 0.01, 0.02, 0.03, 0.04])
    assert known.low < known.value == 1.0 < known.high
    assert known.p_value == 1.0


@given(logs)
def test_swapping_numerator_and_denominator_gives_the_reciprocal(values: list[float]) -> None:
    forth, back = ratio(values), ratio([-value for value in values])
    assert_alike(back, Ratio(1 / forth.value, 1 / forth.high, 1 / forth.low, forth.confidence, forth.p_value, forth.n))


@given(logs, st.floats(min_value=0.01, max_value=100.0))
def test_a_factor_on_each_time_is_a_factor_on_the_ratio(values: list[float], factor: float) -> None:
    before, after = ratio(values), ratio([value + math.log(factor) for value in values])
    assert [after.low, after.value, after.high] == pytest.approx(
        [factor * before.low, factor * before.value, factor * before.high], rel=1e-6
    )


def test_one_process_in_four_with_a_bad_placement_does_not_move_the_ratio() -> None:
    values = normal(1, 12, spread=0.002)
    spoiled = [value + 0.4 * (position % 4 == 0) for position, value in enumerate(values)]
    assert ratio(spoiled).value == pytest.approx(1.0, abs=0.03)


def test_a_ratio_stays_finite_however_far_times_are_apart() -> None:
    known = ratio([-700.0, 700.0] * 6)
    assert (known.low, known.value, known.high) == (math.exp(-LARGEST_LOG), 1.0, math.exp(LARGEST_LOG))
    assert math.isfinite(known.half_width)


def test_without_an_interval_a_ratio_is_infinitely_imprecise() -> None:
    assert ratio([0.7] * 5).half_width == math.inf
    assert Ratio(2.0, 1.9, 2.1, confidence=0.95, p_value=0.0, n=10).half_width == pytest.approx(0.05)


# Between two runs


def test_a_change_between_runs_is_the_shift_of_the_logarithms() -> None:
    before, after = normal(2, 12), normal(3, 14, mean=math.log(1.5))
    grown = change(before, after)
    assert grown.low < 1.5 < grown.high
    assert grown.value == pytest.approx(1.5, abs=0.03)
    assert grown.n == 12
    assert grown.p_value < 1e-6


def test_a_margin_is_taken_off_what_must_be_explained() -> None:
    before, after = normal(2, 12), normal(3, 12, mean=math.log(1.1))
    assert change(before, after).p_value < 1e-5
    assert change(before, after, margin=math.log(1.12)).p_value > 0.2
    assert change(before, after, margin=math.log(1.12)).value == change(before, after).value


@given(logs, logs)
def test_a_margin_never_makes_a_change_more_surprising(before: list[float], after: list[float]) -> None:
    assert change(before, after, margin=0.1).p_value >= change(before, after).p_value


def test_the_least_growth_is_what_would_just_be_told() -> None:
    before, after = normal(4, 14), normal(5, 14)
    least = least_growth(before, after, p_value=0.005, margin=0.05)
    assert least is not None
    centred = [value - location(after).value + location(before).value for value in after]
    told = [change(before, grown(centred, share * least), margin=0.05).p_value <= 0.005 for share in (0.6, 1.5)]
    assert told == [False, True]


def grown(values: Sequence[float], share: float) -> list[float]:
    """Return logarithms of times that have grown by a share."""
    return [value + math.log1p(share) for value in values]


def test_so_few_processes_tell_no_growth() -> None:
    assert least_growth([0.0] * 3, [0.0] * 3, p_value=0.05) is None
