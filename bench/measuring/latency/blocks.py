"""One variant's side of latency: warming up, and timing a block of calls.

Terms: a *call* is one forward pass; a *block* is a number of calls timed together, long enough that
clock and loop are a negligible part of it. What is made of blocks is in ``bench.measuring.latency.rounds``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

BLOCK_S = 0.01
"""A block lasts at least this long: the clock's cost (some 50 ns) is below 0.001 % of it."""
LEAD_IN = 0.05
"""Share of a block's calls that are made untimed before it: the variant before left cold caches."""
THREADED_LEAD_IN = 0.5
"""The same with several threads, which have to wake, and where they are not pinned take milliseconds to spread."""
SHORT = 0.9
"""A block that lasts less than this share of ``BLOCK_S`` is sized and made again."""
WARM_SHARE = 0.25
"""A block of the warm-up lasts at least this share of one that is timed."""
WARM_WINDOW = 2
"""Blocks per warm-up window."""
WARM_TOLERANCE = 0.05
"""Warm when the fastest blocks of two windows in a row differ by less."""
GROWTH = 8
"""A block under way to its size grows at most by this factor: early calls are slow and mislead."""
MARGIN = 1.1
"""A block is sized for this multiple of its least duration, because a later one may run faster."""
MAX_WARM_S = 0.5
"""Warm-up ends here, agreed or not."""
SLOW_S = 0.03
"""Of calls that take so long one is enough to warm up and one to size a block."""
SLOWEST_S = 0.25
"""Of calls that take even longer the first is enough; where only the first is so slow, its block comes out short and is
sized again."""


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


def warm_up(timer: Timer, first_s: float | None = None, block_s: float = BLOCK_S, least_s: float = 0.0) -> WarmUp:
    """Make short blocks until the fastest of one window agrees with that of the next; size a block by the last.

    ``first_s`` is how long the first call took, if it was made: it allocates and compiles, so it is no measure of the
    later ones. Warming up takes ``least_s`` seconds at least: a GPU's clocks rise while it works.
    """
    first_s = timer.time(1) if first_s is None else first_s
    if first_s >= max(SLOWEST_S, least_s):
        return WarmUp(1, [first_s], warm=True)
    short_s = WARM_SHARE * block_s
    calls = 1
    spent = elapsed = timer.time(calls)
    while elapsed < short_s:
        calls = max(calls + 1, min(GROWTH * calls, calls_for(elapsed / calls, short_s)))
        elapsed = timer.time(calls)
        spent += elapsed
    blocks = [elapsed / calls]
    if calls == 1 and min(first_s, elapsed) >= SLOW_S and spent >= least_s:  # else a call was disturbed
        return WarmUp(1, blocks, warm=True)
    window = blocks[:]
    before: float | None = None
    while True:
        while len(window) < WARM_WINDOW and spent <= MAX_WARM_S:
            elapsed = timer.time(calls)
            spent += elapsed
            window.append(elapsed / calls)
            blocks.append(elapsed / calls)
        fastest = min(window, default=blocks[-1])
        agrees = before is not None and abs(fastest - before) <= WARM_TOLERANCE * before
        if spent > MAX_WARM_S or (agrees and spent >= least_s):
            return WarmUp(calls_for(fastest, block_s), blocks, warm=agrees)
        if fastest * calls < short_s:  # a disturbed block ended the sizing too early
            calls, before = calls_for(fastest, short_s), None
        else:
            before = fastest
        window = []


def calls_for(call_s: float, block_s: float = BLOCK_S) -> int:
    """Return how many calls make a block."""
    return math.ceil(MARGIN * block_s / max(call_s, 1e-9))


def time_calls(
    call: Callable[[], object],
    calls: int,
    lead_in: float = LEAD_IN,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> float:
    """Return the seconds of ``calls`` calls, after a lead-in; a single call is long enough to need none."""
    for _ in range(math.ceil(lead_in * calls) if calls > 1 else 0):
        call()
    start = clock_ns()
    for _ in range(calls):
        call()
    return (clock_ns() - start) / 1e9
