"""``bench train``: the weights that techniques of one model start from, trained beforehand, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_serializer

from bench.checkpoint import EpochRecord, Header, Order, Teaching
from bench.own_checkpoint import adopt
from bench.report.tables import Table
from bench.request import check_epochs, check_seed, recipe_changes
from bench.result import BASELINE, Accuracy, Record
from bench.techniques.technique import TECHNIQUES, Technique
from bench.units import MISSING, kilobytes, percent
from bench.workshop import Made, Workshop, workshop
from tasks.dataset import DataKind
from tasks.source import DataPolicy
from tasks.task import Optimizer, Schedule


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
    seconds: float | None
    """The training's wall time, of all its sittings; ``None`` if it failed."""
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
    recipe: str | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    schedule: Schedule | None = None,
    optimizer: Optimizer | None = None,
    start: Path | str | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    retrain: bool = False,
    progress: bool | None = None,
) -> list[TrainedModel]:
    """Train ``model`` (``task/model``) for each technique and seed, side by side; an interrupted training goes on.

    ``epochs``, ``learning_rate``, ``weight_decay``, ``schedule`` and ``optimizer`` take the place of what the recipe
    says; ``recipe`` names one of ``tasks.recipes`` that says some of it. ``start`` is a checkpoint of the same network
    and data whose weights and statistics the training starts from, in the place of random ones. A
    training that fails says so in its record, and the others go on.
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    check_epochs(epochs)
    for seed in seeds:
        check_seed(seed)
    changes = recipe_changes(recipe, learning_rate, weight_decay, schedule, optimizer)
    chosen = [TECHNIQUES.get(name) for name in dict.fromkeys(techniques)]
    with workshop(model, device=device, data=data, data_root=data_root, progress=progress) as shop:
        starts = {technique.name: _start(shop, technique, Path(start)) for technique in chosen} if start else {}
        wanted = [
            (technique, shop.order(technique, seed, epochs, starts.get(technique.name), changes))
            for technique in chosen
            for seed in seeds
        ]
        headers = shop.train([order for _, order in wanted], retrain)
        made = shop.make_trained(wanted, headers)
        return [
            _record(shop.selected.name, technique, order, header, variant)
            for (technique, order), header, variant in zip(wanted, headers, made, strict=True)
        ]


def _start(shop: Workshop, technique: Technique, path: Path) -> Teaching:
    """Return what a training takes from the checkpoint that it starts from: its weights, and no part of the loss."""
    own = adopt(path, shop.order(technique), "start", weights=True)
    return Teaching(teacher=own.checkpoint, weight=0.0, temperature=1.0, initialise=True)


def _record(
    model: str, technique: Technique, order: Order, header: Header | Exception, variant: Made | Exception
) -> TrainedModel:
    trained = header if isinstance(header, Header) else None
    made = variant if isinstance(variant, Made) else None
    return TrainedModel(
        model=model,
        technique=technique.name,
        data=order.data_kind,
        seed=order.seed,
        recipe=order.recipe,
        precision=order.precision,
        start=order.teaching.teacher if order.teaching else "",
        seconds=trained.seconds if trained else None,
        history=trained.history if trained else [],
        checkpoint=order.path,
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
