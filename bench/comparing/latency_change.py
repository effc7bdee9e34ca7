"""What became of a latency between two runs of one machine.

The processes of a run are its sample: of each, the log ratio of the row's time to that of the reference workload in the
same rounds, so that a machine which was slower altogether has changed nothing. The change is the Hodges–Lehmann shift
between both samples, and is tested against ``BETWEEN_SESSIONS`` (Mann and Whitney). Times without a reference workload
are shown, and get no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.core.units import seconds
from bench.results.change import Change, ChangeWord
from bench.results.latency import Latency, log_ratios
from bench.results.row import Row
from bench.results.verdict import p_text
from bench.stats import ratio
from bench.stats.multiple_tests import LATENCY_ALPHA

BETWEEN_SESSIONS = 0.03
"""The change of a relative latency that is no verdict, as a share, however many processes show it.

Sessions of one commit differ too: memory, temperature and neighbours are others. This is an allowance and no
measurement of the two runs at hand; ``tests/benchmarks/gate.py`` tries it on real runs.
"""
MARGIN = math.log1p(BETWEEN_SESSIONS)
MORE_PROCESSES = "measure both runs with a smaller --precision and a longer --budget, for more processes"
NO_REFERENCE = "measure both runs with 'bench run', which times a reference workload beside each model"
RETIRED = "leave out of both runs what takes more than three times fp32's time, of which few processes are timed"


@dataclass(frozen=True)
class LatencyTest:
    """The latency of one row at one batch size, with its sample in each run."""

    change: Change
    before: Sequence[float]
    """The logarithm of the relative latency in each process."""
    after: Sequence[float]
    alpha: float = LATENCY_ALPHA

    @cached_property
    def ratio(self) -> ratio.Ratio:
        """By which factor the relative latency changed; its p-value is that of no more than ``BETWEEN_SESSIONS``."""
        return ratio.change(self.before, self.after, MARGIN)

    @property
    def p_value(self) -> float:
        """Of a change by no more than ``BETWEEN_SESSIONS``."""
        return self.ratio.p_value

    def judged(self, adjusted_p: float, level: float) -> Change:
        """Return the change with its verdict."""
        word: ChangeWord = "slower" if self.ratio.value > 1 else "faster"
        if adjusted_p > self.alpha:
            word = "no difference detected"
        change = self.change.model_copy(
            update={
                "value": self.ratio.value - 1,
                "low": self.ratio.low - 1,
                "high": self.ratio.high - 1,
                "p_value": adjusted_p,
                "least": ratio.least_growth(self.before, self.after, level, MARGIN),
                "word": word,
            }
        )
        sentence = (
            f"latency at batch {change.batch_size}: {word}, {change.figure} relative to the reference workload "
            f"({seconds(change.before)} and {seconds(change.after)}), {p_text(adjusted_p)}"
        )
        return change.model_copy(update={"sentence": sentence})


def latency_change(
    before: Row, after: Row, size: int, references: tuple[Latency | None, Latency | None]
) -> LatencyTest | Change | None:
    """Return what is to be judged of a row's latency, or the change where it cannot be; ``None`` if a run has none.

    ``references`` are the latencies of the reference workload beside the model in both runs.
    """
    was_s, now_s = call_s(before, size), call_s(after, size)
    if was_s is None or now_s is None:
        return None
    samples = [
        log_ratios(row.latency[size], reference) if reference is not None else []
        for row, reference in zip((before, after), references, strict=True)
    ]
    change = Change(
        model=after.full_model,
        variant=after.key,
        quantity="latency",
        batch_size=size,
        before=was_s,
        after=now_s,
        value=now_s / was_s - 1,
        advice=MORE_PROCESSES,
        word="not comparable",
        sentence="",
    )
    if not all(samples):
        return _not_comparable(change, "in seconds, without a reference workload in both runs", NO_REFERENCE)
    tested = LatencyTest(change, samples[0], samples[1])
    if tested.ratio.confidence:
        return tested
    few = tested.ratio.n
    retired = any(size in row.speedup and row.speedup[size].retired for row in (before, after))
    return _not_comparable(
        change.model_copy(update={"value": tested.ratio.value - 1}),
        f"relative to the reference workload, {few} {'process is' if few == 1 else 'processes are'} too few",
        RETIRED if retired else MORE_PROCESSES,
    )


def call_s(row: Row, size: int) -> float | None:
    """Return the seconds of a call; ``None`` too for a simulation, whose seconds say nothing."""
    return row.latency[size].estimate_s if size in row.latency and not row.simulated else None


def _not_comparable(change: Change, why: str, advice: str) -> Change:
    times = f"{seconds(change.before)} and {seconds(change.after)}"
    sentence = f"latency at batch {change.batch_size}: not comparable, {change.figure} ({times}) {why}"
    return change.model_copy(update={"sentence": sentence, "advice": advice})
