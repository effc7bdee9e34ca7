"""Rows with the verdicts on them, as the discussion reads them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.result import BASELINE, Data, Row, Run, Speedup
from bench.units import ratio
from bench.verdict import NOT_COMPARABLE, Verdict, accuracy_verdicts, latency_verdicts

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
        """Name the model, in markdown."""
        return f"`{self.row.full_model}`"

    @property
    def name(self) -> str:
        """Name the row, in markdown."""
        return f"{self.model} `{self.row.technique}`"

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

    def speedup(self, size: int) -> Speedup:
        """Return the speed-up at a batch size that ``speed`` has."""
        return self.row.speedup[size]


def judge(run: Run) -> list[Judged]:
    """Return the rows of a run with their verdicts, each family of rows judged as in the tables."""
    found = []
    for data in run.data:
        rows = run.rows_of(data.task)
        baselines = {row.model: row for row in rows if row.technique == BASELINE}
        speeds = {size: latency_verdicts(rows, size) for size in run.settings.batch_sizes}
        for position, (row, accuracy) in enumerate(zip(rows, accuracy_verdicts(rows), strict=True)):
            speed = {size: given[position] for size, given in speeds.items()}
            found.append(
                Judged(
                    row,
                    baselines.get(row.model),
                    data,
                    {size: verdict for size, verdict in speed.items() if verdict.word != NOT_COMPARABLE},
                    accuracy if accuracy.word != NOT_COMPARABLE else None,
                )
            )
    return [each for each in found if each.row.technique != BASELINE]


def signed(each: Judged) -> str:
    """Return the difference of its accuracy in points."""
    return f"{each.points or 0.0:+.2f} points".replace("-", "−")


def figures(found: Speedup) -> str:
    """Return a speed-up with its interval."""
    return ratio(found.interval)


def apart(one: Speedup, other: Speedup) -> bool:
    """Say whether two speed-ups over the same baseline differ: their intervals have nothing in common.

    That asks more than a test of the difference would, and errs on the side of saying nothing.
    """
    return one.low > other.high or other.low > one.high
