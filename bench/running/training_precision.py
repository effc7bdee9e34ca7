"""In which precision weights are trained: under bfloat16 autocast only where the CPU has instructions for it.

Emulated, bfloat16 is some ten times slower than float32: a ResNet-8 would take hours.
"""

from __future__ import annotations

from collections.abc import Collection

from bench.results.isa import computes_bfloat16
from bench.results.run import TrainingPrecision
from bench.storage import checkpoint
from bench.storage.checkpoint import TrainingSpec
from bench.tasks.task import ModelSpec, Precision
from bench.techniques.base import Technique


def preferred_precision(technique: Technique, spec: ModelSpec, device: str) -> Precision:
    """Return what the technique, else the model's recipe, asks for."""
    return technique.training_precision(device) or spec.precision


def training_precision(
    preferred: Precision, device: str, isa: Collection[str], asked: TrainingPrecision = "auto"
) -> Precision:
    """Return what to train in, on a machine whose CPU has the instruction sets ``isa``."""
    emulated = device == "cpu" and preferred == "bfloat16" and not computes_bfloat16(isa)
    return "float32" if asked == "float32" or (asked == "auto" and emulated) else preferred


def training_notes(preferred: Precision, order: TrainingSpec, asked: TrainingPrecision) -> list[str]:
    """Return what a reader of a row must know of how its weights were trained."""
    notes = []
    if order.precision != preferred:
        cause = "this CPU has no bfloat16 arithmetic" if asked == "auto" else f"--training-precision {asked}"
        notes.append(f"trained in {order.precision}, not under {preferred} autocast: {cause}")
    if (path := checkpoint.locate(order.file_name)) is not None and path.parent == checkpoint.SHIPPED:
        notes.append(f"its weights come with quantbench, trained in advance under {order.precision} autocast")
    return notes
