"""What the harness itself costs; run with ``pytest tests/benchmarks --benchmark-enable``."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.measuring.latency.blocks import time_calls
from bench.measuring.latency.rounds import Block, make_rounds
from bench.measuring.latency.sampling import LEAST_PROCESSES, ROUNDS
from bench.results.latency import MAX_PROCESSES
from bench.stats.ratio import ratio
from bench.tasks.task import TASKS
from tests.bench.runtimes.do_nothing import DO_NOTHING, INPUTS

CALLS = 10_000
TURNS = 100
"""Of the runtimes, each with one block."""


@pytest.mark.parametrize("calls", [1, CALLS])
def test_timing_calls_that_do_nothing(benchmark: Callable[..., float], calls: int) -> None:
    """The cost per call, lead-in included, is this figure over ``calls``: it is part of every latency."""
    assert benchmark(time_calls, lambda: None, calls) < 1.0


@pytest.mark.parametrize("runtime", DO_NOTHING)
def test_a_call_of_a_runtime_that_does_nothing(benchmark: Callable[..., float], runtime: str) -> None:
    """What the harness adds to one: over the calls, all runtimes read the same within 50 ns.

    The runtime itself is a stub: what its own call costs is measured in every run (``Run.call_costs``).
    """
    assert benchmark(time_calls, DO_NOTHING[runtime]().bind(INPUTS), CALLS) < 1.0


def test_no_runtimes_call_reads_more_than_eagers_within_one_run(benchmark: Any) -> None:
    """Blocks of all take turns, so that what slows the machine slows all of them; ``--benchmark-json`` has the figures.

    The difference is that of the median block, and so is the ratio; the runtimes themselves are stubs.
    """
    if benchmark.disabled:
        pytest.skip("timed with --benchmark-enable")
    calls = {name: make().bind(INPUTS) for name, make in DO_NOTHING.items()}
    blocks: dict[str, list[float]] = {name: [] for name in calls}
    rng = random.Random(0)
    for _ in range(TURNS):
        for name in rng.sample(list(calls), len(calls)):
            blocks[name].append(time_calls(calls[name], CALLS) / CALLS)
    medians = {name: statistics.median(seconds) for name, seconds in blocks.items()}
    for name, seconds in medians.items():
        over = f"{1e9 * (seconds - medians['eager']):+.0f} ns, {seconds / medians['eager']:.2f} times eager's"
        benchmark.extra_info[name] = f"{1e9 * seconds:.0f} ns a call, {over}"
    benchmark(time_calls, calls["eager"], CALLS)
    assert max(medians.values()) - medians["eager"] <= 50e-9, benchmark.extra_info


def test_the_rounds_of_a_pass_over_seven_variants(benchmark: Callable[..., Any]) -> None:
    class Instant:
        def time(self, calls: int) -> Block:
            return Block(1.0)

    participants = {str(number): Instant() for number in range(7)}
    calls = dict.fromkeys(participants, 1)
    benchmark(make_rounds, participants, calls, ROUNDS, random.Random(0))


@pytest.mark.parametrize("processes", [LEAST_PROCESSES, MAX_PROCESSES])
def test_the_speedup_of_one_variant(benchmark: Callable[..., Any], processes: int) -> None:
    """It is taken of every variant after each pass."""
    rng = random.Random(0)
    benchmark(ratio, [rng.gauss(0.7, 0.1) for _ in range(processes)])


@pytest.mark.parametrize("name", ["mnist/lab2", "sst2/lab1", "cifar10/resnet8"])
def test_making_a_training_batch(benchmark: Callable[..., Any], name: str) -> None:
    task_name, _, model = name.partition("/")
    task = TASKS.get(task_name)
    dataset = task.load("synthetic", None)
    spec = task.resolve(next(spec for spec in task.models if spec.name == model), dataset)
    form = task.training_form(spec, spec.build(), dataset.train)
    index = torch.randperm(len(dataset.train))[: spec.recipe.batch_size]
    benchmark(form.batch, index, torch.Generator().manual_seed(0))
