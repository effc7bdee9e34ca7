"""What is sampled of one model: processes of its variants, pass after pass, until speed-ups are known well enough.

The unit of sampling is the process (Georges, Buytaert and Eeckhout 2007; Kalibera and Jones 2013): a process keeps the
bias of its start as long as it lives, and only other processes show how much that was. A *pass* is one fresh process of
every variant that takes part, all alive at once and timed in interleaved rounds.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.measuring.latency.blocks import WarmUp
from bench.measuring.latency.disturbance import CAUSES, Cause
from bench.measuring.latency.rounds import Blocks, Name
from bench.results.latency import MAX_PROCESSES, Latency, log_ratios, speedup_over
from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.multiple_tests import LATENCY_ALPHA
from bench.stats.ranks import least_n
from bench.stats.ratio import Ratio

ROUNDS = 3
"""In a process at one batch size, fewer where fp32's blocks are long: the least whose median outlives one bad block.
More processes tell more than more rounds do."""
PROCESS_S = 0.1
"""What the rounds of fp32 take in one process at most, about."""
SPREAD_S = 60.0
"""Over so many seconds the processes of a model are spread at least: the state of a machine lasts for some ten, and
processes that are nearer neighbours in time are no independent sample (``tests/benchmarks/sampling.py``)."""
LEAST_PROCESSES = 12
"""Of each variant, at any precision."""
THREADED_PROCESSES = 24
"""The same with several threads: how they share the cores is dealt to a process for life, so that processes differ
several times as much."""
PRECISION = 0.05
"""Half of an interval's width, as a share of the speed-up: what is asked for by default, and reached in most runs."""
THREADED_PRECISION = 0.1
"""The same with several threads."""
FEWEST_PROCESSES = least_n(1 - LATENCY_CONFIDENCE)
"""The least that have an interval: what a short budget must last for, and what a simulation gets."""
MORE = 4
"""So many times the least are made at most where the precision asks for them, and no budget was given;"""
MORE_S = 60.0
"""and none beyond the least once a model's passes have taken so long."""
HOPELESS = ((3, 3.0), (2, 10.0))
"""A variant is timed no more where so many processes each took so many times as long as fp32's."""


@dataclass
class Series:
    """All blocks of one participant at one batch size, seconds per call; see ``bench.results.latency.Latency``."""

    rounds: list[int] = field(default_factory=list)
    rounds_s: list[float] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    repeated_s: list[float] = field(default_factory=list)
    disturbed: list[int] = field(default_factory=list)
    causes: Counter[Cause] = field(default_factory=Counter)
    calls: int = 1
    warm_up_s: list[float] = field(default_factory=list)
    cold: int = 0
    page_faults: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, latency: Latency) -> Series:
        """Return the series that became a latency."""
        return cls(
            rounds=list(latency.rounds),
            rounds_s=list(latency.rounds_s),
            processes=list(latency.processes),
            repeated_s=list(latency.repeated_s),
            disturbed=list(latency.disturbed),
            causes=Counter({cause: latency.causes[cause] for cause in CAUSES if cause in latency.causes}),
            calls=latency.calls_per_block,
            warm_up_s=list(latency.warm_up_s),
            cold=latency.cold,
            page_faults=list(latency.page_faults),
        )

    def add(self, process: int, warm_up: WarmUp, blocks: Blocks) -> None:
        """Add what one process gave."""
        first = process * ROUNDS
        self.rounds += range(first, first + len(blocks.rounds_s))
        self.rounds_s += blocks.rounds_s
        self.processes += [process] * len(blocks.rounds_s)
        self.repeated_s += blocks.repeated_s
        self.disturbed += (first + position for position in blocks.disturbed)
        self.causes += blocks.causes
        self.calls = blocks.calls
        self.warm_up_s += warm_up.blocks_s
        self.cold += not warm_up.warm
        self.page_faults.append(round(statistics.median(blocks.page_faults or [0])))


@dataclass(frozen=True)
class Limits:
    """When a model has been sampled enough."""

    precision: float
    """Half of an interval's width, as a share of the speed-up."""
    budget_s: float | None
    """Of the passes of one model; ``None`` for up to ``MORE`` times the least number of processes in ``MORE_S``."""
    least: int
    """Processes of each variant."""

    @classmethod
    def of(cls, variants: int, precision: float, budget_s: float | None, threads: int = 1) -> Limits:
        """Return the limits for so many variants: a unanimous sample must be able to get a verdict among them."""
        unanimous = least_n(LATENCY_ALPHA / max(1, variants - 1))
        return cls(precision, budget_s, max(LEAST_PROCESSES if threads == 1 else THREADED_PROCESSES, unanimous))


class Sample:
    """The series of one model's participants by name and batch size."""

    def __init__(self, baseline: Name, batch_sizes: Sequence[int]) -> None:
        self.series: dict[tuple[Name, int], Series] = {}
        self.retired: set[tuple[Name, int]] = set()
        """What is hopelessly slower than the baseline, by name and batch size."""
        self.spent_s = 0.0
        self.passes = 0
        """Made so far; the next has this number."""
        self._baseline = baseline
        self._batch_sizes = batch_sizes

    def add(self, size: int, warm_ups: Mapping[Name, WarmUp], made: Mapping[Name, Blocks]) -> None:
        """Add the blocks of this pass at one batch size; of those whose process failed among them, nothing."""
        for name, blocks in made.items():
            if not math.isnan(sum(blocks.rounds_s)):
                self.series.setdefault((name, size), Series()).add(self.passes, warm_ups[name], blocks)
        self.retired |= {(name, size) for name in made if self._is_hopeless(name, size)}

    def take_up(self, latencies: Mapping[Name, Mapping[int, Latency]]) -> None:
        """Begin with what an interrupted run has measured, by name and batch size."""
        for name, by_size in latencies.items():
            for size, latency in by_size.items():
                self.series[name, size] = Series.of(latency)
                self.passes = max(self.passes, 1 + max(latency.processes))
        self.retired |= {key for key in self.series if self._is_hopeless(*key)}

    def end_pass(self, seconds: float) -> None:
        """Count a pass that took so many ``seconds``."""
        self.passes += 1
        self.spent_s += seconds

    def speedup(self, name: Name, size: int) -> Ratio | None:
        """Return how many times faster than the baseline a participant is; ``None`` without a common process."""
        ours, theirs = self.series.get((name, size)), self.series.get((self._baseline, size))
        return speedup_over(theirs, ours) if ours and theirs else None

    def next_pass(
        self, limits: Limits, names: Collection[Name], undemanding: Collection[Name] = ()
    ) -> dict[int, list[Name]]:
        """Return who takes part in the next pass, by batch size; nothing where all is known well enough.

        ``names`` are those that have not failed, the baseline among them or not; no precision is asked of the
        ``undemanding``.
        """
        if self._over(limits) or (self._baseline not in names and self.passes >= limits.least):
            return {}  # no speed-up becomes more precise without the baseline
        sizes = {}
        for size in self._batch_sizes:
            needed = [name for name in names if name != self._baseline and self._needs(name, size, limits, undemanding)]
            if self._baseline in names and (needed or self.passes < limits.least):
                needed.insert(0, self._baseline)
            if needed:
                sizes[size] = needed
        return sizes

    def _over(self, limits: Limits) -> bool:
        """Return whether there is no time for another pass: half of one, for it may as well be as short."""
        if limits.budget_s is None:
            enough = limits.least if self.spent_s > MORE_S else MORE * limits.least
            return self.passes >= min(enough, MAX_PROCESSES)
        return self.passes >= MAX_PROCESSES or (
            self.passes >= 1 and self.spent_s * (1 + 0.5 / self.passes) > limits.budget_s
        )

    def _needs(self, name: Name, size: int, limits: Limits, undemanding: Collection[Name]) -> bool:
        if (name, size) in self.retired:
            return False
        if name in undemanding:
            return self.passes < FEWEST_PROCESSES
        if self.passes < limits.least:
            return True
        ratio = self.speedup(name, size)
        return ratio is not None and ratio.half_width > limits.precision

    def _is_hopeless(self, name: Name, size: int) -> bool:
        ours, theirs = self.series.get((name, size)), self.series.get((self._baseline, size))
        slower = log_ratios(ours, theirs) if ours and theirs else []
        return any(len(slower) >= count and min(slower) > math.log(factor) for count, factor in HOPELESS)


def precision_for(threads: int) -> float:
    """Return the precision that is asked for by default."""
    return PRECISION if threads == 1 else THREADED_PRECISION


def pause_s(spread_s: float | None, budget_s: float | None, passes: int) -> float:
    """Return how long after the beginning of one of so many passes the next may begin; pauses exceed no budget."""
    return min(spread_s or 0.0, math.inf if budget_s is None else budget_s) / passes


def rounds_for(block_s: float) -> int:
    """Return how many rounds a process makes, given how long fp32's block is."""
    return max(1, min(ROUNDS, round(PROCESS_S / block_s)))
