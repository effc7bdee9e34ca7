"""Latencies and speed-ups over processes: observations, estimates, and records that contradict themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.results.latency import MAX_PROCESSES, Latency, Speedup, log_ratios, log_seconds, plain_estimate, speedup_over
from bench.stats.ratio import Ratio
from tests.bench.examples import latency


@dataclass
class Series:
    """Rounds of some processes."""

    rounds: Sequence[int]
    rounds_s: Sequence[float]
    processes: Sequence[int]


def series(*of_processes: Sequence[float], first: int = 0) -> Series:
    """Return the rounds of processes, four numbers of rounds to each; the first process has the number ``first``."""
    numbered = [
        (process, 4 * process + position, seconds)
        for process, times in enumerate(of_processes, first)
        for position, seconds in enumerate(times)
    ]
    processes, rounds, rounds_s = zip(*numbered, strict=True)
    return Series(rounds, rounds_s, processes)


def test_an_observation_is_the_median_log_ratio_of_a_processs_paired_rounds() -> None:
    fp32 = series([2.0, 2.0, 8.0], [3.0, 3.0])
    int8 = series([1.0, 0.5, 1.0], [1.0, 3.0])
    assert log_ratios(fp32, int8) == pytest.approx([math.log(4), math.log(3) / 2])


def test_rounds_and_processes_of_one_alone_do_not_count() -> None:
    fp32 = series([2.0, 2.0], [2.0], [2.0])
    int8 = series([1.0, 1.0, 100.0], [1.0], first=0)
    assert log_ratios(fp32, int8) == pytest.approx([math.log(2)] * 2)
    ratio = speedup_over(fp32, int8)
    assert ratio is not None
    assert ratio.n == 2, "processes, not rounds"
    assert speedup_over(fp32, series([1.0], first=7)) is None


def test_what_slows_a_round_for_both_leaves_the_speedup_alone() -> None:
    slow = [1.0, 3.0, 1.5, 7.0]
    fp32, int8 = (series(*[[call_s * factor for factor in slow]] * 8) for call_s in (2.0, 1.0))
    ratio = speedup_over(fp32, int8)
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((2.0, 2.0))


def test_a_process_counts_once_however_many_rounds_it_made() -> None:
    assert log_seconds(series([1.0] * 4, [math.e])) == pytest.approx([0.0, 1.0])
    assert plain_estimate([0, 0, 0, 1], [1.0, 1.0, 1.0, 4.0]) == pytest.approx(2.0)


times = st.floats(min_value=1e-6, max_value=10.0)
pairs = st.lists(st.lists(st.tuples(times, times), min_size=1, max_size=4), min_size=1, max_size=12)


@given(pairs)
def test_swapping_the_two_gives_the_reciprocal(processes: list[list[tuple[float, float]]]) -> None:
    one, other = (series(*[[pair[side] for pair in rounds] for rounds in processes]) for side in (0, 1))
    forth, back = speedup_over(one, other), speedup_over(other, one)
    assert forth is not None
    assert back is not None
    assert back.value == pytest.approx(1 / forth.value)
    assert (back.low, back.high) == pytest.approx((1 / forth.high, 1 / forth.low))
    assert back.p_value == pytest.approx(forth.p_value)


def content(**changes: Any) -> dict[str, Any]:
    return latency(1e-3).model_dump() | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"processes": [0] * 9}, "10 numbers of rounds, 10 times and 9 processes"),
        ({"rounds": [0]}, "1 numbers of rounds"),
        ({"rounds": [], "rounds_s": [], "processes": []}, "either the times of the rounds, or a summary"),
        ({"summary": {"mean_s": 1.0, "std_s": None, "median_s": 1.0, "rounds": 3}}, "either the times"),
        ({"estimate_s": 0.0}, "estimate_s"),
        ({"estimate_s": math.nan}, "estimate_s"),
        ({"processes": [-1] * 10}, "processes"),
        ({"warm": True}, "warm"),
    ],
)
def test_a_latency_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Latency.model_validate(content(**changes))


def test_more_processes_than_pairs_are_made_of_are_refused() -> None:
    n = MAX_PROCESSES + 1
    with pytest.raises(ValidationError, match=f"more than {MAX_PROCESSES} processes"):
        Latency.model_validate(content(rounds=list(range(n)), rounds_s=[1.0] * n, processes=list(range(n))))


def test_a_speedup_is_the_record_of_a_ratio() -> None:
    ratio = Ratio(2.0, 1.9, 2.2, confidence=0.95, p_value=0.001, n=12)
    known = Speedup.of(ratio, retired=True)
    assert (known.interval.value, known.interval.low, known.interval.high) == (2.0, 1.9, 2.2)
    assert known.half_width == ratio.half_width == pytest.approx(0.075)
    assert (known.n, known.p_value, known.retired) == (12, 0.001, True)
    assert not Speedup.of(ratio).retired


def test_a_speedup_outside_its_interval_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not between"):
        Speedup(value=3.0, low=1.0, high=2.0, confidence=0.95, p_value=0.1, n=8)
