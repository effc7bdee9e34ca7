"""Which trainings a model's rows rest on: some share theirs with fp32, whatever their scheme says."""

from __future__ import annotations

from bench.core.variant_key import BASELINE
from bench.results.provenance import Training
from bench.results.row import Row
from bench.results.run import Run


def of_its_own(run: Run, row: Row) -> bool:
    """Say whether a row's weights come of another training than fp32's."""
    trainings = _of_model(run, row.full_model)
    if any(training.technique == row.technique for training in trainings):
        return True
    return row.scheme == "AMP" and len(_plain(trainings)) > 1


def shared_with_amp(run: Run) -> list[str]:
    """Name the models whose fp32 has the weights that were trained under autocast, in sentences."""
    sentences = []
    for model in dict.fromkeys(row.full_model for row in run.rows if row.scheme == "AMP"):
        plain = _plain(_of_model(run, model))
        if len(plain) == 1 and (precision := plain.pop()) != "float32":
            sentences.append(f"`{model}` was trained once, under {precision} autocast: {BASELINE} has the same weights")
    return sentences


def _of_model(run: Run, model: str) -> list[Training]:
    return [training for training in run.trainings if training.model == model]


def _plain(trainings: list[Training]) -> set[str]:
    """Return the precisions that the model was trained in without a technique."""
    return {training.precision for training in trainings if not training.technique}
