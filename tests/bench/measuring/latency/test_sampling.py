"""Who takes part in the next pass of a model, until when, and what is kept of a pass."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measuring.latency.blocks import BLOCK_S, WarmUp
from bench.measuring.latency.rounds import Blocks, Name
from bench.measuring.latency.sampling import (
    FEWEST_PROCESSES,
    LEAST_PROCESSES,
    MORE,
    ROUNDS,
    THREADED_PROCESSES,
    Limits,
    Sample,
    Series,
    pause_s,
    rounds_for,
)
from bench.results.latency import MAX_PROCESSES, Latency
from bench.stats.multiple_tests import LATENCY_ALPHA
from bench.stats.ranks import location

FP32, INT8, FP16 = "fp32", "int8", "fp16"
LIMITS = Limits(precision=0.05, budget_s=None, least=LEAST_PROCESSES)


def add(sample: Sample, size: int, call_s: Mapping[Name, float], wobble: float = 0.0) -> None:
    """Add one process of each, four rounds, around a time of a call; they differ by ``wobble``."""
    rng = random.Random(f"{sample.passes} {size}")
    made = {name: Blocks(10, [seconds * math.exp(rng.gauss(0, wobble))] * ROUNDS) for name, seconds in call_s.items()}
    sample.add(size, dict.fromkeys(call_s, WarmUp(10, [1.0], warm=True)), made)


def passes(
    call_s: Mapping[Name, float],
    limits: Limits = LIMITS,
    wobble: float = 0.0,
    pass_s: float = 1.0,
    undemanding: Sequence[Name] = (),
) -> tuple[Sample, list[list[Name]]]:
    """Make passes at batch 1 until the sample asks for no more; return it and who took part in each."""
    sample = Sample(FP32, [1])
    among = []
    while sizes := sample.next_pass(limits, list(call_s), undemanding):
        among.append(sizes[1])
        add(sample, 1, {name: call_s[name] for name in sizes[1]}, wobble)
        sample.end_pass(pass_s)
    return sample, among


# Until when


def test_steady_variants_get_the_least_number_of_processes() -> None:
    sample, among = passes({FP32: 2.0, INT8: 1.0})
    assert among == [[FP32, INT8]] * LEAST_PROCESSES
    ratio = sample.speedup(INT8, 1)
    assert ratio is not None
    assert ratio.value == pytest.approx(2.0)
    assert ratio.n == LEAST_PROCESSES


def test_passes_are_added_until_the_precision_is_reached() -> None:
    sample, among = passes({FP32: 2.0, INT8: 1.0}, wobble=0.07)
    assert LEAST_PROCESSES < len(among) < MORE * LEAST_PROCESSES
    ratio = sample.speedup(INT8, 1)
    assert ratio is not None
    assert ratio.half_width <= LIMITS.precision


def test_only_what_is_imprecise_is_sampled_further() -> None:
    sample = Sample(FP32, [1, 64])
    for _ in range(LEAST_PROCESSES):
        add(sample, 1, {FP32: 1.0, INT8: 1.0, FP16: 1.0})
        add(sample, 64, {FP32: 1.0, INT8: 1.0}, wobble=0.5)
        add(sample, 64, {FP16: 1.0})
        sample.end_pass(1.0)
    assert sample.next_pass(LIMITS, [FP32, INT8, FP16]).keys() == {64}
    assert INT8 in sample.next_pass(LIMITS, [FP32, INT8, FP16])[64]


def test_without_a_budget_it_ends_at_a_multiple_of_the_least() -> None:
    _, among = passes({FP32: 1.0, INT8: 1.0}, wobble=1.0)
    assert len(among) == MORE * LEAST_PROCESSES


@settings(max_examples=20)
@given(st.floats(min_value=0.5, max_value=5.0), st.floats(min_value=5.0, max_value=15.0))
def test_a_budget_is_neither_exceeded_by_a_whole_pass_nor_left_over(pass_s: float, budget_s: float) -> None:
    sample, _ = passes({FP32: 1.0, INT8: 1.0}, Limits(1e-9, budget_s, LEAST_PROCESSES), 1.0, pass_s)
    assert sample.spent_s <= budget_s + pass_s / 2 + 1e-9
    assert sample.spent_s > budget_s - pass_s


def test_a_short_budget_ends_before_the_least() -> None:
    _, among = passes({FP32: 1.0, INT8: 1.0}, Limits(0.05, 9.0, LEAST_PROCESSES))
    assert len(among) == 9


def test_no_budget_makes_more_processes_than_a_run_file_takes() -> None:
    sample = Sample(FP32, [1])
    endless = Limits(1e-9, 1e9, LEAST_PROCESSES)
    for number in range(MAX_PROCESSES):
        if number in (0, MAX_PROCESSES - 1):
            add(sample, 1, {FP32: 1.0, INT8: 1.0}, wobble=1.0)
            assert sample.next_pass(endless, [FP32, INT8])
        sample.end_pass(1.0)
    assert not sample.next_pass(endless, [FP32, INT8])


@pytest.mark.parametrize("variants", [1, 2, 7, 8, 16, 40])
def test_unanimous_processes_get_a_verdict_among_so_many_variants(variants: int) -> None:
    least = Limits.of(variants, 0.05, None).least
    assert least >= LEAST_PROCESSES
    assert location([1.0] * least).p_value * max(1, variants - 1) <= LATENCY_ALPHA


def test_several_threads_get_twice_as_many_processes() -> None:
    assert Limits.of(2, 0.1, None, threads=2).least == THREADED_PROCESSES == 2 * LEAST_PROCESSES


def test_the_fewest_processes_have_an_interval() -> None:
    assert location([0.0] * FEWEST_PROCESSES).confidence
    assert not location([0.0] * (FEWEST_PROCESSES - 1)).confidence


def test_simulations_get_the_fewest_processes_whatever_the_precision() -> None:
    _, among = passes({FP32: 1.0, INT8: 1.0, FP16: 5.0}, wobble=1.0, undemanding=[FP16])
    assert sum(FP16 in names for names in among) <= FEWEST_PROCESSES
    _, among = passes({FP32: 1.0, FP16: 1.0}, wobble=0.01, undemanding=[FP16])
    assert among[:FEWEST_PROCESSES] == [[FP32, FP16]] * FEWEST_PROCESSES
    assert among[FEWEST_PROCESSES:] == [[FP32]] * (LEAST_PROCESSES - FEWEST_PROCESSES)


def test_without_a_baseline_there_is_no_precision_to_reach() -> None:
    sample, among = passes({INT8: 1.0, FP16: 1.0}, wobble=1.0)
    assert among == [[INT8, FP16]] * LEAST_PROCESSES
    assert sample.speedup(INT8, 1) is None


def test_a_baseline_that_failed_late_asks_for_no_more_of_the_others() -> None:
    """More processes of theirs make no speed-up over it more precise."""
    sample = Sample(FP32, [1])
    for _ in range(LEAST_PROCESSES + 1):
        add(sample, 1, {FP32: 1.0, INT8: 1.0}, wobble=1.0)
        sample.end_pass(1.0)
    assert sample.next_pass(LIMITS, [FP32, INT8])
    assert not sample.next_pass(LIMITS, [INT8])


def test_every_variant_may_have_failed() -> None:
    assert not Sample(FP32, [1]).next_pass(LIMITS, [])


# Retirement


@pytest.mark.parametrize(("factor", "processes"), [(2.9, LEAST_PROCESSES), (3.1, 3), (9.9, 3), (10.1, 2), (500.0, 2)])
def test_what_is_hopelessly_slower_is_timed_no_more(factor: float, processes: int) -> None:
    sample, among = passes({FP32: 1.0, INT8: 0.5, FP16: factor})
    assert sum(FP16 in names for names in among) == processes
    assert ((FP16, 1) in sample.retired) == (processes < LEAST_PROCESSES)
    assert sum(INT8 in names for names in among) == LEAST_PROCESSES, "the others go on"
    assert len(sample.series[FP16, 1].rounds_s) == processes * ROUNDS, "what is known of it stays"


@pytest.mark.parametrize("all_s", [(2.0, 5.0, 5.0, 5.0), (50.0, 2.0, 5.0)])
def test_one_process_that_is_not_so_slow_keeps_a_variant(all_s: tuple[float, ...]) -> None:
    sample = Sample(FP32, [1])
    for seconds in all_s:
        add(sample, 1, {FP32: 1.0, FP16: seconds})
        sample.end_pass(1.0)
    assert not sample.retired


def test_a_variant_is_retired_at_one_batch_size_alone() -> None:
    sample = Sample(FP32, [1, 64])
    for _ in range(2):
        add(sample, 1, {FP32: 1.0, FP16: 20.0})
        add(sample, 64, {FP32: 1.0, FP16: 1.0})
        sample.end_pass(1.0)
    assert sample.next_pass(LIMITS, [FP32, FP16]) == {1: [FP32], 64: [FP32, FP16]}


def test_the_baseline_is_never_retired() -> None:
    sample, _ = passes({FP32: 1.0, INT8: 0.01})
    assert not sample.retired


# What is kept


def test_rounds_of_all_passes_have_numbers_that_pair_them() -> None:
    sample = Sample(FP32, [1])
    warm_ups: dict[Name, WarmUp] = {FP32: WarmUp(10, [3.0, 2.0], warm=True), INT8: WarmUp(20, [1.0], warm=False)}
    for number in range(3):
        blocks: dict[Name, Blocks] = {FP32: Blocks(10, [1.0] * 2, [5.0], [1])}
        if number != 1:
            blocks[INT8] = Blocks(20 + number, [1.0] * 2, [5.0], [1])
        sample.add(1, warm_ups, blocks)
        sample.end_pass(1.0)
    fp32, int8 = sample.series[FP32, 1], sample.series[INT8, 1]
    assert fp32.rounds == [0, 1, ROUNDS, ROUNDS + 1, 2 * ROUNDS, 2 * ROUNDS + 1]
    assert fp32.processes == [0, 0, 1, 1, 2, 2]
    assert (int8.rounds, int8.processes) == ([0, 1, 2 * ROUNDS, 2 * ROUNDS + 1], [0, 0, 2, 2])
    assert fp32.disturbed == [1, ROUNDS + 1, 2 * ROUNDS + 1]
    assert (fp32.warm_up_s, fp32.cold) == ([3.0, 2.0] * 3, 0)
    assert (int8.calls, int8.cold, int8.repeated_s) == (22, 2, [5.0] * 2)
    ratio = sample.speedup(INT8, 1)
    assert ratio is not None
    assert ratio.n == 2, "processes of both"


def test_of_a_process_that_failed_among_its_rounds_nothing_is_kept() -> None:
    sample = Sample(FP32, [1])
    blocks: dict[Name, Blocks] = {FP32: Blocks(1, [1.0, 1.0]), INT8: Blocks(1, [1.0, math.nan])}
    sample.add(1, dict.fromkeys(blocks, WarmUp(1, [1.0], warm=True)), blocks)
    assert list(sample.series) == [(FP32, 1)]


def as_latency(series: Series) -> Latency:
    """Return a series as a run file has it."""
    return Latency(
        estimate_s=1.0,
        runs_s=[1.0],
        rounds=series.rounds,
        rounds_s=series.rounds_s,
        processes=series.processes,
        repeated_s=series.repeated_s,
        disturbed=series.disturbed,
        causes={str(cause): count for cause, count in series.causes.items()},
        calls_per_block=series.calls,
        warm_up_s=series.warm_up_s,
        cold=series.cold,
        page_faults=series.page_faults,
    )


def test_a_sample_goes_on_from_a_run_file() -> None:
    before = Sample(FP32, [1])
    for _ in range(5):
        add(before, 1, {FP32: 1.0, INT8: 0.5, FP16: 4.0}, wobble=0.02)
        before.end_pass(1.0)
    latencies: dict[Name, dict[int, Latency]] = {
        name: {size: as_latency(series)} for (name, size), series in before.series.items()
    }
    sample = Sample(FP32, [1])
    sample.take_up(latencies)
    assert (sample.series, sample.passes, sample.retired) == (before.series, 5, {(FP16, 1)})
    assert sample.next_pass(LIMITS, [FP32, INT8, FP16]) == {1: [FP32, INT8]}
    add(sample, 1, {FP32: 1.0, INT8: 0.5})
    sample.end_pass(1.0)
    assert sorted(set(sample.series[INT8, 1].processes)) == list(range(6)), "the number of processes continues"
    assert len(set(sample.series[INT8, 1].rounds)) == 6 * ROUNDS


def test_an_interrupted_run_without_latencies_begins_at_the_first_pass() -> None:
    sample = Sample(FP32, [1])
    sample.take_up({FP32: {}, INT8: {}})
    assert (sample.passes, sample.next_pass(LIMITS, [FP32, INT8])) == (0, {1: [FP32, INT8]})


@pytest.mark.parametrize(
    ("block_s", "rounds"), [(BLOCK_S, ROUNDS), (0.03, ROUNDS), (0.05, 2), (0.09, 1), (5.0, 1), (BLOCK_S / 9, ROUNDS)]
)
def test_long_blocks_make_fewer_rounds(block_s: float, rounds: int) -> None:
    assert rounds_for(block_s) == rounds


# Rests


@given(spread_s=st.floats(0, 3600), budget_s=st.none() | st.floats(0.001, 3600), passes=st.integers(1, 100))
def test_pauses_spread_the_least_sample_and_never_exceed_the_budget(
    spread_s: float, budget_s: float | None, passes: int
) -> None:
    whole_s = passes * pause_s(spread_s, budget_s, passes)
    assert whole_s <= (spread_s if budget_s is None else min(spread_s, budget_s)) * (1 + 1e-9)
    assert budget_s is not None or whole_s == pytest.approx(spread_s)
