"""Rows with the verdicts on them, from which findings are made."""

from __future__ import annotations

from dataclasses import dataclass

from bench.core.variant_key import BASELINE
from bench.results.latency import Speedup
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run
from bench.results.verdict import NOT_COMPARABLE, Verdict, accuracy_verdicts, latency_verdicts

SLOWER, FASTER = "slower", "faster"


@dataclass(frozen=True)
class Judged:
    """A row that is not the baseline, beside the baseline of its model."""

    row: Row
    baseline: Row | None
    data: Data
    speed: dict[int, Verdict]
    """By batch size, where a word could be given."""
    accuracy: Verdict | None
    """The same of its accuracy."""

    @property
    def model(self) -> str:
        """Its model, as ``task/model``."""
        return self.row.full_model

    @property
    def int8(self) -> bool:
        """Whether torch's int8 kernels ran it."""
        return self.row.dtype == "qint8" and not self.row.simulated

    @property
    def points(self) -> float | None:
        """Return the accuracy's difference to the baseline's, in percentage points."""
        if self.row.agreement is None or self.row.accuracy is None:
            return None
        return 100 * (self.row.agreement.gained - self.row.agreement.lost) / self.row.accuracy.total

    @property
    def alike(self) -> tuple[int, int] | None:
        """Return how many examples it answers as the baseline does, and of how many."""
        if self.row.agreement is None or self.row.accuracy is None:
            return None
        return self.row.agreement.same, self.row.accuracy.total

    @property
    def errors(self) -> tuple[int, int] | None:
        """Return how many answers are wrong of the baseline's and of its own, to as many examples."""
        mine, theirs = self.row.accuracy, self.baseline.accuracy if self.baseline else None
        if mine is None or theirs is None or mine.total != theirs.total:
            return None
        return theirs.total - theirs.correct, mine.total - mine.correct

    def baseline_s(self, size: int) -> float | None:
        """Return the seconds of the baseline's call; ``None`` where it was not timed."""
        if self.baseline is None or size not in self.baseline.latency:
            return None
        return self.baseline.latency[size].estimate_s

    def slower(self, size: int) -> bool:
        """Return whether the verdict at a batch size is that it is slower."""
        return self.speed[size].word == SLOWER

    def faster(self, size: int) -> bool:
        """Return whether the verdict at a batch size is that it is faster."""
        return self.speed[size].word == FASTER

    def speedup(self, size: int) -> Speedup:
        """Return the speed-up at a batch size that ``speed`` has."""
        return self.row.speedup[size]


def judge(run: Run) -> list[Judged]:
    """Return the rows of a run with their verdicts, each family of rows judged as in the tables."""
    judged = []
    for data in run.data:
        rows = run.rows_of(data.task)
        baselines = {row.model: row for row in rows if row.key == BASELINE}
        speeds = {size: latency_verdicts(rows, size) for size in run.settings.batch_sizes}
        for position, (row, accuracy) in enumerate(zip(rows, accuracy_verdicts(rows), strict=True)):
            speed = {size: given[position] for size, given in speeds.items()}
            judged.append(
                Judged(
                    row,
                    baselines.get(row.model),
                    data,
                    {size: verdict for size, verdict in speed.items() if verdict.word != NOT_COMPARABLE},
                    accuracy if accuracy.word != NOT_COMPARABLE else None,
                )
            )
    return [one for one in judged if one.row.key != BASELINE]
