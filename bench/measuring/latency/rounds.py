"""Interleaved rounds: each round times every variant once, in a shuffled order.

A *round* is one block of every variant that takes part. The machine drifts by more than the differences that matter, so
blocks of one round are what is compared. Before each round every variant is reallocated, because
where its tensors happen to lie makes it faster or slower by as much as some techniques gain, for as long as its process
lives. What reallocation does not cure, fresh processes do, every few seconds of a long measurement. A block that was
disturbed from outside is repeated at once; both readings are kept. See docs/measuring.md.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from bench.measuring.latency.disturbance import Cause
from bench.stats.speedup import BETWEEN_PROCESSES, LogRatio, Ratio, log_ratio, speedup

BASE_ROUNDS = 8
"""Made of every variant, at any precision."""
MORE_ROUNDS = 5
"""Made at a time while the precision is not reached; a quarter of those there are, once that is more."""
START_S = 2.5
"""After so long a measurement continues in fresh processes, if it has as long left."""
START_SHARE = 0.25
"""Of a measurement, the most that starting processes may take."""
REPEATS = 2
"""A block that is disturbed so many times more is taken as it is, and said to be disturbed."""


Name = Hashable
"""What a participant is known by, such as the key of a variant."""


class Block(NamedTuple):
    """One reading."""

    elapsed_s: float
    """NaN if the variant failed."""
    causes: tuple[Cause, ...] = ()
    """What disturbed it."""


class Participant(Protocol):
    """A variant in the rounds of one batch size."""

    def begin_reallocation(self) -> None:
        """Start to reallocate the variant."""
        ...

    def end_reallocation(self) -> None:
        """Wait until that is done."""
        ...

    def time(self, calls: int) -> Block:
        """Time one block of ``calls`` calls."""
        ...


@dataclass
class Series:
    """The blocks of one participant, seconds per call."""

    calls: int
    """Per block."""
    rounds_s: dict[int, float] = field(default_factory=dict)
    """By the number of the round: the block that counts."""
    repeated_s: list[float] = field(default_factory=list)
    """The blocks that were disturbed and therefore repeated."""
    disturbed: list[int] = field(default_factory=list)
    """The rounds whose block was still disturbed after the last repetition."""
    causes: Counter[Cause] = field(default_factory=Counter)
    """How many blocks each cause disturbed."""
    starts: list[int] = field(default_factory=lambda: [0])
    """The numbers of the rounds that were the first in a fresh process."""


class Rounds:
    """The rounds of one batch size."""

    def __init__(
        self,
        participants: Mapping[Any, Participant],
        calls: Mapping[Any, int],
        rng: random.Random,
        after_round: Callable[[int], None] = lambda done: None,
        settle: Callable[[], None] = lambda: None,
        prior: float = BETWEEN_PROCESSES,
        always_included: Collection[Name] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take ``calls`` for each block, by name; ``after_round`` hears of each round made.

        ``settle`` waits until what was just run has come to rest; ``prior`` is ``between_processes``.
        ``always_included`` are the names of those that take part in every round, whoever else does.
        """
        self.series = {name: Series(calls[name]) for name in participants}
        self.made = 0
        self._participants = dict(participants)
        self._rng = rng
        self._after_round = after_round
        self._settle = settle
        self._prior = prior
        self._always_included = always_included
        self.clock = clock

    def enter(self, participants: Mapping[Any, Participant]) -> None:
        """Let participants of the same names in fresh processes take the place of those before them."""
        self._participants |= participants
        for name in participants:
            starts = self.series[name].starts
            starts[:] = [*(number for number in starts if number != self.made), self.made]

    def make(self, number: int, among: Collection[Name], deadline: float = math.inf) -> None:
        """Make ``number`` rounds of the participants ``among``, or fewer if the clock passes ``deadline``."""
        order = [name for name in self._participants if name in among or name in self._always_included]
        for _ in range(number):
            if self.clock() >= deadline:
                return
            self._rng.shuffle(order)
            for name in order:  # all begin before any is waited for: this is not timed
                self._participants[name].begin_reallocation()
            for name in order:
                self._participants[name].end_reallocation()
            self._settle()
            for name in order:
                self._time(name)
            self.made += 1
            self._after_round(self.made)

    def _time(self, name: Name) -> None:
        series = self.series[name]
        for attempt in range(1 + REPEATS):
            block = self._participants[name].time(series.calls)
            self._settle()
            series.causes.update(block.causes)
            if not block.causes:
                break
            if attempt < REPEATS:
                series.repeated_s.append(block.elapsed_s / series.calls)
            else:
                series.disturbed.append(self.made)
        series.rounds_s[self.made] = block.elapsed_s / series.calls

    def speedup(self, baseline: Name, name: Name) -> Ratio:
        """Return how many times faster than ``baseline`` a participant is, over the rounds that both were in."""
        return speedup(*self._paired(baseline, name), self._prior)

    def log_ratio(self, name: Name, to: Name) -> LogRatio:
        """Return how a participant's time stands to another's, over the rounds that both were in."""
        return log_ratio(*self._paired(name, to), self._prior)

    def _paired(self, baseline: Name, name: Name) -> tuple[list[float], list[float], list[int]]:
        """Return the times of both in common rounds, and which of these were the first of a process."""
        ours, theirs = self.series[name].rounds_s, self.series[baseline].rounds_s
        common = [number for number in ours if number in theirs]
        fresh = {*self.series[name].starts, *self.series[baseline].starts}
        starts = {bisect.bisect_left(common, number) for number in fresh} - {len(common)}
        return [theirs[number] for number in common], [ours[number] for number in common], sorted(starts)


def spend(
    schedules: Sequence[Rounds],
    baseline: Name,
    living: Callable[[], Collection[Name]],
    precision: float,
    deadline: float,
    restart: Callable[[Collection[Name]], None],
) -> None:
    """Make more rounds, where a speed-up's interval is widest, until all are within ±``precision`` or time is over.

    ``living`` returns the names of the participants that have not failed. Only those whose speed-up is not known well
    enough yet, and the baseline, take part. ``restart`` lets those it is told of go on in fresh processes.
    """
    spent_s: dict[Rounds, float] = {}
    start_s, last_start = START_S, schedules[0].clock()
    while True:
        names = set(living())
        if baseline not in names:
            return
        vague = {schedule: _vague(schedule, baseline, names - {baseline}, precision) for schedule in schedules}
        widest = max(schedules, key=lambda schedule: max(vague[schedule].values(), default=0.0))
        now = widest.clock()
        # Half of the last time: rounds are started if they are more likely than not to end before the deadline.
        if not vague[widest] or now + spent_s.get(widest, 0.0) / 2 >= deadline:
            return
        if now - last_start >= start_s and deadline - now >= start_s:
            restart({baseline, *itertools.chain.from_iterable(vague.values())})
            last_start = widest.clock()
            start_s = max(START_S, (last_start - now) / START_SHARE)
            names = set(living())  # some may not have come up again
            now = last_start
        until = min(deadline, last_start + start_s) if deadline - now >= start_s else deadline
        widest.make(max(MORE_ROUNDS, widest.made // 4), {baseline, *vague[widest]} & names, until)
        spent_s[widest] = widest.clock() - now


def _vague(schedule: Rounds, baseline: Name, names: Collection[Name], precision: float) -> dict[Name, float]:
    """Return the relative half-widths that exceed the precision."""
    if baseline not in schedule.series:
        return {}
    widths = {name: schedule.speedup(baseline, name).half_width for name in schedule.series if name in names}
    return {name: width for name, width in widths.items() if width > precision}
