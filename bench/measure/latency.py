"""Latency by interleaved rounds: each round times every variant once, in an order shuffled anew.

Terms: a *call* is one forward pass; a *block* is a number of calls timed together, long enough that
clock and loop are a negligible part of it; a *round* is one block of every variant; a *run* is a group
of consecutive rounds. The machine drifts by more than the differences that matter, so only blocks of
one round are compared with each other. See docs/measuring.md.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

BLOCK_S = 0.01
"""A block lasts at least this long: the clock's cost (some 50 ns) is below 0.001 % of it."""
LEAD_IN = 0.05
"""Share of a block's calls that are made untimed before it, because the variant before left cold caches."""
ROUNDS_PER_RUN = 2
WARM_WINDOW = 2
"""Blocks per warm-up window."""
WARM_TOLERANCE = 0.05
"""Warm when the fastest blocks of two windows in a row differ by less."""
GROWTH = 8
"""A block under way to its size grows at most by this factor: early calls are slow and mislead."""
MARGIN = 1.1
"""A block is sized for this multiple of its least duration, because a later one may run faster."""
MAX_WARM_S = 1.0
"""Warm-up ends here, agreed or not; one block of each window is always made."""


class Timer(Protocol):
    """Something that can be called a number of times and tells how long that took."""

    def time(self, calls: int) -> float:
        """Return the seconds that ``calls`` calls took."""
        ...


@dataclass(frozen=True)
class WarmUp:
    """How a variant was warmed up, and how many of its calls make a block."""

    calls_per_block: int
    blocks_s: list[float]
    """Seconds per call of each block."""
    warm: bool
    """Whether two windows agreed before the time was over."""


def warm_up(timer: Timer, block_s: float = BLOCK_S) -> WarmUp:
    """Size a block, then make blocks until the fastest of one window agrees with that of the next."""
    timer.time(1)  # the first call of all allocates and compiles: not a measure of anything
    spent = 0.0
    calls = 1
    while (elapsed := timer.time(calls)) < block_s:
        spent += elapsed
        calls = max(calls + 1, min(GROWTH * calls, _calls(block_s, elapsed / calls)))
    spent += elapsed
    blocks = [elapsed / calls]
    before: float | None = None
    while True:
        window = []
        for _ in range(WARM_WINDOW):
            elapsed = timer.time(calls)
            spent += elapsed
            window.append(elapsed / calls)
            if spent > MAX_WARM_S:
                break
        blocks += window
        fastest = min(window)
        agrees = before is not None and abs(fastest - before) <= WARM_TOLERANCE * before
        if spent > MAX_WARM_S:
            return WarmUp(max(calls, _calls(block_s, fastest)), blocks, warm=agrees)
        if fastest * calls < block_s:  # a disturbed block ended the sizing too early
            calls, before = _calls(block_s, fastest), None
        elif agrees:
            return WarmUp(calls, blocks, warm=True)
        else:
            before = fastest


def _calls(block_s: float, call_s: float) -> int:
    return math.ceil(MARGIN * block_s / max(call_s, 1e-9))


def interleave(
    timers: Mapping[str, Timer],
    calls: Mapping[str, int],
    rounds: int,
    rng: random.Random,
    after_round: Callable[[int], None] = lambda done: None,
) -> dict[str, list[float]]:
    """Return seconds per call of each timer's block in each round; block i of every timer is of round i."""
    samples: dict[str, list[float]] = {name: [] for name in timers}
    order = list(timers)
    for done in range(1, rounds + 1):
        rng.shuffle(order)
        for name in order:
            samples[name].append(timers[name].time(calls[name]) / calls[name])
        after_round(done)
    return samples


def time_calls(
    call: Callable[[], object],
    calls: int,
    synchronize: Callable[[], None] = lambda: None,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> float:
    """Return the seconds of ``calls`` calls after a lead-in; ``synchronize`` waits for an accelerator."""
    for _ in range(math.ceil(LEAD_IN * calls) if calls > 1 else 0):
        call()
    synchronize()
    start = clock_ns()
    for _ in range(calls):
        call()
    synchronize()
    return (clock_ns() - start) / 1e9
