"""``bench train``: the weights that techniques of one model start from, trained beforehand, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_serializer

from bench.checkpoint import EpochRecord
from bench.report.tables import table
from bench.request import check_epochs
from bench.result import BASELINE, Accuracy, Record
from bench.techniques.technique import TECHNIQUES
from bench.units import MISSING, kilobytes, percent
from bench.workshop import Made, workshop
from tasks.dataset import DataKind
from tasks.source import DataPolicy


class TrainedModel(Record):
    """A training that was carried out, or found in the cache, and the accuracy of its variant."""

    model: str
    technique: str
    data: DataKind
    seed: int
    recipe: dict[str, str | int | float | bool]
    precision: str
    seconds: float
    """The training's wall time, of all its sittings."""
    history: list[EpochRecord] = []
    """Its epochs."""
    checkpoint: Path
    """In a file its name alone, which is the same on every machine."""
    accuracy: Accuracy
    """On the test set, after the last epoch."""
    packed_bytes: int | None

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
    progress: bool | None = None,
) -> list[TrainedModel]:
    """Train ``model`` (``task/model``) for each technique and seed, side by side; an interrupted training goes on.

    ``epochs`` takes the place of the recipe's. Raises ``bench.QuantbenchError``.
    """
    check_epochs(epochs)
    chosen = [TECHNIQUES.get(name) for name in dict.fromkeys(techniques)]
    with workshop(model, device=device, data=data, data_root=data_root, progress=progress) as shop:
        wanted = [(technique, shop.order(technique, seed, epochs)) for technique in chosen for seed in seeds]
        headers = shop.train([order for _, order in wanted], retrain)
        for header in headers:
            if isinstance(header, Exception):
                raise header
        results: list[TrainedModel] = []
        for (technique, order), made in zip(wanted, shop.make(wanted), strict=True):
            if not isinstance(made, Made):
                raise made
            header = headers[len(results)]
            assert not isinstance(header, Exception)  # noqa: S101 — raised above
            results.append(
                TrainedModel(
                    model=shop.selected.name,
                    technique=technique.name,
                    data=order.data_kind,
                    seed=order.seed,
                    recipe=order.recipe,
                    precision=order.precision,
                    seconds=header.seconds,
                    history=header.history,
                    checkpoint=order.path,
                    accuracy=made.evaluation.accuracy,
                    packed_bytes=made.facts.packed_bytes,
                )
            )
    return results


def render(trained: Sequence[TrainedModel]) -> str:
    """Return the table of what was trained."""
    header = ["Model", "Technique", "Seed", "Epochs", "Accuracy", "Packed (kB)", "Trained in (s)"]
    rows = [
        [
            each.model,
            each.technique,
            each.seed,
            each.recipe["epochs"],
            percent(each.accuracy.correct / each.accuracy.total),
            kilobytes(each.packed_bytes) if each.packed_bytes is not None else MISSING,
            f"{each.seconds:.0f}",
        ]
        for each in trained
    ]
    synthetic = any(each.data == "synthetic" for each in trained)
    return table(rows, header) + ("\n\n**SYNTHETIC data.**" if synthetic else "")
