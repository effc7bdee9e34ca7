"""How many rounds a budget lasts for."""

from __future__ import annotations

import time

import pytest

from bench.core.errors import RequestError
from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.rounds import BASE_ROUNDS
from bench.running.latency import _least_rounds
from tests.bench.examples import SETTINGS


def least_rounds(budget_s: float | None, calls_per_block: int, call_s: float, runs: int = 5) -> int:
    """Return the rounds to make of two variants at one batch size, the clock having just started."""
    warm_up = WarmUp(calls_per_block, [9.0, call_s], warm=True)
    settings = SETTINGS.model_copy(update={"budget_s": budget_s, "runs": runs})
    return _least_rounds({1: {"fp32": warm_up, "amp": warm_up}}, settings, time.monotonic(), "mnist/lab1")


def test_without_a_budget_there_are_the_least_rounds_or_one_for_each_run() -> None:
    assert least_rounds(None, 1, 60.0) == BASE_ROUNDS
    assert least_rounds(None, 1, 60.0, runs=15) == 15


def test_a_long_budget_changes_nothing_about_the_least() -> None:
    assert least_rounds(3600.0, 100, 1e-4) == BASE_ROUNDS


@pytest.mark.parametrize(
    ("calls_per_block", "call_s", "rounds"),
    [
        (100, 0.05, 6),  # 2 × 105 calls of 0.05 s are 10.5 s
        (1, 2.0, 8),  # a lead-in of one call and one that is timed: 2 × 2 × 2 s
    ],
)
def test_a_short_budget_leaves_fewer_and_the_lead_in_counts(calls_per_block: int, call_s: float, rounds: int) -> None:
    assert least_rounds(70.0, calls_per_block, call_s) == rounds


def test_a_round_for_each_run_is_the_least_of_all() -> None:
    assert least_rounds(45.0, 1, 2.0, runs=5) == 5
    with pytest.raises(RequestError) as refusal:
        least_rounds(39.0, 1, 2.0, runs=5)
    assert str(refusal.value) == (
        "--budget 39 is too short for mnist/lab1: warming up took 0.0 s, a round takes 8.00 s, of which each of the "
        "5 runs needs one; give 96.0 or more."
    )


def test_where_all_variants_failed_there_is_nothing_to_afford() -> None:
    settings = SETTINGS.model_copy(update={"budget_s": 1.0})
    assert _least_rounds({1: {}, 64: {}}, settings, time.monotonic(), "mnist/lab1") == BASE_ROUNDS
