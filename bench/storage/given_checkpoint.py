"""A checkpoint of the user's that a training starts from, or learns from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core.errors import RequestError
from bench.storage import checkpoint
from bench.storage.checkpoint import TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore


@dataclass(frozen=True)
class GivenCheckpoint:
    """Its copy in the store."""

    checkpoint: str
    """The copy's name, made of its content's hash; part of the hash of trainings that use it."""
    model: str
    """As ``task/model``."""


def adopt(
    path: Path, role: Literal["teacher", "start"], training: TrainingSpec, store: CheckpointStore, *, weights: bool
) -> GivenCheckpoint:
    """Copy a checkpoint into the store, named by its content, for trainings like ``training`` to use it as ``role``.

    ``weights`` says whether they take its weights, which must fit then, or its answers alone. Raises ``RequestError``
    for a checkpoint of other data or another network, ``CheckpointError`` for a file that is no checkpoint.
    """
    header = checkpoint.read_header(path, way_out=f"name another with --{role}")
    if (header.task, header.data_kind, header.data_fingerprint) != (
        training.task,
        training.data_kind,
        training.data_fingerprint,
    ):
        raise RequestError(
            f"the {role} {path} was trained on {header.data_kind} data of {header.task} ({header.data_fingerprint}), "
            f"not on {training.data_kind} data of {training.task} ({training.data_fingerprint}); "
            f"give one of the same data."
        )
    same = (header.network, header.hyperparameters) == (training.network, training.hyperparameters)
    if header.hyperparameters.get("inputs") != training.hyperparameters.get("inputs"):
        raise RequestError(f"the {role} {path} takes other inputs than {training.model}; give one that takes the same.")
    if weights and not same:
        way_out = "give one of that network" if role == "start" else "learn from its answers alone, with --source loss"
        raise RequestError(
            f"the {role} {path} is a {header.model}, whose weights do not fit {training.model}; {way_out}."
        )
    return GivenCheckpoint(store.put(path.read_bytes()).name, f"{header.task}/{header.model}")
