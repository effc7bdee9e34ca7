"""Which variant of each model to deploy: the best of those that the data show to keep to the constraints.

``limits`` and ``accuracy_loss`` say what keeps to them, ``objective`` what is better. fp32 on eager, where it keeps to
them too, gives way only to what is shown to be better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.comparing import accuracy_loss, limits
from bench.comparing.accuracy_loss import Judgement
from bench.comparing.limits import Question
from bench.comparing.objective import BETTER, Aim
from bench.core.errors import RequestError, UnknownNameError
from bench.core.variant_key import BASELINE, VariantKey
from bench.results.recommendation import Candidate, Constraints, ModelRecommendation, Recommendation, Rejection
from bench.results.row import Row
from bench.results.run import Run
from bench.results.verdict import Verdict, latency_verdicts
from bench.stats.ratio import Ratio


def recommend(run: Run, constraints: Constraints, models: Sequence[str] = ()) -> Recommendation:
    """Return the recommendation for each model of a run, or for those named, as ``task/model`` or ``model``.

    Raises ``UnknownNameError`` for a model, and ``RequestError`` for a batch size, that the run does not have.
    """
    sizes = run.settings.batch_sizes
    batch_size = constraints.batch_size or (1 if 1 in sizes else min(sizes))
    if batch_size not in sizes:
        timed = " or ".join(map(str, sizes))
        raise RequestError(f"--batch {batch_size} was not timed in this run; choose {timed}, or measure it.")
    by_model: dict[str, list[Row]] = {}
    for row in run.rows:
        by_model.setdefault(row.full_model, []).append(row)
    for name in models:
        if not any(name in (model, model.partition("/")[2]) for model in by_model):
            raise UnknownNameError("model of this run", name, list(by_model))
    chosen = [model for model in by_model if not models or model in models or model.partition("/")[2] in models]
    question = Question(constraints.objective, batch_size, run.settings.precision, run.machine.isa_limit)
    return Recommendation(
        constraints=constraints,
        models=[_Decision(by_model[model], constraints, question).made() for model in chosen],
    )


@dataclass(frozen=True)
class _Decision:
    """That of one model."""

    rows: Sequence[Row]
    constraints: Constraints
    question: Question

    def made(self) -> ModelRecommendation:
        """Sort the rows by what speaks against them, and choose among the others."""
        verdicts = dict(zip((row.key for row in self.rows), latency_verdicts(self.rows, self.batch_size), strict=True))
        fit: list[Row] = []
        rejected: dict[str, list[Rejection]] = {"left out": [], "missed": [], "undecided": []}
        for row in self.rows:
            if reason := limits.unfit(row, self.question, verdicts[row.key]):
                rejected["left out"].append(Rejection(variant=row.key, reason=reason))
            elif worst := self._worst(row):
                rejection = Rejection(variant=row.key, reason=worst.reason, more_examples=worst.more_examples)
                rejected[worst.outcome].append(rejection)
            else:
                fit.append(row)
        best, runners_up, no_gain = self._choose(fit, verdicts)
        return ModelRecommendation(
            model=self.rows[0].full_model,
            batch_size=self.batch_size,
            max_drop=self.max_drop,
            best=self._candidate(best) if best else None,
            runners_up=[self._candidate(row, ratio) for row, ratio in runners_up],
            undecided=rejected["undecided"],
            outside=rejected["missed"],
            no_gain=[Rejection(variant=row.key, reason=f"it is not shown to be {self._word}") for row in no_gain],
            left_out=rejected["left out"],
        )

    @property
    def batch_size(self) -> int:
        """Of all latencies."""
        return self.question.batch_size

    @property
    def baseline(self) -> Row | None:
        """The row that gains and losses are relative to."""
        return next((row for row in self.rows if row.key == BASELINE and row.measured), None)

    @property
    def max_drop(self) -> float | None:
        """What may be lost; ``None`` where nobody asked and no accuracy is known."""
        if self.constraints.max_drop is not None or self.baseline is None:
            return self.constraints.max_drop
        if self.baseline.accuracy is not None:
            paired = any(row.agreement is not None for row in self.rows)
            return accuracy_loss.default_max_drop(self.baseline.accuracy, paired=paired)
        return accuracy_loss.DEFAULT_DROPS[0] if self.baseline.accuracy_share is not None else None

    @property
    def _word(self) -> str:
        return BETTER[self.constraints.objective]

    def _worst(self, row: Row) -> Judgement | None:
        """Return which limit it does not keep to, or else which it is not known to; ``None`` if it keeps to all."""
        judged = [limits.size(row, self.constraints), limits.latency(row, self.constraints, self.batch_size)]
        if row.key != BASELINE and self.baseline is None:
            judged.append(Judgement("undecided", f"{BASELINE} on eager was not measured beside it"))
        elif row.key != BASELINE and self.baseline is not None and self.max_drop is not None:
            judged.append(accuracy_loss.judge(row, self.baseline, self.max_drop))
        against = [judgement for judgement in judged if judgement.outcome != "met"]
        return min(against, key=lambda judgement: judgement.outcome != "missed", default=None)

    def _choose(
        self, fit: Sequence[Row], verdicts: Mapping[VariantKey, Verdict]
    ) -> tuple[Row | None, list[tuple[Row, Ratio | None]], list[Row]]:
        """Return the best row, what cannot be told from it, and what is not shown to be better than the baseline."""
        aim = Aim(self.constraints.objective, self.batch_size)
        baseline = next((row for row in fit if row.key == BASELINE), None)
        others = [row for row in fit if row.key != BASELINE]
        if baseline is None:
            best = min(others, key=aim.order, default=None)
            return best, aim.alike(best, [row for row in others if row is not best]) if best else [], []
        better = [row for row in others if aim.better(row, baseline, verdicts[row.key])]
        if not better:
            alike = [row for row in others if aim.undecided(row, baseline, verdicts[row.key])]
            return baseline, [(row, None) for row in alike], [row for row in others if row not in alike]
        best = min(better, key=aim.order)
        runners_up = aim.alike(best, [row for row in others if row is not best])
        listed = [best, *(row for row, _ in runners_up), *better]
        return best, runners_up, [row for row in others if row not in listed]

    def _candidate(self, row: Row, ratio: Ratio | None = None) -> Candidate:
        timed, whole = row.latency.get(self.batch_size), self.baseline.file_bytes if self.baseline else None
        return Candidate(
            variant=row.key,
            file_bytes=row.file_bytes,
            smaller=whole / row.file_bytes if whole and row.file_bytes else None,
            peak_memory_bytes=row.peak_memory_bytes,
            latency_s=timed.estimate_s if timed else None,
            speedup=row.speedup.get(self.batch_size),
            accuracy=row.share_right,
            change=accuracy_loss.change(row, self.baseline) if self.baseline and row.key != BASELINE else None,
            output_error=row.output_error,
            slower=(ratio.value, ratio.low, ratio.high) if ratio is not None else None,
        )
