"""``bench train``: the weights that techniques of one model start from, trained beforehand, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_serializer

from bench.core.units import MISSING, kilobytes, percent
from bench.fleet.trainings import trainer
from bench.options.option import several
from bench.options.signature import from_options
from bench.options.studies import TrainOptions
from bench.report.tables import Table
from bench.results.record import Record
from bench.results.row import Accuracy
from bench.running.evaluated import EvaluatedVariant
from bench.running.model_session import ModelSession, model_session
from bench.running.training_precision import PrecisionPolicy
from bench.storage.checkpoint import DistillationSpec, EpochRecord, Header, TrainingSpec
from bench.storage.given_checkpoint import adopt
from bench.tasks.dataset import DataKind
from bench.techniques.base import TECHNIQUES, Technique


class TrainedModel(Record):
    """A training that was carried out, or found in the cache, and the accuracy of its variant; or why there is none."""

    model: str
    technique: str
    data: DataKind
    seed: int
    recipe: dict[str, str | int | float | bool]
    precision: str
    start: str = ""
    """The name of the checkpoint that it started from, in the cache; empty for random weights."""
    teacher_weight: float = 0.0
    """λ of the loss that compares answers with those of the start; 0 for none."""
    temperature: float = 1.0
    """τ of that loss."""
    seconds: float | None
    """The training's wall time, of all its sessions; ``None`` if it failed."""
    processor: str = ""
    """The CPU or GPU that it was trained on; empty where that is not known."""
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


@from_options(TrainOptions)
def train(options: TrainOptions) -> list[TrainedModel]:
    """Train ``model`` (``task/model``) for each technique and seed, side by side; an interrupted training continues.

    ``epochs``, ``learning_rate``, ``weight_decay``, ``schedule``, ``optimizer`` and ``batch_size`` replace what the
    recipe says, ``reestimate`` and ``compiled`` add to it; ``recipe`` names one of ``bench.tasks.recipes``, which says
    some of it. A training starts from the weights and statistics of the checkpoint ``start``, of the same network and
    data, else from random weights; with a ``teacher_weight`` the start teaches it, too. A failed training's record
    holds the reason; the others continue. Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    names: list[str] = several(options.techniques)
    chosen = [TECHNIQUES.get(name) for name in dict.fromkeys(names)]
    with model_session(options) as session:
        policy = PrecisionPolicy(options.trained_on, session.machine.isa, options.training_precision, options.retrain)
        start = Path(options.start) if options.start is not None else None
        starts = {technique.name: _start(session, technique, start, options) for technique in chosen if start}
        trainings = [
            (technique, session.training(technique, seed, starts.get(technique.name), policy))
            for technique in chosen
            for seed in several(options.seeds)
        ]
        with trainer(session, options.fleet) as carry_out:
            headers = carry_out([training for _, training in trainings], options.retrain)
        evaluated = session.evaluate(trainings, headers)
        return [
            _record(session, technique, training, headers[training], variant)
            for (technique, training), variant in zip(trainings, evaluated, strict=True)
        ]


def _start(session: ModelSession, technique: Technique, path: Path, options: TrainOptions) -> DistillationSpec:
    """Return what a training takes from its start: the weights, and the answers if it is to teach."""
    given = adopt(path, "start", session.training(technique), session.store, weights=True)
    return DistillationSpec(
        teacher=given.checkpoint, weight=options.teacher_weight, temperature=options.temperature, initialise=True
    )


def _record(
    session: ModelSession,
    technique: Technique,
    training: TrainingSpec,
    header: Header | Exception,
    variant: EvaluatedVariant | Exception,
) -> TrainedModel:
    trained = header if isinstance(header, Header) else None
    evaluated = variant if isinstance(variant, EvaluatedVariant) else None
    taken = training.distillation_spec
    return TrainedModel(
        model=session.selected.name,
        technique=technique.name,
        data=training.data_kind,
        seed=training.seed,
        recipe=training.recipe,
        precision=training.precision,
        start=taken.teacher if taken else "",
        teacher_weight=taken.weight if taken else 0.0,
        temperature=taken.temperature if taken else 1.0,
        seconds=trained.seconds if trained else None,
        processor=trained.processor if trained else "",
        history=trained.history if trained else [],
        checkpoint=session.store.source(training),
        accuracy=evaluated.evaluation.accuracy if evaluated else None,
        packed_bytes=evaluated.facts.packed_bytes if evaluated else None,
        reason=str(variant) if isinstance(variant, Exception) else "",
    )


def render(trained: Sequence[TrainedModel]) -> str:
    """Return the table of what was trained, and why what failed did."""
    header = ["Model", "Technique", "Seed", "Epochs", "Accuracy", "Packed (kB)", "Trained in (s)"]
    rows = [
        [
            model.model,
            model.technique,
            model.seed,
            model.recipe["epochs"],
            percent(model.accuracy.correct / model.accuracy.total) if model.accuracy else "failed",
            kilobytes(model.packed_bytes) if model.packed_bytes is not None else MISSING,
            f"{model.seconds:.0f}" if model.seconds is not None else MISSING,
        ]
        for model in trained
    ]
    failures = [f"`{model.technique}`, seed {model.seed}: {model.reason}" for model in trained if model.reason]
    synthetic = any(model.data == "synthetic" for model in trained)
    text = Table(header, rows, remarks=failures).markdown()
    return text + ("\n\n**SYNTHETIC data.**" if synthetic else "")
