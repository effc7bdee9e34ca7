"""What the recommended variant is best in: latency, size or memory; and what measurements cannot tell apart in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.comparing.row_by_row import MEMORY_SLACK
from bench.results.latency import speedup_over
from bench.results.recommendation import Objective
from bench.results.row import Row
from bench.results.verdict import UNDECIDED, Verdict
from bench.stats.ratio import Ratio

BETTER = {"latency": "faster", "size": "smaller", "memory": "smaller in memory"}
"""What a variant is that is better in it."""


@dataclass(frozen=True)
class Aim:
    """An objective, and the batch size that latencies are of."""

    objective: Objective
    batch_size: int

    def cost(self, row: Row) -> float:
        """Return what is to be least: its time as a share of fp32's, or bytes; infinite where that is not known."""
        if self.objective == "latency":
            return self.relative_latency(row)
        size = row.file_bytes if self.objective == "size" else row.peak_memory_bytes
        return math.inf if size is None else size

    def order(self, row: Row) -> tuple[float, float]:
        """Return what rows are sorted by, the best first; of equal sizes the faster."""
        return self.cost(row), self.relative_latency(row)

    def relative_latency(self, row: Row) -> float:
        """Return its time as a share of fp32's; 1 where that is not known, and for fp32."""
        speedup = row.speedup.get(self.batch_size)
        return 1 / speedup.value if speedup else 1.0

    def better(self, row: Row, baseline: Row, verdict: Verdict) -> bool:
        """Say whether it is shown to be better than the baseline."""
        if self.objective == "latency":
            return verdict.word == "faster"
        return self.cost(row) < self.cost(baseline) * (1 - self._slack)

    def alike(self, best: Row, others: Sequence[Row]) -> list[tuple[Row, Ratio | None]]:
        """Return those of the others that cannot be told from the best, with how much slower they are if known.

        Latencies are compared in the rounds that both were timed in: the 99 % interval of their ratio holds 1.
        """
        others = sorted(others, key=self.order)
        if self.objective != "latency":
            return [(row, None) for row in others if self.cost(row) <= self.cost(best) * (1 + self._slack)]
        timed = (row for row in others if not row.speedup[self.batch_size].retired)
        pairs = [(row, self._slower(row, best)) for row in timed]
        return [(row, ratio) for row, ratio in pairs if ratio is None or ratio.low <= 1 <= ratio.high]

    def undecided(self, row: Row, baseline: Row, verdict: Verdict) -> bool:
        """Say whether it cannot be told from the baseline."""
        if self.objective == "latency":
            return verdict.word == UNDECIDED
        return abs(self.cost(row) - self.cost(baseline)) <= self.cost(baseline) * self._slack

    @property
    def _slack(self) -> float:
        return MEMORY_SLACK if self.objective == "memory" else 0.0

    def _slower(self, row: Row, best: Row) -> Ratio | None:
        """Return its time as a multiple of the best's; ``None`` without an interval of that."""
        times = row.latency.get(self.batch_size), best.latency.get(self.batch_size)
        ratio = speedup_over(times[0], times[1]) if times[0] and times[1] else None
        return ratio if ratio is not None and ratio.confidence else None
