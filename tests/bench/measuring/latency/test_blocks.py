"""The measuring logic on a fake clock: no test sleeps and none measures this machine."""

from __future__ import annotations

from itertools import chain, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measuring.latency.blocks import BLOCK_S, MAX_WARM_S, SLOW_S, calls_for, time_calls, warm_up


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
    assert done.blocks_s == pytest.approx([1e-4] * 4)


def test_warm_up_goes_on_while_windows_disagree() -> None:
    sizing = (1.0,) * 3
    done = warm_up(FakeTimer(1e-3, slowdowns=(*sizing, 4.0, 4.0, 2.0, 2.0)))
    assert done.warm
    assert done.blocks_s[-1] == pytest.approx(1e-3)
    assert max(done.blocks_s) > 2e-3


def test_a_model_that_never_settles_is_called_cold_in_bounded_time() -> None:
    timer = FakeTimer(1e-3, slowdowns=tuple(1.2**step for step in range(60)))
    done = warm_up(timer)
    assert not done.warm
    assert sum(done.blocks_s) * done.calls_per_block < 10 * MAX_WARM_S


@pytest.mark.parametrize("slowdowns", [(1.0, 1.0, 3e3), (1.0, 2e4)])
def test_a_disturbed_call_does_not_freeze_a_block_that_is_too_short(slowdowns: tuple[float, ...]) -> None:
    done = warm_up(FakeTimer(1e-5, slowdowns))
    assert done.warm
    assert done.calls_per_block * 1e-5 >= BLOCK_S


def test_the_lead_in_is_made_but_not_timed() -> None:
    clock = FakeClock()
    assert time_calls(clock.work, calls=100, clock_ns=clock) == pytest.approx(100e-6)
    assert clock.calls == 105


def test_a_block_of_one_call_has_no_lead_in() -> None:
    """It takes as long as a block by itself: what a cold cache adds is no part of it that matters."""
    clock = FakeClock()
    assert time_calls(clock.work, calls=1, clock_ns=clock) == pytest.approx(1e-6)
    assert clock.calls == 1


def test_a_slow_call_is_made_twice_and_no_more() -> None:
    """The first of all, which allocates, and the one that says how long it takes."""
    timer = FakeTimer(SLOW_S)
    done = warm_up(timer)
    assert (timer.blocks, done.calls_per_block, done.warm) == ([1, 1], 1, True)


def test_a_block_has_a_margin_over_its_least_duration() -> None:
    assert calls_for(1e-4) == 110
    assert calls_for(1.0) == 1
    assert calls_for(0.0) > 0


def test_a_warm_up_may_be_asked_to_last() -> None:
    """A GPU's clocks rise while it works."""
    short, long = FakeTimer(1e-3), FakeTimer(1e-3)
    assert warm_up(short).warm
    assert warm_up(long, least_s=0.5).warm
    assert sum(short.blocks) * 1e-3 < 0.1
    assert 0.5 <= sum(long.blocks) * 1e-3 < 0.6
