"""``bench train``: the weights that techniques of one model start from, trained beforehand, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_serializer

from bench.core.units import MISSING, kilobytes, percent
from bench.report.tables import Table
from bench.results.run import BASELINE, Accuracy, Record, TrainingPrecision
from bench.running.model_session import EvaluatedVariant, model_session
from bench.running.settings import check_epochs, check_seed, check_training_precision
from bench.storage import checkpoint
from bench.storage.checkpoint import EpochRecord, Header, TrainingSpec
from bench.tasks.dataset import DataKind
from bench.tasks.source import DataPolicy
from bench.techniques.base import TECHNIQUES, Technique


class TrainedModel(Record):
    """A training that was carried out, or found in the cache, and the accuracy of its variant; or why there is none."""

    model: str
    technique: str
    data: DataKind
    seed: int
    recipe: dict[str, str | int | float | bool]
    precision: str
    seconds: float | None
    """The training's wall time, of all its sessions; ``None`` if it failed."""
    history: list[EpochRecord] = []
    """Its epochs."""
    checkpoint: Path
    """In a file its name alone, which is the same on every machine."""
    accuracy: Accuracy | None
    """On the test set, after the last epoch; ``None`` if the training or the variant failed."""
    packed_bytes: int | None
    reason: str = ""
    """Why it failed; empty if it did not."""

    @field_serializer("checkpoint")
    def _name_of(self, checkpoint: Path) -> str:
        return checkpoint.name


def train(
    model: str,
    techniques: Sequence[str] = (BASELINE,),
    *,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    retrain: bool = False,
    training_precision: TrainingPrecision = "auto",
    progress: bool | None = None,
) -> list[TrainedModel]:
    """Train ``model`` (``task/model``) for each technique and seed, side by side; an interrupted training goes on.

    ``epochs`` takes the place of the recipe's. A training that fails says so in its record, and the others go on.
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    check_epochs(epochs)
    check_training_precision(training_precision)
    for seed in seeds:
        check_seed(seed)
    chosen = [TECHNIQUES.get(name) for name in dict.fromkeys(techniques)]
    with model_session(model, device=device, data=data, data_root=data_root, progress=progress) as session:
        wanted = [
            (technique, session.order(technique, seed, epochs, precision=training_precision, retrain=retrain))
            for technique in chosen
            for seed in seeds
        ]
        headers = session.train([order for _, order in wanted], retrain)
        made = session.make_trained(wanted, headers)
        return [
            _record(session.selected.name, technique, order, header, variant)
            for (technique, order), header, variant in zip(wanted, headers, made, strict=True)
        ]


def _record(
    model: str,
    technique: Technique,
    order: TrainingSpec,
    header: Header | Exception,
    variant: EvaluatedVariant | Exception,
) -> TrainedModel:
    trained = header if isinstance(header, Header) else None
    made = variant if isinstance(variant, EvaluatedVariant) else None
    return TrainedModel(
        model=model,
        technique=technique.name,
        data=order.data_kind,
        seed=order.seed,
        recipe=order.recipe,
        precision=order.precision,
        seconds=trained.seconds if trained else None,
        history=trained.history if trained else [],
        checkpoint=checkpoint.locate(order.file_name) or order.path,
        accuracy=made.evaluation.accuracy if made else None,
        packed_bytes=made.facts.packed_bytes if made else None,
        reason=str(variant) if isinstance(variant, Exception) else "",
    )


def render(trained: Sequence[TrainedModel]) -> str:
    """Return the table of what was trained, and why what failed did."""
    header = ["Model", "Technique", "Seed", "Epochs", "Accuracy", "Packed (kB)", "Trained in (s)"]
    rows = [
        [
            each.model,
            each.technique,
            each.seed,
            each.recipe["epochs"],
            percent(each.accuracy.correct / each.accuracy.total) if each.accuracy else "failed",
            kilobytes(each.packed_bytes) if each.packed_bytes is not None else MISSING,
            f"{each.seconds:.0f}" if each.seconds is not None else MISSING,
        ]
        for each in trained
    ]
    failures = [f"`{each.technique}`, seed {each.seed}: {each.reason}" for each in trained if each.reason]
    synthetic = any(each.data == "synthetic" for each in trained)
    text = Table(header, rows, remarks=failures).markdown()
    return text + ("\n\n**SYNTHETIC data.**" if synthetic else "")
