"""Which trainings wait for others: a student begins when its teacher has been trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.core.errors import TrainingError
from bench.storage.checkpoint import Header, TrainingSpec


class UntaughtError(TrainingError):
    """A training that was skipped because its teacher's failed."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause) if isinstance(cause, UntaughtError) else f"its teacher failed: {cause}")


def teacher_of(training: TrainingSpec) -> str:
    """Return the name of its teacher's checkpoint; empty for none."""
    return training.distillation_spec.teacher if training.distillation_spec else ""


def can_begin(training: TrainingSpec, pending: Iterable[TrainingSpec]) -> bool:
    """Return whether its teacher is not among those that are still to be trained."""
    return teacher_of(training) not in {other.file_name for other in pending}


def untaught(
    pending: Iterable[TrainingSpec], outcomes: Mapping[TrainingSpec, Header | Exception]
) -> dict[TrainingSpec, Header | Exception]:
    """Return why those cannot be trained whose teachers' trainings failed."""
    failed = {other.file_name: error for other, error in outcomes.items() if isinstance(error, Exception)}
    return {training: UntaughtError(failed[name]) for training in pending if (name := teacher_of(training)) in failed}
