"""Many tests at once, by Holm's step-down method."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.multiple_tests import ACCURACY_ALPHA, LATENCY_ALPHA, holm, holm_levels

p_values = st.lists(st.floats(min_value=0.0, max_value=1.0), max_size=12)


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
    """The definition: reject the smallest while it is at most alpha divided by how many are left."""
    ordered = sorted(raw)
    steps = [p * (len(ordered) - rank) <= LATENCY_ALPHA for rank, p in enumerate(ordered)]
    assert sum(value <= LATENCY_ALPHA for value in holm(raw)) == len(list(itertools.takewhile(bool, steps)))


@pytest.mark.parametrize("alpha", [LATENCY_ALPHA, ACCURACY_ALPHA])
def test_holms_levels_are_what_each_may_reach(alpha: float) -> None:
    p_values = [0.01 * alpha, 0.9, 0.4 * alpha]
    assert holm_levels(holm(p_values), alpha) == pytest.approx([alpha / 2, alpha / 1, alpha / 2])
    assert holm([*p_values[:2], 0.99 * alpha / 2])[2] < alpha < holm([*p_values[:2], 1.01 * alpha / 2])[2]
