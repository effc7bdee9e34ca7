"""In which precision weights are trained: under bfloat16 autocast only where the CPU has instructions for it.

Emulated, bfloat16 is some ten times slower than float32: a ResNet-8 would take hours.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bench.results.isa import computes_bfloat16
from bench.storage.checkpoint import TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore, is_shipped
from bench.tasks.policy import TrainingPrecision
from bench.tasks.task import ModelSpec, Precision
from bench.techniques.base import Technique


def preferred_precision(technique: Technique, spec: ModelSpec, device: str) -> Precision:
    """Return what the technique, else the model's recipe, asks for."""
    return technique.training_precision(device) or spec.precision


@dataclass(frozen=True)
class PrecisionPolicy:
    """What becomes of the preferred precision, on one machine and by one request."""

    device: str
    isa: Collection[str]
    """The CPU's instruction sets, as in ``bench.results.machine.Machine.isa``."""
    asked: TrainingPrecision = "auto"
    retrain: bool = False
    """Whether a training is wanted rather than a checkpoint that would spare it."""

    def precision(self, preferred: Precision) -> Precision:
        """Return what to train in."""
        emulated = self.device == "cpu" and preferred == "bfloat16" and not computes_bfloat16(self.isa)
        return "float32" if self.asked == "float32" or (self.asked == "auto" and emulated) else preferred

    def training(self, preferred: TrainingSpec, store: CheckpointStore) -> TrainingSpec:
        """Return the training in the precision that fits, given it in the ``preferred`` one.

        Where that has no checkpoint, a shipped one of the preferred precision spares the training, unless a precision
        was asked for by name.
        """
        fitting = preferred.model_copy(update={"precision": self.precision(preferred.precision)})
        if self.asked == "auto" and not self.retrain and store.locate(fitting.file_name) is None:
            return preferred if is_shipped(preferred) else fitting
        return fitting

    def notes(self, preferred: Precision, training: TrainingSpec, store: CheckpointStore) -> list[str]:
        """Return what a reader of a row must know of how its weights were trained."""
        notes = []
        if training.precision != preferred:
            asked = f"--training-precision {self.asked}"
            why = "this CPU has no bfloat16 arithmetic" if self.asked == "auto" else asked
            notes.append(f"trained in {training.precision}, not under {preferred} autocast: {why}")
        if is_shipped(training) and store.source(training) != store.path(training):
            notes.append(f"its weights come with quantbench, trained in advance under {training.precision} autocast")
        return notes
