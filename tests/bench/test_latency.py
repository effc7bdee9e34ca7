"""The measuring logic on a fake clock: no test sleeps and none measures this machine."""

from __future__ import annotations

import random
from collections import Counter
from itertools import chain, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measure.latency import BLOCK_S, MAX_WARM_S, interleave, time_calls, warm_up


class FakeTimer:
    """Takes ``cost_s`` a call, with a slow-down for each of its first blocks."""

    def __init__(self, cost_s: float, slowdowns: tuple[float, ...] = ()) -> None:
        self.cost_s = cost_s
        self.blocks: list[int] = []
        self._slowdowns = chain(slowdowns, cycle([1.0]))

    def time(self, calls: int) -> float:
        self.blocks.append(calls)
        return calls * self.cost_s * next(self._slowdowns)


class FakeClock:
    """A clock that stands still until a call moves it."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.calls = 0

    def __call__(self) -> int:
        return self.now_ns

    def work(self) -> None:
        self.calls += 1
        self.now_ns += 1_000


@settings(max_examples=50)
@given(st.floats(min_value=1e-7, max_value=5.0))
def test_a_block_is_long_enough_for_any_cost_of_a_call(cost_s: float) -> None:
    done = warm_up(FakeTimer(cost_s))
    assert done.calls_per_block * cost_s >= BLOCK_S
    assert done.calls_per_block == 1 or done.calls_per_block * cost_s < 10 * BLOCK_S


def test_a_steady_model_is_warm_after_two_windows() -> None:
    done = warm_up(FakeTimer(1e-4))
    assert done.warm
    assert done.blocks_s == pytest.approx([1e-4] * 5)


def test_warm_up_goes_on_while_windows_disagree() -> None:
    sizing = (1.0,) * 5
    done = warm_up(FakeTimer(1e-3, slowdowns=(*sizing, 4.0, 4.0, 2.0, 2.0)))
    assert done.warm
    assert done.blocks_s[-1] == pytest.approx(1e-3)
    assert max(done.blocks_s) > 2e-3


def test_a_model_that_never_settles_is_called_cold_in_bounded_time() -> None:
    timer = FakeTimer(1e-3, slowdowns=tuple(1.2**step for step in range(60)))
    done = warm_up(timer)
    assert not done.warm
    assert sum(done.blocks_s) * done.calls_per_block < 10 * MAX_WARM_S


def test_a_disturbed_call_does_not_freeze_a_block_that_is_too_short() -> None:
    done = warm_up(FakeTimer(1e-5, slowdowns=(1.0, 1.0, 1e4)))
    assert done.warm
    assert done.calls_per_block * 1e-5 >= BLOCK_S


def test_a_very_slow_model_is_not_called_more_often_than_needed() -> None:
    timer = FakeTimer(5.0)
    assert not warm_up(timer).warm
    assert timer.blocks == [1, 1, 1]


def test_every_round_times_every_variant_once_in_a_fresh_order() -> None:
    order: list[str] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        def time(self, calls: int) -> float:
            order.append(self.name)
            return calls * 1.0

    names = ["a", "b", "c", "d"]
    samples = interleave(
        {name: Recorder(name) for name in names}, dict.fromkeys(names, 2), rounds=20, rng=random.Random(0)
    )
    rounds = [tuple(order[start : start + 4]) for start in range(0, 80, 4)]
    assert all(Counter(each) == Counter(names) for each in rounds)
    assert len(set(rounds)) > 5
    assert samples == {name: [1.0] * 20 for name in names}


def test_the_order_follows_from_the_seed() -> None:
    def order(seed: int) -> list[float]:
        count = iter(range(100))

        class Numbered:
            def time(self, calls: int) -> float:
                return float(next(count))

        timers = {name: Numbered() for name in "abc"}
        return interleave(timers, dict.fromkeys("abc", 1), rounds=5, rng=random.Random(seed))["a"]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_each_round_is_reported() -> None:
    seen: list[int] = []
    interleave({"a": FakeTimer(1.0)}, {"a": 1}, rounds=3, rng=random.Random(0), after_round=seen.append)
    assert seen == [1, 2, 3]


def test_the_lead_in_is_made_but_not_timed() -> None:
    clock = FakeClock()
    assert time_calls(clock.work, calls=100, clock_ns=clock) == pytest.approx(100e-6)
    assert clock.calls == 105


def test_a_block_of_one_call_has_no_lead_in() -> None:
    clock = FakeClock()
    time_calls(clock.work, calls=1, clock_ns=clock)
    assert clock.calls == 1


def test_an_accelerator_is_waited_for_before_and_after() -> None:
    clock = FakeClock()
    waits: list[int] = []
    time_calls(clock.work, 1, synchronize=lambda: waits.append(clock.calls), clock_ns=clock)
    assert waits == [0, 1]
