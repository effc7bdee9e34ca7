"""How often the interval of a speed-up holds the true one: measurements that are simulated with what goes wrong."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest

from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.rounds import Blocks, Name
from bench.measuring.latency.sampling import FEWEST_PROCESSES, LEAST_PROCESSES, MORE, Limits, Sample
from bench.results.latency import MAX_PROCESSES
from bench.stats.multiple_tests import LATENCY_ALPHA
from bench.stats.ratio import Ratio

MEASUREMENTS = 2_000
Draw = Callable[[np.random.Generator], float]
"""Draws by which factor, as a logarithm, one process is slower than the model is."""

PROCESSES: dict[str, Draw] = {
    "normal": lambda rng: rng.normal(0, 0.1),
    "heavy tails": lambda rng: 0.05 * rng.standard_t(3),
    "some have a bad placement for life": lambda rng: rng.normal(0, 0.02) + 0.5 * (rng.random() < 0.15),
    "two states of the machine": lambda rng: 0.1 * (rng.random() < 0.5) + rng.normal(0, 0.005),
}


def measured(seed: int, draw: Draw, limits: Limits, slowdown: float = 0.0) -> Ratio:
    """Sample until the engine says that all is known; return the reported speed-up of what is slower by a share."""
    rng = np.random.default_rng(seed)
    call_s = {"fp32": 1.0, "int8": 1 + slowdown}
    sample = Sample("fp32", [1])
    while among := sample.next_pass(limits, list(call_s)):
        made: dict[Name, Blocks] = {name: Blocks(1, [call_s[str(name)] * math.exp(draw(rng))]) for name in among[1]}
        sample.add(1, dict.fromkeys(among[1], WarmUp(1, [], warm=True)), made)
        sample.end_pass(1.0)
    ratio = sample.speedup("int8", 1)
    assert ratio is not None
    return ratio


@functools.cache
def measurements(kind: str, least: int, precision: float, budget_s: float | None) -> list[Ratio]:
    """Return the speed-ups of many measurements."""
    limits = Limits(precision, budget_s, least)
    return [measured(seed, PROCESSES[kind], limits) for seed in range(MEASUREMENTS)]


def share_that_hold(ratios: list[Ratio]) -> float:
    return sum(ratio.low <= 1.0 <= ratio.high for ratio in ratios) / len(ratios)


@pytest.mark.parametrize("kind", PROCESSES)
def test_intervals_hold_the_true_speedup_however_processes_differ(kind: str) -> None:
    """At the precision of the default: passes are added where an interval is wide, which optional stopping is."""
    ratios = measurements(kind, LEAST_PROCESSES, 0.05, None)
    assert share_that_hold(ratios) >= 0.98
    assert {ratio.n for ratio in ratios} <= set(range(LEAST_PROCESSES, MORE * LEAST_PROCESSES + 1))


@pytest.mark.parametrize("kind", ["normal", "heavy tails"])
def test_few_processes_have_wide_intervals_that_hold(kind: str) -> None:
    ratios = measurements(kind, FEWEST_PROCESSES, 1.0, FEWEST_PROCESSES)
    assert {ratio.n for ratio in ratios} == {FEWEST_PROCESSES}
    assert share_that_hold(ratios) >= 0.98


def test_stopping_at_the_precision_does_not_pick_the_lucky_intervals() -> None:
    """The precision is that of some 18 processes: samples that look precise by chance stop earlier."""
    ratios = measurements("normal", LEAST_PROCESSES, 0.07, None)
    assert len({ratio.n for ratio in ratios}) > 6, "the stopping is optional indeed"
    assert share_that_hold(ratios) >= 0.98


@pytest.mark.parametrize("kind", PROCESSES)
def test_equals_are_called_different_no_more_often_than_the_level(kind: str) -> None:
    ratios = measurements(kind, LEAST_PROCESSES, 0.05, None)
    assert sum(ratio.p_value <= LATENCY_ALPHA for ratio in ratios) <= 2 * LATENCY_ALPHA * MEASUREMENTS


def test_five_percent_are_found_where_processes_differ_by_little() -> None:
    limits = Limits.of(4, 0.05, None)
    ratios = [measured(seed, lambda rng: rng.normal(0, 0.015), limits, slowdown=0.05) for seed in range(200)]
    assert sum(ratio.p_value <= LATENCY_ALPHA / 3 and ratio.value < 1 for ratio in ratios) >= 0.95 * 200


def test_no_sample_is_larger_than_a_run_file_takes() -> None:
    assert MORE * Limits.of(100, 0.05, None).least <= MAX_PROCESSES
